"""Buttons whose clicks are counted in the browser, so that none is lost while a page is being made.

Streamlit's own button reports that it was clicked, not how often: clicks that come while the page runs
become one. Here every report gives the sum of all clicks so far.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from explorer.ui.components.beside import component

_COUNTER = component(__file__)
MOST = 1_000_000  # a sum of clicks beyond this is not believed


@dataclass(frozen=True)
class Button:
    """A button, by how much a click on it counts, and the letter on the keyboard that clicks it, if any."""

    label: str
    by: int
    letter: str = ""


@dataclass(frozen=True)
class Count:
    """The sum of all clicks since the buttons were last drawn anew; `drawn` identifies that drawing."""

    drawn: str
    sum: int


def counter(buttons: Sequence[Button], key: str) -> None:
    """Draw the buttons in a row, a single one no wider than it must be; `count` gives their clicks."""
    data = {"buttons": [asdict(button) for button in buttons]}
    width = "stretch" if len(buttons) > 1 else "content"
    _COUNTER(key=key, data=data, width=width, on_count_change=_ignore)


def count(key: str) -> Count | None:
    """The clicks that the browser counted; None before any, and for anything that is no count."""
    state = (st.session_state.get(key) or {}).get("count")
    if not isinstance(state, dict):
        return None
    drawn, total = state.get("drawn"), state.get("sum")
    believed = isinstance(drawn, str) and type(total) is int and abs(total) <= MOST
    return Count(drawn[:32], total) if believed else None


def _ignore() -> None:
    """Do nothing: the page reads the count when it runs."""
