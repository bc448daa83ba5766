"""Figures for print: pictures and charts side by side, with a caption that says where they came from."""

import io
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Literal
from unicodedata import category, east_asian_width

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.drawing import chart_print
from explorer.drawing.chart import Chart, DotChart, LineChart
from explorer.drawing.chart_print import plain
from explorer.drawing.colorbar import bar as colors
from explorer.drawing.colorbar import ticks
from explorer.drawing.colormaps import color
from explorer.drawing.ranges import Range, number, text
from explorer.drawing.typefaces import make_legible
from model.words import N_, tr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpecBase

MOST_IN_ROW = 4
PAGE, COLUMN = 7.2, (2.4, 3.6)  # inches: how wide a figure is to be, and a panel at least and at most
BAR, WORDS, TICKS = 0.1, 0.35, 0.5  # heights of a color bar, of the text around a panel, of a bar's ticks
BESIDE = 0.07  # inches at both sides of a panel: the numbers of two color bars stay apart
LETTERS = 14  # of a title, for each inch of its panel
NAME_ASPECT = 0.03  # for each name below a chart
CHART_ASPECT = 0.75  # of a chart in a figure: its height by its width
SIZE, DPI = (4.4, 2.0), 360  # of one chart by itself: inches, as a figure shows it, and pixels an inch


@dataclass(frozen=True)
class Panel:
    """One picture of a figure: uint8 (h,w,3) pixels, a title, and the range of its colors if it has one.

    Panels whose range is `shared` have one color bar together.
    """

    pixels: NDArray[np.uint8]
    title: str
    range: Range | None = None
    scale: str = ""
    shared: bool = False


@dataclass(frozen=True)
class Drawing:
    """What draws itself on axes, `aspect` times as high as wide, for figures only."""

    draw: "Callable[[Axes], None]"
    title: str = ""
    aspect: float = 0.75


Part = Panel | Drawing | Chart
Parts = Sequence[Part] | Sequence[Sequence[Part]]
"""The panels of a figure: pictures, then charts, each in as many rows as they need; or in the rows given."""


@dataclass(frozen=True)
class ColorBar:
    """A color bar below the columns `first` to `last` of a row."""

    first: int
    last: int
    range: Range
    scale: str


def mapped(values: ArrayLike, range: Range, title: str, scale: str = "", shared: bool = False) -> Panel:
    """A panel that shows a map (h,w) on a range."""
    return Panel(color(values, range), title, range, scale, shared)


def bars(rows: Sequence[Sequence[Part]]) -> list[list[ColorBar]]:
    """The color bars below each row: one for every range, below the last row of the panels that share it."""
    below: list[list[ColorBar]] = [[] for _ in rows]
    together: dict[tuple[Range, str], tuple[int, ColorBar]] = {}
    for index, row in enumerate(rows):
        for column, panel in enumerate(row):
            if not isinstance(panel, Panel) or panel.range is None:
                continue
            bar, key = ColorBar(column, column, panel.range, panel.scale), (panel.range, panel.scale)
            if not panel.shared:
                below[index].append(bar)
                continue
            before = together.get(key)
            first = before[1].first if before and before[0] == index else column
            together[key] = index, replace(bar, first=first)
    for index, bar in together.values():
        below[index].append(bar)
    return below


def caption(
    *,
    checkpoint: str,
    digest: str,
    image: str = "",
    layer: str = "",
    method: str = "",
    target: str = "",
    range: Range | str | None = None,
    scale: str = "",
) -> str:
    """What identifies a figure: the fields given, separated by middle dots; the digest shortened.

    >>> caption(checkpoint="course", digest="0123456789abcdef", layer="conv3", target="cat")
    'Layer conv3 · Class cat · Checkpoint course (0123456789ab)'
    """
    parts = (
        (N_("Image {value}"), image),
        (N_("Method {value}"), method),
        (N_("Layer {value}"), layer),
        (N_("Class {value}"), target),
        (N_("Range {value}"), text(range, scale) if isinstance(range, Range) else range),
        (N_("Checkpoint {value}"), f"{checkpoint} ({digest[:12]})"),
    )
    return " · ".join(tr(template, value=value) for template, value in parts if value)


