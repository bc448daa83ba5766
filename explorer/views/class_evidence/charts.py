"""The chart of the page: by how much channels differ between two groups of images."""

import numpy as np

from explorer.drawing.chart import DotChart, axis
from explorer.engine.class_evidence import LEVEL, Differences
from model.words import tr

SHOWN = 12


def differences(layer: str, names: tuple[str, str], measured: Differences) -> DotChart:
    """The channels that differ most, each with its interval and what chance gives."""
    order = measured.order[:SHOWN]
    mean = measured.difference[order]
    chance = np.where(mean < 0, -1.0, 1.0) * measured.chance[order]
    values = [measured.low[order], measured.high[order], chance]
    return DotChart(
        title=tr("Channels of {layer}: mean over {first} minus mean over {second}", layer=layer,
                 first=names[0], second=names[1]),
        alt=tr("The mean contributions of the channels of {layer} that differ most, {first} minus {second}, "
               "with their intervals", layer=layer, first=names[0], second=names[1]),
        x=axis(tr("difference of the mean contributions"), values, zero=True, rounded=True, most=6),
        names=tuple(tr("channel {channel}", channel=channel) for channel in order.tolist()),
        mean=mean,
        low=measured.low[order],
        high=measured.high[order],
        chance=chance,
        quiet=np.asarray(measured.p[order] > LEVEL),
        diamond=tr("beyond chance from here on"),
    )  # fmt: skip
