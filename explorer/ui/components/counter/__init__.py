"""Buttons whose clicks are counted in the browser, so that none is lost while a page is being made.

Streamlit's own button reports that it was clicked, not how often: clicks that come while the page runs
become one. Here every report says how far all clicks so far have led.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


_COUNTER = st.components.v2.component(
    "counter", html=_asset("counter.html"), css=_asset("counter.css"), js=_asset("counter.js")
)
MOST = 1_000_000  # clicks that are believed


@dataclass(frozen=True)
class Button:
    """A button, by how much a click on it counts, and the letter on the keyboard that clicks it, if any."""

    label: str
    by: int
    letter: str = ""


@dataclass(frozen=True)
class Count:
    """How far all clicks have led since the buttons were drawn anew: `drawn` names that time."""

    drawn: str
    sum: int


def counter(buttons: Sequence[Button], key: str) -> None:
    """Draw the buttons in a row, a single one no wider than it must be; `count` says what came of them."""
    data = {"buttons": [asdict(button) for button in buttons]}
    width = "stretch" if len(buttons) > 1 else "content"
    _COUNTER(key=key, data=data, width=width, on_count_change=_ignore)


def count(key: str) -> Count | None:
    """What the browser counted; None before any click. It may send anything: that is no click."""
    state = (st.session_state.get(key) or {}).get("count")
    if not isinstance(state, dict):
        return None
    drawn, total = state.get("drawn"), state.get("sum")
    believed = isinstance(drawn, str) and type(total) is int and abs(total) <= MOST
    return Count(drawn[:32], total) if believed else None


def _ignore() -> None:
    """The page reads the count when it runs."""
