"""The feature maps of one layer with the largest contributions to Grad-CAM, and how they are shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.pictures import data_uri
from explorer.drawing.ranges import Range, from_to, in_decimals, product, signed
from explorer.engine.ablation import WithoutSets
from explorer.engine.attribution import ChannelEvidence
from explorer.engine.effects import Effects
from explorer.ui import effects, jobs
from explorer.ui.channel_link import open_channel
from explorer.ui.components.picture_grid import CARD, MAP, Bar, Picture, picture_grid
from explorer.ui.jobs import Progress
from explorer.ui.markdown import literal, sentence
from explorer.ui.selection import Selection
from model.words import N_, paragraph, tr

PAGES = {
    "maps": N_("Open channel {channel} of {layer} on Feature maps"),
    "channel": N_("Open channel {channel} of {layer} on Channel"),
}
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


def show(selection: Selection, contributions: Contributions, opens: str) -> None:
    """The cards, with what switching each channel off changes as soon as that is measured.

    Each opens its channel on the page `opens`, a key of PAGES.
    """
    layer = contributions.evidence.layer
    jobs.show(partial(_draw, selection, contributions, opens), effects.measuring(selection, layer))


def _draw(
    selection: Selection,
    contributions: Contributions,
    opens: str,
    progress: Sequence[Progress[WithoutSets]],
) -> None:
    measured = effects.effects(selection, contributions.evidence, progress[0])
    sides = {
        tr("Positive contribution (by Grad-CAM)"): contributions.supporting,
        tr("Negative contribution (by Grad-CAM)"): contributions.opposing,
    }
    for title, channels in sides.items():
        if channels:
            st.markdown(f"**{title}**")
            show_cards(selection, contributions, measured, channels, opens)
    if progress[0].problem is not None:
        st.info(sentence(progress[0].problem))
    elif measured is None:
        st.caption(effects.waiting(progress))
    else:
        st.markdown(literal(paragraph(effects.in_words(selection, measured))))
    st.caption(about_the_cards(selection))


def about_the_cards(selection: Selection) -> str:
    return literal(
        tr(
            "Contribution = weight × mean of the feature map, where the weight is that of Grad-CAM. The "
            "contributions of all channels add up to the mean of the Grad-CAM heat map, negative values "
            "included. The length of the first bar is relative to the largest contribution in this layer. "
            "“Switched off” is measured: how the logit of {class_name} changes when this channel alone is "
            "set to zero; the length of the second bar is relative to the largest change in this layer. "
            "A contribution is a mean over the positions and an estimate by the gradient, a change is that "
            "of the whole map, so only their order can be compared. Each map has its own color scale.",
            class_name=selection.target_name,
        )
    )


def show_cards(
    selection: Selection,
    contributions: Contributions,
    measured: Effects | None,
    channels: Sequence[int],
    opens: str,
) -> None:
    """Cards that are buttons: each opens its channel on another page."""
    layer, side = (
        contributions.evidence.layer,
        "opposing" if channels is contributions.opposing else "supporting",
    )
    written = in_decimals(contributions.evidence.contributions[list(channels)])
    changes = {} if measured is None else dict(zip(channels, logit_changes(measured, channels), strict=True))
    cards = [
        card(
            contributions,
            channel,
            tr(PAGES[opens], channel=channel, layer=layer),
            written,
            changes.get(channel, ()),
        )
        for channel in channels
    ]
    channel = picture_grid(cards, key=f"cards_{side}", side=CARD, crisp=MAP)
    if channel is not None:
        open_channel(selection, layer, channel, "channel" if opens == "channel" else "maps")


def card(
    contributions: Contributions,
    channel: int,
    text: str,
    written: Callable[[float], str],
    change: tuple[str | Bar, ...],
) -> Picture:
    evidence, range = contributions.evidence, contributions.ranges[channel]
    values, contribution = evidence.maps[channel], evidence.contributions[channel]
    low, high = from_to(values.min(), values.max())
    return Picture(
        channel,
        data_uri(color(values, range)),
        text,
        (
            *product(evidence.weights[channel], values.mean(), written(contribution)),
            Bar(float(contribution / np.abs(evidence.contributions).max())),
            *change,
        ),
        tr("Channel {channel}", channel=channel),
        tr("Feature map {channel}, from {low} to {high}", channel=channel, low=low, high=high),
    )


def logit_changes(measured: Effects, channels: Sequence[int]) -> list[tuple[str, Bar]]:
    """How the logit changes without each of the channels, with a bar from −1 to 1 of the largest change."""
    falls, largest = measured.falls[list(channels)], float(np.abs(measured.falls).max())
    written = in_decimals(falls)
    return [
        (
            tr("switched off: logit {change}", change=signed(-fall, written)),
            Bar(fall / largest if largest else 0.0, "measured"),
        )
        for fall in falls.tolist()
    ]
