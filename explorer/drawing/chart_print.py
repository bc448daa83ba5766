"""Charts in print: the same values as on the page, drawn by Matplotlib."""

from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.drawing.chart import (
    Axis,
    ChannelChart,
    Chart,
    DotChart,
    Histogram,
    Line,
    LineChart,
    PointChart,
    ScatterChart,
)
from explorer.drawing.palette import BAND, Color

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis as DrawnAxis

POINTS = 0.6  # of print, for one pixel of the page
SMALL, TEXT = 6, 7  # sizes of type: the ticks and the legend, and titles
MOST_LABELS = 16  # channel numbers below a chart
MOST_TICKS = 8
MOST_BELOW_DOTS = 5  # of a chart beside others, half of whose width names take
MOST_INSIDE = 3  # names in a legend that leaves the lines free
BELOW = 0.35  # inches from the axes to a legend below them: room for the ticks and the title of the axis
MOST_OF_CELL = 0.8  # of a chart's width beside others: a wider legend would reach into the next
MANY = 2000  # points, from which on a legend's best position takes long to find
DASHES = (0, (4, 2))
LEGEND: dict[str, Any] = {  # on paper of its own: there may be no place without lines
    "frameon": True, "facecolor": "white", "edgecolor": "none", "framealpha": 0.85, "fancybox": False,
    "borderpad": 0.2, "fontsize": SMALL,
}  # fmt: skip


def draw(chart: Chart, axes: "Axes") -> None:
    """Draw a chart on axes, with its title."""
    axes.set_title(plain(chart.title), fontsize=8)
    axes.spines[:].set_visible(False)
    axes.set_axisbelow(True)
    if isinstance(chart, DotChart):
        _dot_chart(axes, chart)
        return
    if chart.y.log:
        axes.set_yscale("log")
    _scale(axes.yaxis, chart.y)
    axes.set_ylim(*chart.y.ends)
    if isinstance(chart, LineChart):
        _line_chart(axes, chart)
    elif isinstance(chart, Histogram):
        _histogram(axes, chart)
    elif isinstance(chart, PointChart):
        _point_chart(axes, chart)
    elif isinstance(chart, ScatterChart):
        _scatter_chart(axes, chart)
    else:
        _channel_chart(axes, chart)
    axes.tick_params(length=0, labelsize=SMALL)


def plain(text: str) -> str:
    """Text whose dollar signs matplotlib does not read as mathematics."""
    return text.replace("$", r"\$")


def _scale(drawn: "DrawnAxis", axis: Axis, most: int = MOST_TICKS) -> None:
    """The axis's title and its ticks; of more than `most`, too many for print, every second, 0 included."""
    ticks = axis.ticks
    if len(ticks) > most:
        ticks = ticks[ticks.index(0.0) % 2 if 0.0 in ticks else 0 :: 2]
    drawn.set_ticks(ticks, [axis.label(tick) for tick in ticks])
    drawn.set_ticks([], minor=True)
    drawn.set_label_text(plain(axis.title), fontsize=TEXT)


# Lines


def _line_chart(axes: "Axes", chart: LineChart) -> None:
    for area in chart.areas:
        axes.fill_between(area.x, area.low, area.high, color=area.color, alpha=area.opacity, linewidth=0)
    for line in chart.lines:
        _line(axes, line)
    if chart.marked is not None:
        axes.axvline(chart.marked, color=Color.ACCENT, linewidth=0.8, linestyle=":")
    _scale(axes.xaxis, chart.x)
    axes.set_xlim(*chart.x.ends)
    axes.grid(axis="y", color=Color.QUIET, alpha=0.25, linewidth=0.5)
    _legend(axes, chart)


def _line(axes: "Axes", line: Line) -> None:
    (drawn,) = axes.plot(
        line.x,
        line.y,
        color=line.color,
        alpha=line.opacity,
        linewidth=POINTS * line.width,
        linestyle=DASHES if line.dashed else "-",
        marker="." if line.points else "",
        markersize=3,
        drawstyle="steps-post" if line.steps else "default",
        clip_on=not line.points,
    )
    drawn.set_in_layout(bool(np.isfinite(line.y).any()))  # else its markers count, in the figure's corner


