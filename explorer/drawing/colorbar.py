"""The legend of a color scale: a bar of its colors and the numbers at its ends."""

import numpy as np
from numpy.typing import NDArray

from explorer.drawing.colormaps import color, table
from explorer.drawing.ranges import Range


def bar(range: Range, width: int = 256, height: int = 10, name: str | None = None) -> NDArray[np.uint8]:
    """The colors of a range from low to high, left to right: uint8 (height,width,3)."""
    if range.constant:
        return np.broadcast_to(color([[range.low]], range, name), (height, width, 3)).copy()
    entries = np.arange(width) * 256 // width
    return np.broadcast_to(table(range, name)[entries], (height, width, 3)).copy()


def ticks(range: Range) -> tuple[tuple[float, float], ...]:
    """Where the numbers stand: (fraction of the width, value) at low, zero and high, without doubles."""
    if range.constant:
        return ((0.5, range.low),)
    if range.low < 0 < range.high:
        return ((0.0, range.low), (-range.low / (range.high - range.low), 0.0), (1.0, range.high))
    return ((0.0, range.low), (1.0, range.high))
