"""The downloads of the BatchNorm page for one image: learned and observed statistics, and one channel."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import figures, ranges
from explorer.drawing.chart import Chart
from explorer.drawing.colormaps import color
from explorer.drawing.figures import Panel
from explorer.drawing.ranges import Range, number
from explorer.engine.batchnorm import NormChannels, NormStatistics, NormSummary
from explorer.engine.values import Floats
from explorer.ui import cached
from explorer.ui.exports import downloads, export_parts
from explorer.ui.exports.downloads import Offer, Pictures
from explorer.ui.exports.export_parts import Arrays
from explorer.ui.exports.snippets import program
from explorer.ui.selection import Selection
from explorer.views.batchnorm import charts
from explorer.views.batchnorm.charts import STAGES, BatchNormCharts
from explorer.views.batchnorm.measured import LayerView
from model.words import tr


def batch_norm(selection: Selection, view: LayerView, drawn: BatchNormCharts) -> None:
    """One BatchNorm's learned and observed statistics, and one channel before and after it."""
    downloads.show(partial(offer, selection, view, drawn))


def offer(selection: Selection, view: LayerView, drawn: BatchNormCharts) -> Offer:
    statistics = cached.norm_statistics(selection.network, selection.input, view.layer)
    channel = view.channel
    maps = {
        tr(STAGES["before"]): statistics.before[0, channel],
        tr(STAGES["normalized"]): statistics.normalized[0, channel],
        tr(STAGES["after"]): statistics.after[0, channel],
    }
    scales = {name: ranges.symmetric(values) for name, values in maps.items()}
    lines = [f"norm = statistics(net, x, {view.layer!r})", f"print(norm.distance[{channel}])"]
    return Offer(
        name=f"batchnorm {selection.sample.name} {view.layer}",
        caption=caption(selection, view, scales),
        pictures=chart_pictures(view, drawn)
        | {
            tr("channel {channel}, {stage}", channel=channel, stage=name): partial(
                color, values, scales[name]
            )
            for name, values in maps.items()
        },
        tables={
            tr("Statistics"): lambda: channel_table(statistics),
            tr("Classes"): lambda: export_parts.classes(selection),
        },
        arrays=lambda: export_parts.input_arrays(selection) | norm_arrays(statistics),
        figure=lambda: [*figure(drawn), maps_of_channel(maps, scales)],
        snippet=program([selection], ["from explorer.engine.batchnorm import statistics"], lines),
        printed=distance_text(view),
    )


def caption(selection: Selection, view: LayerView, scales: Mapping[str, Range]) -> str:
    traced = export_parts.caption(
        selection,
        method=tr("BatchNorm"),
        layer=tr("{layer}, channel {channel}", layer=view.layer, channel=view.channel),
        target="",
        range=export_parts.each_own(scales),
    )
    return " · ".join([charts.caption(view), charts.about_histograms(view), traced])


def maps_of_channel(maps: Mapping[str, Floats], scales: Mapping[str, Range]) -> list[Panel]:
    """The chosen channel’s map at each stage, on a scale of its own."""
    return [figures.mapped(maps[name], scale, name, tr("its own scale")) for name, scale in scales.items()]


def figure(drawn: BatchNormCharts) -> list[list[Chart]]:
    """The charts as the page shows them: all channels in one line, the chosen one below."""
    return [[drawn.channels], list(drawn.histograms)]


def chart_pictures(view: LayerView, drawn: BatchNormCharts) -> Pictures:
    """The charts of the page for print: all channels, and the histograms of the chosen one."""
    return {
        tr("every channel"): partial(figures.picture, drawn.channels),
        tr("channel {channel}, histograms", channel=view.channel): partial(
            figures.picture, *drawn.histograms
        ),
    }


def distance_text(view: LayerView) -> str:
    return tr(
        "It prints the distance of channel {channel}: {distance} σ.",
        channel=view.channel,
        distance=number(view.summary.distance[view.channel]),
    )


def channel_table(statistics: NormStatistics | NormSummary) -> pd.DataFrame:
    """One row per channel: learned and observed statistics, and the layer's slope and offset."""
    names = ["mean", "running_mean", "var", "running_var", "weight", "bias", "slope", "offset", "distance"]
    names += ["spread", *(["passing"] if isinstance(statistics, NormSummary) else []), "dead"]
    columns = {name: getattr(statistics, name) for name in names}
    return pd.DataFrame({"channel": np.arange(len(statistics.mean)), **columns})


def norm_arrays(statistics: NormStatistics) -> Arrays:
    return {
        "before": (statistics.before, tr("the layer’s input (N, C, h, w)")),
        "after": (statistics.after, tr("the layer’s output (N, C, h, w)")),
        **channel_arrays(statistics),
    }


def channel_arrays(statistics: NormChannels) -> Arrays:
    """The learned and observed statistics of each channel of a BatchNorm."""
    return {
        "weight": (statistics.weight, tr("γ of each channel (C,)")),
        "bias": (statistics.bias, tr("β of each channel (C,)")),
        "running_mean": (statistics.running_mean, tr("running mean (C,), in units of the layer’s input")),
        "running_var": (statistics.running_var, tr("running variance (C,), in squared units of the input")),
        "mean": (statistics.mean, tr("observed mean (C,)")),
        "var": (statistics.var, tr("observed variance (C,), biased")),
        "eps": (np.array(statistics.eps), tr("ε, added to the variance")),
    }
