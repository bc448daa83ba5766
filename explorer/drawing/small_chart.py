"""Charts of one BatchNorm on the page, as XHTML that a browser draws at once: no chart library runs for them.

Marks are in a square from 0 to 1000, which the browser stretches over the plot; texts are never stretched.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from explorer.drawing.chart import Axis, ChannelChart, Histogram
from explorer.drawing.palette import BAND, Color
from explorer.drawing.ranges import MINUS
from model.words import tr

SIDE = 1000.0  # of the square of marks
TOP, LABELS, TITLE = 16, 22, 20  # pixels above the plot, and below it for the labels and for a title
LEFT = 44  # pixels for the labels of the y-axis and its title
GAP = 0.3  # between two channels, as a fraction of their distance
OUTER = 0.4  # before the first channel and after the last one
MOST_LABELS = 16  # channel numbers below a chart; half of them on a narrow screen
SIGNS = (("✕", 8), ("◇", 22))  # of dead and of faint channels, and how far below the top, in pixels


@dataclass(frozen=True)
class PlotColumn:
    """A part of the plot from `start` to `end`, fractions of its width, with what a tip says of it."""

    start: float
    end: float
    tip: tuple[str, ...]


@dataclass(frozen=True)
class SmallChart:
    """A chart as `xhtml`; its columns from left to right, with the titles of what their tips say."""

    xhtml: str
    titles: tuple[str, ...]
    columns: tuple[PlotColumn, ...]


def draw(chart: Histogram | ChannelChart) -> SmallChart:
    """The chart, `chart.height` pixels high and as wide as there is room."""
    return _histogram(chart) if isinstance(chart, Histogram) else _channel_chart(chart)


# Values of one channel


def _histogram(chart: Histogram) -> SmallChart:
    height = chart.height - TOP - LABELS - TITLE
    x, y = _Scale(chart.x), _Scale(chart.y)
    bars = [
        _path(
            [f"M{x(bar.start)} {SIDE:g}V{y.down(bar.count)}H{x(bar.end)}V{SIDE:g}z" for bar in chart.bars
             if bar.pale == pale], fill=Color.ACCENT, opacity=opacity, cls="bars"
        )
        for pale, opacity in ((False, 0.8), (True, 0.28))
    ]  # fmt: skip
    low, high = (x.of(end) for end in chart.band)
    band = _rect(low, 0, high - low, SIDE)
    mean = _path([f"M{x(chart.mean)} 0V{SIDE:g}"], stroke=Color.HIGHLIGHT, width=2, cls="mean")
    labels = "".join(
        _text(x.of(tick), TOP + height + 15, chart.x.label(tick), cls="tick") for tick in chart.x.ticks
    )
    title = _text(SIDE / 2, TOP + height + 15 + TITLE, chart.x.title, cls="title")
    plot = _plot(chart.y, height, band + "".join(bars) + mean, labels + title)
    edges = [sorted((one, other)) for one, other in pairwise(chart.edges.tolist())]
    columns = [
        PlotColumn(x.of(low) / SIDE, x.of(high) / SIDE, (f"{low:.3g}", f"{high:.3g}", f"{count:,}"))
        for (low, high), count in zip(edges, chart.counts.tolist(), strict=True)
    ]
    titles = tr("from"), tr("to"), tr("positions")
    return SmallChart(_framed(chart.alt, chart.y, chart.height, height, plot), titles, _ordered(columns))


def _ordered(columns: Iterable[PlotColumn]) -> tuple[PlotColumn, ...]:
    """The finite columns from left to right, with the typographic minus in their tips."""
    signed = (
        PlotColumn(each.start, each.end, tuple(text.replace("-", MINUS) for text in each.tip))
        for each in columns
    )
    finite = (column for column in signed if math.isfinite(column.start + column.end))
    return tuple(sorted(finite, key=lambda column: column.start))


# All channels


def _channel_chart(chart: ChannelChart) -> SmallChart:
    height = chart.height - TOP - LABELS - TITLE
    count, y = len(chart.channels), _Scale(chart.y)
    distance = SIDE / (count - GAP + 2 * OUTER)  # from one channel to the next
    lefts = [(OUTER + index) * distance for index in range(count)]
    width = (1 - GAP) * distance
    chosen = chart.channels.tolist().index(chart.chosen)
    top = float(y.down(float(chart.mean[chosen] + chart.spread[chosen])))
    number = _text(lefts[chosen] + width / 2, TOP + top / SIDE * height - 5, str(chart.chosen),
                   cls="chosen", fill=Color.HIGHLIGHT)  # fmt: skip
    signs = [
        _text(lefts[index] + width / 2, TOP + down + 5, sign, cls="sign", fill=Color.QUIET)
        for which, (sign, down) in zip((chart.dead, chart.faint), SIGNS, strict=True)
        for index in which.nonzero()[0].tolist()
    ]
    labels = _channel_labels(chart, [left + width / 2 for left in lefts], TOP + height)
    marks = "".join([_learned(y), *_spans(chart, y, lefts, width)])
    plot = _plot(chart.y, height, marks, number + "".join(signs) + labels)
    columns = tuple(
        PlotColumn((left - GAP / 2 * distance) / SIDE, (left + width + GAP / 2 * distance) / SIDE,
               (text, f"{mean:+.2f}".replace("-", MINUS), f"{spread:.2f}"))
        for left, text, mean, spread in zip(lefts, chart.texts, chart.mean.tolist(), chart.spread.tolist(),
                                            strict=True)
    )  # fmt: skip
    titles = tr("channel"), tr("observed mean (σ)"), tr("observed standard deviation (σ)")
    return SmallChart(_framed(chart.alt, chart.y, chart.height, height, plot), titles, columns)


def _learned(y: "_Scale") -> str:
    """The running mean, and the band of one running σ about it."""
    low, high = y.of(-1.0), y.of(1.0)
    zero = _path([f"M0 {y.down(0.0)}H{SIDE:g}"], stroke=Color.QUIET, width=1.5, cls="zero")
    return _rect(0, SIDE - high, SIDE, high - low) + zero


def _spans(chart: ChannelChart, y: "_Scale", lefts: list[float], width: float) -> Iterable[str]:
    """Each channel's span of one standard deviation about its mean, and a line at the mean, by color."""
    rows = list(zip(lefts, chart.mean.tolist(), chart.spread.tolist(), chart.colors, strict=True))
    for color in (Color.ACCENT, Color.HIGHLIGHT):
        here = [row for row in rows if row[3] == color]
        spans = [
            f"M{_short(left)} {y.down(mean - spread)}V{y.down(mean + spread)}H{_short(left + width)}"
            f"V{y.down(mean - spread)}z"
            for left, mean, spread, _ in here
        ]
        means = [f"M{_short(left)} {y.down(mean)}H{_short(left + width)}" for left, mean, _, _ in here]
        yield _path(spans, fill=color, opacity=0.42, cls="spans")
        yield _path(means, stroke=color, width=3, cls="means")


