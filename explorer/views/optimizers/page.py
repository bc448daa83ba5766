"""Optimizers and schedulers without training: rates, recorded runs, and steps on a surface."""

import streamlit as st

from explorer.views.optimizers import exports, recorded, schedulers, surfaces
from model.words import tr


def page() -> None:
    scheduled = schedulers.show()
    runs = recorded.show()
    descents = surfaces.show()
    how_to_read()
    exports.show(scheduled, runs, descents)


def how_to_read() -> None:
    with st.expander(tr("How to read this")):
        st.markdown(
            tr(
                "The optimizer turns a gradient into a step; the scheduler sets how long the steps are. A "
                "high rate at first moves the weights quickly, a low one at the end lets them settle.\n\n"
                "*StepLR* multiplies the rate by gamma every few epochs, *ExponentialLR* every epoch. "
                "*CosineAnnealingLR* falls along half a cosine, here after a short warm-up. *OneCycleLR* "
                "rises from a 25th of the rate to all of it and falls to nearly 0. *ReduceLROnPlateau* needs "
                "no plan: it multiplies the rate by its factor once the test loss has not improved for more "
                "than `patience` epochs; so it reacts to chance as well where the loss fluctuates.\n\n"
                "*SGD* steps against the gradient. *Momentum* adds up former gradients, so that directions "
                "that agree grow and those that alternate cancel. *RMSprop* divides each weight’s step by "
                "the size of its recent gradients; *Adam* does both; *AdamW* also shrinks the weights a "
                "little in every step (weight decay), apart from the gradient (arXiv:1711.05101)."
            )
        )


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
