"""Every chart of the pages, drawn for the page and in print: the same series, ends, titles and colors.

The page's is read from its Vega-Lite or from its SVG, that of print from what Matplotlib has drawn.
"""

import json
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from explorer.drawing import chart_print, small_chart, vega
from explorer.drawing.chart import (
    ChannelChart,
    Chart,
    Histogram,
    LineChart,
    PointChart,
    axis,
    log_axis,
    tick_step,
    ticks,
)
from explorer.engine.batchnorm import BINS, NormSummary
from explorer.engine.effects import Effects
from explorer.engine.runs import RecordedRun
from explorer.engine.smallest_set import GreedySearch
from explorer.views.batchnorm import charts as batchnorm
from explorer.views.batchnorm.measured import LayerView, MeasuredImages
from explorer.views.interventions import charts as interventions
from explorer.views.time_machine import charts as time_machine
from explorer.views.time_machine.films import STATISTICS
from explorer.views.training import charts as training
from explorer.views.training.run_list import ChartSettings
from model.history import About, Epoch

SETTINGS = ChartSettings(20, "steps")
EPOCHS = (0, 1, 3, 7)


def run(epochs: int, seed: int) -> RecordedRun:
    losses = np.random.default_rng(seed).uniform(0.5, 2.5, 300 * epochs)
    rows = tuple(
        Epoch(n, 2 / n, 0.3 + n / 40, 2.2 / n, 0.2 + n / 40, 0.1 / n, 500.0, 60.0)
        for n in range(1, epochs + 1)
    )
    return RecordedRun(losses, rows, About())


def norm(seed: int, channels: int = 12) -> NormSummary:
    rng = np.random.default_rng(seed)
    normal, positive = rng.normal(0, 1, (4, channels)), rng.uniform(0.2, 2, (2, channels))
    weight, bias, running_mean, mean = normal.astype(np.float32)
    running_var, var = positive.astype(np.float32)
    weight[2] = 0.0001
    low, high = mean - 3 * np.sqrt(var), mean + 3 * np.sqrt(var)
    passing = np.where(np.arange(channels) == 4, 0, 0.5).astype(np.float32)
    counts = rng.integers(0, 90, (channels, BINS))
    return NormSummary(
        "bn1", weight, bias, running_mean, running_var, 1e-5, mean, var, 1, low, high, counts, passing
    )


def all_charts() -> dict[str, Chart]:
    """Every chart that a page draws, with made-up numbers."""
    runs = {"a": run(4, 0), "b $5": run(9, 1)}
    view = LayerView(norm(0), MeasuredImages(torch.zeros(1), "0"), "relu1", 3)
    probabilities = np.random.default_rng(2).dirichlet(np.ones(9), len(EPOCHS)).astype(np.float32)
    norms = [norm(seed) for seed in EPOCHS]
    charts: dict[str, Chart] = dict(training.charts_of(runs, SETTINGS))
    charts |= {f"{name} by minutes": each for name, each in minutes(runs).items()}
    three = run(3, 0)
    far = {"a": replace(three, epochs=tuple(replace(row, lr=10.0**-row.epoch) for row in three.epochs))}
    charts["rates of several decades"] = training.charts_of(far | {"b": run(9, 1)}, SETTINGS)["rate"]
    charts["one epoch"] = training.charts_of({"a": run(1, 0)}, SETTINGS)["accuracy"]
    charts["probabilities"] = time_machine.class_probabilities(EPOCHS, probabilities, "abcdefghi", [5, 2], 3)
    charts |= time_machine.statistics(EPOCHS, norms, 5, 7)
    charts["channels"] = batchnorm.all_channels(view)
    effects = Effects("relu1", *np.random.default_rng(3).normal(0, 1, (2, 9)).astype(np.float32), 0)
    charts["effects"] = interventions.contribution_and_effect(effects, "cat $5", 4)
    logits = np.random.default_rng(4).normal(0, 1, (5, 3)).astype(np.float32)
    charts["margins"] = interventions.margins(GreedySearch("relu1", (3, 1, 0, 2), logits), "cat")
    return charts | {f"histogram {n}": each for n, each in enumerate(batchnorm.histograms(view))}


