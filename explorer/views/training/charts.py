"""The charts of training runs, for the page and for print: the loss of every step, metrics by epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from explorer.drawing.chart import Axis, Line, LineChart, Numbers, axis, doubles, log_axis
from explorer.drawing.palette import SERIES, Color
from explorer.drawing.ranges import percent
from explorer.engine.runs import RecordedRun, columns, epoch_positions, extremes, last_of, step_positions
from explorer.engine.values import Doubles
from explorer.views.training.run_list import ChartSettings
from model.history import smoothed
from model.words import N_, ngettext, paragraph, tr

MOST_RUNS = len(SERIES)
BY_EPOCH = 250  # pixels, the height of the charts by epoch
COLUMNS = 500  # of the loss chart, for all runs together
LEAST_COLUMNS = 120
MOST_POINTS = 16  # of a line whose values are marked; more would hide its dashes
DECADE = 10.0  # learning rates further apart than this factor are drawn on a logarithmic axis
WINDOWS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)  # steps that the loss is smoothed over
SMOOTHED = 0.02  # of a run's steps, about, at first
AXES = {"steps": N_("step"), "epochs": N_("epoch"), "minutes": N_("minutes of training")}


@dataclass(frozen=True)
class Metric:
    """One metric of an epoch: its fields in a history, of the test and of the training images, and its names.

    `alt` says in words what its chart shows, with a field for the names of the `runs`.
    """

    test: str
    train: str
    title: str
    axis: str
    alt: str


ACCURACY = Metric(
    "test_accuracy", "train_accuracy", N_("Accuracy"), N_("accuracy"), N_("Accuracy by epoch; runs: {runs}")
)
LOSS = Metric("test_loss", "train_loss", N_("Loss"), N_("loss (nats)"), N_("Loss by epoch; runs: {runs}"))


def charts_of(runs: Mapping[str, RecordedRun], settings: ChartSettings) -> dict[str, LineChart]:
    """Short name → chart, all on one x-axis: the loss of every step, and by epoch once there is one."""
    charts = {"steps": losses(runs, settings)}
    if any(run.epochs for run in runs.values()):
        charts["accuracy"] = by_epoch(runs, ACCURACY, settings)
        charts["loss"] = by_epoch(runs, LOSS, settings)
        charts["rate"] = learning_rate(runs, settings)
    return charts


def x_axis_of(runs: Mapping[str, RecordedRun], settings: ChartSettings) -> Axis:
    """The x-axis that all charts share, from zero to the last step; with ticks at whole steps or epochs."""
    ends = [step_positions(run, settings.x_axis)[-1:] for run in runs.values()]
    whole: Numbers = "any" if settings.x_axis == "minutes" else "whole"
    return axis(tr(AXES[settings.x_axis]), ends, whole, zero=True)


# The loss of every step


def windows(runs: Mapping[str, RecordedRun]) -> tuple[list[int], int]:
    """Over how many steps the loss can be smoothed: at most half of the longest run's; and the default."""
    longest = max((len(run.losses) for run in runs.values()), default=0)
    fitting = [window for window in WINDOWS if window == 1 or window <= longest // 2]
    return fitting, max(window for window in fitting if window <= max(1, SMOOTHED * longest))


def columns_each(runs: int) -> int:
    """How many columns each of so many runs gets."""
    return max(LEAST_COLUMNS, COLUMNS // max(runs, 1))


def losses(runs: Mapping[str, RecordedRun], settings: ChartSettings) -> LineChart:
    """The loss of every step as a thin line, and over it the running mean.

    Where there are more steps than columns, a band goes from each column's minimum to its maximum.
    """
    most, x_axis = columns_each(len(runs)), settings.x_axis
    colored = [(name, run, color) for (name, run), color in zip(runs.items(), SERIES, strict=False)]
    every_step = [_every_step(name, run, color, x_axis, most) for name, run, color in colored]
    means = [_mean(name, run, color, settings, most) for name, run, color in colored]
    lines = (*every_step, *means)
    return LineChart(
        tr("Training loss"),
        tr("Training loss at every step; runs: {runs}", runs=tr(", ").join(runs)),
        x_axis_of(runs, settings),
        axis(tr("training loss (nats)"), [line.y for line in lines], zero=True, rounded=True, most=5),
        lines,
        crosshair=True,
        height=300,
    )


def _every_step(name: str, run: RecordedRun, color: Color, x_axis: str, most: int) -> Line:
    x, y = _envelope(run, x_axis, most)
    return Line(name, x, y, color, width=0.6, opacity=0.5, details=None)


def _envelope(run: RecordedRun, x_axis: str, most: int) -> tuple[Doubles, Doubles]:
    """Each column's minimum and maximum loss, one point where they are the same."""
    starts = columns(len(run.losses), most)
    low, high = extremes(run.losses, starts)
    mask = np.stack([np.full(len(low), True), low != high], axis=1).ravel()
    return step_positions(run, x_axis)[starts].repeat(2)[mask], np.stack([low, high], axis=1).ravel()[mask]


def _mean(name: str, run: RecordedRun, color: Color, settings: ChartSettings, most: int) -> Line:
    ends = last_of(columns(len(run.losses), most), len(run.losses))
    mean = doubles(smoothed(run.losses.tolist(), settings.window))
    x = step_positions(run, settings.x_axis)[ends]
    return Line(name, x, mean[ends], color, details=((tr("run"), name),))


def loss_caption(by_name: Mapping[str, RecordedRun], window: int) -> str:
    """What the loss chart shows, with its window and how it was thinned."""
    sentences = [tr("Cross-entropy loss of the augmented training batches."), _loss_of_steps(by_name)]
    if window > 1:
        sentences.append(
            tr("Thick line: mean of the last {window} steps (fewer at the start).", window=window)
        )
    return paragraph(sentences)


def _loss_of_steps(by_name: Mapping[str, RecordedRun]) -> str:
    most = columns_each(len(by_name))
    longest = max(len(run.losses) for run in by_name.values())
    if longest <= most:
        return tr("Thin line: every step.")
    return ngettext(
        "Wide band: from the minimum to the maximum of about {n} step.",
        "Wide band: from the minimum to the maximum of about {n} steps.",
        round(longest / most),
    )


# By epoch


def by_epoch(runs: Mapping[str, RecordedRun], metric: Metric, settings: ChartSettings) -> LineChart:
    """A metric at the end of every epoch: of the test images solid, of the training images dashed."""
    splits = ((metric.test, tr("test"), False), (metric.train, tr("training"), True))
    lines = tuple(
        _metric_line(name, run, color, settings, field, dashed, ((tr("images"), split),))
        for field, split, dashed in splits
        for (name, run), color in zip(runs.items(), SERIES, strict=False)
    )
    return LineChart(
        tr(metric.title),
        tr(metric.alt, runs=tr(", ").join(runs)),
        x_axis_of(runs, settings),
        axis(
            tr(metric.axis),
            [line.y for line in lines],
            "percent" if metric is ACCURACY else "any",
            rounded=True,
            most=5,
        ),
        lines,
        solid=tr("test"),
        dashed=tr("training"),
        crosshair=True,
        height=BY_EPOCH,
    )


def learning_rate(runs: Mapping[str, RecordedRun], settings: ChartSettings) -> LineChart:
    """The learning rate of each epoch's first step, held from the beginning of the epoch to its end."""
    lines = tuple(
        _rate_line(name, run, color, settings)
        for (name, run), color in zip(runs.items(), SERIES, strict=False)
    )
    return LineChart(
        tr("Learning rate"),
        tr("Learning rate by epoch; runs: {runs}", runs=tr(", ").join(runs)),
        x_axis_of(runs, settings),
        rate_axis([line.y for line in lines]),
        lines,
        crosshair=True,
        height=BY_EPOCH,
    )


def rate_axis(rates: Sequence[Doubles]) -> Axis:
    """The axis of learning rates: logarithmic where they lie a factor of ten or more apart."""
    every = np.concatenate(rates)
    positive = every[np.isfinite(every)]
    if positive.size and positive.min() > 0 and positive.max() >= DECADE * positive.min():
        return log_axis(tr("learning rate"), rates)
    return axis(tr("learning rate"), rates, zero=True, rounded=True, most=5)


def _rate_line(name: str, run: RecordedRun, color: Color, settings: ChartSettings) -> Line:
    rates = [row.lr for row in run.epochs]
    x = np.concatenate([[0.0] * bool(rates), epoch_positions(run, settings.x_axis)])
    return Line(name, x, doubles([*rates, *rates[-1:]]), color, steps=True, details=((tr("run"), name),))


def _metric_line(
    name: str,
    run: RecordedRun,
    color: Color,
    settings: ChartSettings,
    field: str,
    dashed: bool = False,
    details: tuple[tuple[str, str], ...] = (),
) -> Line:
    """One metric of a run; an accuracy has its tooltip's text, which never rounds to all or none."""
    values = [getattr(row, field) for row in run.epochs]
    return Line(
        name,
        epoch_positions(run, settings.x_axis),
        doubles(values),
        color,
        dashed=dashed,
        points=len(values) <= MOST_POINTS,
        details=((tr("run"), name), *details),
        texts=tuple(percent(value, 2) for value in values) if field.endswith("accuracy") else (),
    )
