"""Compare: feature maps of two images, layers or epochs; Grad-CAM of two networks or two classes."""

import streamlit as st

from explorer.ui import choices
from explorer.ui.frame import checkup
from explorer.ui.markdown import sentence
from explorer.ui.selection import Selection, current
from explorer.views.compare import classes, exports, feature_maps, networks, side_b
from model.problems import Problem
from model.words import N_, tr

MODES = {"maps": N_("Images, layers or networks"), "classes": N_("Two classes")}


def page() -> None:
    selection = current()
    st.header(tr("Side by side"), anchor=False)
    if not selection.blocks:
        checkup.without_maps(
            selection.opened, tr("No layer of this network gives feature maps, so there are none to compare.")
        )
        return
    with st.container(horizontal=True):
        modes = {mode: tr(name) for mode, name in MODES.items()}
        mode = choices.choice(tr("Compare"), modes, "compare")
        own = ""
        if mode == "maps":
            own = choices.pick(tr("B shows"), side_b.available(selection.opened), "b_own", width=250)
    if mode == "maps":
        two_sides(selection, own)
    else:
        two_classes(selection)


def two_sides(selection: Selection, own: str) -> None:
    try:
        other = side_b.choose(selection, own)
        if other is not None:
            other.check_prediction()
    except Problem as problem:
        st.error(sentence(problem), icon=":material/error:")
        return
    if other is None:
        return
    if not other.blocks:
        checkup.without_maps(
            other.opened, tr("No layer of the network of B gives feature maps, so there are none to compare.")
        )
    elif side_b.of_one_run(selection.opened, other.opened):
        exports.show_comparison(feature_maps.show(selection, other, own))
    elif (cams := networks.show(selection, other)) is not None:
        exports.show_networks(cams)


def two_classes(selection: Selection) -> None:
    if (maps := classes.show(selection)) is not None:
        exports.show_classes(selection, maps)


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
