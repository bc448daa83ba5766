"""The way back from a page to the one that opened it with an image, in one press."""

from dataclasses import dataclass

import streamlit as st

from explorer.ui import link
from explorer.ui.frame.pages import BY_FOLDER
from explorer.ui.selection import Selection
from model.words import tr

_KEY = "_way_back"


@dataclass(frozen=True)
class Departure:
    """The page that was left, by its folder, and the image that it had selected."""

    folder: str
    sample: str | None = None


def depart(folder: str) -> None:
    """Remember the page that opens another one."""
    st.session_state[_KEY] = Departure(folder)


def forget() -> None:
    """No page has been left: the visitor is back."""
    st.session_state.pop(_KEY, None)


def button(selection: Selection) -> None:
    """The way back, as long as the image is the one that the visitor came with."""
    left: Departure | None = st.session_state.get(_KEY)
    if left is None:
        return
    name = selection.sample.name
    if left.sample not in (None, name):
        forget()
        return
    st.session_state[_KEY] = Departure(left.folder, name)
    label = tr("Back to {page}", page=tr(BY_FOLDER[left.folder].title))
    if st.button(label, icon=":material/arrow_back:", key="way_back"):
        forget()
        link.open_page(left.folder)
