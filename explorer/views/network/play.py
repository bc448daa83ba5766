"""Play: the strongest evidence for the class, from the pixels to the probability, step by step."""

import streamlit as st

from explorer.ui import cached
from explorer.ui.components import arrival
from explorer.ui.components.play import play
from explorer.ui.markdown import literal, sentence
from explorer.ui.selection import Selection
from explorer.views.network.scenes import scenes
from model.problems import Problem
from model.words import tr

SECTION = "play_section"  # the key of its container
_BEGINS = "_play_begins"


def start(selection: Selection) -> None:
    """A button far above the section that leads to it and plays; none where it is folded."""
    if not cached.has_long_passes(selection.network, selection.input):
        st.button(tr("Play"), key="play_from_here", icon=":material/play_arrow:", on_click=_begin)


def _begin() -> None:
    st.session_state[_BEGINS] = True
    arrival.lead_to(SECTION)


def show(selection: Selection) -> None:
    """The section Play for the class to explain; folded where that takes long."""
    begins = bool(st.session_state.pop(_BEGINS, False))
    with st.container(key=SECTION):
        section(selection, begins)


def section(selection: Selection, begins: bool) -> None:
    name = selection.target_name
    st.header(tr("From the picture to “{class_name}”, step by step", class_name=literal(name)), anchor=False)
    if not cached.has_long_passes(selection.network, selection.input):
        show_steps(selection, begins)
        return
    label = tr("Follow the strongest evidence through the layers")
    with st.expander(label, icon=":material/play_arrow:", on_change="rerun", key="play_steps") as fold:
        if fold.open:
            show_steps(selection)


def show_steps(selection: Selection, begins: bool = False) -> None:
    """The steps to play; one sentence where there is no path."""
    try:
        selection.check_prediction()
        path = cached.strongest_path(selection.network, selection.input, selection.target)
    except Problem as problem:
        st.info(sentence(problem))
        return
    play(scenes(selection, path), key="play", begins=begins)
