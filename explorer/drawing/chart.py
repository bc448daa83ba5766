"""Charts as values: what is drawn, in which colors, on which axes.

`vega.spec` or `small_chart.draw` draws a chart on the page and `chart_print.draw` in print, both from the
same value.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from explorer.drawing.palette import Color
from explorer.drawing.ranges import MINUS
from explorer.engine.values import Doubles, Integers, Value

Booleans = npt.NDArray[np.bool_]
Numbers = Literal["any", "whole", "percent"]
MOST_TICKS = 8


@dataclass(frozen=True)
class Axis:
    """An axis: its title, its ends, where it has ticks, and which numbers it has: percent are fractions.

    On one that is `log` equal distances are equal ratios; its ends are above zero.
    """

    title: str
    ends: tuple[float, float]
    ticks: tuple[float, ...]
    numbers: Numbers = "any"
    log: bool = False

    def label(self, value: float) -> str:
        """A tick's text in print; the page's is made by Vega from the same value."""
        if self.numbers == "percent":
            return f"{round(100 * value, 1):g}%".replace("-", MINUS)
        if self.log and value >= 1e-6:
            return np.format_float_positional(value, trim="-")
        return (f"{value:,.0f}" if self.numbers == "whole" else f"{value:g}").replace("-", MINUS)


def axis(
    title: str,
    values: Iterable[npt.ArrayLike],
    numbers: Numbers = "any",
    *,
    zero: bool = False,
    rounded: bool = False,
    most: int = MOST_TICKS,
) -> Axis:
    """The axis of all finite `values`, with `zero` if wanted, its ends `rounded` to ticks if wanted."""
    parts = [np.asarray(part, np.float64).ravel() for part in values]
    array = np.concatenate([*parts, np.zeros(1)]) if zero or not parts else np.concatenate(parts)
    array = array[np.isfinite(array)]
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    if high - low < 1e-300:  # as good as equal: no number is small enough for the ticks between
        low, high = (low, low + 1.0) if zero and low >= 0 else (low - 0.5, high + 0.5)
    step = tick_step(low, high, most, whole=numbers == "whole")
    if rounded:
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return Axis(title, (low, high), tuple(ticks(low, high, step)), numbers)


def log_axis(title: str, values: Iterable[npt.ArrayLike], most: int = MOST_TICKS) -> Axis:
    """The logarithmic axis of positive `values`, its ends rounded to ticks: 1, 2 or 5 times a power of ten,
    or powers of ten alone where that makes too many.
    """
    array = np.concatenate([np.asarray(part, np.float64).ravel() for part in values])
    array = array[np.isfinite(array)]
    spacings = [((1, 2, 5), 1), *(((1,), every) for every in range(1, 1000))]
    every_marks = (_log_marks(float(array.min()), float(array.max()), *spacing) for spacing in spacings)
    marks = next(marks for marks in every_marks if len(marks) <= most + 1)
    return Axis(title, (marks[0], marks[-1]), tuple(marks), log=True)


def _log_marks(least: float, largest: float, factors: Sequence[int], every: int) -> list[float]:
    """`factors` times every so many powers of ten, from the last below to the first above two values."""
    first, last = (math.floor(math.log10(value) / every) for value in (least, largest))
    powers = range(every * (first - 1), every * (last + 2) + 1, every)
    marks = [float(f"{factor}e{power}") for power in powers for factor in factors]
    low = max(mark for mark in marks if mark <= least * (1 + 1e-9))
    high = min(mark for mark in marks if mark >= largest * (1 - 1e-9) and mark > low)
    return [mark for mark in marks if low <= mark <= high]


def tick_step(low: float, high: float, most: int, whole: bool) -> float:
    """The distance of about `most` ticks: 1, 2 or 5 times a power of ten."""
    extent = high - low
    first = 0 if whole or extent <= 0 else math.floor(math.log10(extent)) - 3
    steps = (factor * 10.0**power for power in range(first, first + 30) for factor in (1, 2, 5))
    return next(step for step in steps if extent / step <= most + 1)


def ticks(low: float, high: float, step: float) -> list[float]:
    """The multiples of `step` from `low` to `high`.

    >>> ticks(-0.11, 0.3, 0.1), ticks(1, 10, tick_step(1, 10, 8, whole=True))
    ([-0.1, 0.0, 0.1, 0.2, 0.3], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0])
    """
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


@dataclass(frozen=True, eq=False)
class Line(Value):
    """A series: `y` over `x`, float64 (n,) both, not finite where there is a gap.

    `width` is in pixels of the page. `points` marks every value; `steps` holds each until the next. `details`
    are what a tooltip adds to x and y, as (title, text); None for a line without tooltips. `texts` (n,) stand
    there in place of the numbers y.
    """

    name: str
    x: Doubles
    y: Doubles
    color: Color
    width: float = 2.0
    opacity: float = 1.0
    dashed: bool = False
    points: bool = False
    steps: bool = False
    details: tuple[tuple[str, str], ...] | None = ()
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Area(Value):
    """The area between `low` and `high` over `x`, all float64 (n,)."""

    x: Doubles
    low: Doubles
    high: Doubles
    color: Color
    opacity: float


@dataclass(frozen=True, eq=False)
class LineChart(Value):
    """Lines over areas, in the order given. `alt` says in words what it shows.

    `legend` is False where the page names the lines by itself; in print there is always one. Where lines are
    `dashed`, a legend says what they are, and what the `solid` ones are. `marked` is a position on the
    x-axis. With a `crosshair` the page shows the values of several charts together, in place of tooltips.
    """

    title: str
    alt: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    areas: tuple[Area, ...] = ()
    marked: float | None = None
    legend: bool = False
    solid: str = ""
    dashed: str = ""
    crosshair: bool = False
    height: int = 220  # pixels on the page

    @property
    def names(self) -> dict[str, Color]:
        """Name of a series → its color, in order; a name that several lines share is there once."""
        names: dict[str, Color] = {}
        for line in self.lines:
            names.setdefault(line.name, line.color)
        return names


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram from `start` to `end`, within the bin from `low` to `high`; pale below a cut."""

    start: float
    end: float
    low: float
    high: float
    count: int
    pale: bool


