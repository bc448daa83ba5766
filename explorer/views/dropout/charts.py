"""The chart of the predictions under many masks."""

from dataclasses import dataclass

import numpy as np

from explorer.drawing.chart import Axis, Line, LineChart, doubles
from explorer.drawing.palette import SERIES
from explorer.drawing.ranges import probability
from explorer.engine.dropout import DropoutLayer, Masked
from explorer.engine.values import Floats
from model.words import N_, tr

CLASSES = 3  # drawn as lines
ROWS = 5  # of bars
ABOUT = N_(
    "Probability under each mask of the classes that are most probable in eval mode. Dashed: in eval mode, "
    "without a mask."
)


@dataclass(frozen=True, eq=False)
class Spread:
    """One image under many masks: the Dropout `layer` that is shown, all `layers`, `p` if not their own."""

    layer: DropoutLayer
    layers: tuple[DropoutLayer, ...]
    p: float | None
    masked: Masked

    @property
    def rate(self) -> float:
        """p of the layer that is shown."""
        return self.layer.p if self.p is None else self.p


def likeliest(masked: Masked) -> list[int]:
    """The classes that are drawn: the most probable in eval mode."""
    return [int(k) for k in np.argsort(-masked.plain, kind="stable")[:CLASSES]]


def most_probable(names: tuple[str, ...], probabilities: Floats) -> list[tuple[str, float, bool]]:
    """The most probable classes as rows of bars, the first one marked."""
    order = np.argsort(-probabilities, kind="stable")[:ROWS]
    return [(names[k], float(probabilities[k]), k == order[0]) for k in order]


def over_masks(names: tuple[str, ...], spread: Spread) -> LineChart:
    """The probabilities of a few classes under each mask, beside those in eval mode."""
    masked = spread.masked
    x = doubles(np.arange(1, len(masked.probabilities) + 1))
    lines = []
    for k, color in zip(likeliest(masked), SERIES, strict=False):
        values = masked.probabilities[:, k]
        texts = tuple(map(probability, values.tolist()))
        details = ((tr("class"), names[k]),)
        lines.append(
            Line(names[k], x, doubles(values), color, 1.2, 0.8, points=True, details=details, texts=texts)
        )
        level = doubles(np.full(2, masked.plain[k]))
        ends = doubles([x[0], x[-1]])
        lines.append(Line(names[k], ends, level, color, 1.6, dashed=True, details=None))
    drawn = tr(", ").join(names[k] for k in likeliest(masked))
    return LineChart(
        tr("Class probabilities under each mask"),
        tr("Class probabilities under each of {count} masks: {classes}", count=len(x), classes=drawn),
        Axis(tr("mask"), (1.0, float(len(x))), (1.0, 8.0, 16.0, 24.0, 32.0), "whole"),
        Axis(tr("probability"), (0.0, 1.0), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), "percent"),
        tuple(lines),
        dashed=tr("eval mode"),
        legend=True,
        height=260,
    )
