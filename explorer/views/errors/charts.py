"""The charts of the page Errors, for the page and for print."""

from typing import TYPE_CHECKING

import numpy as np

from explorer.drawing.chart import Area, Axis, DotChart, Line, LineChart, doubles
from explorer.drawing.chart_print import plain
from explorer.drawing.figures import Drawing
from explorer.drawing.palette import Color
from explorer.engine.metrics import Reliability
from explorer.engine.values import Integers
from explorer.views.errors.evaluation import Evaluation
from model.words import N_, tr

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TENTHS = tuple(round(0.1 * step, 1) for step in range(11))
MOST_NAMES = 24  # of classes in a chart or a printed matrix
ABOUT_RECALL = N_(
    "The dot is the recall of a class, the line its 95% interval, the diamond what chance gives. The lowest "
    "recall comes first."
)
ABOUT_BINS = N_(
    "Each point is a bin: below the dashed line, confidence is higher than accuracy. The band is Wilson’s "
    "95% interval."
)
LETTER, FILLED = 0.42, 0.78  # of a printed cell: its letters at most, and the width of the longest count
DIGIT = 0.73  # the height of a digit by the size of its letters


def reliability_chart(one: Reliability) -> LineChart:
    """Accuracy by mean confidence of each bin with its interval; where both are equal, dashed."""
    filled = one.counts > 0
    x, y, counts = one.confidence[filled], one.accuracy[filled], one.counts[filled]
    texts = tuple(
        tr("{accuracy} (n = {count:,})", accuracy=f"{value:.1%}", count=count)
        for value, count in zip(y.tolist(), counts.tolist(), strict=True)
    )
    name, calibrated = tr("this network"), tr("perfectly calibrated")
    low = float(np.floor(10 * x.min(initial=0.99)) / 10)  # the axis is never a point
    return LineChart(
        tr("Reliability diagram"),
        tr("Accuracy by confidence in bins, beside the diagonal where both are equal"),
        Axis(tr("confidence"), (low, 1.0), tuple(tick for tick in TENTHS if tick >= low), "percent"),
        Axis(tr("accuracy"), (0.0, 1.0), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), "percent"),
        (
            Line(
                calibrated, doubles([low, 1]), doubles([low, 1]), Color.QUIET, 1.5, dashed=True, details=None
            ),
            Line(name, x, y, Color.ACCENT, points=True, texts=texts),
        ),
        (Area(x, *one.intervals[filled].T, Color.ACCENT, 0.15),),
        legend=True,
        height=330,
    )


def recall_chart(evaluation: Evaluation) -> DotChart:
    """Recall of each class with its interval beside chance, the lowest first, at most MOST_NAMES classes."""
    one = evaluation.scores
    order = np.argsort(one.recall, kind="stable")
    classes = order[np.isfinite(one.recall[order])][:MOST_NAMES]
    return DotChart(
        tr("Recall of each class"),
        tr("Recall of each class with its 95% interval, and what chance gives"),
        Axis(tr("recall"), (0.0, 1.0), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), "percent"),
        tuple(evaluation.class_names[k] for k in classes),
        one.recall[classes],
        *one.recall_interval[classes].T,
        one.chance_recall[classes],
        np.zeros(len(classes), bool),
        diamond=tr("chance"),
    )


def matrix_drawing(evaluation: Evaluation, classes: list[int]) -> Drawing:
    """The confusion matrix for print: counts, colored by the fraction of the row's class."""
    names = [evaluation.class_names[k] for k in classes]
    table = evaluation.table[np.ix_(classes, classes)]
    totals = np.maximum(evaluation.scores.images[classes], 1)

    def draw(axes: "Axes") -> None:
        _draw_matrix(axes, table, table / totals[:, None], names)

    return Drawing(draw, tr("Confusion matrix: rows are the true class"), 1.0)


def _draw_matrix(axes: "Axes", table: Integers, parts: np.ndarray, names: list[str]) -> None:  # type: ignore[type-arg]
    from matplotlib.colors import LinearSegmentedColormap

    ticks, size = range(len(names)), 6 if len(names) <= 12 else 4
    right = np.eye(len(names), dtype=bool)
    for mask, color, most in ((right, Color.ACCENT, 1.0), (~right, Color.HIGHLIGHT, 0.3)):
        colors = LinearSegmentedColormap.from_list("cells", ["#ffffff", str(color)])
        axes.imshow(np.ma.masked_where(~mask, np.sqrt(parts)), cmap=colors, vmin=0, vmax=2 * most**0.5)
    _write_counts(axes, table)
    axes.set_xticks(ticks, [plain(name) for name in names], rotation=90, fontsize=size)
    axes.set_yticks(ticks, [plain(name) for name in names], fontsize=size)
    axes.set_xlabel(tr("predicted class"), fontsize=7)
    axes.set_ylabel(tr("true class"), fontsize=7)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _write_counts(axes: "Axes", table: Integers) -> None:
    """Each count in its cell, as outlines: they keep their size by the cell, however large the axes are."""
    from matplotlib.collections import PathCollection
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    cells = np.argwhere(table)
    texts = [TextPath((0, 0), f"{table[row, column]:,}", size=1) for row, column in cells]
    widths = [text.get_extents().x1 for text in texts]
    size = min(LETTER, FILLED / max(widths, default=1.0))
    paths = [
        text.transformed(
            Affine2D().translate(-width / 2, -DIGIT / 2).scale(size, -size).translate(column, row)
        )
        for text, width, (row, column) in zip(texts, widths, cells, strict=True)
    ]
    axes.add_collection(PathCollection(paths, facecolors="black", linewidths=0), autolim=False)