def figure(panels: Parts, caption: str, kind: Literal["png", "pdf"] = "png", dpi: int = 200) -> bytes:
    """Panels side by side with color bars and a caption, as PNG or PDF bytes; small maps are not blurred.

    More than MOST_IN_ROW stand in several rows, and charts in rows of their own, unless rows are given; a
    chart alone in its row is as wide as the figure. The files carry no date, so that the same figure gives
    the same bytes. ValueError without a panel.
    """
    if not panels:
        raise ValueError("A figure needs at least one picture.")
    from matplotlib import rc_context

    file = io.BytesIO()
    undated = {"CreationDate": None} if kind == "pdf" else {"Software": None}
    with rc_context({"font.size": 8, "pdf.fonttype": 42}):
        drawn = _laid_out(panels, caption)
        make_legible(drawn)
        drawn.savefig(file, format=kind, dpi=dpi, metadata=undated, bbox_inches="tight", pad_inches=0.08)
    return file.getvalue()


def in_a_row(count: int) -> list[int]:
    """How many of `count` panels stand in each row of a figure; none of several stands alone.

    >>> [in_a_row(count) for count in (1, 4, 5, 7, 9, 13)]
    [[1], [4], [3, 2], [4, 3], [3, 3, 3], [4, 3, 3, 3]]
    """
    rows = -(-count // MOST_IN_ROW)
    return [count // rows + (row < count % rows) for row in range(rows)]


def in_rows(panels: Parts) -> list[list[Part]]:
    """The rows given, or rows of about equal length: a tall picture beside a chart would stretch it."""
    flat = [panel for panel in panels if not isinstance(panel, Sequence)]
    if not flat:
        return [list(row) for row in panels if isinstance(row, Sequence)]
    rows: list[list[Part]] = []
    for _, each in groupby(flat, lambda panel: isinstance(panel, Chart)):
        group = list(each)
        for count in in_a_row(len(group)):
            rows.append(group[:count])
            del group[:count]
    return rows


def picture(*charts: Chart | Drawing) -> NDArray[np.uint8]:
    """One chart by itself, or a few side by side, as uint8 (h,w,3)."""
    from matplotlib.figure import Figure

    width, height = SIZE
    tall = [width * chart.aspect for chart in charts if isinstance(chart, DotChart | Drawing)]
    height = max([height, *tall])
    size = (width * (1 + len(charts)) / 2, height)
    drawn = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    for chart, axes in zip(charts, np.ravel(drawn.subplots(1, len(charts))), strict=True):
        _draw(chart, axes, int(width * LETTERS))
    return pixels(drawn)


def pixels(drawn: "Figure") -> NDArray[np.uint8]:
    """What a figure looks like, uint8 (h,w,3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    make_legible(drawn)
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[:, :, :3])


def _laid_out(panels: Parts, caption: str) -> "Figure":
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows = in_rows(panels)
    columns = max(map(len, rows))
    column = float(np.clip(PAGE / columns, *COLUMN))
    below = bars(rows)
    heights = [(column * _aspect(row), BAR if each else 0.01) for row, each in zip(rows, below, strict=True)]
    width = max(4.0, column * columns)
    height = sum(map(sum, heights)) + sum(WORDS + TICKS * bool(each) for each in below)
    drawn = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=BESIDE), facecolor="white")
    grids = _grids(drawn, rows, heights, columns)
    for (grid, line), row, barred in zip(grids, rows, below, strict=True):
        beside = column if any(isinstance(panel, Panel) for panel in row) else width / len(row)
        for index, panel in enumerate(row):
            across = slice(None) if len(row) == 1 and isinstance(panel, Chart) else index
            _draw(panel, drawn.add_subplot(grid[line, across]), int(beside * LETTERS))
        for bar in barred:
            _draw_bar(drawn.add_subplot(grid[line + 1, bar.first : bar.last + 1]), bar.range, bar.scale)
    lines = plain("\n".join(wrapped(caption, int(width * 18))))
    drawn.text(0.01, -0.01, lines, fontsize=7, color="0.35", ha="left", va="top")
    return drawn


def _grids(
    drawn: "Figure", rows: Sequence[Sequence[Part]], heights: Sequence[tuple[float, float]], columns: int
) -> list[tuple["GridSpecBase", int]]:
    """For each row of panels its grid, and its line there; its color bars are on the next line.

    Rows of pictures have a grid of their own: long names beside a chart below would push them apart. So have
    rows with as many charts each, which fill the width.
    """
    pictures = [all(isinstance(panel, Panel) for panel in row) for row in rows]
    widths = [columns if alone else len(row) for row, alone in zip(rows, pictures, strict=True)]
    alike = list(zip(pictures, widths, strict=True))
    groups = [list(each) for _, each in groupby(range(len(rows)), alike.__getitem__)]
    ratios = [[height for index in group for height in heights[index]] for group in groups]
    outer = drawn.add_gridspec(len(groups), 1, height_ratios=[sum(each) for each in ratios])
    grids = [
        outer[k].subgridspec(len(each), widths[group[0]], height_ratios=each)
        for k, (group, each) in enumerate(zip(groups, ratios, strict=True))
    ]
    return [(grids[k], 2 * line) for k, group in enumerate(groups) for line in range(len(group))]


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` Latin letters; a Chinese one takes the place of two and may end a line.

    >>> wrapped("Image 小猫.png · Class cat", 14), wrapped("损失：它会下降，再上升。", 14)
    (['Image 小猫.png', '· Class cat'], ['损失：它会下', '降，再上升。'])
    """
    pairs = zip(text, f"{text[1:]} ", strict=False)
    filled = "".join(letter + _filling(letter, following) for letter, following in pairs)
    lines = textwrap.wrap(filled, width, expand_tabs=False, replace_whitespace=False)
    return [line.replace("\0", "").replace("\t", "") for line in lines]


def _filling(letter: str, following: str) -> str:
    """What makes a Chinese letter as wide as two: a tab where a line may end after it."""
    if east_asian_width(letter) not in "WF":
        return ""
    return "\t" if category(letter) != "Ps" and category(following) not in ("Po", "Pe", "Pf") else "\0"


def _aspect(row: Sequence[Part]) -> float:
    """How many times as high as wide the tallest of some panels is."""
    return max(map(_panel_aspect, row))


def _panel_aspect(panel: Part) -> float:
    if isinstance(panel, Panel):
        return panel.pixels.shape[0] / panel.pixels.shape[1]
    if isinstance(panel, DotChart):
        return panel.aspect
    if isinstance(panel, Drawing):
        return panel.aspect
    names = len(panel.names) if isinstance(panel, LineChart) else 0
    return CHART_ASPECT + NAME_ASPECT * (names if names > chart_print.MOST_INSIDE else 0)


def _draw(panel: Part, axes: "Axes", letters: int) -> None:
    """Draw a panel below its title, in lines of at most so many letters."""
    if isinstance(panel, Chart):
        chart_print.draw(panel, axes)
    axes.set_title(plain("\n".join(wrapped(panel.title, letters))), fontsize=8)
    if isinstance(panel, Chart):
        return
    if isinstance(panel, Drawing):
        panel.draw(axes)
        return
    axes.set_axis_off()
    axes.imshow(panel.pixels, interpolation="nearest")


def _draw_bar(axes: "Axes", range: Range, scale: str) -> None:
    from matplotlib.ticker import NullLocator

    axes.imshow(colors(range, 256, 1), aspect="auto", interpolation="nearest", extent=(0, 1, 0, 1))
    axes.spines[:].set_visible(False)
    axes.yaxis.set_major_locator(NullLocator())
    marks = ticks(range)
    axes.set_xticks([position for position, _ in marks], [number(value) for _, value in marks], fontsize=7)
    for (position, _), label in zip(marks, axes.get_xticklabels(), strict=True):
        label.set_horizontalalignment({0: "left", 1: "right"}.get(position, "center"))  # free of the next bar
    axes.tick_params(length=2, width=0.5)
    axes.set_xlabel(scale, fontsize=7)
