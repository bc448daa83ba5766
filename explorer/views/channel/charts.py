"""The charts of a channel: its values, classes and overlap with objects, its statistics over training."""

from collections.abc import Sequence

import numpy as np

from explorer.drawing.chart import DotChart, Histogram, Line, LineChart, axis, doubles
from explorer.drawing.palette import Color
from explorer.engine.batchnorm import NormSummary
from explorer.engine.channel_effects import ClassEffect
from explorer.engine.dissection import Dissection
from explorer.engine.scan.result import LayerScan
from explorer.engine.values import Doubles
from explorer.ui.class_names import glossed
from explorer.views.time_machine.films import STATISTICS
from model.words import tr

MANY_ZEROS = 0.3  # of the values, from which the bar that holds them would hide the others


def bar_of_zeros(scanned: LayerScan, channel: int) -> int | None:
    """Which bar of a channel's histogram holds the zeros, where they are so many that it is left out."""
    if scanned.zeros[channel] < MANY_ZEROS:
        return None
    edges, bars = scanned.edges[channel], scanned.histogram.shape[1]
    # Where 0 is an edge, rounded as in the scan.
    scale = np.float32(bars / (float(edges[-1]) - float(edges[0])))
    return int(np.clip(-edges[0] * scale, 0, bars - 1))


def values(scanned: LayerScan, layer: str, channel: int) -> Histogram:
    """A channel's values over the scan, without the bar of the zeros where they are many."""
    counts, edges = scanned.histogram[channel].copy(), doubles(scanned.edges[channel])
    if (left_out := bar_of_zeros(scanned, channel)) is not None:
        counts[left_out] = 0
    mean, deviation = float(scanned.mean[channel]), float(np.sqrt(scanned.variance[channel]))
    band = mean - deviation, mean + deviation
    reach = min(edges.min(), band[0]), max(edges.max(), band[1])
    return Histogram(
        tr("Values"),
        tr("Histogram of channel {channel} of {layer} over the scan", channel=channel, layer=layer),
        axis(tr("value"), [reach], most=5),
        axis(tr("positions"), [counts], "whole", zero=True, rounded=True, most=3),
        edges,
        counts,
        mean,
        band,
        height=210,
    )


def class_means(means: Doubles, names: Sequence[str], order: Sequence[int]) -> DotChart:
    """The mean of the channel for each class, largest first; a dashed line at the mean of all classes."""
    nothing = np.full(len(order), np.nan)
    return DotChart(
        tr("Mean of the map by class"),
        tr("Mean of the map by class, largest first"),
        axis(tr("mean of the map"), [means], zero=True, rounded=True, most=4),
        tuple(names[k] for k in order),
        doubles(means[list(order)]),
        nothing,
        nothing,
        nothing,
        np.zeros(len(order), bool),
        row=tr("class"),
        reference=float(np.nanmean(means)),
    )


def effects(measured: Sequence[ClassEffect], names: Sequence[str]) -> DotChart:
    """How much the logit of each class falls without the channel, with 95% intervals."""
    mean, low, high = (
        doubles([getattr(one.fall, name) for one in measured]) for name in ("mean", "low", "high")
    )
    return DotChart(
        tr("Switched off"),
        tr("Fall of the logit of each class when the channel is switched off"),
        axis(tr("fall of the class’s logit"), [mean, low, high], zero=True, rounded=True, most=4),
        tuple(names[one.label] for one in measured),
        mean,
        low,
        high,
        np.zeros(len(measured)),
        (low <= 0) & (high >= 0),
    )


def overlaps(dissection: Dissection) -> DotChart:
    """The IoU with objects, beside that of shifted masks."""
    each = dissection.overlaps
    mean, chance, high = (
        doubles([getattr(one, name) for one in each]) for name in ("iou", "chance", "chance_high")
    )
    nothing = np.full(len(each), np.nan)
    return DotChart(
        tr("Overlap with objects"),
        tr("IoU of the channel’s largest positions with the objects, beside that of shifted masks"),
        axis(tr("IoU"), [mean, chance], zero=True, rounded=True, most=4),
        tuple(concept(one.concept) for one in each),
        mean,
        nothing,
        nothing,
        chance,
        mean <= high,
    )


def concept(name: str) -> str:
    """The name of a class, with its translation, or of all objects where it is empty."""
    return glossed(name) if name else tr("any object")


def over_training(epochs: Sequence[int], norms: Sequence[NormSummary], channel: int) -> dict[str, LineChart]:
    """Name of a statistic → its chart: the channel's value at every snapshot."""
    return {name: _statistic(name, epochs, norms, channel) for name in STATISTICS}


def _statistic(name: str, epochs: Sequence[int], norms: Sequence[NormSummary], channel: int) -> LineChart:
    title, of, _ = STATISTICS[name]
    line = Line(
        tr(title), doubles(epochs), doubles([of(each)[channel] for each in norms]), Color.ACCENT, points=True
    )
    return LineChart(
        tr(title),
        tr("{statistic} of channel {channel} over the epochs", statistic=tr(title), channel=channel),
        axis(tr("epoch"), [line.x], "whole"),
        axis("", [line.y], rounded=True, most=4),
        (line,),
        height=150,
    )
