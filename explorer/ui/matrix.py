"""A few cells with their numbers in them, each on its colour: kernels, patches, products, windows."""

from collections.abc import Collection
from html import escape

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from explorer.drawing.colormaps import colour
from explorer.drawing.ranges import MINUS, Range, number, text
from explorer.ui import markup

MOST = 7  # rows or columns that can still be read with numbers in them


def matrix(
    values: ArrayLike,
    range: Range,
    said: str,
    *,
    padding: npt.NDArray[np.bool_] | None = None,
    marked: Collection[tuple[int, int]] = (),
) -> str:
    """Values (h, w) as coloured cells with numbers, or without numbers where there are too many, as html.

    `padding` (h, w) cells lie outside what is read and are hatched; `marked` ones (row, column) are framed.
    """
    cells = np.asarray(values)
    outside = np.zeros(cells.shape, bool) if padding is None else padding
    label = f"{said}, {cells.shape[0]} by {cells.shape[1]} cells, colours from {text(range)}"
    if max(cells.shape) > MOST:
        return _picture(np.where(outside, np.nan, cells), range, label)
    decimals = decimals_for(range)
    pixels = colour(cells, range)
    spans = [
        _cell(float(cells[at]), pixels[at], decimals, bool(outside[at]), at in marked)
        for at in np.ndindex(*cells.shape)
    ]
    spoken = f"{label}: {', '.join(fixed(float(value), decimals) for value in cells.flat)}"
    return (
        f'<div class="fx-matrix" role="img" aria-label="{escape(spoken, quote=True)}" '
        f'style="--columns:{cells.shape[1]}">{"".join(spans)}</div>'
    )


def decimals_for(range: Range) -> int:
    """How many decimals tell the values of a range apart without making its cells wide."""
    reach = max(abs(range.low), abs(range.high))
    bounds = (100, 10, 0.1, 0.01)
    return next((decimals for decimals, bound in enumerate(bounds) if reach >= bound), 4)


def fixed(value: float, decimals: int = 4) -> str:
    """A number with that many decimals and a true minus sign; what does not fit so, as a caption has it.

    >>> fixed(-0.41237), fixed(0.0), fixed(float("nan"))
    ('−0.4124', '0.0000', 'nan')
    """
    if not np.isfinite(value) or abs(value) >= 1e6:
        return number(value)
    plain = f"{value:.{decimals}f}"
    return (plain if float(plain) else plain.lstrip("-")).replace("-", MINUS)


def _cell(value: float, pixel: npt.NDArray[np.uint8], decimals: int, outside: bool, marked: bool) -> str:
    classes = " ".join(name for name, on in (("padding", outside), ("marked", marked)) if on)
    if outside:
        shown = "" if np.isnan(value) else fixed(value, decimals)
        return f'<span class="{classes}" title="padding">{shown}</span>'
    ink = "#fff" if pixel @ (0.299, 0.587, 0.114) < 132 else "#111"
    red, green, blue = pixel.tolist()
    style = f"background:rgb({red},{green},{blue});color:{ink}"
    return f'<span class="{classes}" style="{style}" title="{number(value)}">{fixed(value, decimals)}</span>'


def _picture(values: npt.NDArray[np.floating], range: Range, label: str) -> str:
    return f'<div class="fx-many">{markup.image(colour(values, range), label, fill=True)}</div>'
