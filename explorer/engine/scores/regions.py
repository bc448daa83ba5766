"""Where the positions of a map lie in the image: the map covers the whole image, as it is drawn."""

import numpy as np

from explorer.engine.values import Doubles, Integers


def overlaps(parts: int, length: int) -> Doubles:
    """The fraction of each of `length` equal intervals in each of `parts` equal ones, (parts, length)."""
    ends = np.linspace(0, length, parts + 1)
    start = np.arange(length)
    inside = np.minimum(ends[1:, None], start + 1) - np.maximum(ends[:-1, None], start)
    return np.asarray(np.clip(inside, 0, 1))


def patch_sums(heat: Doubles, size: tuple[int, int]) -> Doubles:
    """Maps (…, h, w) summed over a grid of `size`; a position's value is spread evenly over its area.

    Rounded to nine digits of the largest, so that equal sums are equal whatever order they were added in.
    """
    rows, columns = (overlaps(parts, length) for parts, length in zip(size, heat.shape[-2:], strict=True))
    summed = rows @ heat @ columns.T
    unit = np.abs(summed).max(initial=0) * 1e-9 or 1.0
    return np.asarray(np.round(summed / unit) * unit)


def means(pixels: Doubles, size: tuple[int, int]) -> Doubles:
    """The mean of pixels (…, h, w) in each position of a map of `size`."""
    (rows, columns), (height, width) = size, pixels.shape[-2:]
    return np.asarray(
        overlaps(rows, height) @ pixels @ overlaps(columns, width).T * (rows * columns / (height * width))
    )


def positions(size: tuple[int, int], shape: tuple[int, int]) -> Integers:
    """The position of a map of `shape`, numbered row by row, at each pixel's center, (h, w) of `size`."""
    rows, columns = (
        ((np.arange(pixels) + 0.5) * length / pixels).astype(np.int64)
        for pixels, length in zip(size, shape, strict=True)
    )
    return np.asarray(rows[:, None] * shape[1] + columns)
