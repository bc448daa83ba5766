"""A BatchNorm's charts for print, on the band that training met: all channels, and one channel's cells."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from explorer.drawing.figures import DPI, SIZE, pixels
from explorer.engine.batchnorm import Step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACCENT, OTHER, QUIET = "#1f9089", "#d0601f", "#8b877f"
LABELS = 16  # channel numbers below the chart at most

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]


def expectations(distance: Floats, spread: Floats, chosen: int, unit: str) -> npt.NDArray[np.uint8]:
    """Each channel's mean ± standard deviation, both (C,) in `unit`, furthest below first; the chosen named.

    Gives uint8 (h, w, 3).
    """
    drawn = _figure()
    order = np.argsort(distance, kind="stable")
    _draw(drawn.subplots(), order, distance, spread, chosen)
    _name(drawn.axes[0], order, unit)
    return pixels(drawn)


def histograms(steps: Sequence[Step], counts: Places, cut: bool) -> npt.NDArray[np.uint8]:
    """One channel's `counts` (BINS,) of cells by value at each of `steps`, side by side, with their mean.

    With `cut` the cells that a ReLU behind the last step makes zero are pale. Gives uint8 (h, w, 3).
    """
    from matplotlib.ticker import MaxNLocator

    drawn = _figure()
    for axes, step in zip(np.ravel(drawn.subplots(1, len(steps), sharey=True)), steps, strict=True):
        pale = (step.edges[:-1] + step.edges[1:] < 0) & cut & (step is steps[-1])
        axes.axvspan(*step.band, color=QUIET, alpha=0.15, linewidth=0)
        bars = axes.bar(step.edges[:-1], counts, np.diff(step.edges), align="edge", color=ACCENT, alpha=0.8)
        for bar, faint in zip(bars, pale, strict=True):
            bar.set_alpha(0.28 if faint else 0.8)
        axes.axvline(step.mean, color=OTHER, linewidth=1)
        axes.set_xlim(*step.reach)
        axes.set_title(step.name, fontsize=7, loc="left")
        axes.tick_params(length=0, labelsize=6)
        axes.spines[:].set_visible(False)
    drawn.axes[0].set_ylabel("cells", fontsize=7)
    drawn.axes[0].yaxis.set_major_locator(MaxNLocator(5, integer=True))
    return pixels(drawn)


def _figure() -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=SIZE, dpi=DPI, layout="constrained", facecolor="white")


def _draw(axes: "Axes", order: Places, distance: Floats, spread: Floats, chosen: int) -> None:
    """The band that training met, and on it each channel's span with a tick at its mean."""
    places = np.arange(len(order))
    tones = [OTHER if channel == chosen else ACCENT for channel in order]
    axes.axhspan(-1, 1, color=QUIET, alpha=0.15, linewidth=0)
    axes.axhline(0, color=QUIET, linewidth=0.6)
    axes.bar(places, 2 * spread[order], 0.7, (distance - spread)[order], color=tones, alpha=0.42, linewidth=0)
    axes.hlines(distance[order], places - 0.35, places + 0.35, colors=tones, linewidth=1)
    top = float(distance[chosen] + spread[chosen])
    place = int(np.flatnonzero(order == chosen)[0])
    axes.annotate(
        str(chosen), (place, top), (0, 2), textcoords="offset points", color=OTHER, fontsize=7, ha="center"
    )


def _name(axes: "Axes", order: Places, unit: str) -> None:
    """The channels' numbers, as many as fit, and what the axes are."""
    every = -(-len(order) // LABELS)
    axes.set_xticks(range(0, len(order), every), [str(channel) for channel in order[::every]])
    axes.set_xlim(-0.8, len(order) - 0.2)
    axes.tick_params(length=0, labelsize=6)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("channel, furthest below its running mean first", fontsize=7)
    axes.set_ylabel(unit, fontsize=7)
