"""Charts on the page, as plain Vega-Lite; Streamlit gives them the theme's type and grid.

Written as dictionaries and not through Altair, which checks each chart for tens of milliseconds.
"""

import json
import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from explorer.drawing.chart import BREAK, Area, Axis, DotChart, Line, LineChart, PointChart, ScatterChart
from explorer.drawing.palette import Color
from model.words import tr

Spec = dict[str, Any]
# With a precision: else d3 takes one from the distance of the ticks, and writes 10, 20 and 30 as 1e+1 …
FORMATS = {"any": ".6~g", "whole": ",d", "percent": ".1~%"}
DASHES = {"domain": [False, True], "range": [[1, 0], [5, 3]]}
LEGEND = {"title": None, "orient": "top", "padding": 0, "offset": 6}
SILENT = {"tooltip": None, "aria": False}


def spec(chart: LineChart | PointChart | DotChart | ScatterChart, label_limit: int = 200) -> Spec:
    """The Vega-Lite of a chart, without frame or menu; longer labels than so many pixels are cut off."""
    return {
        "description": chart.alt,
        "height": chart.height,
        **_content(chart),
        "config": {"view": {"stroke": None}, "axis": {"labelFlush": False, "labelLimit": label_limit}},
        "padding": {"right": 16},  # half of the last label: Vega does not always leave room for it
        "usermeta": {"embedOptions": {"actions": False} | _renderer(chart)},
    }


def _content(chart: LineChart | PointChart | DotChart | ScatterChart) -> Spec:
    if isinstance(chart, ScatterChart):
        return _scatter(chart)
    if isinstance(chart, LineChart):
        return {"layer": _line_chart(chart)}
    return {"layer": _points(chart)} if isinstance(chart, PointChart) else _dot_chart(chart)


def _renderer(chart: LineChart | PointChart | DotChart | ScatterChart) -> Spec:
    """Thousands of points are drawn on a canvas: as SVG, Streamlit's choice, each would be an element."""
    return {"renderer": "canvas"} if isinstance(chart, ScatterChart) else {}


def short(value: float) -> float | None:
    """A number with as many digits as a chart can show; None, which Vega leaves out, if it is not finite."""
    return float(f"{value:.5g}") if math.isfinite(value) else None


def quantitative(field: str, axis: Axis) -> Spec:
    """A field on an axis, with its ends and its ticks; a line of the grid for each tick if it is vertical."""
    whole = axis.numbers == "whole"
    return {
        "field": field,
        "type": "quantitative",
        "scale": _scale(axis),
        "axis": {
            "title": axis.title or None,
            "values": [int(tick) if whole else tick for tick in axis.ticks],
            "tickCount": len(axis.ticks),  # else Vega leaves out every second one on a narrow screen
            "format": FORMATS[axis.numbers],
        },
    }


def _scale(axis: Axis) -> Spec:
    scale: Spec = {"domain": list(axis.ends), "nice": False}
    return scale | ({"type": "log"} if axis.log else {"zero": False})


def horizontal(field: str, axis: Axis) -> Spec:
    """A field on the x-axis: without a grid, its labels never over one another."""
    encoding = quantitative(field, axis)
    encoding["axis"] |= {"grid": False, "labelOverlap": True}
    return encoding


def vertical(field: str, chart: LineChart | PointChart | ScatterChart) -> Spec:
    """A field on the y-axis, of which only the labels and the grid are drawn.

    Where labels of all ticks would touch, those of even multiples of the distance are drawn, 0 among them:
    Vega would count from the lowest, and leave out 0 as soon as any other.
    """
    encoding = quantitative(field, chart.y)
    encoding["axis"] |= {"domain": False, "ticks": False}
    if not chart.y.log:
        encoding["axis"] |= {"labelOverlap": False} | _some_labels(chart.y, _room(chart))
    return encoding


AROUND, TITLE, ROW = 50, 28, 22  # pixels above and below a chart, of a title there, of a row of its legend
APART = 18  # pixels from label to label


