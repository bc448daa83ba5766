"""Few values as cells with their numbers, each on its color: kernels, patches, products, windows."""

from collections.abc import Collection
from html import escape

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from explorer.drawing.colormaps import color
from explorer.drawing.ranges import MINUS, Range, number, text
from explorer.ui import markup
from model.words import tr

MOST = 7  # rows or columns that can still be read with numbers in them

Booleans = npt.NDArray[np.bool_]
Values = npt.NDArray[np.floating]


def matrix(
    values: ArrayLike,
    range: Range,
    name: str,
    *,
    padding: Booleans | None = None,
    marked: Collection[tuple[int, int]] = (),
) -> str:
    """Values (h, w) as colored cells with numbers, or without numbers where there are too many, as html.

    `padding` (h, w) cells lie outside the input and are hatched; `marked` ones (row, column) are framed.
    """
    array = np.asarray(values)
    if max(array.shape) > MOST:
        return plain(array, range, name, padding=padding)
    return _grid(array, range, name, padding, marked, "fx-matrix")


def plain(values: ArrayLike, range: Range, name: str, *, padding: Booleans | None = None) -> str:
    """The same without numbers in the cells: small, and up to MOST cells wide each shows its own on hover."""
    array = np.asarray(values)
    if max(array.shape) <= MOST:
        return _grid(array, range, name, padding, (), "fx-matrix plain")
    outside = np.zeros(array.shape, bool) if padding is None else padding
    picture = color(np.where(outside, np.nan, array), range)
    label = tr("{name}: {rows} by {columns} values, color range {range}", **_label(array, range, name))
    return f'<div class="fx-many">{markup.image(picture, label, fill=True)}</div>'


def _label(array: Values, range: Range, name: str) -> dict[str, object]:
    return {"name": name, "rows": array.shape[0], "columns": array.shape[1], "range": text(range)}


def _grid(
    array: Values,
    range: Range,
    name: str,
    padding: Booleans | None,
    marked: Collection[tuple[int, int]],
    cls: str,
) -> str:
    decimals, pixels = decimals_for(range), color(array, range)
    outside = np.zeros(array.shape, bool) if padding is None else padding
    spans = [
        _cell(float(array[at]), pixels[at], decimals, bool(outside[at]), at in marked)
        for at in np.ndindex(*array.shape)
    ]
    numbers = ", ".join(fixed(float(value), decimals) for value in array.flat)
    label = tr(
        "{name}: {rows} by {columns} values, color range {range}: {numbers}",
        numbers=numbers,
        **_label(array, range, name),
    )
    shape = f'style="--columns:{array.shape[1]}"'
    return f'<div class="{cls}" role="img" aria-label="{escape(label)}" {shape}>{"".join(spans)}</div>'


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


def product_sign(first: Values, second: Values, products: Values, *scales: Range) -> str:
    """The sign between two patches and their products, all with the decimals of their ranges: ≈ where the
    numbers shown give other products.
    """
    decimals = [decimals_for(scale) for scale in scales]
    one, other, shown = (
        np.round(values, each) for values, each in zip((first, second, products), decimals, strict=True)
    )
    return "=" if np.all(np.abs(one * other - shown) <= 0.5 * 10.0 ** -decimals[-1] + 1e-9) else "≈"


def _cell(value: float, pixel: npt.NDArray[np.uint8], decimals: int, outside: bool, marked: bool) -> str:
    classes = " ".join(name for name, on in (("padding", outside), ("marked", marked)) if on)
    if outside:
        inner = "" if np.isnan(value) else fixed(value, decimals)
        return f'<span class="{classes}" title="{escape(tr("padding"))}">{inner}</span>'
    ink = "#fff" if pixel @ (0.299, 0.587, 0.114) < 132 else "#111"
    red, green, blue = pixel.tolist()
    style = f"background:rgb({red},{green},{blue});color:{ink}"
    return f'<span class="{classes}" style="{style}" title="{number(value)}">{fixed(value, decimals)}</span>'
