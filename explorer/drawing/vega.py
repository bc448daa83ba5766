"""The charts that pages draw, as plain Vega-Lite; Streamlit gives them the theme's type and grid.

Written as dictionaries and not through Altair, which checks each chart for tens of milliseconds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from model.words import N_, tr

ACCENT, OTHER, QUIET = "#1f9089", "#d0601f", "#8b877f"  # legible on the light and on the dark page
GAP = 0.3  # between two channels, as a fraction of their distance
BAND = 0.13  # opacity of the running mean ± running σ
ROOM = 1.2  # how far at least the y-axis reaches, in running σ
UNIT = N_("running standard deviations (σ)")
ORDER = N_("channel, lowest observed mean first")

Chart = dict[str, Any]
Doubles = npt.NDArray[np.float64]


def layered(label: str, height: int, layers: list[Chart], **more: Any) -> Chart:
    """A chart of layers, `height` pixels high, without frame or menu; `label` says in words what it shows."""
    return {
        "description": label,
        "height": height,
        **more,
        "layer": layers,
        "config": {"view": {"stroke": None}, "axisY": {"labelFlush": False}},
        "usermeta": {"embedOptions": {"actions": False}},
    }


def short(value: float) -> float | None:
    """A number with as many digits as a chart can show; None, which Vega leaves out, if it is not finite."""
    return float(f"{value:.5g}") if np.isfinite(value) else None


def whole_ticks(low: float, high: float, most: int = 8) -> list[int]:
    """Whole numbers from `low` to `high`, by 1, 2 or 5 times a power of ten apart: about `most` of them.

    >>> whole_ticks(1, 10), whole_ticks(0, 1.2), whole_ticks(0, 0.4), whole_ticks(0, 15640)
    ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [0, 1], [0], [0, 2000, 4000, 6000, 8000, 10000, 12000, 14000])
    """
    steps = (factor * 10**power for power in range(20) for factor in (1, 2, 5))
    step = next(step for step in steps if (high - low) / step <= most + 1)
    first = -(-math.ceil(low) // step) * step
    return list(range(first, math.floor(high) + 1, step))


@dataclass(frozen=True)
class Channel:
    """One channel of the chart of all, in running standard deviations from the running mean."""

    number: int
    distance: float
    spread: float
    dead: bool = False
    faint: bool = False


def expectations(channels: Sequence[Channel], chosen: int, label: str) -> Chart:
    """Each channel's observed mean ± standard deviation in the order given, on the learned band (0 ± 1).

    A click anywhere in a channel's column selects it, as `channel` of the selection `chosen`.
    """
    order = [channel.number for channel in channels]
    column = {"field": "channel", "type": "ordinal", "sort": order, "axis": _channel_axis(len(order))}
    x: Chart = {"x": column | {"scale": {"paddingInner": GAP, "paddingOuter": 0.4}}}
    rows = [_row(channel, chosen) for channel in channels]
    layers = [*_learned(), _spans(x, _reach(channels)), *_means(x), *_highlight(x, chosen), _columns(x)]
    return layered(label, 270, layers, data={"values": rows})


def _row(channel: Channel, chosen: int) -> Chart:
    distance, spread = round(channel.distance, 4), round(channel.spread, 4)
    return {
        "channel": channel.number,
        "text": _text(channel),
        "distance": distance,
        "from": round(distance - spread, 4),
        "to": round(distance + spread, 4),
        "spread": spread,
        "dead": channel.dead,
        "faint": channel.faint,
        "chosen": channel.number == chosen,
    }


def _text(channel: Channel) -> str:
    """The channel's number in a tooltip, with what is special about it."""
    if channel.dead and channel.faint:
        return tr("{channel}: dead, the ReLU gives only zeros; γ near zero", channel=channel.number)
    if channel.dead:
        return tr("{channel}: dead, the ReLU gives only zeros", channel=channel.number)
    return tr("{channel}: γ near zero", channel=channel.number) if channel.faint else str(channel.number)


def _channel_axis(count: int) -> Chart:
    return {
        "title": tr(ORDER),
        "labelAngle": 0,
        "labelOverlap": "greedy" if count > 1 else False,
        "labelSeparation": 6,
        "ticks": False,
        "domain": False,
        "labelPadding": 6,
    }


def _learned() -> list[Chart]:
    band = {"type": "rect", "color": QUIET, "opacity": BAND, "tooltip": None, "aria": False}
    rule = {"type": "rule", "color": QUIET, "strokeWidth": 1.5, "tooltip": None, "aria": False}
    return [
        {"data": {"values": [{}]}, "mark": band, "encoding": {"y": {"datum": -1}, "y2": {"datum": 1}}},
        {"data": {"values": [{}]}, "mark": rule, "encoding": {"y": {"datum": 0}}},
    ]


def _tone() -> Chart:
    return {"condition": {"test": "datum.chosen", "value": OTHER}, "value": ACCENT}


def _reach(channels: Sequence[Channel]) -> list[float]:
    """From the lowest to the highest end of a span, at least beyond the edges of the learned band."""
    ends = [each.distance + sign * each.spread for each in channels for sign in (-1, 1)]
    finite = [end for end in ends if math.isfinite(end)]
    return [min(-ROOM, *finite), max(ROOM, *finite)] if finite else [-ROOM, ROOM]


def _spans(x: Chart, reach: list[float]) -> Chart:
    y = {"field": "from", "type": "quantitative", "scale": {"domain": reach, "nice": True}}
    y["axis"] = {"title": tr(UNIT), "tickCount": 6, "domain": False, "ticks": False}
    mark = {"type": "bar", "opacity": 0.42, "cornerRadius": 1}
    return {"mark": mark, "encoding": x | {"y": y, "y2": {"field": "to"}, "color": _tone()}}


