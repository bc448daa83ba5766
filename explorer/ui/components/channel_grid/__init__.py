"""All channels of a layer on one canvas: look at any cell, choose a channel, change order and scale.

The maps travel once as float16 bytes; hovering, ordering and scaling happen in the browser. A choice comes
back as state of the component, and choosing does not send the maps again.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike

from explorer.drawing.ranges import Range
from explorer.ui.components.channel_grid.payload import INDEX, payload

__all__ = ["Choice", "channel_grid"]


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


_GRID = st.components.v2.component(
    "channel_grid", html=_asset("grid.html"), css=_asset("grid.css"), js=_asset("grid.js")
)


@dataclass(frozen=True)
class Choice:
    """The chosen channel, and the chosen cell (row, column) of that channel; None where there is none."""

    channel: int | None
    cell: tuple[int, int] | None


def channel_grid(
    maps: ArrayLike,
    *,
    key: str,
    signed: bool,
    label: str,
    selected: int | None = None,
    cell: tuple[int, int] | None = None,
    cells: bool = False,
    orders: Mapping[str, Sequence[int]] | None = None,
    scale: str = "shared",
    order: str = INDEX,
    limits: Range | None = None,
    on_change: Callable[[Choice], None] | None = None,
) -> Choice:
    """Draw float maps (C,h,w) and return what the visitor chose; a single map is drawn large.

    `selected` and `cell` are what the page asks for: they count at first and whenever they change, in
    between the visitor's choice does. `cells` lets single cells of the chosen channel be chosen. `orders`
    maps a name to the channels in that order, `scale` is "shared" or "channel", `limits` fixes the shared
    range. `on_change` is called with a new choice before the page runs again. ValueError as for `payload`.
    """
    shape = np.shape(maps)
    wish = _wish(key, Choice(selected, cell))
    data = payload(
        maps, signed=signed, label=label, orders=orders, scale=scale, order=order, limits=limits,
        key=key, cells=cells, turn=wish.turn, channel=wish.sent.channel, cell=wish.sent.cell,
    )  # fmt: skip

    def current() -> Choice:
        return _within(shape, _visitors(key, wish.turn) or wish.sent)

    _GRID(key=key, data=data, on_choice_change=lambda: on_change(current()) if on_change else None)
    return current()


@dataclass(frozen=True)
class _Wish:
    """What the page last asked for, what of it the browser was told in which turn, and if it was answered.

    The browser obeys a wish once per turn. As long as the turn stays, the bytes stay, and Streamlit does
    not send them a second time.
    """

    asked: Choice
    sent: Choice
    turn: str
    answered: bool = False


def _wish(key: str, asked: Choice) -> _Wish:
    """Decide whether the page's wish overrides what the visitor chose, and remember it for the session."""
    memory = f"{key}: wish"
    last: _Wish | None = st.session_state.get(memory)
    visitors = _visitors(key, last.turn) if last else None
    if last and _still_holds(last, asked, visitors):
        wish = _Wish(asked, last.sent, last.turn, answered=visitors is not None)
    else:
        wish = _Wish(asked, asked, secrets.token_hex(4))
    st.session_state[memory] = wish
    return wish


def _still_holds(last: _Wish, asked: Choice, visitors: Choice | None) -> bool:
    forgotten = last.answered and visitors is None  # the page was left and came back
    return not forgotten and asked in (last.asked, visitors or last.sent)


def _visitors(key: str, turn: str) -> Choice | None:
    """What the visitor chose in this turn, or None; a state without a turn (from a test) always counts."""
    state = (st.session_state.get(key) or {}).get("choice")
    if not isinstance(state, dict) or state.get("turn", turn) != turn:
        return None
    cell = state.get("cell")
    return Choice(state.get("channel"), tuple(cell) if isinstance(cell, list) else None)


def _within(shape: Sequence[int], choice: Choice) -> Choice:
    """The choice without what does not exist in maps of `shape` (C,h,w): the browser may send anything."""
    if not _inside([choice.channel], shape[:1]):
        return Choice(None, None)
    if choice.cell is None or not _inside(choice.cell, shape[1:]):
        return Choice(choice.channel, None)
    return choice


def _inside(place: Sequence[object], shape: Sequence[int]) -> bool:
    return len(place) == len(shape) and all(
        type(at) is int and 0 <= at < size for at, size in zip(place, shape, strict=True)
    )
