"""Filters as pictures: the kernels of a convolution, in the colors they look for."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.drawing.colormaps import color
from explorer.drawing.ranges import Range


def kernels(weights: ArrayLike, range: Range) -> NDArray[np.uint8]:
    """Draw kernels (C,in,k,k) as uint8 (C,k,k,3); `range` is symmetric about zero.

    Those that read three channels are shown in their own colors: gray is zero, a bright red cell is a
    positive weight for red.
    Of others the mean over what they read is drawn from blue (negative) to red. ValueError for other shapes.
    """
    values = np.asarray(weights, dtype=np.float64)
    if values.ndim != 4 or not values.size:
        raise ValueError(f"Kernels have shape (C,in,k,k) with at least one cell, not {values.shape}.")
    if values.shape[1] != 3:
        return color(values.mean(axis=1), range)
    gray = 0.5 + np.clip(values / (2 * (range.high or 1.0)), -0.5, 0.5)
    pixels: NDArray[np.uint8] = np.rint(gray * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels)
