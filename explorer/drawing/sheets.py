"""All channels of a layer in one crisp picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.drawing.colormaps import color
from explorer.drawing.ranges import Range

WIDTH = 1456  # Streamlit blurs pictures wider than 1460 px.
BACKGROUND = (128, 128, 128)


def columns_for(channels: int, aspect: float = 1.6) -> int:
    """How many tiles stand in a row: near `aspect`, without a ragged last row where that is possible.

    >>> [columns_for(count) for count in (1, 7, 32, 64, 128)]
    [1, 4, 8, 8, 16]
    """
    ideal = (channels * aspect) ** 0.5
    whole = [count for count in range(1, channels + 1) if channels % count == 0]
    best = min(whole, key=lambda count: abs(np.log(count / ideal)))
    return best if ideal / 1.5 < best < ideal * 1.5 or channels == 1 else int(np.ceil(ideal))


def sheet(
    maps: ArrayLike,
    ranges: Range | Sequence[Range],
    *,
    columns: int | None = None,
    gap: int = 2,
    width: int = WIDTH,
    largest: int = 256,
    background: tuple[int, int, int] = BACKGROUND,
) -> NDArray[np.uint8]:
    """Tile `maps` (C,h,w) into one uint8 (H,W,3) picture, every cell a square of whole pixels.

    `ranges` is one range for all or one per channel. The picture is at most `width` wide, unless one
    map alone is wider; a tile is not enlarged beyond `largest` pixels.
    """
    tiles = colored(maps, ranges)
    count, h, w = tiles.shape[:3]
    columns = min(columns or columns_for(count), count, max(1, (width + gap) // (w + gap)))
    room = min(largest, (width - gap * (columns - 1)) // columns)
    scale = max(1, min(room // w, largest // h))
    return tiled(tiles.repeat(scale, axis=1).repeat(scale, axis=2), columns, gap, background)


def colored(maps: ArrayLike, ranges: Range | Sequence[Range]) -> NDArray[np.uint8]:
    """Color each of `maps` (C,h,w) on its range: uint8 (C,h,w,3)."""
    maps = np.asarray(maps)
    if maps.ndim != 3 or not maps.size:
        raise ValueError(f"A sheet needs maps of shape (C,h,w) with at least one cell, not {maps.shape}.")
    if isinstance(ranges, Range):
        return color(maps, ranges)
    if len(ranges) != len(maps):
        raise ValueError(f"{len(maps)} maps need one range or {len(maps)} ranges, not {len(ranges)}.")
    return np.stack([color(channel, own) for channel, own in zip(maps, ranges, strict=True)])


def tiled(
    tiles: NDArray[np.uint8], columns: int, gap: int = 2, background: tuple[int, int, int] = BACKGROUND
) -> NDArray[np.uint8]:
    """Lay uint8 `tiles` (n,h,w,3) out in rows of `columns` with `gap` pixels of background between them."""
    count, h, w, _ = tiles.shape
    rows = -(-count // columns)
    padded = np.empty((rows * columns, h + gap, w + gap, 3), np.uint8)
    padded[:] = background
    padded[:count, :h, :w] = tiles
    grid = padded.reshape(rows, columns, h + gap, w + gap, 3).swapaxes(1, 2)
    whole = grid.reshape(rows * (h + gap), columns * (w + gap), 3)
    return np.ascontiguousarray(whole[: whole.shape[0] - gap, : whole.shape[1] - gap])
