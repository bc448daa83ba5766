"""Previous and next: two buttons, and the keys P and N, that move a choice; no click is lost."""

from collections.abc import Sequence

import streamlit as st

from explorer.ui import link
from explorer.ui.components.counter import Button, count, counter
from model.words import N_, tr

__all__ = ["Button", "buttons", "follow", "steps"]

BUTTONS = (Button(N_("Previous"), -1, "P"), Button(N_("Next"), 1, "N"))


def steps(key: str, values: Sequence[object], prefix: str = "") -> None:
    """Buttons that move the choice `key` to the value before or after it, round and round.

    With a prefix the page has two of them: then only the unprefixed listens to the keyboard.
    """
    if len(values) > 1:
        buttons(key, [Button(tr(each.label), each.by, "" if prefix else each.letter) for each in BUTTONS])


def buttons(key: str, drawn: Sequence[Button]) -> None:
    """Buttons that move the choice `key`; `follow` obeys them before its widget is drawn."""
    counter(drawn, _key(key))


def follow(key: str, values: Sequence[object], default: object = "0") -> None:
    """Move the choice `key` by what was clicked since the last run. Before its widget is drawn."""
    clicks = count(_key(key))
    known = st.session_state.setdefault("_followed", {})
    if clicks is None or not values:
        return
    before = known.get(key)
    by = clicks.sum - (before.sum if before is not None and before.drawn == clicks.drawn else 0)
    if by:
        names = values if isinstance(values, range) else list(map(str, values))
        at = link.current(key, names, str(default))
        index = (int(at) if isinstance(values, range) else list(names).index(at)) + by
        link.change(key, str(values[index % len(values)]))
    known[key] = clicks  # nothing between the change and this line can be interrupted


def _key(key: str) -> str:
    return f"{key}_steps"
