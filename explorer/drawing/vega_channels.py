"""The chart of all channels of a BatchNorm on the page: a click anywhere in a column chooses its channel."""

from typing import Any

from explorer.drawing.chart import ChannelChart
from explorer.drawing.palette import BAND, Color
from model.words import tr

Spec = dict[str, Any]
GAP = 0.3  # between two channels, as a fraction of their distance
SIGNS = (("dead", "✕", 8), ("faint", "◇", 22))  # and how far below the top, in pixels


def content(chart: ChannelChart, y: Spec) -> Spec:
    """The chart's data and layers, on the axis `y`; `chosen` is the selection of a clicked channel."""
    order = chart.channels.tolist()
    column = {"field": "channel", "type": "ordinal", "sort": order, "axis": _channel_axis(chart)}
    x: Spec = {"x": column | {"scale": {"paddingInner": GAP, "paddingOuter": 0.4}}}
    y["axis"] |= {"domain": False, "ticks": False}
    layers = [*_learned(), _spans(x, y), *_means(x), _number(x, chart.chosen), _columns(x)]
    return {"data": {"values": _rows(chart)}, "layer": layers}


def _rows(chart: ChannelChart) -> list[Spec]:
    columns = zip(
        chart.channels.tolist(), chart.texts, chart.mean.tolist(), chart.spread.tolist(),
        chart.dead.tolist(), chart.faint.tolist(), strict=True,
    )  # fmt: skip
    return [
        {
            "channel": channel,
            "text": text,
            "distance": round(mean, 4),
            "from": round(mean - spread, 4),
            "to": round(mean + spread, 4),
            "spread": round(spread, 4),
            "dead": dead,
            "faint": faint,
            "chosen": channel == chart.chosen,
        }
        for channel, text, mean, spread, dead, faint in columns
    ]


def _channel_axis(chart: ChannelChart) -> Spec:
    return {
        "title": chart.x_title,
        "labelAngle": 0,
        "labelOverlap": "greedy" if len(chart.channels) > 1 else False,
        "labelSeparation": 6,
        "ticks": False,
        "domain": False,
        "labelPadding": 6,
    }


def _learned() -> list[Spec]:
    silent = {"tooltip": None, "aria": False}
    band = {"type": "rect", "color": Color.QUIET, "opacity": BAND, **silent}
    rule = {"type": "rule", "color": Color.QUIET, "strokeWidth": 1.5, **silent}
    return [
        {"data": {"values": [{}]}, "mark": band, "encoding": {"y": {"datum": -1}, "y2": {"datum": 1}}},
        {"data": {"values": [{}]}, "mark": rule, "encoding": {"y": {"datum": 0}}},
    ]


def _tone() -> Spec:
    return {"condition": {"test": "datum.chosen", "value": Color.HIGHLIGHT}, "value": Color.ACCENT}


def _spans(x: Spec, y: Spec) -> Spec:
    mark = {"type": "bar", "opacity": 0.42, "cornerRadius": 1}
    return {"mark": mark, "encoding": x | {"y": y, "y2": {"field": "to"}, "color": _tone()}}


def _means(x: Spec) -> list[Spec]:
    """A tick at the mean; at the top a cross for a dead channel, a diamond where γ is near zero."""
    y = {"field": "distance", "type": "quantitative"}
    tick = {"type": "tick", "thickness": 3, "width": {"band": 1}, "opacity": 1}
    marks: list[Spec] = [{"mark": tick, "encoding": x | {"y": y, "color": _tone()}}]
    for field, sign, height in SIGNS:
        mark = {"type": "text", "text": sign, "fontSize": 13, "color": Color.QUIET, "tooltip": None}
        filtered = [{"filter": f"datum.{field}"}]
        marks.append({"transform": filtered, "mark": mark, "encoding": x | {"y": {"value": height}}})
    return marks


def _number(x: Spec, chosen: int) -> Spec:
    """The chosen channel's number above its span."""
    text = {"type": "text", "dy": -9, "fontWeight": 650, "fontSize": 13, "color": Color.HIGHLIGHT,
            "clip": False}  # fmt: skip
    number = {"field": "channel", "type": "nominal"}
    return {
        "transform": [{"filter": f"datum.channel == {chosen}"}],
        "mark": text,
        "encoding": x | {"y": {"field": "to", "type": "quantitative"}, "text": number},
    }


def _columns(x: Spec) -> Spec:
    """The whole column of each channel, to click and to hover: invisible until the pointer is there."""
    opacity = {"condition": {"param": "hovered", "empty": False, "value": 0.12}, "value": 0}
    tooltip = [
        {"field": "text", "type": "nominal", "title": tr("channel")},
        measure("distance", tr("observed mean (σ)"), "+.2f"),
        measure("spread", tr("observed standard deviation (σ)"), ".2f"),
    ]
    y = {"y": {"value": 0}, "y2": {"value": "height"}}
    return {
        "params": [
            {"name": "chosen", "select": {"type": "point", "fields": ["channel"], "toggle": False}},
            {"name": "hovered", "select": {"type": "point", "on": "pointerover", "clear": "pointerout"}},
        ],
        "mark": {"type": "bar", "color": Color.QUIET, "cursor": "pointer", "width": {"band": 1 / (1 - GAP)}},
        "encoding": x | y | {"opacity": opacity, "tooltip": tooltip},
    }


def measure(field: str, title: str, format: str) -> Spec:
    """A number in a tooltip."""
    return {"field": field, "type": "quantitative", "title": title, "format": format}
