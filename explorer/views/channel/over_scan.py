"""What the channel gives over the scan: its values, its classes, and which others go with it."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from explorer.drawing.pictures import data_uri
from explorer.drawing.ranges import column, percent, plain_number
from explorer.engine.batchnorm import NormStatistics, is_batchnorm
from explorer.engine.duplicates import correlations_with
from explorer.engine.scan.result import LayerScan
from explorer.engine.selectivity import PERMUTATIONS, Selectivity
from explorer.engine.values import Doubles
from explorer.ui import cached, panels
from explorer.ui.channel_link import open_channel
from explorer.ui.class_names import glossed, glossed_all
from explorer.ui.components.beside import key_with
from explorer.ui.components.picture_grid import CARD, MAP, Picture, picture_grid
from explorer.ui.markdown import literal
from explorer.views.channel import charts, tiles
from explorer.views.channel.subject import ChannelSubject
from explorer.views.channel.tiles import ExampleTile
from model.words import ngettext, paragraph, tr

MOST_CLASSES = 12
NEIGHBORS = 5


@dataclass(frozen=True, eq=False)
class Numbers:
    """The means by class (K,), the selectivity where it is defined, and the correlations (C,) with others."""

    class_means: Doubles
    selectivity: Selectivity | None
    correlations: Doubles


def numbers_of(subject: ChannelSubject, scanned: LayerScan) -> Numbers:
    assert subject.scan is not None
    channel, scan = subject.channel, subject.scan
    selective = cached.class_selectivity(scanned.image_mean[:, channel], scan.labels, len(scan.classes))
    means = scanned.class_mean[:, channel].astype(np.float64)
    return Numbers(means, selective, correlations_with(scanned.image_mean, channel))


# The layer's own statistics


def normalization(subject: ChannelSubject) -> str:
    """γ, β and the statistics of the block's BatchNorm in this channel, as html; "" without one."""
    norm = statistics(subject)
    if norm is None:
        return ""
    k = subject.channel
    names = (
        tr("γ (scale)"),
        tr("β (shift)"),
        tr("running mean μ"),
        tr("running σ"),
        tr("selected image: mean, in running σ from μ"),
    )
    values = norm.weight, norm.bias, norm.running_mean, norm.running_std, norm.distance
    rows = zip(names, column(each[k] for each in values), strict=True)
    return panels.facts(tr("BatchNorm · {layer}", layer=norm.layer), list(rows))


def statistics(subject: ChannelSubject) -> NormStatistics | None:
    """The statistics of the block's BatchNorm on the selected image; None where there is none to show."""
    selection, layer = subject.selection, subject.block.norm
    if layer is None or not is_batchnorm(selection.net, layer):
        return None
    norm = cached.norm_statistics(selection.network, selection.input, layer)
    return norm if subject.channel < len(norm.weight) else None


# Over the scan


