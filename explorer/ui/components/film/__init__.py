"""Pictures one after another, played in the browser: play, pause, step and speed, by pointer or keys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from explorer.ui.components.beside import component
from model.words import tr

__all__ = ["Frame", "film"]

_FILM = component(__file__)
SPEEDS = (0.5, 1.0, 2.0, 4.0)  # pictures a second
NORMAL, CALM = 2.0, 0.5  # at first; and where the visitor asked for reduced motion


@dataclass(frozen=True)
class Frame:
    """What is written under a picture, the first line strong, and what the picture is in words."""

    lines: tuple[str, ...]
    alt: str


def film(
    frames: Sequence[Frame],
    address: Callable[[int], str],
    index: int,
    *,
    key: str,
    digest: str,
    on_choose: Callable[[int], None],
) -> None:
    """Show the picture of `index`, by its `address`; `digest` identifies the pictures.

    All of them are sent once, when the visitor first plays the film. `on_choose` is called with the index
    where it stops, or to which the visitor steps. Of the page's elements `.fx-of-picture` only those with the
    `data-index` of the picture in sight are shown.
    """
    wanted, several = f"_{key}_wanted", len(frames) > 1
    everything = st.session_state.pop(wanted, None) == digest
    data = {
        "digest": digest,
        "index": index,
        "frames": [{"lines": frame.lines, "alt": frame.alt} for frame in frames],
        "addresses": [address(n) if everything or n == index else "" for n in range(len(frames))],
        "speeds": [[speed, tr("{speed:g} per second", speed=speed)] for speed in SPEEDS] if several else [],
        "normal": NORMAL,
        "calm": CALM,
        "words": _words(),
    }

    def send_all() -> None:
        if (st.session_state.get(key) or {}).get("wanted") == digest:
            st.session_state[wanted] = digest

    def report() -> None:
        chosen = (st.session_state.get(key) or {}).get("index")  # the browser may send anything
        if type(chosen) is int and 0 <= chosen < len(frames):
            on_choose(chosen)

    _FILM(key=key, data=data, on_wanted_change=send_all, on_index_change=report)


def _words() -> dict[str, str]:
    return {
        "play": tr("Play"),
        "pause": tr("Pause"),
        "back": tr("Previous"),
        "on": tr("Next"),
        "speed": tr("Speed"),
        "wait": tr("Loading …"),
    }
