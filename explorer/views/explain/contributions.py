"""The feature maps of one layer with the largest contributions to Grad-CAM, and how they are shown."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.ranges import Range, number
from explorer.engine.attribution import ChannelEvidence
from explorer.ui import markup
from model.words import tr

SUPPORTING, OPPOSING = 8, 4  # the most maps that are shown of each


@dataclass(frozen=True, eq=False)
class Contributions:
    """The channels of a layer that support the class most, and oppose it most; channel → color range."""

    evidence: ChannelEvidence
    supporting: Sequence[int]
    opposing: Sequence[int]
    ranges: dict[int, Range]


def largest(evidence: ChannelEvidence) -> Contributions:
    """The largest contributions of either sign; signed color ranges where any channel is negative."""
    contributions = evidence.contributions
    order = np.argsort(-contributions).tolist()
    supporting = [channel for channel in order[:SUPPORTING] if contributions[channel] > 0]
    opposing = [channel for channel in order[::-1][:OPPOSING] if contributions[channel] < 0]
    signed = bool(evidence.maps.min() < 0)
    own = {channel: ranges.shared(evidence.maps[channel], signed=signed) for channel in supporting + opposing}
    return Contributions(evidence, supporting, opposing, own)


def show(contributions: Contributions) -> None:
    sides = {
        tr("Support the class (positive contribution)"): contributions.supporting,
        tr("Oppose the class (negative contribution)"): contributions.opposing,
    }
    for title, channels in sides.items():
        if channels:
            st.markdown(f"**{title}**")
            cards = [card(contributions, channel) for channel in channels]
            markup.show(markup.element("div", *cards, cls="fx-cards"))
    st.caption(
        tr(
            "Contribution = weight × mean of the feature map, where the weight is that of Grad-CAM. The "
            "contributions of all channels add up to the mean of the Grad-CAM heat map, negative values "
            "included. The length of a bar is relative to the largest contribution in this layer. Each map "
            "has its own color scale."
        )
    )


def card(contributions: Contributions, channel: int) -> str:
    evidence, range = contributions.evidence, contributions.ranges[channel]
    values, contribution = evidence.maps[channel], evidence.contributions[channel]
    low, high = number(values.min()), number(values.max())
    return markup.figure(
        color(values, range),
        tr("Feature map {channel}, from {low} to {high}", channel=channel, low=low, high=high),
        markup.text(tr("Channel {channel}", channel=channel), "strong"),
        markup.text(f"{number(evidence.weights[channel])} × {number(values.mean())}"),
        markup.text(f"= {number(contribution)}"),
        bar(contribution / np.abs(evidence.contributions).max()),
        fill=True,
    )


def bar(fraction: float) -> str:
    """A bar for a contribution, as a fraction from −1 to 1 of the largest."""
    side = "fx-contribution" if fraction >= 0 else "fx-contribution against"
    return f'<div class="{side}"><span style="width:{abs(fraction):.1%}"></span></div>'
