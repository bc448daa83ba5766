"""Play: the strongest evidence for the class, from the pixels to the probability, step by step."""

import streamlit as st

from explorer.ui import cached
from explorer.ui.components.play import play
from explorer.ui.markdown import literal, sentence
from explorer.ui.selection import Selection
from explorer.views.network.scenes import scenes
from model.problems import Problem
from model.words import tr


def show(selection: Selection) -> None:
    """The section Play for the class to explain; one sentence where there is no path."""
    name = selection.target_name
    st.header(tr("From the picture to “{class_name}”, step by step", class_name=literal(name)), anchor=False)
    try:
        selection.check_prediction()
        path = cached.strongest_path(selection.network, selection.input, selection.target)
    except Problem as problem:
        st.info(sentence(problem))
        return
    play(scenes(selection, path), key="play")
