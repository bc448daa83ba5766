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
    if max(cells.shape) > MOST:
        return plain(cells, range, said, padding=padding)
    return _grid(cells, range, said, padding, marked, "fx-matrix")


def plain(values: ArrayLike, range: Range, said: str, *, padding: npt.NDArray[np.bool_] | None = None) -> str:
    """The same without numbers in the cells: small, and up to MOST cells wide each tells its own on hover."""
    cells = np.asarray(values)
    if max(cells.shape) <= MOST:
        return _grid(cells, range, said, padding, (), "fx-matrix plain")
    outside = np.zeros(cells.shape, bool) if padding is None else padding
    picture = colour(np.where(outside, np.nan, cells), range)
    return f'<div class="fx-many">{markup.image(picture, _label(cells, range, said), fill=True)}</div>'


def _label(cells: npt.NDArray[np.floating], range: Range, said: str) -> str:
    return f"{said}, {cells.shape[0]} by {cells.shape[1]} cells, colours from {text(range)}"


def _grid(
    cells: npt.NDArray[np.floating],
    range: Range,
    said: str,
    padding: npt.NDArray[np.bool_] | None,
    marked: Collection[tuple[int, int]],
    cls: str,
) -> str:
    decimals, pixels = decimals_for(range), colour(cells, range)
    outside = np.zeros(cells.shape, bool) if padding is None else padding
    spans = [
        _cell(float(cells[at]), pixels[at], decimals, bool(outside[at]), at in marked)
        for at in np.ndindex(*cells.shape)
    ]
    numbers = ", ".join(fixed(float(value), decimals) for value in cells.flat)
    spoken = escape(f"{_label(cells, range, said)}: {numbers}", quote=True)
    shape = f'style="--columns:{cells.shape[1]}"'
    return f'<div class="{cls}" role="img" aria-label="{spoken}" {shape}>{"".join(spans)}</div>'


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
