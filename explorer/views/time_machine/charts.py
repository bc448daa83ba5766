"""The charts of a run's snapshots, as plain Vega-Lite: probabilities and BatchNorm over the epochs."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from explorer.drawing.ranges import probability
from explorer.drawing.run_charts import COLOURS
from explorer.drawing.vega import ACCENT, BAND, OTHER, QUIET, Chart, layered, short, whole_ticks
from explorer.engine.batchnorm import NormSummary

MOST_CLASSES = len(COLOURS)
Floats = npt.NDArray[np.float32]


def likeliest(shares: Floats, always: Sequence[int], most: int = MOST_CLASSES) -> list[int]:
    """Which classes of probabilities (epochs, K) are drawn: `always`, then those that were ever likeliest."""
    order = np.argsort(-shares.max(0), kind="stable").tolist()
    return list(dict.fromkeys([*always, *order]))[:most]


def answers(shares: Floats, names: Sequence[str], always: Sequence[int]) -> dict[str, list[float]]:
    """Class → its probability at every epoch, for the classes that are drawn, those of `always` first."""
    return {names[k]: shares[:, k].tolist() for k in likeliest(shares, always)}


def probabilities(
    epochs: Sequence[int], lines: Mapping[str, Sequence[float]], epoch: int, label: str
) -> Chart:
    """Each class's probability over the epochs, from 0 to 1 in every picture; `epoch` is marked."""
    rows = [
        {"epoch": at, "class": name, "share": round(float(share), 5), "said": probability(share)}
        for name, shares in lines.items()
        for at, share in zip(epochs, shares, strict=True)
    ]
    axis = {"title": "probability", "format": ".0%", "tickCount": 5, "domain": False, "ticks": False}
    names = list(lines)
    colours = {"domain": names, "range": list(COLOURS[: len(names)])}
    legend = {"title": None, "orient": "top", "columns": 3, "symbolType": "stroke", "symbolStrokeWidth": 3}
    encoding = {
        "x": _x(epochs),
        "y": {"field": "share", "type": "quantitative", "axis": axis, "scale": {"domain": [0, 1]}},
        "color": {"field": "class", "type": "nominal", "scale": colours, "legend": legend},
        "tooltip": [
            {"field": "class", "type": "nominal"},
            {"field": "epoch", "type": "quantitative"},
            {"field": "said", "type": "nominal", "title": "probability"},
        ],
    }
    wide = {"condition": {"test": f"datum.class == {_quoted(names[0])}", "value": 3}, "value": 1.6}
    line = {"mark": {"type": "line", "point": {"size": 18}}, "encoding": encoding | {"strokeWidth": wide}}
    return layered(label, 300, [_marked(epoch), {"data": {"values": rows}} | line])


def fan(epochs: Sequence[int], values: Floats, channel: int, epoch: int, label: str,
        met: Floats | None = None) -> Chart:  # fmt: skip
    """How a statistic of all channels, (epochs, C), moves: range, middle half and median, one channel on top.

    `met` (epochs,) is the same of that channel on the image, dashed. `epoch` is marked.
    """
    at_epochs = cuts(values).T
    names = ("least", "low", "median", "high", "most")
    rows = [
        {"epoch": at, "channel": short(values[place, channel])}
        | dict(zip(names, map(short, at_epochs[place]), strict=True))
        | ({} if met is None else {"met": short(met[place])})
        for place, at in enumerate(epochs)
    ]
    x = {"x": _x(epochs)}
    axis = {"title": None, "tickCount": 4, "domain": False, "ticks": False}
    lines = [("median", QUIET, [1, 0], 1.5), ("channel", OTHER, [1, 0], 2.5)]
    lines += [("met", OTHER, [4, 3], 1.5)] if met is not None else []
    layers = [
        _area(x, axis, "least", "most", BAND),
        _area(x, axis, "low", "high", 2 * BAND),
        *(_line(x, field, tone, dash, width) for field, tone, dash, width in lines),
    ]
    return layered(label, 160, [_marked(epoch), {"data": {"values": rows}, "layer": layers}])


def cuts(values: Floats) -> npt.NDArray[np.float64]:
    """Least, lower quartile, median, upper quartile, largest of all channels: (epochs, C) → (5, epochs)."""
    return np.asarray(np.quantile(values.astype(np.float64), (0, 0.25, 0.5, 0.75, 1), axis=1))


def met(found: Sequence[NormSummary], channel: int) -> dict[str, Floats]:
    """What the image brings in a channel at every epoch (epochs,), by the statistic that it compares with."""
    return {
        "mean": np.array([each.mean[channel] for each in found]),
        "std": np.array([np.sqrt(each.var[channel] + each.eps) for each in found]),
    }


def _area(x: Chart, axis: Chart, low: str, high: str, opacity: float) -> Chart:
    y = {"field": low, "type": "quantitative", "axis": axis, "scale": {"zero": False}}
    mark = {"type": "area", "color": QUIET, "opacity": opacity, "tooltip": None}
    return {"mark": mark, "encoding": x | {"y": y, "y2": {"field": high}}}


def _line(x: Chart, field: str, tone: str, dash: list[int], width: float) -> Chart:
    mark = {"type": "line", "color": tone, "strokeDash": dash, "strokeWidth": width}
    tooltip = [
        {"field": "epoch", "type": "quantitative"},
        {"field": field, "type": "quantitative", "format": ".3~g"},
    ]
    return {"mark": mark, "encoding": x | {"y": {"field": field, "type": "quantitative"}, "tooltip": tooltip}}


def _marked(epoch: int) -> Chart:
    return {
        "data": {"values": [{"epoch": epoch}]},
        "mark": {"type": "rule", "color": ACCENT, "strokeWidth": 1.5, "strokeDash": [2, 2], "tooltip": None},
        "encoding": {"x": {"field": "epoch", "type": "quantitative"}},
    }


def _x(epochs: Sequence[int]) -> Chart:
    low, high = min(epochs), max(epochs)
    axis = {"title": "epoch", "grid": False, "values": whole_ticks(low, high), "format": ",d"}
    axis["labelOverlap"] = True
    ends = {"domain": [low, high], "nice": False}
    return {"field": "epoch", "type": "quantitative", "axis": axis, "scale": ends}


def _quoted(text: str) -> str:
    """A text as Vega's expressions have it."""
    return json.dumps(text)
