"""Two classes: what differs between images of the one and of the other, by channel, beside chance."""

from dataclasses import dataclass

import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.ranges import number
from explorer.engine.class_evidence import PERMUTATIONS, Differences, Evidence
from explorer.engine.scan.result import Scan
from explorer.ui import markup, panels
from explorer.ui.channel_link import open_channel
from explorer.ui.class_names import glossed
from explorer.ui.markdown import code, literal
from explorer.ui.scans import scanning
from explorer.ui.selection import Selection
from explorer.views.class_evidence import charts
from explorer.views.class_evidence.measuring import Groups, differences_of
from model.problems import Problem
from model.words import N_, ngettext, paragraph, tr

CARDS, IMAGES = 4, 4
ABOUT = N_(
    "What is explained is the logit of {first} minus that of {second}, so a positive contribution supports "
    "{first}. Dots: the mean contribution over {one} minus that over {other}, with its 95% interval. "
    "Diamonds: when the images are put into two groups at random ({draws} draws), in 95% of the draws no "
    "channel is beyond its diamond. Gray: not beyond chance. Order: the difference compared "
    "with chance, largest first. A difference says that the contribution of the channel is different in the "
    "two groups, not that it causes the prediction; a positive one may come of a channel that supports "
    "{second} less in {one}."
)


CHOSEN = N_(
    "These groups were chosen by what the network predicts, so that some channels must differ; which ones "
    "do is what the chart tells."
)


@dataclass(frozen=True, eq=False)
class GroupPair:
    """Two groups of images with their names, the evidence for one class rather than the other, and how the
    groups differ.
    """

    layer: str
    groups: Groups
    names: tuple[str, str]
    classes: tuple[str, str]
    evidence: Evidence
    differences: Differences


def pair_of(scan: Scan, layer: str, groups: Groups, evidence: Evidence) -> GroupPair:
    classes = (scan.classes[groups.first], scan.classes[groups.second])
    names = (glossed(classes[0]), glossed(classes[1]))
    if groups.errors:
        names = (
            tr("{true} predicted as {other}", true=names[0], other=names[0]),
            tr("{true} predicted as {other}", true=names[0], other=names[1]),
        )
    return GroupPair(layer, groups, names, classes, evidence, differences_of(evidence))


def show(selection: Selection, scan: Scan, pair: GroupPair) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown(summary(pair))
        panels.chart(charts.differences(pair.layer, pair.names, pair.differences))
    with right:
        maps(pair)
    st.caption(
        tr(
            ABOUT,
            first=literal(glossed(pair.classes[0])),
            second=literal(glossed(pair.classes[1])),
            one=counted(pair, 0),
            other=counted(pair, 1),
            draws=f"{PERMUTATIONS:,}",
        )
    )
    if pair.groups.errors:
        st.caption(tr(CHOSEN))
    cards(selection, scan, pair)


def counted(pair: GroupPair, index: int) -> str:
    """A group with the number of its images, as Markdown."""
    return ngettext(
        "{n} image ({name})",
        "{n} images ({name})",
        pair.differences.counts[index],
        name=literal(pair.names[index]),
    )


def summary(pair: GroupPair) -> str:
    """How many channels differ beyond chance, as Markdown."""
    beyond, total = len(pair.differences.beyond), len(pair.differences.p)
    if not beyond:
        return tr("**No channel** of {layer} differs by more than chance gives.", layer=code(pair.layer))
    text = ngettext(
        "**{n} of {total} channels** of {layer} differs by more than chance gives.",
        "**{n} of {total} channels** of {layer} differ by more than chance gives.",
        beyond,
        total=total,
        layer=code(pair.layer),
    )
    if beyond <= charts.SHOWN:
        return text
    return paragraph([text, tr("The chart shows {shown} of them.", shown=charts.SHOWN)])


def maps(pair: GroupPair) -> None:
    """The mean heat map of each group, on one scale."""
    heats = [pair.evidence.of(group).heats.mean(0) for group in (0, 1)]
    range = ranges.symmetric(*heats)
    figures = [
        markup.figure(
            color(heat, range),
            tr("Mean heat map of {name}", name=name),
            markup.text(tr("over images of {name}", name=name), "strong"),
            fill=True,
        )
        for heat, name in zip(heats, pair.names, strict=True)
    ]
    score = tr("Mean Grad-CAM for {first} minus {second}", first=glossed(pair.classes[0]),
               second=glossed(pair.classes[1]))  # fmt: skip
    markup.show(
        markup.text(score),
        markup.element("div", *figures, cls="fx-two"),
        markup.scale(range, tr("shared scale")),
    )


def cards(selection: Selection, scan: Scan, pair: GroupPair) -> None:
    """The channels that differ most: the images with their largest values, and the way to their pages."""
    title = tr("The channels that differ most: their images with the largest values, of all classes")
    st.markdown(f"**{title}**")
    for column, channel in zip(
        st.columns(CARDS, gap="medium"), pair.differences.order[:CARDS].tolist(), strict=False
    ):
        with column:
            st.markdown(about_channel(pair, channel))
            pictures = top_images(scan, pair.layer, channel)
            markup.show(markup.element("div", *pictures, cls="fx-cards fx-four"))
            with st.container(horizontal=True, gap="small"):
                if st.button(tr("Its page"), key=f"evidence page {channel}"):
                    open_channel(selection, pair.layer, channel, page="channel")
                if st.button(tr("Feature map"), key=f"evidence map {channel}"):
                    open_channel(selection, pair.layer, channel)


def about_channel(pair: GroupPair, channel: int) -> str:
    differences = pair.differences
    return tr(
        "**Channel {channel}**: {difference} ({low} to {high})",
        channel=channel,
        difference=number(differences.difference[channel]),
        low=number(differences.low[channel]),
        high=number(differences.high[channel]),
    )


def top_images(scan: Scan, layer: str, channel: int) -> list[str]:
    """The images with the largest values of a channel, as html; those that are gone are left out."""
    pictures = []
    for row, value in list(zip(*_top(scan, layer, channel), strict=True))[:IMAGES]:
        try:
            sample = scanning.sample_of(scan, row)
        except Problem:
            continue
        name = glossed(scan.classes[sample.label]) if sample.label is not None else sample.name
        pictures.append(
            markup.figure(
                sample.pixels,
                tr("{name}: largest value {value}", name=sample.name, value=number(value)),
                markup.text(name, "muted"),
                fill=True,
            )
        )
    return pictures


def _top(scan: Scan, layer: str, channel: int) -> tuple[list[int], list[float]]:
    one = scan.layers[layer]
    return one.top_rows[channel].tolist(), one.top_values[channel].tolist()
