"""Leads to a place far down on another page: that page scrolls to it when it opens."""

from pathlib import Path

import streamlit as st

_ARRIVAL = st.components.v2.component(
    "arrival", js=Path(__file__).with_name("arrival.js").read_text(encoding="utf-8")
)
_PLACE = "_arrival"


def lead_to(place: str) -> None:
    """Let the page that is opened next scroll to its container of this key."""
    st.session_state[_PLACE] = place


def at(place: str) -> None:
    """Scroll to this container, if a page led to it. To be called at the end of the page."""
    if st.session_state.get(_PLACE) == place:
        _ARRIVAL(key="arrival", data={"place": place}, height="content")
        del st.session_state[_PLACE]
