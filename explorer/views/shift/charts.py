"""The charts of the page “Shifted data”."""

from collections.abc import Callable, Sequence

import numpy as np

from explorer.drawing.chart import Area, Axis, DotChart, Line, LineChart, PointChart, axis, doubles
from explorer.drawing.palette import BAND, Color
from explorer.drawing.ranges import percent
from explorer.engine.shift import NormDrift
from explorer.engine.shift_measuring import CorrectCount, SeverityResult
from explorer.engine.values import Doubles
from explorer.views.shift.measuring import ShiftQuestion
from explorer.views.shift.ranking import Ranking
from model.words import tr

FIRST = 12  # channels in the ranked chart


def accuracies(question: ShiftQuestion, steps: Sequence[SeverityResult]) -> LineChart | None:
    """Accuracy by severity, with learned and with recalibrated statistics; None for one's own pictures."""
    corruption = question.corruption
    if corruption is None or not steps[0].running.n:
        return None
    placed = {corruption.neutral if step.severity is None else step.severity: step for step in steps}
    placed.pop(None, None)
    values = sorted(value for value in placed if value is not None)
    x = doubles(values)
    of: dict[str, tuple[Callable[[SeverityResult], CorrectCount], Color]] = {
        tr("running statistics"): (lambda step: step.running, Color.ACCENT),
        tr("recalibrated"): (lambda step: step.recovered, Color.HIGHLIGHT),
    }
    lines, areas = [], []
    for name, (accuracy, color) in of.items():
        each = [accuracy(placed[value]) for value in values]
        texts = tuple(map(interval_text, each))
        y = doubles([one.value for one in each])
        lines.append(Line(name, x, y, color, points=True, details=((tr("line"), name),), texts=texts))
        low, high = (doubles([one.ends[end] for one in each]) for end in (0, 1))
        areas.append(Area(x, low, high, color, BAND))
    title = tr("Accuracy by severity: {shift}", shift=question.title)
    return LineChart(
        title=title,
        alt=tr("{title}: {lines}", title=title, lines=tr(", ").join(of)),
        x=axis(tr(corruption.axis), [x], "whole" if (x == x.round()).all() else "any"),
        y=Axis(tr("accuracy"), (0.0, 1.0), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), "percent"),
        lines=tuple(lines),
        areas=tuple(areas),
        legend=True,
        height=260,
    )


def interval_text(accuracy: CorrectCount) -> str:
    """An accuracy with its interval."""
    if not accuracy.n:
        return "–"
    low, high = accuracy.ends
    return tr(
        "{value} ({low} to {high})", value=percent(accuracy.value), low=percent(low), high=percent(high)
    )


def layers(question: ShiftQuestion, step: SeverityResult, ranking: Ranking) -> DotChart:
    """For each layer the median of what ranks its channels, on its quartiles."""
    drifts = list(step.layers.values())
    quartiles = [np.quantile(ranking.size(one), (0.25, 0.5, 0.75)) for one in drifts]
    low, middle, high = (doubles([each[n] for each in quartiles]) for n in range(3))
    chance = doubles([np.median(ranking.chance(one)) for one in drifts])
    title = tr(ranking.of_layers, severity=question.severity(step))
    return DotChart(
        title=title,
        alt=tr("{title}, the median over channels on its quartiles", title=title),
        x=axis(tr(ranking.layers_axis), [low, high, chance], zero=True, rounded=True, most=6),
        names=tuple(step.layers),
        mean=middle,
        low=low,
        high=high,
        chance=chance,
        quiet=np.zeros(len(drifts), bool),
        row=tr("layer"),
    )


def channels(question: ShiftQuestion, step: SeverityResult, layer: str, ranking: Ranking) -> DotChart:
    """The channels of a layer that move most, beside what they are compared with."""
    one = step.layers[layer]
    order = ranking.order(one)[:FIRST]
    low, high = (ends[order] for ends in ranking.ends(one))
    chance = ranking.chance(one)[order]
    title = tr(ranking.of_channels, layer=layer, severity=question.severity(step))
    return DotChart(
        title=title,
        alt=tr(ranking.alt, title=title),
        x=axis(tr(ranking.channels_axis), [low, high, chance], zero=True, rounded=True, most=6),
        names=tuple(tr("channel {channel}", channel=channel) for channel in order),
        mean=ranking.size(one)[order],
        low=low,
        high=high,
        chance=chance,
        quiet=~ranking.beyond(one)[order],
        row=tr("channel"),
    )


def against_running(one: NormDrift, layer: str) -> PointChart:
    """Each channel's mean and spread on the unshifted images, beside the running statistics."""
    across, up = doubles(one.distance), log_spread(one)
    return PointChart(
        title=tr("Unshifted images beside the running statistics of {layer}", layer=layer),
        alt=tr(
            "One point for each of the {count} channels of {layer}: how far the images’ mean is from the "
            "running mean, and their standard deviation beside the running one",
            count=len(up),
            layer=layer,
        ),
        x=axis(tr("mean less running mean, in running σ"), [across], zero=True, rounded=True, most=6),
        y=axis(tr("log₂ of σ over running σ"), [up], zero=True, rounded=True, most=5),
        channels=np.arange(len(up), dtype=np.int64),
        across=across,
        up=up,
        height=260,
    )


def log_spread(one: NormDrift) -> Doubles:
    """Zero where a channel's standard deviation is the running one, 1 where it is twice that."""
    return np.asarray(np.log2(np.maximum(one.spread, 2.0**-10)))
