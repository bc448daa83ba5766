"""The charts of the page Optimizers and schedulers: rates, a recorded loss, runs, and paths on a surface."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from explorer.drawing.chart import DotChart, Line, LineChart, axis, doubles
from explorer.drawing.palette import SERIES, Color
from explorer.drawing.ranges import percent
from explorer.engine.descent import VARIANTS, Path, Surface
from explorer.engine.optimizer_runs import CLASSES, OptimizerRun
from explorer.engine.runs import RecordedRun
from explorer.engine.schedules import Schedule
from explorer.engine.values import Doubles, Integers
from model.schedulers import SCHEDULERS
from model.words import N_, tr

MOST_POINTS = 400  # of a curve
LEVELS = 9  # lines of equal loss
GRID = 400  # positions along y at which these lines are computed
CURVE = 81  # of them, how many a line is drawn through
NAMES = {name: record.pytorch for name, record in SCHEDULERS.items()} | {"none": N_("no scheduler")}
COLORS = dict(zip(SCHEDULERS, SERIES, strict=True))
VARIANT_COLORS = dict(zip(VARIANTS, SERIES, strict=False))


# Schedulers


def rates(schedules: Sequence[Schedule], steps: int, epochs: int) -> LineChart:
    """The learning rate over the run: those that change after an epoch are held in between.

    The line without a scheduler lies below the others, which may begin on it.
    """
    lines = tuple(_rate(each, steps) for each in sorted(schedules, key=lambda one: one.scheduler != "none"))
    return LineChart(
        tr("Learning rate"),
        tr("Learning rate by epoch; schedulers: {names}", names=tr(", ").join(line.name for line in lines)),
        axis(tr("epochs trained"), [np.array([0, epochs])], "whole"),
        axis(tr("learning rate"), [line.y for line in lines], zero=True, rounded=True, most=5),
        lines,
        height=320,
    )


def _rate(one: Schedule, steps: int) -> Line:
    per_epoch = SCHEDULERS[one.scheduler].after == "epoch"
    last = len(one.rates) - 1
    apart = steps if per_epoch else max(1, -(-len(one.rates) // MOST_POINTS))
    at = np.unique(
        np.append(np.arange(0, len(one.rates), apart), [last] if last >= 0 and not per_epoch else [])
    )
    at = at.astype(np.int64)
    x, y = at / steps, one.rates[at]
    if per_epoch and len(y):  # the last epoch's too is held to its end
        x, y = np.append(x, len(one.rates) / steps), np.append(y, y[-1])
    name = tr(NAMES[one.scheduler])
    color = COLORS[one.scheduler]
    return Line(name, doubles(x), doubles(y), color, steps=per_epoch, details=((tr("scheduler"), name),))


def recorded_loss(name: str, run: RecordedRun, plateau: Schedule, epochs: int) -> LineChart:
    """The test loss of a recorded run, with a rule at each epoch after which the rate would be reduced."""
    rows = run.epochs[:epochs]
    x, loss = doubles([row.epoch for row in rows]), doubles([row.test_loss for row in rows])
    up = axis(tr("loss (nats)"), [loss], rounded=True, most=5)
    lines = [Line(tr("test loss of {run}", run=name), x, loss, Color.ACCENT)]
    if plateau.reduced:
        across = doubles([value for epoch in plateau.reduced for value in (epoch, epoch, np.nan)])
        rules = doubles([*up.ends, np.nan] * len(plateau.reduced))
        lines.append(Line(tr("rate reduced"), across, rules, Color.HIGHLIGHT, width=1.5, details=None))
    return LineChart(
        tr("Recorded test loss"),
        tr("Test loss of {run} by epoch; reduced after: {epochs}", run=name, epochs=epochs_text(plateau)),
        axis(tr("epoch"), [x], "whole"),
        up,
        tuple(lines),
        height=320,
    )


def epochs_text(plateau: Schedule) -> str:
    return tr(", ").join(map(str, plateau.reduced)) or tr("none")


# Recorded runs


@dataclass(frozen=True)
class OptimizerMetric:
    """A metric of an epoch: its field in a history, and its names."""

    field: str
    title: str
    axis: str


METRICS = {
    "accuracy": OptimizerMetric("test_accuracy", N_("Test accuracy"), N_("accuracy")),
    "loss": OptimizerMetric("test_loss", N_("Test loss"), N_("loss (nats)")),
    "train_loss": OptimizerMetric("train_loss", N_("Training loss"), N_("loss (nats)")),
}


def by_epoch(
    runs: Sequence[OptimizerRun], solid: str, metric: OptimizerMetric, dashed: str = ""
) -> LineChart:
    """A metric of runs by epoch, colored by optimizer: with one scheduler solid, with another dashed."""
    lines = tuple(_by_epoch(each, metric, each.scheduler != solid) for each in runs)
    is_fraction = metric.field.endswith("accuracy")
    names = tr(", ").join(dict.fromkeys(line.name for line in lines))
    return LineChart(
        tr(metric.title),
        tr("{metric} by epoch; optimizers: {names}", metric=tr(metric.title), names=names),
        axis(tr("epoch"), [line.x for line in lines], "whole"),
        axis(
            tr(metric.axis),
            [line.y for line in lines],
            "percent" if is_fraction else "any",
            rounded=True,
            most=5,
        ),
        lines,
        dashed=tr(NAMES[dashed]) if dashed else "",
        height=300,
    )


def _by_epoch(one: OptimizerRun, metric: OptimizerMetric, dashed: bool) -> Line:
    values = [getattr(row, metric.field) for row in one.run.epochs]
    name, scheduler = tr(VARIANTS[one.variant].title), tr(NAMES[one.scheduler])
    return Line(
        name,
        doubles([row.epoch for row in one.run.epochs]),
        doubles(values),
        VARIANT_COLORS[one.variant],
        dashed=dashed,
        points=True,
        details=((tr("optimizer"), name), (tr("scheduler"), scheduler)),
        texts=tuple(percent(value, 1) for value in values) if metric.field.endswith("accuracy") else (),
    )


def final_accuracies(runs: Sequence[OptimizerRun]) -> DotChart:
    """The last test accuracy of every run on its interval, the largest first, and what chance gives."""
    accuracies = doubles([each.accuracy for each in runs])
    intervals = doubles([each.interval for each in runs]).reshape(-1, 2)
    chance = np.full(len(runs), 1 / CLASSES)
    return DotChart(
        tr("Final test accuracy"),
        tr("Final test accuracy of {count} runs with 95% intervals", count=len(runs)),
        axis(tr("test accuracy"), [intervals, chance], "percent", zero=True, rounded=True),
        tuple(run_name(each) for each in runs),
        accuracies,
        intervals[:, 0],
        intervals[:, 1],
        chance,
        np.zeros(len(runs), bool),
        tr("run"),
    )


def run_name(one: OptimizerRun) -> str:
    return f"{tr(VARIANTS[one.variant].title)} · {tr(NAMES[one.scheduler])}"


# Surfaces


def on_surface(surface: Surface, paths: Mapping[str, Path]) -> LineChart:
    """The paths of the optimizers over lines of equal loss; what lies outside is left out."""
    contours = Line(tr("equal loss"), *_contours(surface), Color.QUIET, width=0.8, opacity=0.6, details=None)
    lines = tuple(_path(surface, name, one) for name, one in paths.items())
    return LineChart(
        tr(surface.title),
        tr(
            "Paths over the surface {formula}; optimizers: {names}",
            formula=surface.formula,
            names=tr(", ").join(line.name for line in lines),
        ),
        axis("x", [np.array(surface.across)]),
        axis("y", [np.array(surface.up)]),
        (contours, *lines),
        height=420,
    )


def _path(surface: Surface, name: str, one: Path) -> Line:
    x, y = one.points[:, 0], one.points[:, 1]
    (left, right), (low, high) = surface.across, surface.up
    inside = (left <= x) & (x <= right) & (low <= y) & (y <= high)
    x, y = (np.where(inside, each, np.nan) for each in (x, y))
    title = tr(VARIANTS[name].title)
    color = VARIANT_COLORS[name]
    return Line(title, x, y, color, width=1.5, points=True, details=((tr("optimizer"), title),))


def _contours(surface: Surface) -> tuple[Doubles, Doubles]:
    """Lines of equal loss as one line with gaps. Since the loss is x²/2 plus a part of y, each is closed by
    x = ±√(2·(level − part)), wherever that is a number."""
    y = np.linspace(*surface.up, GRID)
    part = surface.y_part(torch.from_numpy(y)).numpy()
    low, high = float(part.min()), float(part.max() + max(map(abs, surface.across)) ** 2 / 2)
    levels = low + (high - low) * (np.arange(1, LEVELS + 1) / (LEVELS + 1)) ** 2
    pieces = [piece for level in levels for piece in _level(surface, y, 2 * (level - part))]
    x, up = (np.concatenate([part for piece in pieces for part in (piece[n], [np.nan])]) for n in (0, 1))
    return x, up


def _level(surface: Surface, y: Doubles, squares: Doubles) -> list[tuple[Doubles, Doubles]]:
    """The curves of one level: both branches of every run of y where the square is not negative."""
    (left, right), valid = surface.across, squares >= 0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], valid.astype(np.int64), [0]])))
    curves = []
    for start, stop in edges.reshape(-1, 2):
        rows = start + _closest_at_the_ends(stop - start)
        up, x = y[rows], np.sqrt(squares[rows])
        top, bottom = stop < len(y), start > 0  # closed there, and not just cut off by the drawing's edge
        across = np.concatenate([x, [] if top else [np.nan], -x[::-1], x[:1] if bottom else []])
        around = np.concatenate([up, [] if top else [np.nan], up[::-1], up[:1] if bottom else []])
        curves.append((np.where((left <= across) & (across <= right), across, np.nan), around))
    return curves


def _closest_at_the_ends(count: int) -> Integers:
    """At most CURVE of the positions 0 to count − 1, closest where a closed curve turns around."""
    spread = (1 - np.cos(np.linspace(0, np.pi, CURVE))) / 2 * (count - 1)
    return np.unique(np.rint(spread).astype(np.int64))


def losses(surface: Surface, paths: Mapping[str, Path]) -> LineChart:
    """The loss after every step, without values above twice that of the start."""
    most = 2 * max(float(surface.loss(torch.tensor(surface.start, dtype=torch.float64))), 0.1)
    lines = tuple(
        Line(
            tr(VARIANTS[name].title),
            np.arange(len(one.losses), dtype=np.float64),
            np.where(one.losses <= most, one.losses, np.nan),
            VARIANT_COLORS[name],
            details=((tr("optimizer"), tr(VARIANTS[name].title)),),
        )
        for name, one in paths.items()
    )
    return LineChart(
        tr("Loss"),
        tr("Loss by step; optimizers: {names}", names=tr(", ").join(line.name for line in lines)),
        axis(tr("step"), [line.x for line in lines], "whole"),
        axis(tr("loss"), [line.y for line in lines], zero=True, rounded=True, most=5),
        lines,
        height=420,
    )