def _legend(axes: "Axes", chart: LineChart) -> None:
    """The name of each series in its color, dashed where all its lines are; what solid and dashed mean."""
    from matplotlib.lines import Line2D

    solid = {line.name for line in chart.lines if not line.dashed}
    entries = [(name, color, name not in solid) for name, color in chart.names.items()]
    entries += [(chart.solid, Color.QUIET, False)] if chart.solid else []
    entries += [(chart.dashed, Color.QUIET, True)] if chart.dashed else []
    handles = [
        Line2D([], [], color=color, linewidth=1.2, linestyle=DASHES if dashed else "-")
        for _, color, dashed in entries
    ]
    names = [plain(name) for name, _, _ in entries]
    many = sum(len(line.x) for line in chart.lines) > MANY
    inside = {"loc": "upper right" if many else "best", "handlelength": 1.6}
    place = _below(axes) if len(entries) > MOST_INSIDE else inside
    legend = axes.legend(handles, names, labelspacing=0.3, **LEGEND, **place)
    if len(entries) > MOST_INSIDE and legend.get_window_extent().width > MOST_OF_CELL * _cell(axes):
        axes.legend(handles, names, labelspacing=0.3, **LEGEND, **place | {"ncols": 1})


def _cell(axes: "Axes") -> float:
    """How many pixels of the figure's width a chart has among those beside it."""
    figure, place = axes.get_figure(root=True), axes.get_subplotspec()
    assert figure is not None
    return float(figure.bbox.width / (1 if place is None else place.get_gridspec().ncols))


def _below(axes: "Axes") -> dict[str, Any]:
    """Where a legend leaves all lines free, also in a narrow chart."""
    from matplotlib.transforms import ScaledTranslation

    figure = axes.get_figure(root=True)
    assert figure is not None
    shifted = axes.transAxes + ScaledTranslation(0, -BELOW, figure.dpi_scale_trans)
    narrow = {"ncols": 2, "columnspacing": 0.8, "handlelength": 1.2, "handletextpad": 0.5}
    return {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "bbox_transform": shifted, **narrow}


# Dots


def _dot_chart(axes: "Axes", chart: DotChart) -> None:
    """The interval of each row, its dot, and chance as a diamond; the names at the left."""
    rows = np.arange(len(chart.names))
    colors = [str(color) for color in chart.colors]
    axes.hlines(rows, chart.low, chart.high, colors=colors, linewidth=1.2)
    hollow = {"marker": "D", "facecolors": "none", "edgecolors": Color.HIGHLIGHT, "linewidths": 0.7}
    chance = axes.scatter(chart.chance, rows, s=9, clip_on=False, **hollow)
    if chart.diamond:
        axes.legend([chance], [plain(chart.diamond)], **LEGEND, **_below(axes))
    axes.scatter(chart.mean, rows, s=9, c=colors, clip_on=False)  # whole, also at an end of the axis
    if chart.reference is not None:
        axes.axvline(chart.reference, color=Color.HIGHLIGHT, linewidth=0.9, linestyle=DASHES)
    alone = (place := axes.get_subplotspec()) is None or place.get_gridspec().ncols == 1
    _scale(axes.xaxis, chart.x, MOST_TICKS if alone else MOST_BELOW_DOTS)
    axes.set_xlim(*chart.x.ends)
    axes.set_yticks(rows, [plain(name) for name in chart.names])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="x", color=Color.QUIET, alpha=0.25, linewidth=0.5)
    axes.tick_params(length=0, labelsize=SMALL)


# BatchNorm


def _histogram(axes: "Axes", chart: Histogram) -> None:
    bars = chart.bars
    axes.axvspan(*chart.band, color=Color.QUIET, alpha=BAND, linewidth=0)
    drawn = axes.bar(
        [bar.start for bar in bars],
        [bar.count for bar in bars],
        [bar.end - bar.start for bar in bars],
        align="edge",
        color=Color.ACCENT,
    )
    for patch, bar in zip(drawn, bars, strict=True):
        patch.set_alpha(0.28 if bar.pale else 0.8)
    axes.axvline(chart.mean, color=Color.HIGHLIGHT, linewidth=1)
    _scale(axes.xaxis, chart.x)
    axes.set_xlim(*chart.x.ends)


