"""The average of each class: its heat map, and the channels that contribute most to it."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.ranges import Range, in_decimals
from explorer.engine.class_evidence import Evidence
from explorer.ui import markup, number_table
from explorer.ui.class_names import glossed
from model.words import N_, ngettext, tr

TOP = 3
ABOUT = N_(
    "Grad-CAM for the true class, whether it is predicted or not: the mean of the heat maps, at the "
    "positions of the layer, and the channels with the largest mean contribution. A contribution is "
    "Grad-CAM’s weight × mean of the map: compare only the order, it is not a change of the logit. Where the "
    "objects lie in different places, the mean map shows the places, not the objects."
)


def show(classes: Sequence[str], evidence: Evidence) -> None:
    """A card for each class, and every channel in numbers."""
    labels = present(evidence)
    range = common_range(evidence)
    written = in_decimals(evidence.of(label).contributions.mean(0).max() for label in labels)
    cards = [card(glossed(classes[label]), evidence.of(label), range, written) for label in labels]
    markup.show(
        markup.element("div", *cards, cls="fx-cards fx-classes"), markup.scale(range, tr("shared scale"))
    )
    st.caption(tr(ABOUT))
    with st.expander(tr("Every channel in numbers")):
        frame = table(classes, evidence).rename(columns=glossed)
        written = in_decimals(frame.iloc[:, 1:].to_numpy().ravel())
        formats = dict.fromkeys(frame.columns[1:], written)
        titles = {"channel": st.column_config.Column(tr("channel"))}
        shown = number_table.written(frame, formats)
        st.dataframe(shown, hide_index=True, height=320, column_config=titles)


def present(evidence: Evidence) -> list[int]:
    """The labels that there are."""
    labels: list[int] = np.unique(evidence.labels).tolist()
    return labels


def common_range(evidence: Evidence) -> Range:
    """One range for the mean maps of all classes."""
    return ranges.symmetric(*(evidence.of(label).heats.mean(0) for label in present(evidence)))


def card(name: str, own: Evidence, range: Range, written: Callable[[float], str]) -> str:
    """The mean map of a class, and its first channels with their numbers."""
    contributions = own.contributions.mean(0)
    order = np.argsort(-contributions, kind="stable")[:TOP]
    lines = [
        markup.text(
            tr("channel {channel}: {value}", channel=channel, value=written(float(contributions[channel]))),
            "muted",
        )
        for channel in order.tolist()
    ]
    return markup.figure(
        color(own.heats.mean(0), range),
        tr("Mean heat map of {name}", name=name),
        markup.text(name, "strong"),
        markup.text(ngettext("{n} image", "{n} images", len(own.labels)), "muted"),
        *lines,
        fill=True,
    )


def table(classes: Sequence[str], evidence: Evidence) -> pd.DataFrame:
    """One row per channel: its mean contribution to each class."""
    means = {classes[label]: evidence.of(label).contributions.mean(0) for label in present(evidence)}
    return pd.DataFrame({"channel": np.arange(evidence.contributions.shape[1]), **means})