@dataclass(frozen=True, eq=False)
class Histogram(Value):
    """How many values are in each bin: `edges` float64 (bins + 1,) in either direction, `counts` (bins,).

    `band` is the learned range behind the bars, `mean` the observed mean. Bars below `cut` are pale.
    """

    title: str
    alt: str
    x: Axis
    y: Axis
    edges: Doubles
    counts: Integers
    mean: float
    band: tuple[float, float]
    cut: float | None = None
    height: int = 170

    @property
    def bars(self) -> list[Bar]:
        """One bar per bin; the bin that the cut runs through is two."""
        bars = []
        for one, other, count in zip(self.edges[:-1].tolist(), self.edges[1:].tolist(),
                                     self.counts.tolist(), strict=True):  # fmt: skip
            low, high = min(one, other), max(one, other)
            inside = self.cut is not None and low < self.cut < high
            for start, end in pairwise([low, self.cut, high] if inside else [low, high]):
                bars.append(Bar(start, end, low, high, count, self.cut is not None and end <= self.cut))
        return bars


@dataclass(frozen=True, eq=False)
class ChannelChart(Value):
    """Each channel's `mean` ± `spread`, float64 (C,), as one column each, on the learned band from −1 to 1.

    `channels` int64 (C,) are their numbers in the order of the columns, one of which is `chosen`; `dead` and
    `faint` (C,) get a sign each, and `texts` name each channel in its tooltip.
    """

    title: str
    alt: str
    x_title: str
    y: Axis
    channels: Integers
    mean: Doubles
    spread: Doubles
    dead: Booleans
    faint: Booleans
    texts: tuple[str, ...]
    chosen: int
    height: int = 270

    @property
    def colors(self) -> list[Color]:
        """The color of each column."""
        return [Color.HIGHLIGHT if each == self.chosen else Color.ACCENT for each in self.channels.tolist()]


@dataclass(frozen=True, eq=False)
class PointChart(Value):
    """One point for each of n channels, at `across`, `up`, float64 (n,); `channels` int64 (n,) are their
    numbers, one of which may be `chosen`. Lines mark zero on both axes.
    """

    title: str
    alt: str
    x: Axis
    y: Axis
    channels: Integers
    across: Doubles
    up: Doubles
    chosen: int | None = None
    height: int = 340

    @property
    def colors(self) -> list[Color]:
        """The color of each point."""
        return [Color.HIGHLIGHT if each == self.chosen else Color.ACCENT for each in self.channels.tolist()]


LONGEST_NAME = 30  # letters in one line beside a chart
BREAK = " · "  # where a longer name goes on in the next


@dataclass(frozen=True, eq=False)
class DotChart(Value):
    """A row for each name, the first at the top: a dot at `mean` on its interval from `low` to `high`.

    A diamond stands at what `chance` gives; all four are float64 (n,), not finite where there is none. Rows
    that are `quiet` (n,) are drawn without color. `row` is what a row is, "" for a map. A dashed line stands
    at a `reference` that is the same for all rows. In print, where no caption says it, a legend says what a
    `diamond` is.
    """

    title: str
    alt: str
    x: Axis
    names: tuple[str, ...]
    mean: Doubles
    low: Doubles
    high: Doubles
    chance: Doubles
    quiet: Booleans
    row: str = ""
    reference: float | None = None
    diamond: str = ""

    @property
    def height(self) -> int:
        """In pixels on the page."""
        return 60 + (34 if self.two_lines else 22) * len(self.names)

    @property
    def two_lines(self) -> bool:
        """Whether names break at their “ · ” on the page: one that has it is too long for a line."""
        return any(len(name) > LONGEST_NAME and BREAK in name for name in self.names)

    @property
    def aspect(self) -> float:
        """Its height by its width in print."""
        return 0.25 + 0.045 * len(self.names)

    @property
    def colors(self) -> list[Color]:
        """The color of each row."""
        return [Color.QUIET if each else Color.ACCENT for each in self.quiet.tolist()]


@dataclass(frozen=True, eq=False)
class ScatterChart(Value):
    """One point for each of n images, at `across`, `up`, float64 (n,); `images` int64 (n,) are their indices,
    one of which may be `chosen`.

    `groups` int64 (n,) index `names`, which have `colors` (#rrggbb); `labels` are the classes given in
    training.
    """

    title: str
    alt: str
    x: Axis
    y: Axis
    images: Integers
    across: Doubles
    up: Doubles
    groups: Integers
    names: tuple[str, ...]
    colors: tuple[str, ...]
    labels: tuple[str, ...]
    group_title: str
    chosen: int | None = None
    height: int = 420


Chart = LineChart | Histogram | ChannelChart | PointChart | DotChart | ScatterChart


def doubles(values: Sequence[float] | npt.ArrayLike) -> Doubles:
    """The coordinates of a series, float64 (n,)."""
    return np.asarray(values, np.float64)
