"""The charts of one BatchNorm, for the page and for print: all channels, and the values of one channel."""

from dataclasses import dataclass

import numpy as np

from explorer.drawing.chart import Axis, ChannelChart, Histogram, axis, doubles
from explorer.engine.batchnorm import NormSummary, Stage, StageHistogram
from explorer.engine.values import Value
from explorer.views.batchnorm.measured import LayerView
from model.words import N_, paragraph, tr

ROOM = 1.2  # how far at least the y-axis reaches, in running σ
STAGES: dict[Stage, str] = {
    "before": N_("Before BatchNorm"),
    "normalized": N_("Normalized"),
    "after": N_("After γ and β"),
}


@dataclass(frozen=True, eq=False)
class BatchNormCharts(Value):
    """The charts of a layer: all channels, and the chosen one at each stage."""

    channels: ChannelChart
    histograms: tuple[Histogram, ...]


# All channels


def all_channels(view: LayerView) -> ChannelChart:
    """Each channel's observed mean ± standard deviation in running σ, from the lowest mean to the highest."""
    summary = view.summary
    order = np.argsort(summary.distance, kind="stable")
    mean, spread = doubles(summary.distance[order]), doubles(summary.spread[order])
    dead = (summary.dead if view.relu else np.zeros(len(order), bool))[order]
    faint = summary.faint()[order]
    return ChannelChart(
        tr("Observed statistics of {layer}", layer=view.layer),
        tr(
            "Observed mean and standard deviation of every channel of {layer}, in running standard "
            "deviations",
            layer=view.layer,
        ),
        tr("channel, lowest observed mean first"),
        _beyond_the_band(summary, tr("running standard deviations (σ)")),
        order.astype(np.int64),
        mean,
        spread,
        dead,
        faint,
        tuple(map(_channel_text, order.tolist(), dead.tolist(), faint.tolist())),
        view.channel,
    )


def _beyond_the_band(summary: NormSummary, title: str) -> Axis:
    """From the lowest to the highest end of a span, at least beyond the edges of the learned band."""
    ends = [summary.distance - summary.spread, summary.distance + summary.spread, [-ROOM, ROOM]]
    return axis(title, ends, most=6)


def _channel_text(channel: int, dead: bool, faint: bool) -> str:
    """The channel's number in a tooltip, with what is special about it."""
    if dead and faint:
        return tr("{channel}: dead, the ReLU gives only zeros; γ near zero", channel=channel)
    if dead:
        return tr("{channel}: dead, the ReLU gives only zeros", channel=channel)
    return tr("{channel}: γ near zero", channel=channel) if faint else str(channel)


def caption(view: LayerView) -> str:
    """What the chart of all channels shows, in sentences."""
    sentences = [
        tr(
            "Each channel’s observed mean ± standard deviation, in running standard deviations σ from its "
            "running mean. Gray band: running mean ± σ."
        )
    ]
    if view.relu and view.summary.dead.any():
        sentences.append(tr("✕: dead channel."))
    if view.summary.faint().any():
        sentences.append(tr("◇: γ near zero."))
    return paragraph(sentences)


def about_histograms(view: LayerView) -> str:
    """What the histograms of the chosen channel show."""
    return tr(
        "Number of positions by value. Orange line: their mean. Gray band: running mean ± running standard "
        "deviation, at each stage of the layer. {relu_text}",
        relu_text=relu_text(view.relu),
    )


def relu_text(relu: str | None) -> str:
    if relu is None:
        return tr("No ReLU follows this layer directly, so no value is set to zero.")
    return tr("Fainter bars are below zero: the ReLU ({relu}) sets them to zero.", relu=relu)


# One channel


def histograms(view: LayerView) -> tuple[Histogram, ...]:
    """The chosen channel's values before the layer, normalized, and after γ and β."""
    return tuple(_histogram(view, stage) for stage in view.summary.stages(view.channel))


def _histogram(view: LayerView, stage: StageHistogram) -> Histogram:
    counts, title = view.summary.counts[view.channel], tr(STAGES[stage.stage])
    return Histogram(
        title,
        tr(
            "Histogram of channel {channel} of {layer}: {stage}",
            channel=view.channel,
            layer=view.layer,
            stage=title,
        ),
        axis(tr("value"), [stage.reach], most=5),
        axis(tr("positions"), [counts], "whole", zero=True, rounded=True, most=3),
        stage.edges,
        counts,
        stage.mean,
        stage.band,
        cut=0.0 if view.relu and stage.stage == "after" else None,
    )
