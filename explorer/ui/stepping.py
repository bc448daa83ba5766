"""Previous and next: two buttons, and the keys P and N, that move whatever widget chooses the image."""

from collections.abc import Sequence

import streamlit as st

KEYS = {"Previous": "P", "Next": "N"}


def steps(key: str, values: Sequence[object], prefix: str = "") -> None:
    """Buttons that set the widget state `key` to the value before or after it, round and round.

    With a prefix the page has two of them: then only the unprefixed listens to the keyboard.
    """
    if len(values) < 2:
        return
    with st.container(horizontal=True, key=f"{prefix}steps"):
        for way, (label, shortcut) in zip((-1, 1), KEYS.items(), strict=True):
            st.button(
                label,
                key=f"{prefix}{label.lower()}",
                shortcut=None if prefix else shortcut,
                on_click=_step,
                args=(key, values, way),
                width="stretch",
            )


def _step(key: str, values: Sequence[object], way: int) -> None:
    held = st.session_state.get(key)
    place = values.index(held) if held in values else 0
    st.session_state[key] = values[(place + way) % len(values)]
