"""Interventions: channels or parts of the image are changed, and the prediction is computed again."""

import streamlit as st

from explorer.ui import link
from explorer.ui.frame import checkup
from explorer.ui.selection import Selection, current
from explorer.ui.turns import TURNS
from explorer.views.interventions import channels, contribution, occlusion, other_class
from model import words
from model.words import N_, tr

TITLE = N_("What changes if …?")
PARTS = {
    "channels": N_("Switch channels off"),
    "patch": N_("Cover a part of the image"),
    "effect": N_("Contribution and effect"),
    "other": N_("Why not another class"),
}
SHOW = {
    "channels": channels.show,
    "patch": occlusion.show,
    "effect": contribution.show,
    "other": other_class.show,
}


def page() -> None:
    selection = current()
    st.header(tr(TITLE), anchor=False)
    if not selection.blocks:
        checkup.without_maps(
            selection.opened, tr("No layer of this network gives feature maps, so there is none to change.")
        )
        return
    if selection.independent:
        st.caption(
            tr(
                "Each label of this network has a probability of its own: “prediction” here is the most "
                "probable label."
            )
        )
    names = {part: tr(name) for part, name in PARTS.items()}
    part = link.choose(
        st.segmented_control, tr("Change"), list(names), "change", "channels", required=True,
        format_func=names.get, label_visibility="collapsed",
    )  # fmt: skip
    show(selection, part)


@st.fragment
@TURNS.computing()
def show(selection: Selection, part: str) -> None:
    """One part of the page, which runs alone when something in it is changed."""
    words.use(link.language())
    if st.session_state.pop(other_class.GO_ON, False):
        st.rerun()  # with another part
    SHOW[part](selection)
    link.write()


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
