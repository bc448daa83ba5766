"""Interventions: channels or parts of the image are changed, and the prediction is computed again."""

import streamlit as st

from explorer.ui import choices, link
from explorer.ui.selection import Selection, current
from explorer.views.interventions import channels
from model import words
from model.words import N_, tr

TITLE = N_("What changes if …?")
PARTS = {
    "channels": N_("Switch channels off"),
}
SHOW = {"channels": channels.show}


def page() -> None:
    selection = current()
    st.header(tr(TITLE), anchor=False)
    if not selection.blocks:
        st.info(tr("No layer of this network gives feature maps, so there is none to change."))
        return
    names = {part: tr(name) for part, name in PARTS.items()}
    part = choices.choice(tr("Change"), names, "change")
    show(selection, part)


@st.fragment
def show(selection: Selection, part: str) -> None:
    """One part of the page, which runs alone when something in it is changed."""
    words.use(link.language())
    SHOW[part](selection)
    link.write()


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