def _means(x: Chart) -> list[Chart]:
    """A tick at the mean; at the top a cross for a dead channel, a diamond where γ is near zero."""
    y = {"field": "distance", "type": "quantitative"}
    tick = {"type": "tick", "thickness": 3, "width": {"band": 1}, "opacity": 1}
    marks: list[Chart] = [{"mark": tick, "encoding": x | {"y": y, "color": _tone()}}]
    for field, sign, height in (("dead", "✕", 8), ("faint", "◇", 22)):
        mark = {"type": "text", "text": sign, "fontSize": 13, "color": QUIET, "tooltip": None}
        filtered = [{"filter": f"datum.{field}"}]
        marks.append({"transform": filtered, "mark": mark, "encoding": x | {"y": {"value": height}}})
    return marks


def _highlight(x: Chart, chosen: int) -> list[Chart]:
    """The chosen channel's number above its span."""
    text = {"type": "text", "dy": -9, "fontWeight": 650, "fontSize": 13, "color": OTHER, "clip": False}
    number = {"field": "channel", "type": "nominal"}
    return [
        {
            "transform": [{"filter": f"datum.channel == {chosen}"}],
            "mark": text,
            "encoding": x | {"y": {"field": "to", "type": "quantitative"}, "text": number},
        }
    ]


def _columns(x: Chart) -> Chart:
    """The whole column of each channel, to click and to hover: invisible until the pointer is there."""
    opacity = {"condition": {"param": "hovered", "empty": False, "value": 0.12}, "value": 0}
    return {
        "params": [
            {"name": "chosen", "select": {"type": "point", "fields": ["channel"], "toggle": False}},
            {"name": "hovered", "select": {"type": "point", "on": "pointerover", "clear": "pointerout"}},
        ],
        "mark": {"type": "bar", "color": QUIET, "cursor": "pointer", "width": {"band": 1 / (1 - GAP)}},
        "encoding": x
        | {
            "y": {"value": 0},
            "y2": {"value": "height"},
            "opacity": opacity,
            "tooltip": [
                {"field": "text", "type": "nominal", "title": tr("channel")},
                _figure("distance", tr("observed mean (σ)"), "+.2f"),
                _figure("spread", tr("observed standard deviation (σ)"), ".2f"),
            ],
        },
    }


def _figure(field: str, title: str, format: str) -> Chart:
    return {"field": field, "type": "quantitative", "title": title, "format": format}


def histogram(
    edges: Doubles,
    counts: npt.NDArray[np.int64],
    *,
    lines: Mapping[str, float],
    band: tuple[float, float],
    reach: tuple[float, float],
    label: str,
    cut: float | None = None,
) -> Chart:
    """How many positions have each value from `reach[0]` to `reach[1]`, over the learned band.

    `lines` are drawn at values by color; bars below `cut` are pale: the ReLU makes these values zero.
    """
    rows = _bars(edges, counts, cut)
    ends = {"domain": list(reach), "nice": False}
    values = {"title": None, "tickCount": 5, "grid": False, "labelOverlap": True, "labelFlush": True}
    positions = {
        "title": None,
        "tickCount": 3,
        "tickMinStep": 1,
        "domain": False,
        "ticks": False,
        "format": ",d",
    }
    x = {"field": "from", "type": "quantitative", "scale": ends, "axis": values}
    y = {"field": "count", "type": "quantitative", "axis": positions}
    bars = {
        "data": {"values": rows},
        "mark": {"type": "bar", "color": ACCENT, "clip": True, "binSpacing": 0},
        "encoding": {
            "x": x, "x2": {"field": "to"}, "y": y, "y2": {"datum": 0},
            "opacity": {"condition": {"test": "datum.cut", "value": 0.28}, "value": 0.8},
            "tooltip": [_figure("low", tr("from"), ".3g"), _figure("high", tr("to"), ".3g"),
                        _figure("count", tr("positions"), ",d")],
        },
    }  # fmt: skip
    return layered(
        label, 150, [_learned_band(band), bars, *(_line(color, at) for color, at in lines.items())]
    )


def _learned_band(band: tuple[float, float]) -> Chart:
    """The running mean ± running σ behind a histogram, as wide as `band`."""
    mark = {"type": "rect", "color": QUIET, "opacity": BAND, "clip": True, "tooltip": None, "aria": False}
    return {
        "data": {"values": [{"from": band[0], "to": band[1]}]},
        "mark": mark,
        "encoding": {"x": {"field": "from", "type": "quantitative"}, "x2": {"field": "to"}},
    }


def _bars(edges: Doubles, counts: npt.NDArray[np.int64], cut: float | None) -> list[Chart]:
    """One bar a bin; the bin that the cut runs through is drawn as two."""
    rows = []
    for low, high, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True):
        low, high = min(low, high), max(low, high)
        parts = [low, cut, high] if cut is not None and low < cut < high else [low, high]
        for start, end in pairwise(parts):
            below = cut is not None and end <= cut
            rows.append({"from": start, "to": end, "low": low, "high": high, "count": count, "cut": below})
    return rows


def _line(color: str, at: float) -> Chart:
    return {
        "data": {"values": [{"at": at}]},
        "mark": {
            "type": "rule",
            "color": color,
            "strokeWidth": 2,
            "clip": True,
            "tooltip": None,
            "aria": False,
        },
        "encoding": {"x": {"field": "at", "type": "quantitative"}},
    }
