"""Small pictures in rows, each a button with a line of text."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from explorer.ui.components.beside import component

__all__ = ["Picture", "picture_grid"]

_GRID = component(__file__, "grid", html='<div class="pictures"></div>')


@dataclass(frozen=True)
class Picture:
    """A picture at an address, what a click on it reports, the line below it, and what it is in words."""

    number: int
    address: str
    line: str
    text: str


def picture_grid(
    pictures: Sequence[Picture],
    *,
    key: str,
    on_open: Callable[[int], None],
    side: int = 64,
    chosen: int | None = None,
) -> None:
    """Show pictures about `side` pixels wide; `on_open` is called with the number of one that is clicked."""
    data = {"pictures": [asdict(picture) for picture in pictures], "side": side, "chosen": chosen}
    numbers = {picture.number for picture in pictures}

    def report() -> None:
        number = (st.session_state.get(key) or {}).get("number")  # the browser may send anything
        if type(number) is int and number in numbers:
            on_open(number)

    _GRID(key=key, data=data, on_number_change=report)
