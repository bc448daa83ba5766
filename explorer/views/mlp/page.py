"""MLP and CNN: two networks trained on the same drawn scenes, one without and one with convolutions."""

import streamlit as st

from explorer.ui import lessons
from explorer.ui.markdown import sentence
from explorer.ui.selection import current
from explorer.views.mlp import exports, first_layers, sharing, shifts
from explorer.views.mlp.pair import NetworkPair
from model.problems import Problem
from model.words import N_, tr

INTRODUCTION = N_(
    "Both were trained on the same 5,000 drawn scenes in the same way (SGD with momentum 0.9, learning rate "
    "0.01, 20 epochs, seed 0). The **CNN** has the course’s layers with 8, 16 and 32 channels: accuracy "
    "**{cnn}** on 1,000 other scenes. The **MLP** (multilayer perceptron) turns the image into one list of "
    "{values} numbers, and has a hidden layer of {hidden} values: **{mlp}**. Chance is 10%; one seed each."
)


def page() -> None:
    selection = current()
    st.header(tr("Without convolutions"), anchor=False)
    try:
        pair = NetworkPair(lessons.network("mlp"), lessons.network("batch"))
    except Problem as problem:
        st.info(sentence(problem))
        return
    st.markdown(introduction(pair))
    st.caption(tr(lessons.WHOLE_PAGE))
    st.subheader(tr("What the first layers learn"), anchor=False)
    first_layers.show(pair)
    st.subheader(tr("Parameters and how often each is used"), anchor=False)
    sharing.show(pair, selection)
    measured = shifts.show(pair, selection)
    exports.show(pair, measured)


def introduction(pair: NetworkPair) -> str:
    """What the two networks are, as Markdown."""
    first = pair.mlp_weights
    return tr(
        INTRODUCTION,
        cnn=pair.accuracy(pair.cnn),
        mlp=pair.accuracy(pair.mlp),
        values=f"{first.shape[1]:,}",
        hidden=first.shape[0],
    )


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