def _channel_chart(axes: "Axes", chart: ChannelChart) -> None:
    """The learned band, each channel's span with a tick at its mean, the chosen one's number."""
    columns, colors = np.arange(len(chart.channels)), chart.colors
    axes.axhspan(-1, 1, color=Color.QUIET, alpha=BAND, linewidth=0)
    axes.axhline(0, color=Color.QUIET, linewidth=0.6)
    axes.bar(columns, 2 * chart.spread, 0.7, chart.mean - chart.spread, color=colors, alpha=0.42, linewidth=0)
    axes.hlines(chart.mean, columns - 0.35, columns + 0.35, colors=colors, linewidth=1)
    column = int(np.flatnonzero(chart.channels == chart.chosen)[0])
    top = float(chart.mean[column] + chart.spread[column])
    axes.annotate(
        str(chart.chosen), (column, top), (0, 2), textcoords="offset points", color=Color.HIGHLIGHT,
        fontsize=TEXT, ha="center",
    )  # fmt: skip
    _signs(axes, chart)
    every = -(-len(columns) // MOST_LABELS)
    axes.set_xticks(columns[::every], [str(channel) for channel in chart.channels[::every].tolist()])
    axes.set_xlim(-0.8, len(columns) - 0.2)
    axes.set_xlabel(plain(chart.x_title), fontsize=TEXT)


def _signs(axes: "Axes", chart: ChannelChart) -> None:
    """At the top a cross for a dead channel, a diamond where γ is near zero."""
    for which, marker, height in ((chart.dead, "x", 0.97), (chart.faint, "D", 0.91)):
        columns = np.flatnonzero(which)
        axes.plot(
            columns, np.full(len(columns), height), marker, color=Color.QUIET, markersize=3,
            markerfacecolor="none", markeredgewidth=0.7, transform=axes.get_xaxis_transform(),
        )  # fmt: skip


# Points


def _point_chart(axes: "Axes", chart: PointChart) -> None:
    axes.axhline(0, color=Color.QUIET, linewidth=0.6, alpha=0.6)
    axes.axvline(0, color=Color.QUIET, linewidth=0.6, alpha=0.6)
    sizes = [22 if each == chart.chosen else 7 for each in chart.channels.tolist()]
    axes.scatter(chart.across, chart.up, sizes, chart.colors, alpha=0.75, linewidths=0, clip_on=False)
    for index in np.flatnonzero(chart.channels == (-1 if chart.chosen is None else chart.chosen)):
        axes.annotate(
            str(chart.chosen), (chart.across[index], chart.up[index]), (3, 3), textcoords="offset points",
            color=Color.HIGHLIGHT, fontsize=TEXT,
        )  # fmt: skip
    _scale(axes.xaxis, chart.x)
    axes.set_xlim(*chart.x.ends)


# Images


def _scatter_chart(axes: "Axes", chart: ScatterChart) -> None:
    """The points in the colors of their groups, in the order given, and a ring around the chosen one."""
    from matplotlib.lines import Line2D

    colors = [chart.colors[group] for group in chart.groups.tolist()]
    axes.scatter(chart.across, chart.up, 3, colors, alpha=0.7, linewidths=0, clip_on=False, rasterized=True)
    chosen = chart.images == (-1 if chart.chosen is None else chart.chosen)
    axes.scatter(
        chart.across[chosen],
        chart.up[chosen],
        24,
        facecolors="none",
        edgecolors=Color.HIGHLIGHT,
        linewidths=1,
    )
    _scale(axes.xaxis, chart.x)
    axes.set_xlim(*chart.x.ends)
    axes.grid(axis="y", color=Color.QUIET, alpha=0.25, linewidth=0.5)
    handles = [
        Line2D([], [], color=color, marker="o", linestyle="", markersize=3, label=plain(name))
        for name, color in zip(chart.names, chart.colors, strict=True)
    ]
    axes.legend(handles=handles, labelspacing=0.3, title=plain(chart.group_title), title_fontsize=SMALL,
                **LEGEND, **_below(axes))  # fmt: skip