def show(subject: ChannelSubject, scanned: LayerScan, numbers: Numbers) -> None:
    """The distribution, and the means by class."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader(tr("Values over all images"), anchor=False)
        chart = charts.values(scanned, subject.layer, subject.channel)
        panels.drawn_chart(chart, key_with("values", subject.layer, subject.channel))
        st.caption(literal(about_values(subject, scanned)))
    with right:
        st.subheader(tr("Which class it responds to"), anchor=False)
        order = largest_classes(numbers.class_means)
        if order:
            assert subject.scan is not None
            panels.chart(
                charts.class_means(numbers.class_means, glossed_all(subject.scan.classes), order),
                key="class_means",
            )
        st.caption(literal(about_classes(subject, numbers)))


def largest_classes(means: Doubles) -> list[int]:
    """Classes with images, the largest mean first."""
    order = np.argsort(-np.nan_to_num(means, nan=-np.inf), kind="stable")
    return [int(k) for k in order if np.isfinite(means[k])][:MOST_CLASSES]


def about_values(subject: ChannelSubject, scanned: LayerScan) -> str:
    k = subject.channel
    sentences = [
        tr(
            "{images}: mean {mean}, standard deviation {deviation}, largest value {maximum}. Line: the mean; "
            "band: mean ± standard deviation. The chart shows a sample of the positions; the numbers are "
            "over all of them.",
            images=subject.images.text,
            mean=plain_number(scanned.mean[k]),
            deviation=plain_number(np.sqrt(scanned.variance[k])),
            maximum=plain_number(scanned.maximum[k]),
        )
    ]
    if scanned.edges[k][0] < 0 or scanned.maximum[k] > scanned.edges[k][-1]:
        sentences.append(tr("The bar at each end also holds the values beyond it."))
    return paragraph([*sentences, *about_zeros(scanned, k)])


def about_zeros(scanned: LayerScan, channel: int) -> list[str]:
    zeros = float(scanned.zeros[channel])
    if zeros >= 1:
        return [tr("The channel is zero at every position of every image: it is dead on these images.")]
    if (bar := charts.bar_of_zeros(scanned, channel)) is not None:
        low, high = scanned.edges[channel][bar : bar + 2]
        return [
            tr(
                "{zeros} of the values are exactly zero; the chart leaves out their bar, which holds all "
                "values from {low} to {high}.",
                zeros=percent(zeros),
                low=plain_number(float(low)),
                high=plain_number(float(high)),
            )
        ]
    return [tr("{zeros} of the values are exactly zero.", zeros=percent(zeros))] if zeros > 0 else []


def about_classes(subject: ChannelSubject, numbers: Numbers) -> str:
    """The selectivity with what chance gives, in sentences."""
    assert subject.scan is not None
    if not largest_classes(numbers.class_means):
        return tr("No image of the scan is labeled with a class of this network.")
    one = numbers.selectivity
    if one is None and not np.nan_to_num(numbers.class_means).any():
        return tr("All means are zero, so there is nothing to select.")
    if one is None:
        return tr(
            "Dashed line: the mean over the classes. The class selectivity index is not defined here: it "
            "needs at least two classes, and means that are not negative."
        )
    fields = {
        "index": f"{one.index:.2f}",
        "name": glossed(subject.scan.classes[one.favorite]),
        "chance": f"{one.chance:.2f}",
        "high": f"{one.chance_high:.2f}",
        "count": PERMUTATIONS,
    }
    template = (
        tr(
            "Class selectivity index (arXiv:1803.06959): {index}, for {name}. With the labels permuted "
            "{count} times it is {chance} on average and {high} at the 95th percentile. Dashed line: the "
            "mean over the classes.",
            **fields,
        )
        if one.index > one.chance_high
        else tr(
            "Class selectivity index (arXiv:1803.06959): {index}, for {name}: no more than chance gives. "
            "With the labels permuted {count} times it is {chance} on average and {high} at the 95th "
            "percentile. Dashed line: the mean over the classes.",
            **fields,
        )
    )
    return template


# Others like it


def neighbors(correlations: Doubles) -> list[int]:
    """The other channels, the largest correlation first."""
    order = np.argsort(-np.nan_to_num(correlations, nan=-np.inf), kind="stable")
    return [int(k) for k in order if np.isfinite(correlations[k])][:NEIGHBORS]


def show_neighbors(subject: ChannelSubject, scanned: LayerScan, numbers: Numbers) -> None:
    """The channels whose mean per image goes with this one's; each is a button to its page."""
    st.subheader(tr("Channels most like it"), anchor=False)
    others = neighbors(numbers.correlations)
    if not others:
        st.caption(
            tr("Nothing to compare: this channel, or each of the others, is the same for every image.")
        )
        return
    cards = [neighbor(subject, scanned, other, float(numbers.correlations[other])) for other in others]
    channel = picture_grid(cards, key="cards_alike", side=CARD, crisp=MAP)
    if channel is not None:
        open_channel(subject.selection, subject.layer, channel, "channel")
    st.caption(
        literal(
            ngettext(
                "Pearson’s correlation of the mean of the map over {n:,} image, with each one’s top image.",
                "Pearson’s correlation of the mean of the map over {n:,} images, with each one’s top image. "
                "From about 0.95 on, two channels do almost the same.",
                len(scanned.image_mean),
            )
        )
    )


def neighbor(subject: ChannelSubject, scanned: LayerScan, other: int, correlation: float) -> Picture:
    top = (int(scanned.maximum_position[other, 0]), int(scanned.maximum_position[other, 1]))
    tile = ExampleTile(int(scanned.maximum_row[other]), float(scanned.maximum[other]), top)
    return Picture(
        other,
        data_uri(tiles.picture(subject, tile, False)),
        tr("Open channel {channel} of {layer}", channel=other, layer=subject.layer),
        (tr("r = {value}", value=f"{correlation:.2f}"),),
        tr("Channel {channel}", channel=other),
        tr("Top image of channel {channel}", channel=other),
    )
