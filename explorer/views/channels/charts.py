"""The charts of the page: how many channels have how many zeros, and the accuracy with fewer channels."""

from collections.abc import Mapping, Sequence

import numpy as np

from explorer.drawing.chart import Area, Axis, Line, LineChart, axis, doubles
from explorer.drawing.palette import BAND, Color
from explorer.drawing.ranges import percent
from explorer.engine.channel_survey import ChannelSurvey
from explorer.engine.pruning import PruningCost
from explorer.engine.values import Doubles
from model.words import N_, tr

BINS = 20
FRACTIONS = (0.0, 0.25, 0.5, 0.75, 1.0)
CRITERIA = {
    "gamma": N_("smallest |γ|"),
    "mean": N_("smallest mean"),
    "alike": N_("most alike"),
}
COLORS = {"gamma": Color.ACCENT, "mean": Color.HIGHLIGHT, "alike": Color.THIRD}


def zeros(surveyed: ChannelSurvey) -> LineChart:
    """How many channels have which fraction of zeros; dashed, what γ and β alone would give."""
    observed = _steps(tr("observed"), surveyed.zeros, Color.ACCENT)
    lines = [observed]
    if surveyed.expected_zeros is not None:
        lines.append(_steps(tr("by γ and β"), surveyed.expected_zeros, Color.QUIET, dashed=True))
    x = observed.x
    return LineChart(
        title=tr("Zeros of each channel of {layer}", layer=surveyed.layer),
        alt=tr("Histogram of the fraction of zeros of the channels of {layer}", layer=surveyed.layer),
        x=Axis(tr("fraction of zeros"), (0.0, 1.0), FRACTIONS, "percent"),
        y=axis(tr("channels"), [line.y for line in lines], "whole", zero=True, rounded=True, most=4),
        lines=tuple(lines),
        areas=(Area(np.repeat(x, 2)[1:], np.zeros(2 * len(x) - 1), np.repeat(observed.y, 2)[:-1],
                    Color.ACCENT, BAND),),
        legend=len(lines) > 1,
        height=190,
    )  # fmt: skip


def _steps(name: str, fractions: Doubles, color: Color, dashed: bool = False) -> Line:
    counts, edges = np.histogram(fractions, BINS, (0.0, 1.0))
    heights = doubles([*counts, counts[-1]])
    return Line(name, edges, heights, color, steps=True, dashed=dashed, details=None)


def about_zeros(surveyed: ChannelSurvey) -> str:
    if surveyed.expected_zeros is None:
        return tr("How many of the channels have which fraction of zeros.")
    return tr(
        "How many of the channels have which fraction of zeros. Dashed: what γ and β would give if the "
        "normalized values were normally distributed, Φ(−β / |γ|)."
    )


Costs = Sequence[PruningCost]  # of one order, by the number of channels removed


def curve(
    layer: str, counts: Sequence[int], orders: Mapping[str, Costs], drawn: Sequence[Costs], whole: float
) -> LineChart:
    """The accuracy by the number of channels removed, in each order; that of random ones as their mean on a
    band from the least to the largest. `whole` is the accuracy without a change.
    """
    x = doubles([0, *counts])
    lines = [_line(tr(CRITERIA[name]), x, each, whole, COLORS[name]) for name, each in orders.items()]
    random = np.array([[whole, *(cost.accuracy for cost in each)] for each in drawn])
    mean = random.mean(0)
    lines.append(
        Line(tr("random"), x, mean, Color.QUIET, dashed=True, points=True,
             texts=tuple(percent(value) for value in mean))
    )  # fmt: skip
    return LineChart(
        title=tr("Accuracy without channels of {layer}", layer=layer),
        alt=tr("Accuracy by the number of channels of {layer} that are removed", layer=layer),
        x=axis(tr("channels removed, in this order"), [x], "whole", zero=True),
        y=axis(tr("accuracy"), [line.y for line in lines], "percent", zero=True, rounded=True, most=5),
        lines=tuple(lines),
        areas=(Area(x, random.min(0), random.max(0), Color.QUIET, BAND),),
        legend=True,
        height=280,
    )


def _line(name: str, x: Doubles, costs: Costs, whole: float, color: Color) -> Line:
    y = doubles([whole, *(cost.accuracy for cost in costs)])
    texts = (percent(whole), *map(_with_interval, costs))
    return Line(name, x, y, color, points=True, details=((tr("order"), name),), texts=texts)


def _with_interval(cost: PruningCost) -> str:
    low, high = cost.interval
    return tr("{value} ({low} to {high})", value=percent(cost.accuracy), low=percent(low), high=percent(high))
