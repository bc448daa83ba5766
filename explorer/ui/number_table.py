"""Tables of numbers as a person reads them: a true minus sign, while a click on a title sorts by value."""

from collections.abc import Mapping
from functools import partial

import pandas as pd
from pandas.io.formats.style import Styler

from explorer.drawing.ranges import MINUS

NOTHING = "–"  # where there is no value


def written(frame: pd.DataFrame, formats: Mapping[str, str]) -> pd.DataFrame | Styler:
    """The table with the columns of `formats` written by these, such as "{:.3f}"; its values stay numbers.

    A table too large for pandas to write stays as it is.
    """
    if frame.size > pd.get_option("styler.render.max_elements"):
        return frame
    ways = {name: partial(_number, text) for name, text in formats.items() if name in frame}
    return frame.style.format(ways, na_rep=NOTHING)


def _number(text: str, value: float) -> str:
    return NOTHING if pd.isna(value) else text.format(value).replace("-", MINUS)
