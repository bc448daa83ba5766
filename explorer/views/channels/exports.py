"""The downloads of the page: all channels in numbers, and the measured accuracy without some."""

from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import figures
from explorer.drawing.chart import LineChart
from explorer.drawing.ranges import number
from explorer.engine.channel_survey import ChannelSurvey
from explorer.engine.pruning import PruningCost
from explorer.engine.scan.result import Scan
from explorer.ui.exports import downloads, scan_export
from explorer.ui.exports.downloads import Offer, Tables
from explorer.ui.exports.export_parts import Arrays
from explorer.ui.exports.snippets import joined
from explorer.ui.selection import Selection
from explorer.views.channels import charts, costs
from explorer.views.channels.costs import MeasuredCosts
from explorer.views.channels.table import rows
from model.words import tr


def show(selection: Selection, scan: Scan, surveyed: ChannelSurvey, measured: MeasuredCosts | None) -> None:
    downloads.show(partial(offer, selection, scan, surveyed, measured))


def offer(selection: Selection, scan: Scan, surveyed: ChannelSurvey, measured: MeasuredCosts | None) -> Offer:
    layer = surveyed.layer
    drawn = charts_of(surveyed, measured)
    channel = int(np.argmax(surveyed.zeros))
    return Offer(
        name=f"channels {scan_export.name(selection, scan, layer)}",
        caption=caption(selection, scan, layer, measured),
        pictures={chart.title: partial(figures.picture, chart) for chart in drawn},
        tables=tables(surveyed, measured),
        arrays=lambda: arrays(scan, surveyed),
        figure=lambda: drawn,
        snippet=joined(
            [scan_export.READ],
            [scan_export.opening(selection, scan), f"print(scan.layers[{layer!r}].zeros[{channel}])"],
        ),
        printed=tr(
            "It prints the fraction of zeros of channel {channel}: {zeros}.",
            channel=channel,
            zeros=number(float(surveyed.zeros[channel])),
        ),
    )


def caption(selection: Selection, scan: Scan, layer: str, measured: MeasuredCosts | None) -> str:
    own = scan_export.caption(selection, scan, layer)
    return own if measured is None else " · ".join([own, costs.about(measured)])


def charts_of(surveyed: ChannelSurvey, measured: MeasuredCosts | None) -> list[LineChart]:
    zeros = charts.zeros(surveyed)
    return [zeros] if measured is None else [zeros, costs.curve(surveyed.layer, measured)]


def tables(surveyed: ChannelSurvey, measured: MeasuredCosts | None) -> Tables:
    channels: Tables = {tr("Channels"): lambda: rows(surveyed)}
    if measured is None:
        return channels
    return channels | {
        tr("Accuracy without channels"): lambda: named(measured),
        tr("Curve"): lambda: curve(measured),
    }


def named(measured: MeasuredCosts) -> pd.DataFrame:
    """One row for each set of channels and each draw of as many random ones."""
    lines = []
    for name, (cost, drawn) in measured.named.items():
        channels = measured.plan.named[name]
        lines.append(
            {"removed": name, "channels": " ".join(map(str, channels)), **_numbers(len(channels), cost)}
        )
        lines += [
            {"removed": f"random, seed {seed}", "channels": "", **_numbers(len(channels), each)}
            for seed, each in enumerate(drawn)
        ]
    return pd.DataFrame(lines)


def curve(measured: MeasuredCosts) -> pd.DataFrame:
    """One row for each order and each number of channels removed."""
    series = dict(measured.orders) | {f"random, seed {seed}": one for seed, one in enumerate(measured.drawn)}
    return pd.DataFrame(
        [
            {"order": name, **_numbers(count, cost)}
            for name, one in series.items()
            for count, cost in zip(measured.plan.counts, one, strict=True)
        ]
    )


def _numbers(count: int, cost: PruningCost) -> dict[str, float]:
    low, high = cost.interval
    own = {
        "images": cost.n,
        "accuracy": cost.accuracy,
        "low": low,
        "high": high,
        "before": cost.before / cost.n,
    }
    return {"count": count} | own | {"changed": cost.changed, "lost": cost.lost, "gained": cost.gained}


def arrays(scan: Scan, surveyed: ChannelSurvey) -> Arrays:
    one, partners = scan.layers[surveyed.layer], surveyed.partners
    made: Arrays = {
        "zeros": (surveyed.zeros, tr("fraction of zeros of each channel (C,)")),
        "mean": (surveyed.mean, tr("mean of each channel over all images and positions (C,)")),
        "image_mean": (one.image_mean, tr("mean of each channel’s map, for each image (N, C)")),
        "partner": (partners.channel, tr("the most alike channel of each (C,), −1 for none")),
        "correlation": (partners.correlation, tr("the correlation with that channel (C,)")),
    }
    if surveyed.scaling is not None:
        made["gamma"] = (surveyed.scaling.gamma, tr("the learned scale γ (C,)"))
        made["beta"] = (surveyed.scaling.beta, tr("the learned shift β (C,)"))
    return made
