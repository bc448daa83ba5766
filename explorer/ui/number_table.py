"""Tables of numbers as a person reads them: a true minus sign, while a click on a title sorts by value."""

from collections.abc import Callable, Mapping
from functools import partial

import pandas as pd
from pandas.io.formats.style import Styler

from explorer.drawing.ranges import MINUS

NOTHING = "–"  # where there is no value


def written(
    frame: pd.DataFrame, formats: Mapping[str, str | Callable[[float], str]]
) -> pd.DataFrame | Styler:
    """The table with the columns of `formats` written by these, such as "{:.3f}" or a function; its values
    stay numbers.

    A table too large for pandas to write stays as it is.
    """
    if frame.size > pd.get_option("styler.render.max_elements"):
        return frame
    ways = {name: partial(_number, way) for name, way in formats.items() if name in frame}
    return frame.style.format(ways, na_rep=NOTHING)


def _number(way: str | Callable[[float], str], value: float) -> str:
    if pd.isna(value):
        return NOTHING
    return way.format(value).replace("-", MINUS) if isinstance(way, str) else way(float(value))
