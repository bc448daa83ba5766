"""The legend of a colour scale: a bar of its colours and the numbers at its ends."""

from html import escape

import numpy as np
from numpy.typing import NDArray

from explorer.drawing.colormaps import colour, table
from explorer.drawing.pictures import data_uri
from explorer.drawing.ranges import Range, number, text

_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" \
role="img" aria-label="{label}" font-family="inherit" font-size="11" fill="currentColor" \
style="font-variant-numeric:tabular-nums"><image href="{bar}" width="{width}" height="{bar_height}" \
preserveAspectRatio="none" style="image-rendering:pixelated"/>{ticks}</svg>"""


def bar(range: Range, width: int = 256, height: int = 10, name: str | None = None) -> NDArray[np.uint8]:
    """The colours of a range from low to high, left to right: uint8 (height,width,3)."""
    if range.constant:
        return np.broadcast_to(colour([[range.low]], range, name), (height, width, 3)).copy()
    entries = np.arange(width) * 256 // width
    return np.broadcast_to(table(range, name)[entries], (height, width, 3)).copy()


def ticks(range: Range) -> tuple[tuple[float, float], ...]:
    """Where the numbers stand: (share of the width, value) at low, zero and high, without doubles."""
    if range.constant:
        return ((0.5, range.low),)
    if range.low < 0 < range.high:
        return ((0.0, range.low), (-range.low / (range.high - range.low), 0.0), (1.0, range.high))
    return ((0.0, range.low), (1.0, range.high))


def svg(range: Range, scale: str = "", width: int = 240, name: str | None = None) -> str:
    """The bar with its numbers as one inline SVG that takes the text colour around it.

    `scale` says how far the range is shared and is spoken to screen readers with it.
    """
    labels = "".join(_tick(share, number(value), width) for share, value in ticks(range))
    return _SVG.format(
        width=width,
        height=26,
        bar_height=10,
        label=escape(f"Colour scale from {text(range, scale)}", quote=True),
        bar=data_uri(bar(range, 256, 1, name)),
        ticks=labels,
    )


def _tick(share: float, label: str, width: int) -> str:
    anchor = "start" if share == 0 else "end" if share == 1 else "middle"
    return f'<text x="{share * width:g}" y="23" text-anchor="{anchor}">{escape(label)}</text>'
