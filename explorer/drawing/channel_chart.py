"""A BatchNorm's charts for print, on the learned band: all channels, and one channel's values."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from explorer.drawing.figures import DPI, SIZE, pixels
from explorer.drawing.vega import ACCENT, ORDER, OTHER, QUIET
from explorer.engine.batchnorm import Stage, StageHistogram
from model.words import N_, tr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = 16  # channel numbers below the chart at most
STAGES: dict[Stage, str] = {
    "before": N_("Before BatchNorm"),
    "normalized": N_("Normalized"),
    "after": N_("After γ and β"),
}

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


def expectations(distance: Floats, spread: Floats, chosen: int, unit: str) -> npt.NDArray[np.uint8]:
    """Each channel's mean ± standard deviation, both (C,) in `unit`, the lowest first; the chosen is labeled.

    Gives uint8 (h, w, 3).
    """
    drawn = _figure()
    order = np.argsort(distance, kind="stable")
    _draw(drawn.subplots(), order, distance, spread, chosen)
    _name(drawn.axes[0], order, unit)
    return pixels(drawn)


def histograms(stages: Sequence[StageHistogram], counts: Integers, cut: bool) -> npt.NDArray[np.uint8]:
    """One channel's `counts` (BINS,) of positions by value at each of `stages`, side by side, with the mean.

    With `cut` the values that a ReLU after the last stage makes zero are pale. Gives uint8 (h, w, 3).
    """
    from matplotlib.ticker import MaxNLocator

    drawn = _figure()
    for axes, stage in zip(np.ravel(drawn.subplots(1, len(stages), sharey=True)), stages, strict=True):
        pale = (stage.edges[:-1] + stage.edges[1:] < 0) & cut & (stage is stages[-1])
        axes.axvspan(*stage.band, color=QUIET, alpha=0.15, linewidth=0)
        bars = axes.bar(stage.edges[:-1], counts, np.diff(stage.edges), align="edge", color=ACCENT, alpha=0.8)
        for bar, faint in zip(bars, pale, strict=True):
            bar.set_alpha(0.28 if faint else 0.8)
        axes.axvline(stage.mean, color=OTHER, linewidth=1)
        axes.set_xlim(*stage.reach)
        axes.set_title(tr(STAGES[stage.stage]), fontsize=7, loc="left")
        axes.tick_params(length=0, labelsize=6)
        axes.spines[:].set_visible(False)
    drawn.axes[0].set_ylabel(tr("positions"), fontsize=7)
    drawn.axes[0].yaxis.set_major_locator(MaxNLocator(5, integer=True))
    return pixels(drawn)


def _figure() -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=SIZE, dpi=DPI, layout="constrained", facecolor="white")


def _draw(axes: "Axes", order: Integers, distance: Floats, spread: Floats, chosen: int) -> None:
    """The learned band, and on it each channel's span with a tick at its mean."""
    columns = np.arange(len(order))
    tones = [OTHER if channel == chosen else ACCENT for channel in order]
    axes.axhspan(-1, 1, color=QUIET, alpha=0.15, linewidth=0)
    axes.axhline(0, color=QUIET, linewidth=0.6)
    axes.bar(
        columns, 2 * spread[order], 0.7, (distance - spread)[order], color=tones, alpha=0.42, linewidth=0
    )
    axes.hlines(distance[order], columns - 0.35, columns + 0.35, colors=tones, linewidth=1)
    top = float(distance[chosen] + spread[chosen])
    column = int(np.flatnonzero(order == chosen)[0])
    axes.annotate(
        str(chosen), (column, top), (0, 2), textcoords="offset points", color=OTHER, fontsize=7, ha="center"
    )


def _name(axes: "Axes", order: Integers, unit: str) -> None:
    """The channels' numbers, as many as fit, and the titles of the axes."""
    every = -(-len(order) // LABELS)
    axes.set_xticks(range(0, len(order), every), [str(channel) for channel in order[::every]])
    axes.set_xlim(-0.8, len(order) - 0.2)
    axes.tick_params(length=0, labelsize=6)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(tr(ORDER), fontsize=7)
    axes.set_ylabel(unit, fontsize=7)