def _channel_labels(chart: ChannelChart, centers: list[float], below: float) -> str:
    """Some channels' numbers, every second of them only where there is room, and the title of the axis."""
    every = -(-len(centers) // MOST_LABELS)
    labeled = list(zip(centers, chart.channels.tolist(), strict=True))[::every]
    labels = [
        _text(center, below + 15, str(channel), cls="tick spare" if n % 2 else "tick")
        for n, (center, channel) in enumerate(labeled)
    ]
    return "".join(labels) + _text(SIDE / 2, below + 15 + TITLE, chart.x_title, cls="title")


# Parts of both


class _Scale:
    """Where a value is drawn between the ends of an axis, from 0 to SIDE."""

    def __init__(self, axis: Axis) -> None:
        self.low, high = axis.ends
        self.extent = high - self.low

    def of(self, value: float) -> float:
        return SIDE * (value - self.low) / self.extent

    def __call__(self, value: float) -> str:
        return _short(self.of(value))

    def down(self, value: float) -> str:
        """From the top, as a browser counts."""
        return _short(SIDE - self.of(value))


def _short(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _framed(alt: str, y: Axis, whole: int, height: int, plot: str) -> str:
    """The y-axis beside the plot, as one picture with an alternative text."""
    scale = _Scale(y)
    ticks = [
        f'<text x="{LEFT - 6}" y="{TOP + (1 - scale.of(tick) / SIDE) * height + 4:.1f}" text-anchor="end" '
        f'class="tick">{escape(y.label(tick))}</text>'
        for tick in y.ticks
    ]
    title = f'<text class="title" text-anchor="middle" transform="translate(9 {TOP + height / 2:g}) \
rotate(-90)">{escape(y.title)}</text>'
    svg = 'xmlns="http://www.w3.org/2000/svg"'
    return (
        f'<div xmlns="http://www.w3.org/1999/xhtml" class="fx-chart" role="img" '
        f'aria-label="{escape(alt, quote=True)}">'
        f'<svg {svg} width="{LEFT}" height="{whole}" aria-hidden="true">{"".join(ticks)}{title}</svg>'
        f'<svg {svg} class="plot" width="100%" height="{whole}" aria-hidden="true">{plot}</svg></div>'
    )


def _plot(y: Axis, height: int, marks: str, texts: str) -> str:
    """Lines of the grid, marks that are clipped at the plot's edges, and texts over them."""
    scale = _Scale(y)
    grid = _path([f"M0 {scale.down(tick)}H{SIDE:g}" for tick in y.ticks], stroke=Color.QUIET, width=1,
                 opacity=0.3, cls="grid")  # fmt: skip
    square = f'viewBox="0 0 {SIDE:g} {SIDE:g}" preserveAspectRatio="none"'
    return f'<svg class="marks" y="{TOP}" width="100%" height="{height}" {square}>{grid}{marks}</svg>{texts}'


def _rect(x: float, y: float, width: float, height: float) -> str:
    if not all(map(math.isfinite, (x, y, width, height))):
        return ""
    numbers = f'x="{_short(x)}" y="{_short(y)}" width="{_short(width)}" height="{_short(height)}"'
    return f'<rect class="band" {numbers} fill="{Color.QUIET}" opacity="{BAND}"/>'


def _path(
    parts: list[str], *, cls: str, fill: str = "none", stroke: str = "", width: float = 0, opacity: float = 1
) -> str:
    """All parts that are finite as one path; a line is as wide as it says whatever the stretch."""
    finite = [part for part in parts if "n" not in part]  # as in inf and in nan
    line = f' stroke="{stroke}" stroke-width="{width:g}" vector-effect="non-scaling-stroke"' if stroke else ""
    return f'<path class="{cls}" d="{"".join(finite)}" fill="{fill}"{line} opacity="{opacity:g}"/>'


def _text(x: float, y: float, text: str, *, cls: str, fill: str = "") -> str:
    """A text centered at x, but not beyond the sides of the plot; none where its place is not finite."""
    if not math.isfinite(y):
        return ""
    anchor = "start" if x < 0.015 * SIDE else "end" if x > 0.985 * SIDE else "middle"
    color = f' fill="{fill}"' if fill else ""
    attributes = f'x="{x / SIDE:.2%}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {attributes} class="{cls}"{color}>{escape(text)}</text>'
