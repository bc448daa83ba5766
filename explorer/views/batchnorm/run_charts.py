"""The charts of the runs with and without normalization: accuracy, loss and drift by epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from explorer.drawing.chart import Line, LineChart, axis, doubles
from explorer.drawing.palette import SERIES, Color
from explorer.drawing.ranges import percent
from explorer.engine.runs import RecordedRun
from explorer.engine.values import Doubles
from model.words import N_, tr

NAMES = {"batch": N_("BatchNorm"), "layer": N_("LayerNorm"), "none": N_("no normalization")}
COLORS = dict(zip(NAMES, SERIES, strict=False))


@dataclass(frozen=True, eq=False)
class NormRun:
    """A run with a normalization, by its name in NORMS or “none”, and its learning rate."""

    norm: str
    rate: float
    run: RecordedRun

    @property
    def name(self) -> str:
        return tr(NAMES[self.norm])


def by_epoch(runs: Sequence[NormRun], chance: float) -> tuple[LineChart, LineChart]:
    """Test accuracy and test loss at the end of each epoch; dashed at the higher rate."""
    return (
        _chart(runs, "test_accuracy", tr("Test accuracy"), chance),
        _chart(runs, "test_loss", tr("Test loss"), None),
    )


def _chart(runs: Sequence[NormRun], field: str, title: str, chance: float | None) -> LineChart:
    highest = max(each.rate for each in runs)
    lines = [_line(each, field, each.rate == highest) for each in runs]
    x = [line.x for line in lines]
    if chance is not None:
        ends = doubles([x[0][0], x[0][-1]])
        level = doubles([chance, chance])
        lines.append(Line(tr("chance"), ends, level, Color.QUIET, width=1.2, details=None))
    is_accuracy = field == "test_accuracy"
    return LineChart(
        title,
        tr(
            "{title} by epoch, with BatchNorm, with LayerNorm and without, at two learning rates", title=title
        ),
        axis(tr("epoch"), x, "whole"),
        axis(
            tr("accuracy") if is_accuracy else tr("loss (nats)"),
            [line.y for line in lines],
            "percent" if is_accuracy else "any",
            zero=True,
            rounded=True,
            most=5,
        ),
        tuple(lines),
        legend=True,
        dashed=tr("learning rate {rate}", rate=f"{highest:g}"),
        height=260,
    )


def _line(each: NormRun, field: str, dashed: bool) -> Line:
    values = [getattr(row, field) for row in each.run.epochs]
    return Line(
        each.name,
        doubles([row.epoch for row in each.run.epochs]),
        doubles(values),
        COLORS[each.norm],
        dashed=dashed,
        details=((tr("run"), each.name), (tr("learning rate"), f"{each.rate:g}")),
        texts=tuple(percent(value) for value in values) if field == "test_accuracy" else (),
    )


def drift(title: str, y_title: str, series: Mapping[str, tuple[Sequence[int], Doubles]]) -> LineChart:
    """One line for each name of what changed over the epochs."""
    lines = tuple(
        Line(name, doubles(epochs), doubles(values), tint, points=True, details=((tr("values"), name),))
        for (name, (epochs, values)), tint in zip(series.items(), SERIES, strict=False)
    )
    return LineChart(
        title,
        tr("{title} by epoch: {lines}", title=title, lines=tr(", ").join(series)),
        axis(tr("epoch"), [line.x for line in lines], "whole"),
        axis(y_title, [line.y for line in lines], zero=True, rounded=True, most=5),
        lines,
        legend=True,
    )