def _room(chart: LineChart | PointChart | ScatterChart) -> int:
    """About how many pixels high a chart is without its legend and the labels below it."""
    rows = 0
    if isinstance(chart, ScatterChart):
        rows = 1 + -(-len(chart.names) // 2)
    elif isinstance(chart, LineChart) and (chart.legend or chart.solid):
        rows = max(1, -(-len(chart.names) // _legend_columns(list(chart.names)))) if chart.legend else 1
    return chart.height - AROUND - TITLE * bool(chart.x.title) - ROW * rows


def _some_labels(axis: Axis, room: int) -> Spec:
    """Which ticks have a label, if not all: every second, fifth or tenth multiple of their distance."""
    low, high = axis.ends
    if len(axis.ticks) < 3:
        return {}
    step = axis.ticks[1] - axis.ticks[0]
    distance = room * step / (high - low)
    multiples = [round(tick / step) for tick in axis.ticks]
    several = [each for each in (1, 2, 5, 10) if sum(n % each == 0 for n in multiples) > 1]
    every = next((each for each in several if each * distance >= APART), several[-1])
    if every == 1:
        return {}
    return {"labelExpr": f"round(datum.value / {step:.12g}) % {every} == 0 ? datum.label : ''"}


# Lines


def _line_chart(chart: LineChart) -> list[Spec]:
    layers = [_area(chart, area) for area in chart.areas]
    if chart.marked is not None:
        layers.append(_mark(chart.marked))
    groups = [list(lines) for _, lines in groupby(chart.lines, _look)]
    return [*layers, *(_lines(chart, lines) for lines in groups)]


def _look(line: Line) -> tuple[object, ...]:
    """Lines that are one layer are alike but for their names, their colors and their dashes."""
    titles = (
        None if line.details is None else tuple((title, text == line.name) for title, text in line.details)
    )
    return line.width, line.opacity, line.points, line.steps, titles, bool(line.texts)


def _lines(chart: LineChart, lines: Sequence[Line]) -> Spec:
    look = lines[0]
    mark: Spec = {"type": "line", "strokeWidth": look.width, "opacity": look.opacity, "strokeJoin": "round"}
    if look.details is not None:  # the points have the tooltips: that of a line is its first value's
        mark["point"] = {"size": 22} if look.points else "transparent"
    mark |= {"interpolate": "step-after"} if look.steps else {}
    encoding = {
        "x": horizontal("x", chart.x),
        "y": vertical("y", chart),
        "color": _color(chart),
        "order": {"field": "n", "type": "quantitative"},
    }
    dashes = any(line.dashed for line in lines)
    if dashes:
        encoding["strokeDash"] = {"field": "dashed", "type": "nominal", "scale": DASHES} | _dash_legend(chart)
    if look.details is None or chart.crosshair:
        mark["tooltip"] = None
    else:
        encoding["tooltip"] = _tooltip(chart, look)
    rows = [row for line in lines for row in _rows(line, dashes)]
    return {"data": {"values": rows}, "mark": mark, "encoding": encoding}


def _dash_legend(chart: LineChart) -> Spec:
    """What solid and dashed lines are; none where the page says it."""
    if not chart.solid:
        return {"legend": None}
    names = f"datum.value ? {json.dumps(chart.dashed)} : {json.dumps(chart.solid)}"
    legend = LEGEND | {"labelExpr": names, "symbolType": "stroke", "symbolSize": 500}
    return {"legend": legend | {"symbolStrokeWidth": 2, "symbolStrokeColor": Color.QUIET}}


def _rows(line: Line, dashes: bool) -> list[Spec]:
    fixed: Spec = {"name": line.name} | ({"dashed": line.dashed} if dashes else {})
    fixed |= {f"detail{n}": text for n, (_, text) in enumerate(line.details or ()) if text != line.name}
    rows = [
        fixed | {"x": short(x), "y": short(y), "n": n}
        for n, (x, y) in enumerate(zip(line.x.tolist(), line.y.tolist(), strict=True))
    ]
    for row, text in zip(rows, line.texts, strict=False):
        row["text"] = text
    return rows


def _legend_columns(names: Sequence[str]) -> int:
    """Of at most three columns as many as fit on a phone; a Chinese character is as wide as two letters."""
    longest = max((sum(2 if letter >= "\u2e80" else 1 for letter in name) for name in names), default=0)
    return max(1, min(3, PHONE // (SYMBOL + LETTER * longest)))


PHONE, SYMBOL, LETTER = 330, 32, 7  # pixels: a chart's width, and of one name in its legend


def _color(chart: LineChart) -> Spec:
    names = chart.names
    legend = LEGEND | {
        "columns": _legend_columns(list(names)),
        "symbolType": "stroke",
        "symbolStrokeWidth": 3,
    }
    return {
        "field": "name",
        "type": "nominal",
        "scale": {"domain": list(names), "range": list(names.values())},
        "legend": legend if chart.legend else None,
    }


def _tooltip(chart: LineChart, look: Line) -> list[Spec]:
    rows: list[Spec] = [
        {"field": "name" if text == look.name else f"detail{n}", "type": "nominal", "title": title}
        for n, (title, text) in enumerate(look.details or ())
    ]
    rows.append({"field": "x", "type": "quantitative", "title": chart.x.title, "format": ",.4~g"})
    title = chart.y.title or chart.title
    if look.texts:
        return [*rows, {"field": "text", "type": "nominal", "title": title}]
    return [*rows, {"field": "y", "type": "quantitative", "title": title, "format": ".4~g"}]


def _area(chart: LineChart, area: Area) -> Spec:
    rows = [
        {"x": short(x), "low": short(low), "high": short(high)}
        for x, low, high in zip(area.x.tolist(), area.low.tolist(), area.high.tolist(), strict=True)
    ]
    encoding = {"x": horizontal("x", chart.x), "y": vertical("low", chart), "y2": {"field": "high"}}
    mark = {"type": "area", "color": area.color, "opacity": area.opacity, **SILENT}
    return {"data": {"values": rows}, "mark": mark, "encoding": encoding}


def _mark(at: float) -> Spec:
    mark = {"type": "rule", "color": Color.ACCENT, "strokeWidth": 1.5, "strokeDash": [2, 2], **SILENT}
    return {"data": {"values": [{"x": at}]}, "mark": mark, "encoding": {"x": _position("x")}}


# Dots


def _dot_chart(chart: DotChart) -> Spec:
    y: Spec = {"field": "name", "type": "nominal", "sort": list(chart.names)}
    y |= {"axis": {"title": None, "domain": False, "ticks": False, "grid": False}}
    if chart.two_lines:
        is_broken = {"test": f"indexof(datum.label, '{BREAK}') >= 0", "value": -7}  # the middle of both lines
        y["axis"] |= {
            "labelExpr": f"split(datum.label, '{BREAK}')",
            "labelOffset": {"condition": is_broken, "value": 0},
        }
    x = horizontal("low", chart.x)
    x["axis"] |= {"grid": True}
    color = {"field": "color", "type": "nominal", "scale": None, "legend": None}
    rule = {"type": "rule", "strokeWidth": 2, **SILENT}
    diamond = {"type": "point", "shape": "diamond", "size": 45, "color": Color.HIGHLIGHT, **SILENT}
    dot = {"type": "point", "filled": True, "size": 55, "opacity": 1}
    layers = [
        {"mark": rule, "encoding": {"x": x, "x2": {"field": "high"}, "y": y, "color": color}},
        {"mark": diamond, "encoding": {"x": _position("chance"), "y": y}},
        {
            "mark": dot,
            "encoding": {"x": _position("mean"), "y": y, "color": color, "tooltip": _dot_tooltip(chart)},
        },
    ]
    if chart.reference is not None:
        line = {"type": "rule", "color": Color.HIGHLIGHT, "strokeWidth": 1.5, "strokeDash": [5, 3], **SILENT}
        layers.append(
            {"data": {"values": [{"at": chart.reference}]}, "mark": line, "encoding": {"x": _position("at")}}
        )
    return {"data": {"values": _dot_rows(chart)}, "layer": layers}


def _dot_rows(chart: DotChart) -> list[Spec]:
    numbers = {"mean": chart.mean, "low": chart.low, "high": chart.high, "chance": chart.chance}
    return [
        {"name": name, "color": color} | {key: short(float(values[n])) for key, values in numbers.items()}
        for n, (name, color) in enumerate(zip(chart.names, chart.colors, strict=True))
    ]


def _dot_tooltip(chart: DotChart) -> list[Spec]:
    titles = {"mean": tr("mean"), "low": tr("from"), "high": tr("to"), "chance": tr("chance")}
    titles = {name: title for name, title in titles.items() if np.isfinite(getattr(chart, name)).any()}
    numbers = [measure(field, title, ".3g") for field, title in titles.items()]
    return [{"field": "name", "type": "nominal", "title": chart.row or tr("map")}, *numbers]


def _position(field: str) -> Spec:
    return {"field": field, "type": "quantitative"}


# Points


def _points(chart: PointChart) -> list[Spec]:
    rule = {"type": "rule", "color": Color.QUIET, "strokeWidth": 1, "opacity": 0.6, **SILENT}
    zeros: list[Spec] = [
        {"data": {"values": [{}]}, "mark": rule, "encoding": {"x": {"datum": 0}}},
        {"data": {"values": [{}]}, "mark": rule, "encoding": {"y": {"datum": 0}}},
    ]
    rows = [
        {"channel": channel, "x": short(x), "y": short(y), "chosen": channel == chart.chosen}
        for channel, x, y in zip(
            chart.channels.tolist(), chart.across.tolist(), chart.up.tolist(), strict=True
        )
    ]
    tone = {"condition": {"test": "datum.chosen", "value": Color.HIGHLIGHT}, "value": Color.ACCENT}
    size = {"condition": {"test": "datum.chosen", "value": 160}, "value": 45}
    tooltip = [
        {"field": "channel", "type": "nominal", "title": tr("channel")},
        measure("x", chart.x.title, ".3g"),
        measure("y", chart.y.title, ".3g"),
    ]
    click = {"name": "chosen", "select": {"type": "point", "fields": ["channel"], "toggle": False}}
    return [
        *zeros,
        {
            "data": {"values": rows},
            "params": [click],
            "mark": {"type": "circle", "opacity": 0.75, "cursor": "pointer"},
            "encoding": {
                "x": horizontal("x", chart.x),
                "y": vertical("y", chart),
                "color": tone,
                "size": size,
                "tooltip": tooltip,
            },
        },
    ]


# Images


def _scatter(chart: ScatterChart) -> Spec:
    """The points in the colors of their groups, in the order given, and a ring around the chosen one.

    The data are of the whole chart, not of its layers: then Streamlit sends them once, as a table.
    """
    fields = (chart.images, chart.across, chart.up, chart.groups)
    rows = [
        {"image": image, "x": short(x), "y": short(y), "group": chart.names[group], "label": label}
        for image, x, y, group, label in zip(*(each.tolist() for each in fields), chart.labels, strict=True)
    ]
    position = {"x": horizontal("x", chart.x), "y": vertical("y", chart)}
    legend = {"title": chart.group_title, "orient": "top", "columns": 2, "symbolOpacity": 1, "symbolSize": 80}
    color = {
        "field": "group",
        "type": "nominal",
        "scale": {"domain": list(chart.names), "range": list(chart.colors)},
        "legend": legend | {"labelLimit": 260},
    }
    tooltip = [
        {"field": "image", "type": "nominal", "title": tr("training image")},
        {"field": "label", "type": "nominal", "title": tr("label in training")},
        {"field": "group", "type": "nominal", "title": chart.group_title},
        measure("x", chart.x.title, ".3g"),
        measure("y", chart.y.title, ".3g"),
    ]
    click = {"name": "chosen", "select": {"type": "point", "fields": ["image"], "toggle": False}}
    points = {
        "params": [click],
        "mark": {"type": "circle", "opacity": 0.7, "size": 26, "cursor": "pointer"},
        "encoding": position | {"color": color, "tooltip": tooltip, "opacity": {"value": 0.7}},
    }
    ring = {
        "transform": [{"filter": {"field": "image", "equal": -1 if chart.chosen is None else chart.chosen}}],
        "mark": {"type": "point", "size": 170, "strokeWidth": 3, "color": Color.HIGHLIGHT, **SILENT},
        "encoding": position,
    }
    return {"data": {"values": rows}, "layer": [points, ring]}


def measure(field: str, title: str, format: str) -> Spec:
    """A number in the text that appears over a mark."""
    return {"field": field, "type": "quantitative", "title": title, "format": format}
