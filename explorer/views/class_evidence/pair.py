"""Two classes: what differs between images of the one and of the other, by channel, beside chance."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.ranges import decimals_of_sum, number, with_decimals
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
    "What is explained is the logit of {first} minus that of {second}: a positive contribution supports "
    "{first}, a negative one {second}. Dots: the mean contribution over {one} minus that over {other}, with "
    "its 95% interval. So a dot on the right is not support for {first}: the channel may support {second} "
    "in both groups, only less in the first. Diamonds: how large a difference must be, in standard errors "
    "of the channel; when the images are put into two groups at random ({draws} draws), in 95% of the draws "
    "no channel differs by so many. Gray: not beyond chance. Order: the difference compared with chance, "
    "largest first. A difference does not say that the channel causes the prediction."
)
SUPPORT = {
    (1, 1): N_(
        "**Channel {channel}** supports {first} in both groups: mean contribution {one} over images of "
        "{group}, {other} over images of {against}. The difference is {difference} ({low} to {high})."
    ),
    (-1, -1): N_(
        "**Channel {channel}** supports {second} in both groups: mean contribution {one} over images of "
        "{group}, {other} over images of {against}. The difference is {difference} ({low} to {high})."
    ),
    (1, -1): N_(
        "**Channel {channel}** supports {first} over images of {group} (mean contribution {one}) and "
        "{second} over images of {against} ({other}). The difference is {difference} ({low} to {high})."
    ),
    (-1, 1): N_(
        "**Channel {channel}** supports {second} over images of {group} (mean contribution {one}) and "
        "{first} over images of {against} ({other}). The difference is {difference} ({low} to {high})."
    ),
}
"""What a channel supports, by the signs of its mean contributions in the two groups."""
NO_SUPPORT = N_(
    "**Channel {channel}**: mean contribution {one} over images of {group}, {other} over images of "
    "{against}. The difference is {difference} ({low} to {high})."
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
    names = named((glossed(classes[0]), glossed(classes[1])), groups.errors)
    return GroupPair(layer, groups, names, classes, evidence, differences_of(evidence))


def named(classes: tuple[str, str], errors: bool) -> tuple[str, str]:
    """The groups by the names of their classes: images of both, or those of the first predicted as each."""
    if not errors:
        return classes
    first, second = (tr("{true} predicted as {other}", true=classes[0], other=each) for each in classes)
    return first, second


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
    texts = [text, *positive(pair)]
    if beyond > charts.SHOWN:
        shown = charts.SHOWN
        texts.append(tr("The chart shows {shown} of these {count} channels.", shown=shown, count=beyond))
    return paragraph(texts)


def positive(pair: GroupPair) -> list[str]:
    """How many channels with a positive difference support the first class in its group, as Markdown."""
    measured = pair.differences
    above = measured.beyond[measured.difference[measured.beyond] > 0]
    if not len(above):
        return []
    return [
        ngettext(
            "{n} has a positive difference; of these, {support} supports {first} over images of {group}.",
            "{n} have a positive difference; of these, {support} support {first} over images of {group}.",
            len(above),
            support=int((measured.first[above] > 0).sum()),
            first=literal(glossed(pair.classes[0])),
            group=literal(pair.names[0]),
        )
    ]


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
    with st.container(key="channel_cards"):
        columns = st.columns(CARDS, gap="medium")
    for column, channel in zip(columns, pair.differences.order[:CARDS].tolist(), strict=False):
        with column:
            st.markdown(about_channel(pair, channel))
            pictures = top_images(scan, pair.layer, channel)
            markup.show(markup.element("div", *pictures, cls="fx-cards fx-four"))
            with st.container(horizontal=True, gap="small"):
                if st.button(tr("Channel page"), key=f"evidence page {channel}"):
                    open_channel(selection, pair.layer, channel, page="channel")
                if st.button(tr("Feature map"), key=f"evidence map {channel}"):
                    open_channel(selection, pair.layer, channel)


def about_channel(pair: GroupPair, channel: int) -> str:
    """What a channel supports in each group, and by how much its contributions differ, as Markdown."""
    measured, (first, second) = pair.differences, map(glossed, pair.classes)
    means = float(measured.first[channel]), float(measured.second[channel])
    difference = float(measured.difference[channel])
    decimals = decimals_of_sum(difference, means[0], -means[1])
    written = partial(with_decimals, decimals)
    signs = int(np.sign(round(means[0], decimals))), int(np.sign(round(means[1], decimals)))
    return tr(
        SUPPORT.get(signs, NO_SUPPORT),
        channel=channel,
        first=literal(first),
        second=literal(second),
        group=literal(pair.names[0]),
        against=literal(pair.names[1]),
        one=written(means[0]),
        other=written(means[1]),
        difference=written(difference),
        low=written(float(measured.low[channel])),
        high=written(float(measured.high[channel])),
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
