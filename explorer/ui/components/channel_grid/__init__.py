"""All channels of a layer on one canvas: look at any cell, choose or mark channels, change order and scale.

The maps travel once as float16 bytes; hovering, ordering and scaling happen in the browser. A choice comes
back as state of the component, and choosing does not send the maps again.
"""

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike

from explorer.drawing.ranges import Range
from explorer.ui.components.beside import component
from explorer.ui.components.channel_grid.payload import INDEX, SCALES, payload
from explorer.ui.components.channel_grid.words import words
from explorer.ui.link import came_back

__all__ = ["SCALES", "Choice", "channel_grid"]

_GRID = component(__file__, "grid")


@dataclass(frozen=True)
class Choice:
    """The chosen channel and the chosen cell (row, column) of it, None where there is none, and the view:
    the scale, "shared" or "channel", and the order by its number: 0 is by index, 1 the first of `orders`.
    `marked` are the channels that are marked, in a grid for marking.
    """

    channel: int | None
    cell: tuple[int, int] | None
    scale: str = "shared"
    order: int = 0
    marked: tuple[int, ...] = ()


def channel_grid(
    maps: ArrayLike,
    *,
    key: str,
    signed: bool,
    label: str,
    selected: int | None = None,
    cell: tuple[int, int] | None = None,
    cells: bool = False,
    marked: Collection[int] | None = None,
    orders: Mapping[str, Sequence[int]] | None = None,
    scale: str = "shared",
    order: int = 0,
    limits: Range | None = None,
    each: Sequence[Range] | None = None,
    on_change: Callable[[Choice], None] | None = None,
) -> Choice:
    """Draw float maps (C,h,w) and return what the visitor selected; a single map is drawn large.

    `selected`, `cell`, `marked`, `scale` and `order` are the page's request: it counts at first and whenever
    it changes, in between the visitor's choice does. `cells` lets single cells of the chosen channel be
    chosen. With `marked`, the grid is for marking: a click marks a channel or takes its mark away, with Shift
    it marks all from the last one on, and a drag does as its first click for every channel on its way.
    `orders` maps a name to the channels in that order; `limits` fixes the shared range, `each` the
    range of every channel. `on_change` is called with a new choice before the page runs again. ValueError
    as for `payload`.
    """
    shape, orders = np.shape(maps), orders or {}
    requested = Choice(
        selected, cell, scale, order if order <= len(orders) else 0, tuple(sorted(marked or ()))
    )
    requests = {part: _request(key, part, requested) for part in _PARTS}
    data = payload(
        maps, signed=signed, label=label, orders=orders, limits=limits, each=each, cells=cells,
        words=words(shape), marking=marked is not None, **_to_browser(requests, [INDEX, *orders]),
    )  # fmt: skip
    current = partial(_current, key, shape, len(orders), requests)
    report = partial(_report, on_change, current)
    _GRID(key=key, data=data, on_choice_change=report, on_view_change=report, on_marks_change=report)
    return _remembered(key, requests, current())


@dataclass(frozen=True)
class _Request:
    """The page's last request, what of it was sent to the browser in which turn, whether the visitor changed
    it, and the choice that the page then got: a page that requests just that follows the visitor.

    The browser obeys a request once per turn. As long as the turn stays, the bytes stay, and Streamlit does
    not send them a second time.
    """

    requested: Choice
    sent: Choice
    turn: str
    answered: bool = False
    reported: Choice | None = None


_PARTS: dict[str, Callable[[Choice], Choice]] = {
    "choice": lambda whole: Choice(whole.channel, whole.cell),
    "view": lambda whole: Choice(None, None, whole.scale, whole.order),
    "marks": lambda whole: Choice(None, None, marked=whole.marked),
}


def _request(key: str, part: str, whole: Choice) -> _Request:
    """Decide whether the page's request overrides what the visitor chose.

    `part` is "choice", for channel and cell, "view", for scale and order, or "marks": each has turns of its
    own.
    """
    requested = _PARTS[part](whole)
    last: _Request | None = st.session_state.get(_memory(key, part))
    visitors = _visitors(key, part, last) if last else None
    if last and not came_back() and _still_holds(last, requested, visitors):
        return _Request(requested, last.sent, last.turn, answered=visitors is not None)
    return _Request(requested, requested, secrets.token_hex(4))


def _to_browser(requests: Mapping[str, _Request], orders: Sequence[str]) -> dict[str, Any]:
    """What the page requests, as settings of the payload, each part with its turn."""
    choice, view, marks = (requests[part] for part in ("choice", "view", "marks"))
    return {
        "channel": choice.sent.channel, "cell": choice.sent.cell, "turn": choice.turn,
        "scale": view.sent.scale, "order": orders[view.sent.order], "view_turn": view.turn,
        "marked": marks.sent.marked, "marks_turn": marks.turn,
    }  # fmt: skip


def _current(key: str, shape: Sequence[int], orders: int, requests: Mapping[str, _Request]) -> Choice:
    """The visitor's choice, view and marks, or the page's request, as far as they exist."""
    latest = {part: _visitors(key, part, last) or last.sent for part, last in requests.items()}
    view, marked = latest["view"], latest["marks"].marked
    return replace(
        _within(shape, latest["choice"]),
        scale=view.scale,
        order=view.order if view.order <= orders else 0,
        marked=tuple(sorted({channel for channel in marked if _inside([channel], shape[:1])})),
    )


def _report(on_change: Callable[[Choice], None] | None, current: Callable[[], Choice]) -> None:
    if on_change:
        on_change(current())


def _remembered(key: str, requests: Mapping[str, _Request], choice: Choice) -> Choice:
    """The choice, which the page's next request is compared with."""
    for part, last in requests.items():
        st.session_state[_memory(key, part)] = replace(last, reported=_PARTS[part](choice))
    return choice


def _memory(key: str, part: str) -> str:
    return f"{key}: request for {part}"


def _still_holds(last: _Request, requested: Choice, visitors: Choice | None) -> bool:
    forgotten = last.answered and visitors is None  # the page was left and came back
    return not forgotten and requested in (last.requested, last.reported, visitors or last.sent)


def _visitors(key: str, part: str, request: _Request) -> Choice | None:
    """What the visitor chose in this turn, or None; a state without a turn (from a test) always counts."""
    state = (st.session_state.get(key) or {}).get(part)
    if not isinstance(state, dict) or state.get("turn", request.turn) != request.turn:
        return None
    if part == "view":
        scale, order = state.get("scale"), state.get("order")
        known = scale in SCALES and type(order) is int and order >= 0
        return Choice(None, None, scale, order) if known else None
    if part == "marks":
        channels = state.get("channels")
        return Choice(None, None, marked=tuple(channels)) if isinstance(channels, list) else None
    cell = state.get("cell")
    return Choice(state.get("channel"), tuple(cell) if isinstance(cell, list) else None)


def _within(shape: Sequence[int], choice: Choice) -> Choice:
    """The choice without what does not exist in maps of `shape` (C,h,w): the browser may send anything."""
    if not _inside([choice.channel], shape[:1]):
        return Choice(None, None)
    if choice.cell is None or not _inside(choice.cell, shape[1:]):
        return Choice(choice.channel, None)
    return choice


def _inside(indices: Sequence[object], shape: Sequence[int]) -> bool:
    return len(indices) == len(shape) and all(
        type(at) is int and 0 <= at < size for at, size in zip(indices, shape, strict=True)
    )
