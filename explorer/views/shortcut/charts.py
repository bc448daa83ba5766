"""The charts of the page Shortcut: accuracy and evidence over the fraction of true marks in training."""

from collections.abc import Callable, Sequence
from functools import partial

from explorer.drawing.chart import Area, Axis, Line, LineChart, axis, doubles
from explorer.drawing.palette import BAND, Color
from explorer.drawing.ranges import percent
from explorer.engine.shortcut import CONDITIONS
from explorer.engine.shortcut_curve import ShortcutCurve, TrainedOnMarks, fractions_correct
from model.words import N_, tr

LINES = {"own": Color.ACCENT, "wrong": Color.HIGHLIGHT, "none": Color.QUIET}
EVIDENCE = {"positive": N_("Positive"), "absolute": N_("Absolute")}
Networks = Sequence[TrainedOnMarks]


def accuracy(curve: ShortcutCurve) -> LineChart:
    """The accuracy in each condition, the mean over the seeds, on a band from the least to the largest."""
    series = {name: _over_fractions(curve, partial(fractions_correct, condition=name)) for name in LINES}
    return _chart(
        tr("Accuracy by the fraction of true marks in training"),
        {tr(CONDITIONS[name]): (each, LINES[name]) for name, each in series.items()},
        curve,
        Axis(tr("accuracy"), (0.0, 1.0), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), "percent"),
    )


def evidence(curve: ShortcutCurve) -> LineChart:
    """The fraction of Grad-CAM on the mark, beside that of an even map."""
    names = {**EVIDENCE, "area": N_("Even map")}
    colors = dict(zip(names, (Color.ACCENT, Color.THIRD, Color.QUIET), strict=True))
    series = {name: _over_fractions(curve, partial(_on_mark, name=name)) for name in names}
    highest = [each[2] for each in series.values()]
    return _chart(
        tr("Grad-CAM on the mark by the fraction of true marks in training"),
        {tr(names[name]): (each, colors[name]) for name, each in series.items()},
        curve,
        axis(tr("fraction on the mark"), highest, "percent", zero=True, rounded=True, most=5),
    )


def _on_mark(networks: Networks, name: str) -> list[float]:
    return [getattr(one.on_mark, name) for one in networks]


Series = tuple[list[float], list[float], list[float]]  # least, mean, largest


def _over_fractions(curve: ShortcutCurve, of: Callable[[Networks], list[float]]) -> Series:
    each = [of(curve.at(fraction)) for fraction in curve.fractions]
    return [min(one) for one in each], [sum(one) / len(one) for one in each], [max(one) for one in each]


def _chart(title: str, series: dict[str, tuple[Series, Color]], curve: ShortcutCurve, y: Axis) -> LineChart:
    x = doubles(curve.fractions)
    lines, areas = [], []
    for name, ((low, mean, high), color) in series.items():
        texts = tuple(map(percent, mean))
        details = ((tr("line"), name),)
        lines.append(Line(name, x, doubles(mean), color, points=True, details=details, texts=texts))
        areas.append(Area(x, doubles(low), doubles(high), color, BAND))
    ticks = (0.0, 0.25, 0.5, 0.75, 1.0)
    return LineChart(
        title=title,
        alt=tr("{title}: {lines}", title=title, lines=tr(", ").join(series)),
        x=Axis(tr("scenes with the mark of their class in training"), (0.0, 1.0), ticks, "percent"),
        y=y,
        lines=tuple(lines),
        areas=tuple(areas),
        height=260,
    )
