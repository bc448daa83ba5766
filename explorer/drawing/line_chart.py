"""Line charts for print: the page's charts over steps or epochs, in the same colors and dashes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from numpy.typing import ArrayLike

from explorer.drawing.figures import Chart, plain
from explorer.drawing.vega import QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LegendPosition = Literal["best", "upper right"]


@dataclass(frozen=True, eq=False)
class Line:
    """`y` over `x`, both (n,), in a color; with a `name` it has a legend entry.

    `points` marks every value; `steps` holds each until the next.
    """

    x: ArrayLike
    y: ArrayLike
    tone: str
    name: str = ""
    width: float = 1.2
    opacity: float = 1.0
    dashed: bool = False
    points: bool = False
    steps: bool = False


@dataclass(frozen=True, eq=False)
class Band:
    """The area between `low` and `high` over `x`, all (n,)."""

    x: ArrayLike
    low: ArrayLike
    high: ArrayLike
    tone: str
    opacity: float


@dataclass(frozen=True)
class Scale:
    """An axis: its title, fractions as percent, whole-number ticks only, its ends if fixed."""

    title: str
    percent: bool = False
    whole: bool = False
    low: float | None = None
    high: float | None = None


def chart(
    parts: Sequence[Line | Band],
    x: Scale,
    y: Scale,
    title: str = "",
    *,
    marked: float | None = None,
    legend: LegendPosition = "best",
) -> Chart:
    """Lines over bands, in the order given; a dotted line where `x` is `marked`.

    Where there are names, `legend` is its position in matplotlib's words; “best” is slow with many points.
    """

    def draw(axes: "Axes") -> None:
        for part in parts:
            _draw(axes, part)
        if marked is not None:
            axes.axvline(marked, color=QUIET, linewidth=0.8, linestyle=":")
        _scale(axes, x, y)
        _name(axes, [part.name if isinstance(part, Line) else "" for part in parts], legend)

    return Chart(draw, title)


def _draw(axes: "Axes", part: Line | Band) -> None:
    if isinstance(part, Band):
        axes.fill_between(part.x, part.low, part.high, color=part.tone, alpha=part.opacity, linewidth=0)
        return
    axes.plot(
        part.x,
        part.y,
        color=part.tone,
        alpha=part.opacity,
        linewidth=part.width,
        linestyle=(0, (4, 2)) if part.dashed else "-",
        marker="." if part.points else "",
        markersize=3,
        drawstyle="steps-post" if part.steps else "default",
        label="named" if part.name else "_",  # matplotlib leaves such a label out of the legend
    )


def _name(axes: "Axes", names: Sequence[str], position: LegendPosition) -> None:
    """The legend; its texts are set last, since a label that begins with _ would be left out."""
    named = [name for name in names if name]
    if named:
        legend = axes.legend(loc=position, frameon=False, fontsize=6, labelspacing=0.3, handlelength=1.6)
        for text, name in zip(legend.get_texts(), named, strict=True):
            text.set_text(plain(name))


def _scale(axes: "Axes", x: Scale, y: Scale) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    for scale, axis, limit in ((x, axes.xaxis, axes.set_xlim), (y, axes.yaxis, axes.set_ylim)):
        axis.set_major_locator(MaxNLocator(6, integer=scale.whole))
        axis.set_label_text(scale.title, fontsize=7)
        if scale.percent:
            axis.set_major_formatter(PercentFormatter(1.0, decimals=None))
        limit(scale.low, scale.high)
    axes.tick_params(length=0, labelsize=6)
    axes.spines[:].set_visible(False)
    axes.grid(axis="y", color=QUIET, alpha=0.25, linewidth=0.5)
    axes.set_axisbelow(True)
