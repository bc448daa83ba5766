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

    def changed() -> None:
        if on_change is not None:
            on_change(_valid(st.session_state.get(key), shape))

    result = _GRID(
        key=key, data=data, default=_state(wish.sent), on_channel_change=changed, on_cell_change=changed
    )
    return _valid(result, shape)


@dataclass(frozen=True)
class _Wish:
    """What the page last asked for, and what of it the browser was told in which turn."""

    asked: Choice
    sent: Choice
    turn: str


def _wish(key: str, asked: Choice) -> _Wish:
    """Decide whether the page's wish overrides the visitor's choice: at first, and when it has changed.

    The browser obeys a wish once per turn. As long as the turn stays, the message's bytes stay, and
    Streamlit does not send them a second time.
    """
    memory = f"{key}: wish"
    state = st.session_state.get(key)
    last: _Wish | None = st.session_state.get(memory)
    if state is None:
        wish = _Wish(asked, asked, secrets.token_hex(4))
    elif last is not None and (last.asked == asked or _current(state) == asked):
        wish = _Wish(asked, last.sent, last.turn)
    else:
        wish = _Wish(asked, asked if last else _current(state), secrets.token_hex(4))
        state.update(_state(wish.sent))
    st.session_state[memory] = wish
    return wish


def _state(choice: Choice) -> dict[str, object]:
    """A choice as the component's state, whose cell names its channel too, so that it cannot go stale."""
    place = None if choice.cell is None or choice.channel is None else [choice.channel, *choice.cell]
    return {"channel": choice.channel, "cell": place}


def _current(state: Mapping[str, object]) -> Choice:
    return _valid(state, (2**31, 2**31, 2**31))


def _valid(state: Mapping[str, object] | None, shape: Sequence[int]) -> Choice:
    """Read a choice from the browser's state, dropping whatever does not exist in maps of `shape`."""
    state = state or {}
    channel = state.get("channel")
    if not _inside([channel], shape[:1]):
        return Choice(None, None)
    place = state.get("cell")
    if not isinstance(place, list) or not _inside(place, shape) or place[0] != channel:
        return Choice(channel, None)  # type: ignore[arg-type]
    return Choice(place[0], (place[1], place[2]))


def _inside(place: Sequence[object], shape: Sequence[int]) -> bool:
    return len(place) == len(shape) and all(
        type(at) is int and 0 <= at < size for at, size in zip(place, shape, strict=True)
    )
