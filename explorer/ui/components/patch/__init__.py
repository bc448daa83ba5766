"""A square over a picture, moved and resized with the pointer or the keyboard, reported while it moves."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import streamlit as st

from explorer.drawing.pictures import data_uri
from explorer.engine.occluding import Patch
from explorer.ui.components.beside import component
from explorer.ui.link import came_back
from model.card import Pixels
from model.words import tr

__all__ = ["patch_over"]

_PATCH = component(__file__)


@dataclass(frozen=True)
class _Request:
    """The page's last request and its turn: what the browser reports of another turn is late."""

    patch: Patch
    turn: str


def patch_over(
    pixels: Pixels, patch: Patch, *, key: str, label: str, on_change: Callable[[Patch], None]
) -> None:
    """Show pixels uint8 (s, s, 3) with a patch over them; `on_change` is called with each new one.

    `patch` is the page's request: it counts whenever it is another than what was last reported.
    """
    last: _Request | None = st.session_state.get(_memory(key))
    reported = _reported(key, last.turn if last else "")
    if last is None or came_back() or patch not in (last.patch, reported):
        last = _Request(patch, secrets.token_hex(4))
    elif reported == patch:
        last = _Request(patch, last.turn)
    st.session_state[_memory(key)] = last
    data = {
        "picture": data_uri(pixels), "size": len(pixels), "turn": last.turn,
        "top": patch.top, "left": patch.left, "side": patch.side, "label": label,
        "keys": tr("Drag the square, or move it with the arrow keys; the corner, + and − change its size."),
    }  # fmt: skip
    _PATCH(key=key, data=data, on_patch_change=partial(_report, key, last.turn, len(pixels), on_change))


def _memory(key: str) -> str:
    return f"{key}: request"


def _report(key: str, turn: str, size: int, on_change: Callable[[Patch], None]) -> None:
    reported = _reported(key, turn)
    if reported is not None:
        on_change(reported.within(size, size))


def _reported(key: str, turn: str) -> Patch | None:
    """The patch that the browser reports in this turn; a state without a turn (from a test) always counts."""
    state = (st.session_state.get(key) or {}).get("patch")
    if not isinstance(state, dict) or state.get("turn", turn) != turn:
        return None
    values = [state.get(name) for name in ("top", "left", "side")]
    whole = [value for value in values if type(value) is int and abs(value) < 100_000]
    return Patch(*whole) if len(whole) == 3 else None
