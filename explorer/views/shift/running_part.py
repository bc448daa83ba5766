"""The running statistics beside those of the unshifted images of the split."""

import numpy as np
import streamlit as st

from explorer.drawing.ranges import plain_number
from explorer.engine.shift import NormDrift
from explorer.engine.shift_measuring import SeverityResult
from explorer.ui import panels
from explorer.ui.markdown import code
from explorer.views.shift import charts
from explorer.views.shift.measuring import ShiftQuestion
from model.words import N_, ngettext, paragraph, tr

ABOUT = N_(
    "Right of zero: the images’ mean is above the running mean. Above zero: they vary more than the running "
    "variance says. Training keeps moving averages over augmented batches while the weights still change, so "
    "small differences are normal."
)


def show(question: ShiftQuestion, unshifted: SeverityResult, layer: str) -> None:
    one = unshifted.layers[layer]
    st.markdown(sentences(question, unshifted, one, layer))
    panels.chart(charts.against_running(one, layer))
    st.caption(tr(ABOUT))


def sentences(question: ShiftQuestion, unshifted: SeverityResult, one: NormDrift, layer: str) -> str:
    """How far the running statistics are from those of the images, as Markdown."""
    distance, spread = np.abs(one.distance), one.spread
    far = int(distance.argmax())
    beyond = int((distance > one.chance).sum())
    return paragraph(
        [
            tr(
                "On {images} the mean of a channel of {layer} is {median} running σ from the running mean "
                "(median; largest {largest}, channel {channel}), and its standard deviation is {spread} "
                "times the running one (median).",
                images=question.images(len(unshifted.labels)),
                layer=code(layer),
                median=plain_number(float(np.median(distance))),
                largest=plain_number(float(distance[far])),
                channel=far,
                spread=plain_number(float(np.median(spread))),
            ),
            ngettext(
                "**{n}** of {count} channels is further away than two draws of as many of these images are "
                "from each other.",
                "**{n}** of {count} channels are further away than two draws of as many of these images are "
                "from each other.",
                beyond,
                count=len(distance),
            ),
        ]
    )
