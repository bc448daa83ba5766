"""What the page «BatchNorm» gives away: a layer's learned and met statistics, and one channel."""

from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import ranges
from explorer.drawing.channel_chart import expectations, histograms
from explorer.drawing.colormaps import colour
from explorer.drawing.figures import mapped
from explorer.drawing.ranges import number
from explorer.engine.batchnorm import NormChannels, NormStatistics, NormSummary, relu_behind
from explorer.ui import downloads, export_parts
from explorer.ui.downloads import Offer
from explorer.ui.export_parts import Arrays
from explorer.ui.selection import Selection
from explorer.ui.snippets import program
from model.checkpoint import Pixels

UNIT = "running standard deviations (σ)"


def batch_norm(selection: Selection, layer: str, channel: int) -> None:
    """One BatchNorm's learned and met statistics, and one channel before and after it."""
    downloads.show(partial(offer, selection, layer, channel))


def offer(selection: Selection, layer: str, channel: int) -> Offer:
    found = selection.norm_statistics(layer)
    stages = {
        "before": found.before[0, channel],
        "normalised": found.normalised[0, channel],
        "after": found.after[0, channel],
    }
    scales = {name: ranges.symmetric(values) for name, values in stages.items()}
    lines = [f"found = statistics(net, x, {found.layer!r})", f"print(found.distance[{channel}])"]
    return Offer(
        name=f"batchnorm {selection.sample.name} {found.layer}",
        caption=export_parts.caption(
            selection,
            method="BatchNorm",
            layer=f"{found.layer}, channel {channel}",
            target="",
            range=export_parts.each_own(scales),
        ),
        pictures={
            "every channel": partial(expectations, found.distance, found.spread, channel, UNIT),
            f"channel {channel}, cells by value": lambda: cells(
                selection, selection.norm_summary(layer), channel
            ),
            **{f"channel {channel} {name}": partial(colour, stages[name], scales[name]) for name in stages},
        },
        tables={"Statistics": lambda: statistics(found), "Classes": lambda: export_parts.classes(selection)},
        arrays=lambda: export_parts.given(selection) | norm_arrays(found),
        figure=lambda: [mapped(stages[name], scales[name], name, "its own scale") for name in stages],
        snippet=program([selection], ["from explorer.engine.batchnorm import statistics"], lines),
        printed=f"the distance of channel {channel}, {number(found.distance[channel])} σ",
    )


def cells(selection: Selection, found: NormSummary, channel: int) -> Pixels:
    """One channel's histograms at each step of the layer, as the page shows them."""
    cut = relu_behind(selection.net, selection.seen, found.layer) is not None
    return histograms(found.steps(channel), found.counts[channel], cut)


def statistics(found: NormStatistics) -> pd.DataFrame:
    """One row a channel: what was learned, what this input brings, what the layer does with it."""
    names = ["mean", "running_mean", "var", "running_var", "weight", "bias", "slope", "offset", "distance"]
    columns = {name: getattr(found, name) for name in [*names, "spread", "dead"]}
    return pd.DataFrame({"channel": np.arange(len(found.mean)), **columns})


def norm_arrays(found: NormStatistics) -> Arrays:
    return {
        "before": (found.before, "the layer's input (N, C, h, w)"),
        "after": (found.after, "the layer's output (N, C, h, w)"),
        **channel_arrays(found, "this input"),
    }


def channel_arrays(found: NormChannels, said: str) -> Arrays:
    """What each channel of a BatchNorm learned, and met in what is `said`."""
    return {
        "weight": (found.weight, "γ of each channel (C,)"),
        "bias": (found.bias, "β of each channel (C,)"),
        "running_mean": (found.running_mean, "learned (C,), in units of the input"),
        "running_var": (found.running_var, "learned (C,), in units of the input squared"),
        "mean": (found.mean, f"of {said} (C,)"),
        "var": (found.var, f"of {said} (C,), biased"),
        "eps": (np.array(found.eps), "added to the variance"),
    }
