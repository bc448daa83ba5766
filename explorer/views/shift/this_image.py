"""The selected image at each severity, with what the network predicts for it."""

import numpy as np
import streamlit as st
import torch

from explorer.drawing.ranges import probability
from explorer.engine.corruptions import Corruption
from explorer.engine.network import Input
from explorer.ui import cached, markup
from explorer.ui.class_names import glossed
from explorer.ui.selection import Selection
from explorer.views.shift.measuring import ShiftQuestion
from model.card import Pixels
from model.words import tr


def show(selection: Selection, question: ShiftQuestion) -> None:
    if question.corruption is not None:
        figures = [figure(selection, *each) for each in versions(selection, question)]
        markup.show(markup.element("div", *figures, cls="fx-redrawn"))
        st.caption(
            tr(
                "The values of a shifted picture are rounded to whole numbers from 0 to 255, as in a file, "
                "before the network gets it; without rounding the probabilities are slightly different."
            )
        )


def versions(selection: Selection, question: ShiftQuestion) -> list[tuple[str, Pixels]]:
    """The severity in words and the image, from unshifted to strong."""
    corruption = question.corruption
    if corruption is None:
        return []
    shifted = [
        (tr(corruption.unit, value=f"{value:g}"), shifted_pixels(selection, corruption, value))
        for value in corruption.severities
    ]
    return [(tr("unshifted"), selection.framed), *shifted]


def shifted_pixels(selection: Selection, corruption: Corruption, severity: float) -> Pixels:
    return np.asarray(corruption.shift(selection.framed[None], severity)[0])


def figure(selection: Selection, severity: str, pixels: Pixels) -> str:
    probabilities = cached.trace(selection.network, Input(inputs(selection, pixels))).probabilities
    predicted = int(probabilities.argmax())
    return markup.figure(
        pixels,
        tr("The image, {severity}", severity=severity),
        markup.text(severity),
        markup.text(
            tr(
                "{name} {probability}",
                name=glossed(selection.card.classes[predicted]),
                probability=probability(probabilities[predicted]),
            ),
        ),
        fill=True,
    )


def inputs(selection: Selection, pixels: Pixels) -> torch.Tensor:
    return selection.card.to_input(pixels)
