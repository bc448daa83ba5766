"""The charts of the data map, for the page and for print: all images, and one image's epochs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explorer.drawing.chart import Axis, Line, LineChart, ScatterChart, axis, doubles
from explorer.drawing.palette import Color
from explorer.drawing.ranges import probability
from explorer.engine.data_map import AMBIGUOUS, EASY, HARD, REGIONS, SUSPECT, DataMap
from explorer.engine.values import Integers
from explorer.ui.class_names import glossed, glossed_all
from explorer.views.data_map.logs import LoggedRun
from model.example_log import ExampleLog
from model.words import N_, tr

MOST_POINTS = 4_000
CONFIDENCE = Axis(N_("mean confidence"), (0.0, 1.0), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))
STEPS = ("#c2437a", "#d0601f", "#b98a16", "#4b9d5f", "#1f8fa5")
"""From a low to a high value, legible on the light and on the dark page."""


@dataclass(frozen=True)
class Coloring:
    """What the points are colored by: a title, the groups with their colors, and each image's group."""

    title: str
    names: tuple[str, ...]
    colors: tuple[str, ...]
    groups: Callable[[DataMap], npt.NDArray[np.int64]]


def _regions(one: DataMap) -> Integers:
    return one.region


def _correctness(one: DataMap) -> Integers:
    """0 for never, then up to 25%, 50%, 75% and to 100% of the epochs."""
    values = np.nan_to_num(one.correctness)
    return np.asarray(np.ceil(values * 4 - 1e-6), np.int64)


def _forgetting(one: DataMap) -> Integers:
    """4 for never forgotten, down to 0 for six times and more."""
    return np.asarray(4 - np.searchsorted([0, 1, 3, 5], one.forgetting, side="left"), np.int64)


REGION_COLORS = {EASY: Color.ACCENT, AMBIGUOUS: Color.FOURTH, HARD: Color.THIRD, SUSPECT: Color.HIGHLIGHT}
COLORINGS = {
    "region": Coloring(
        N_("region"), tuple(REGIONS.values()), tuple(map(str, REGION_COLORS.values())), _regions
    ),
    "correctness": Coloring(
        N_("predicted as its class"),
        (N_("never"), N_("up to 25% of epochs"), N_("up to 50%"), N_("up to 75%"), N_("more than 75%")),
        STEPS,
        _correctness,
    ),
    "forgetting": Coloring(
        N_("forgotten"),
        (N_("6 times or more"), N_("4 or 5 times"), N_("2 or 3 times"), N_("once"), N_("never")),
        STEPS,
        _forgetting,
    ),
}


def drawn_rows(one: DataMap, chosen: int | None) -> Integers:
    """The images that are drawn, int64: all that were seen, or MOST_POINTS of them at random and the chosen.

    In random order, so that no group hides another.
    """
    rows = np.flatnonzero(one.epoch_counts)
    order = np.random.default_rng(0).permutation(rows)[:MOST_POINTS]
    if chosen is None or chosen in order or not one.epoch_counts[chosen]:
        return order
    return np.append(order[: MOST_POINTS - 1], chosen)


def scatter(run: LoggedRun, color: str, chosen: int | None) -> ScatterChart:
    """Mean confidence over variability, a point for each image that is drawn."""
    coloring, one = COLORINGS[color], run.map
    images = drawn_rows(one, chosen)
    names = glossed_all(run.log.card.classes)
    labels = tuple(names[label] for label in run.log.labels[images].tolist())
    across = doubles(one.variability[images])
    return ScatterChart(
        tr("Data map of {run}", run=run.name),
        tr(
            "One point for each of {count} training images: mean confidence over variability, colored by "
            "{color}",
            count=len(images),
            color=tr(coloring.title),
        ),
        axis(tr("variability"), [across], zero=True, rounded=True, most=6),
        Axis(tr(CONFIDENCE.title), CONFIDENCE.ends, CONFIDENCE.ticks),
        images,
        across,
        doubles(one.confidence[images]),
        coloring.groups(one)[images],
        tuple(map(tr, coloring.names)),
        coloring.colors,
        labels,
        tr(coloring.title),
        chosen,
    )


def curve(log: ExampleLog, index: int) -> LineChart:
    """The probability of one image's class at every epoch, and chance; a gap where it was not seen."""
    name, values = glossed(log.card.classes[int(log.labels[index])]), doubles(log.confidence[:, index])
    epochs = doubles(np.arange(1, log.epochs + 1))
    chance = 1 / len(log.card.classes)
    texts = tuple(
        _text(value, right) for value, right in zip(values.tolist(), log.correct[:, index], strict=True)
    )
    return LineChart(
        tr("Probability of “{name}” in training", name=name),
        tr("Probability of {name} for training image {index} at every epoch", name=name, index=index),
        axis(tr("epoch"), [epochs], "whole"),
        Axis(tr("probability"), (0.0, 1.0), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), "percent"),
        (
            Line(tr("chance"), epochs, 0 * epochs + chance, Color.QUIET, 1.2, dashed=True, details=None),
            Line(name, epochs, values, Color.ACCENT, points=True, details=(), texts=texts),
        ),
        height=230,
    )


def _text(value: float, correct: bool) -> str:
    if not np.isfinite(value):
        return tr("not seen")
    template = N_("{probability}, predicted") if correct else N_("{probability}, not predicted")
    return tr(template, probability=probability(value))