def minutes(runs: dict[str, RecordedRun]) -> dict[str, LineChart]:
    return training.charts_of(runs, ChartSettings(20, "minutes"))


CHARTS = all_charts()


def close(values: Any) -> tuple[float, ...]:
    """Numbers one after another, to be compared by `same`."""
    return tuple(float(value) for value in np.ravel(values))


def same(one: Any, other: Any) -> bool:
    """Whether two marks are equal, numbers with the digits that the page keeps."""
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, rel=1e-4, abs=2e-4)
    return bool(one == other)


# What both have drawn


@dataclass
class Drawn:
    """What can be seen of a chart: the axes' titles, ends and ticks, and all marks with their colors."""

    titles: tuple[str, str]
    ends: tuple[tuple[float, ...], tuple[float, ...]]
    ticks: tuple[float, ...]
    marks: list[tuple[Any, ...]]
    log: bool = False


def by_kind(marks: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(marks, key=lambda mark: (str(mark[0]), from_left(mark)))


def from_left(mark: tuple[Any, ...]) -> float:
    """Where a bar, a span or a mean stands among its kind; means grow from left to right."""
    places = {"bar": lambda: mark[3][0], "span": lambda: mark[2][0], "mean": lambda: mark[1]}
    return float(places.get(mark[0], lambda: 0.0)())


def on_page(chart: Chart) -> Drawn:
    if not isinstance(chart, LineChart | PointChart):
        return drawn_on_page(chart)
    spec = json.loads(json.dumps(vega.spec(chart)))
    scaled = [layer["encoding"] for layer in spec["layer"] if "axis" in layer["encoding"].get("y", {})]
    x, y = scaled[0]["x"], scaled[0]["y"]
    assert all(each["y"]["scale"] == y["scale"] and each["y"]["axis"] == y["axis"] for each in scaled)
    assert all(each["x"] == x | {"field": each["x"]["field"]} for each in scaled)
    assert spec["description"] == chart.alt
    titles = x["axis"]["title"] or "", y["axis"]["title"] or ""
    marks = [mark for layer in spec["layer"] for mark in PAGE_MARKS[layer["mark"]["type"]](spec, layer)]
    ends = close(x.get("scale", {}).get("domain", ())), close(y["scale"]["domain"])
    log = y["scale"].get("type") == "log"
    return Drawn(titles, ends, close(y["axis"]["values"]), by_kind(marks), log)


def lines_on_page(spec: dict[str, Any], layer: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Kind, color, dashed, name, x, y of each line."""
    scale = layer["encoding"]["color"]["scale"]
    colors = dict(zip(scale["domain"], scale["range"], strict=True))
    series: dict[tuple[str, bool], list[dict[str, Any]]] = {}
    for row in layer["data"]["values"]:
        series.setdefault((row["name"], row.get("dashed", False)), []).append(row)
    steps = layer["mark"].get("interpolate") == "step-after"
    points = isinstance(layer["mark"].get("point"), dict)
    return [
        ("line", colors[name], dashed, steps, points, layer["mark"]["opacity"],
         close([row["x"] for row in rows]), close([row["y"] for row in rows]))
        for (name, dashed), rows in series.items()
    ]  # fmt: skip


def area_on_page(spec: dict[str, Any], layer: dict[str, Any]) -> list[tuple[Any, ...]]:
    rows = layer["data"]["values"]
    around = [[row["x"], row[field]] for field in ("low", "high") for row in rows]
    return [("area", layer["mark"]["color"], layer["mark"]["opacity"], sorted(set(map(close, around))))]


def rule_on_page(spec: dict[str, Any], layer: dict[str, Any]) -> list[tuple[Any, ...]]:
    at = next((each["datum"] for each in layer["encoding"].values() if "datum" in each), None)
    values = layer["data"]["values"][0]
    return [("rule", layer["mark"]["color"], *close(at if at is not None else next(iter(values.values()))))]


def points_on_page(spec: dict[str, Any], layer: dict[str, Any]) -> list[tuple[Any, ...]]:
    color = layer["encoding"]["color"]
    tones = [
        color["condition"]["value"] if row["chosen"] else color["value"] for row in layer["data"]["values"]
    ]
    points = [(row["x"], row["y"]) for row in layer["data"]["values"]]
    return [("points", tuple(tones), layer["mark"]["opacity"], close(points))]


PAGE_MARKS: dict[str, Callable[[dict[str, Any], dict[str, Any]], list[tuple[Any, ...]]]] = {
    "line": lines_on_page,
    "area": area_on_page,
    "rule": rule_on_page,
    "circle": points_on_page,
}


# Charts that the server draws

NUMBER = r"(-?[\d.]+)"


def drawn_on_page(chart: Histogram | ChannelChart) -> Drawn:
    """What can be seen of an SVG: its marks are in a square of 1000, whose sides are the ends of the axes."""
    root = ElementTree.fromstring(small_chart.draw(chart).xhtml)
    assert root.get("aria-label") == chart.alt
    y_axis, plot = root
    marks = next(each for each in plot if each.get("class") == "marks")
    xs, ys = (chart.x.ends if isinstance(chart, Histogram) else (0.0, 1000.0)), chart.y.ends
    square = Square(xs, ys)
    grid = next(each for each in marks if each.get("class") == "grid")
    titles = [each.text or "" for each in (*plot, *y_axis) if each.get("class") == "title"]
    labels = [each.text for each in y_axis if each.get("class") == "tick"]
    assert labels == [chart.y.label(tick) for tick in chart.y.ticks]
    kind = (lambda each: bars_of(each, square)) if isinstance(chart, Histogram) else spans_of(square, chart)
    seen = [mark for each in marks if each is not grid for mark in kind(each)]
    seen += texts_of(plot, chart) if isinstance(chart, ChannelChart) else []
    assert same(close([square.y(y) for (y,) in numbers(grid, rf"M0 {NUMBER}H")]), close(chart.y.ticks))
    ends = close(xs) if isinstance(chart, Histogram) else ()
    return Drawn((titles[0], titles[1]), (ends, close(ys)), close(chart.y.ticks), by_kind(seen))


@dataclass
class Square:
    """From a place in the square of marks back to values."""

    xs: tuple[float, float]
    ys: tuple[float, float]

    def x(self, at: float) -> float:
        return self.xs[0] + at / 1000 * (self.xs[1] - self.xs[0])

    def y(self, at: float) -> float:
        return self.ys[1] - at / 1000 * (self.ys[1] - self.ys[0])


def numbers(path: Element, pattern: str) -> list[tuple[float, ...]]:
    matches = re.findall(pattern, path.get("d") or "")
    return [tuple(map(float, each if isinstance(each, tuple) else [each])) for each in matches]


def bars_of(each: Element, square: Square) -> list[tuple[Any, ...]]:
    """The marks in one element of a histogram."""
    kind, color, opacity = each.get("class"), each.get("fill"), float(each.get("opacity", 1))
    if kind == "band":
        left, width = float(each.get("x", 0)), float(each.get("width", 0))
        return [("band", color, opacity, close([square.x(left), square.x(left + width)]))]
    if kind == "mean":
        ((at, top),) = numbers(each, rf"M{NUMBER} {NUMBER}V1000")
        assert top == 0
        return [("rule", each.get("stroke"), *close(square.x(at)))]
    return [
        ("bar", color, opacity, close([square.x(start), square.x(end), square.y(top)]))
        for start, bottom, top, end in numbers(each, rf"M{NUMBER} {NUMBER}V{NUMBER}H{NUMBER}V1000z")
        if bottom == 1000
    ]


def spans_of(square: Square, chart: ChannelChart) -> Callable[[Element], list[tuple[Any, ...]]]:
    """The marks in one element of a chart of all channels; columns are counted from the left."""
    count = len(chart.channels)

    def column(left: float, right: float) -> int:
        return int((left + right) / 2 / 1000 * (count + 0.5) - 0.25)

    def marks(each: Element) -> list[tuple[Any, ...]]:
        kind, color, stroke = each.get("class"), each.get("fill"), each.get("stroke")
        if kind == "band":
            top, height = float(each.get("y", 0)), float(each.get("height", 0))
            low, high = square.y(top + height), square.y(top)
            return [("band", color, float(each.get("opacity", 1)), close([low, high]))]
        if kind == "zero":
            return [("rule", stroke, *close(square.y(y))) for (y,) in numbers(each, rf"M0 {NUMBER}H1000")]
        if kind == "means":
            return [
                ("mean", *close(square.y(y))) for _, y, _ in numbers(each, rf"M{NUMBER} {NUMBER}H{NUMBER}")
            ]
        pattern = rf"M{NUMBER} {NUMBER}V{NUMBER}H{NUMBER}V{NUMBER}z"
        return [
            ("span", color, (column(left, right), *close(square.y(low)), *close(square.y(high))))
            for left, low, high, right, _ in numbers(each, pattern)
        ]

    return marks


def texts_of(plot: Element, chart: ChannelChart) -> list[tuple[Any, ...]]:
    """The chosen channel's number, and the columns that have a sign."""
    count, signs = len(chart.channels), {"✕": "x", "◇": "D"}
    columns: dict[str, list[int]] = {sign: [] for sign in signs}
    chosen = [each.text for each in plot if each.get("class") == "chosen"]
    for each in plot:
        if each.get("class") == "sign":
            at = float(str(each.get("x")).rstrip("%")) / 100
            columns[str(each.text)].append(int(at * (count + 0.5) - 0.25))
    return [("text", text) for text in chosen] + [
        ("sign", signs[sign], tuple(at)) for sign, at in columns.items()
    ]


def in_print(chart: Chart) -> Drawn:
    axes = Figure().subplots()
    chart_print.draw(chart, axes)
    assert axes.get_title() == chart.title.replace("$", r"\$")
    titles = axes.get_xlabel(), axes.get_ylabel()
    x = () if isinstance(chart, ChannelChart) else close(axes.get_xlim())
    marks = [*lines_in_print(axes), *areas_in_print(axes), *patches_in_print(axes, chart)]
    if isinstance(chart, ChannelChart):
        marks += [("text", text.get_text()) for text in axes.texts]
    return Drawn(
        titles,
        (x, close(axes.get_ylim())),
        close(axes.get_yticks()),
        by_kind(marks),
        axes.get_yscale() == "log",
    )


def lines_in_print(axes: Axes) -> list[tuple[Any, ...]]:
    marks: list[tuple[Any, ...]] = []
    for line in axes.get_lines():
        x, y = line.get_data()
        color, marker = to_hex(line.get_color()), line.get_marker()
        if line.get_linestyle() == "None":
            marks.append(("sign", marker, tuple(np.asarray(x).tolist())))
        elif len(x) == 2 and list(y) == [0, 1] and x[0] == x[1]:  # across the whole height
            marks.append(("rule", color, *close(x[0])))
        elif len(y) == 2 and list(x) == [0, 1] and y[0] == y[1]:
            marks.append(("rule", color, *close(y[0])))
        else:
            steps = line.get_drawstyle() == "steps-post"
            dashed = line.get_linestyle() == "--"
            marks.append(("line", color, dashed, steps, marker == ".", line.get_alpha(), close(x), close(y)))
    return marks


def areas_in_print(axes: Axes) -> list[tuple[Any, ...]]:
    marks: list[tuple[Any, ...]] = []
    for each in axes.collections:
        if isinstance(each, LineCollection):
            marks += [("mean", *close(segment[0][1])) for segment in each.get_segments()]
        elif isinstance(each, PathCollection):
            tones = tuple(map(to_hex, each.get_facecolor()))
            marks.append(("points", tones, each.get_alpha(), close(each.get_offsets())))
        elif isinstance(each, PolyCollection):
            (path,) = each.get_paths()
            corners = sorted(set(map(close, path.vertices)))
            marks.append(("area", to_hex(each.get_facecolor()[0]), each.get_alpha(), corners))
    return marks


def patches_in_print(axes: Axes, chart: Chart) -> list[tuple[Any, ...]]:
    marks: list[tuple[Any, ...]] = []
    for n, patch in enumerate(axes.patches):
        color, alpha = to_hex(patch.get_facecolor()), patch.get_alpha()
        x0, y0, x1, y1 = patch.get_bbox().extents
        if n == 0:
            ends = (y0, y1) if isinstance(chart, ChannelChart) else (x0, x1)
            marks.append(("band", color, alpha, close(ends)))
        elif isinstance(chart, ChannelChart):
            marks.append(("span", color, (round((x0 + x1) / 2), *close(y0), *close(y1))))
        else:
            marks.append(("bar", color, alpha, close([x0, x1, y1])))
    return marks


@pytest.mark.parametrize("name", CHARTS)
def test_page_and_print_have_the_same_marks_titles_and_ends(name: str) -> None:
    page, printed = on_page(CHARTS[name]), in_print(CHARTS[name])
    assert page.titles == printed.titles
    assert page.ends == printed.ends
    assert page.log == printed.log
    assert set(printed.ticks) <= set(page.ticks)
    assert len(printed.ticks) >= 2
    assert len(page.marks) > 1
    assert len(page.marks) == len(printed.marks)
    for one, other in zip(page.marks, printed.marks, strict=True):
        assert same(one, other), (one, other)


@pytest.mark.parametrize("name", CHARTS)
def test_every_axis_has_a_title(name: str) -> None:
    title = on_page(CHARTS[name]).titles
    assert all(title) or name in STATISTICS  # the heading above such a chart is what would stand there


def test_no_tick_is_left_out_on_a_narrow_screen() -> None:
    """Vega thins ticks to one in 40 pixels, unless it is told how many there are."""
    for chart in CHARTS.values():
        if isinstance(chart, LineChart):
            across = vega.horizontal("x", chart.x)["axis"]
            assert across["tickCount"] == len(across["values"]) == len(chart.x.ticks)


def labels(chart: Chart) -> list[float]:
    """The ticks of the y-axis that have a label on the page."""
    axis = vega.vertical("y", chart)["axis"]
    assert axis["labelOverlap"] is False  # else Vega decides
    if "labelExpr" not in axis:
        return list(axis["values"])
    pattern = r"round\(datum\.value / (\S+)\) % (\d+) == 0 \? datum\.label : ''"
    step, every = re.fullmatch(pattern, axis["labelExpr"]).groups()
    return [tick for tick in axis["values"] if round(tick / float(step)) % int(every) == 0]


def test_zero_has_its_label() -> None:
    """10, 6, 2, −2 stood beside the margin of a search, and −0.5, −1.5, −2.5 beside a low chart."""
    search = GreedySearch("relu3", (1, 2), np.array([[9.0, 0.0], [3.0, 2.0], [0.0, 1.5]], np.float32))
    margins = interventions.margins(search, "cat")
    assert labels(margins) == [-2, 0, 2, 4, 6, 8, 10]
    low = replace(margins, height=150, y=axis("", [[0, -2.4]], rounded=True, most=5))
    assert labels(low) == [-2, -1, 0]
    assert labels(replace(low, y=axis("", [[0.55, 1.0]], rounded=True, most=4))) == [0.6, 0.8, 1.0]


@pytest.mark.parametrize("name", CHARTS)
def test_labels_are_even_and_have_room(name: str) -> None:
    chart = CHARTS[name]
    if isinstance(chart, LineChart | PointChart) and not chart.y.log:
        drawn = labels(chart)
        assert len(drawn) >= 2
        assert len({round(b - a, 9) for a, b in pairwise(drawn)}) == 1
        assert 0 not in chart.y.ticks or 0 in drawn


@pytest.mark.parametrize("name", CHARTS)
def test_every_value_lies_within_the_ends(name: str) -> None:
    chart = CHARTS[name]
    if isinstance(chart, LineChart):
        x, y = ([np.concatenate([getattr(line, of) for line in chart.lines])] for of in "xy")
        y += [each for area in chart.areas for each in (area.low, area.high)]
    elif isinstance(chart, Histogram):
        x, y = [chart.edges], [chart.counts]
    elif isinstance(chart, PointChart):
        x, y = [chart.across], [chart.up]
    else:
        x, y = [], [chart.mean - chart.spread, chart.mean + chart.spread]
    for axis_, parts in ((getattr(chart, "x", None), x), (chart.y, y)):
        for part in parts:
            assert axis_ is not None
            assert axis_.ends[0] <= part.min() <= part.max() <= axis_.ends[1]


def test_colors_differ_and_every_name_is_in_the_legend_of_print() -> None:
    for chart in CHARTS.values():
        if isinstance(chart, LineChart):
            axes = Figure().subplots()
            chart_print.draw(chart, axes)
            legend = axes.get_legend()
            assert legend is not None
            names = [text.get_text().replace(r"\$", "$") for text in legend.get_texts()]
            assert names == [*chart.names, *filter(None, (chart.solid, chart.dashed))]
            assert legend.get_frame_on()  # its texts can be read where there is no place without lines
            handles = [to_hex(line.get_color()) for line in legend.get_lines()]
            assert handles[: len(chart.names)] == list(chart.names.values())


def test_a_chart_is_a_value() -> None:
    for chart, again in zip(CHARTS.values(), all_charts().values(), strict=True):
        assert chart == again == pickle.loads(pickle.dumps(chart))


def test_what_is_marked_is_the_chosen_epoch_and_dashes_are_named() -> None:
    probabilities, accuracy = CHARTS["probabilities"], CHARTS["accuracy"]
    assert isinstance(probabilities, LineChart)
    assert isinstance(accuracy, LineChart)
    assert probabilities.marked == 3
    assert [line.name for line in probabilities.lines][:2] == ["f", "c"]
    assert [line.dashed for line in accuracy.lines] == [False, False, True, True]


# Axes


@pytest.mark.parametrize(
    ("mean", "spread", "ends"),
    [
        (0.0, 1.0, (-1.2, 1.2)),
        (0.1, 0.2, (-1.2, 1.2)),
        (3.0, 0.5, (-1.2, 3.5)),
        (-2.0, 1.0, (-3.0, 1.2)),
        (np.inf, 1.0, (-1.2, 1.2)),
    ],
)
def test_the_chart_of_channels_reaches_beyond_the_band(
    mean: float, spread: float, ends: tuple[float, float]
) -> None:
    one = norm(0, channels=5)
    same = np.ones(5, np.float32)
    moved = replace(
        one, running_mean=0 * same, running_var=same, eps=0.0, mean=mean * same, var=spread**2 * same
    )
    chart = batchnorm.all_channels(LayerView(moved, MeasuredImages(torch.zeros(1), "0"), "relu1", 3))
    assert chart.y.ends == pytest.approx(ends)
    xhtml = small_chart.draw(chart).xhtml
    assert "inf" not in xhtml
    assert "nan" not in xhtml


def test_the_labels_of_both_axes_stand_at_their_values() -> None:
    for chart in CHARTS.values():
        if isinstance(chart, LineChart | PointChart):
            drawn = vega.spec(chart)
            assert drawn["config"]["axis"] == {"labelFlush": False, "labelLimit": 200}
            assert drawn["padding"] == {"right": 16}  # else the last label may lack its end
            assert "labelFlush" not in json.dumps(drawn | {"config": {}})


def test_a_column_stands_where_its_bar_or_its_span_does_and_has_its_numbers() -> None:
    histogram, channels = CHARTS["histogram 0"], CHARTS["channels"]
    assert isinstance(histogram, Histogram)
    assert isinstance(channels, ChannelChart)
    low, high = histogram.x.ends
    columns = small_chart.draw(histogram).columns
    starts = [low + column.start * (high - low) for column in columns]
    np.testing.assert_allclose(starts, histogram.edges[:-1], atol=1e-6)
    assert [column.tip[2] for column in columns] == [f"{count:,}" for count in histogram.counts.tolist()]
    columns = small_chart.draw(channels).columns
    assert len(columns) == len(channels.channels)
    assert all(one.end == pytest.approx(other.start) for one, other in pairwise(columns))
    assert [column.tip[0] for column in columns] == list(channels.texts)
    means = [float(column.tip[1].replace("\N{MINUS SIGN}", "-")) for column in columns]
    np.testing.assert_allclose(means, channels.mean, atol=0.006)


def test_texts_of_a_small_chart_are_escaped() -> None:
    channels = CHARTS["channels"]
    assert isinstance(channels, ChannelChart)
    marked = replace(channels, alt='"><script>', x_title="<b>&", y=replace(channels.y, title="</svg>"))
    root = ElementTree.fromstring(small_chart.draw(marked).xhtml)
    assert root.get("aria-label") == '"><script>'
    assert {"<b>&", "</svg>"} <= {each.text for each in root.iter()}


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), st.booleans(), st.booleans())
@example([0.0, 5e-324], False, False)
def test_an_axis_holds_its_values_and_has_even_ticks(values: list[float], zero: bool, rounded: bool) -> None:
    drawn = axis("", [np.array(values)], zero=zero, rounded=rounded)
    low, high = drawn.ends
    room = 1e-6 * (high - low)
    assert low < high
    assert low - room <= min(values) <= max(values) <= high + room
    assert not zero or low - room <= 0 <= high + room
    assert 1 <= len(drawn.ticks) <= 12
    steps = [b - a for a, b in pairwise(drawn.ticks)]
    assert np.allclose(steps, steps[:1] * len(steps), rtol=1e-3)


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=5))
def test_a_logarithmic_axis_holds_its_values_and_has_few_ticks(values: list[float]) -> None:
    drawn = log_axis("", [np.array(values)])
    low, high = drawn.ends
    assert 0 < low <= min(values) * (1 + 1e-6)
    assert max(values) * (1 - 1e-6) <= high
    assert (drawn.ticks[0], drawn.ticks[-1]) == drawn.ends
    assert 2 <= len(drawn.ticks) <= 9


