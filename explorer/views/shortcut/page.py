"""Shortcut: two networks on scenes with and without a mark that told one of them the class in training."""

import streamlit as st

from explorer.engine.shortcut_curve import ShortcutCurve
from explorer.ui import cached, choices
from explorer.ui.markdown import sentence
from explorer.ui.options import ROOT
from explorer.ui.selection import Selection, current
from explorer.views.shortcut import accuracies, carriers, curve, exports, marked, scene
from explorer.views.shortcut.carriers import MarkCarriers
from explorer.views.shortcut.marked import MarkedPair
from model.problems import Problem
from model.words import N_, tr

CURVE = ROOT / "checkpoints" / "scenes-shortcut.curve.json"
ACCURACIES = N_(
    "Accuracy on 1,000 drawn test scenes (95% interval: Wilson), measured once. Chance is 10%. “Follows "
    "the wrong mark”: predicted as the class whose mark was planted in place of its own. A network that "
    "has never seen marks can still be disturbed by them, as by any unknown object."
)


def page() -> None:
    st.header(tr("Right for the wrong reason"), anchor=False)
    measured, export_values = measured_curve(), None
    try:
        networks = marked.networks(current().opened)
    except Problem as problem:
        st.info(sentence(problem))
    else:
        st.markdown(marked.introduction(networks))
        if note := marked.not_chosen(current().opened, networks):
            st.caption(note)
        if measured and (table := accuracies.of_networks(networks, measured)):
            st.markdown(table)
            st.caption(tr(ACCURACIES))
        export_values = show_scene(current(), networks)
    if measured:
        st.subheader(tr("How often must the mark be true in training?"), anchor=False)
        curve.show(measured)
    if export_values is not None:
        exports.show(*export_values)


def measured_curve() -> ShortcutCurve | None:
    """The curve that is in the project; None after a message where it is not."""
    try:
        return cached.shortcut_curve(CURVE)
    except Problem as problem:
        st.info(sentence(problem))
        return None


def show_scene(selection: Selection, networks: marked.Networks) -> tuple[MarkedPair, MarkCarriers] | None:
    """The chosen scene with and without a mark, and the channels that it moves; None where it is no scene."""
    if (label := marked.label_of(selection)) is None:
        st.info(tr("Marks are planted in drawn scenes: choose one of the built-in samples in the sidebar."))
        return None
    with st.container(horizontal=True):
        mark = marked.choose_mark(label)
        block = choices.choose_block(marked.plain(selection, networks.shortcut), "shortcut_block", "3")
    pair = marked.pair(selection, networks, mark, block)
    scene.show(pair)
    return pair, show_carriers(pair)


def show_carriers(pair: MarkedPair) -> MarkCarriers:
    st.subheader(tr("Channels that the mark moves most"), anchor=False)
    carried = carriers.choose(pair)
    carriers.show(pair, carried)
    return carried


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
