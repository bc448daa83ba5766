"""Pictures in rows, each with lines of text; those that open something are buttons."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from explorer.ui.components.beside import component

__all__ = ["CARD", "MAP", "PHOTO", "Bar", "Picture", "Strong", "picture_grid"]

_GRID = component(__file__, "grid", html='<div class="pictures"></div>')
PHOTO, MAP = 64, 128  # pixels up to which each is enlarged without blur
CARD = 90  # the side of a picture with a title and lines


@dataclass(frozen=True)
class Strong:
    """A line that stands out."""

    strong: str


@dataclass(frozen=True)
class Bar:
    """From −1 to 1 of the largest: from the left what supports the class, from the right what opposes it."""

    fraction: float
    kind: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture at an address, what a click on it reports, and in words what the click does.

    Below it stand its title and its lines. `alt` says what the picture shows where these do not.
    """

    number: int
    address: str
    text: str
    lines: tuple[str | Strong | Bar, ...] = ()
    title: str = ""
    alt: str = ""


def picture_grid(
    pictures: Sequence[Picture],
    *,
    key: str,
    on_open: Callable[[int], None] | None = None,
    side: int = 64,
    chosen: int | None = None,
    crisp: int = PHOTO,
    opens: bool = True,
) -> int | None:
    """Show pictures about `side` pixels wide; the number of the one that was just clicked.

    `on_open` is called with it before the page runs. Pictures up to `crisp` pixels wide are enlarged without
    blur. They are no buttons unless they open something.
    """
    numbers = {picture.number for picture in pictures}

    def clicked(event: Any) -> int | None:
        number = (event or {}).get("number")  # the browser may send anything
        return number if type(number) is int and number in numbers else None

    def report() -> None:
        number = clicked(st.session_state.get(key))
        if on_open is not None and number is not None:
            on_open(number)

    data = {
        "pictures": [asdict(picture) for picture in pictures],
        "side": side,
        "chosen": chosen,
        "crisp": crisp,
        "opens": opens,
    }
    return clicked(_GRID(key=key, data=data, on_number_change=report))