def test_the_ticks_of_a_logarithmic_axis() -> None:
    assert log_axis("", [[0.001, 0.02]]).ticks == (0.001, 0.002, 0.005, 0.01, 0.02)
    assert log_axis("", [[3e-6, 0.1]]).ticks == (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    assert [log_axis("", [[1e-5, 0.1]]).label(tick) for tick in (1e-5, 0.1)] == ["0.00001", "0.1"]


def test_an_axis_without_a_finite_value_has_ends() -> None:
    drawn = axis("", [np.array([np.nan, np.inf])])
    assert drawn.ends == (-0.5, 0.5)


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_whole_ticks_are_few_even_and_within(low: float, extent: float) -> None:
    high = low + extent
    whole = ticks(low, high, tick_step(low, high, 8, whole=True))
    assert all(low - 1e-6 * (high + 1) <= tick <= high + 1e-6 * (high + 1) for tick in whole)
    assert all(tick == round(tick) for tick in whole)
    assert len({b - a for a, b in pairwise(whole)}) <= 1
    assert len(whole) <= 10
    assert len(whole) >= min(np.floor(high) - np.ceil(low) + 1, 3)


def test_a_number_has_a_precision_that_does_not_depend_on_the_ticks() -> None:
    """Without one, d3 writes ticks at 10, 20 and 30 as 1e+1, 2e+1 and 3e+1."""
    across = vega.horizontal("x", axis("minutes", [np.array([0, 59.0])]))
    assert across["axis"]["values"] == [0, 10, 20, 30, 40, 50]
    assert re.match(r"\.\d", across["axis"]["format"])
