"""The charts of a run's snapshots, as plain Vega-Lite: probabilities and BatchNorm over the epochs."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from explorer.drawing.ranges import probability
from explorer.drawing.run_charts import COLORS
from explorer.drawing.vega import ACCENT, BAND, OTHER, QUIET, Chart, layered, short, whole_ticks
from explorer.engine.batchnorm import NormSummary
from model.words import tr

MOST_CLASSES = len(COLORS)
Floats = npt.NDArray[np.float32]


def likeliest(probabilities: Floats, always: Sequence[int], most: int = MOST_CLASSES) -> list[int]:
    """Which classes of probabilities (epochs, K) are drawn: `always`, then those with the highest maxima."""
    order = np.argsort(-probabilities.max(0), kind="stable").tolist()
    return list(dict.fromkeys([*always, *order]))[:most]


def class_lines(probabilities: Floats, names: Sequence[str], always: Sequence[int]) -> dict[str, list[float]]:
    """Class → its probability at every epoch, for the classes that are drawn, those of `always` first."""
    return {names[k]: probabilities[:, k].tolist() for k in likeliest(probabilities, always)}


def probabilities(
    epochs: Sequence[int], lines: Mapping[str, Sequence[float]], epoch: int, label: str
) -> Chart:
    """Each class's probability over the epochs, from 0 to 1 in every chart; `epoch` is marked."""
    rows = [
        {"epoch": at, "class": name, "probability": round(float(value), 5), "text": probability(value)}
        for name, values in lines.items()
        for at, value in zip(epochs, values, strict=True)
    ]
    names = list(lines)
    wide = {"condition": {"test": f"datum.class == {_quoted(names[0])}", "value": 3}, "value": 1.6}
    encoding = {
        "x": _x(epochs),
        "y": _probability_axis(),
        "color": _class_colors(names),
        "tooltip": _class_tooltip(),
        "strokeWidth": wide,
    }
    line = {"mark": {"type": "line", "point": {"size": 18}}, "encoding": encoding}
    return layered(label, 300, [_marked(epoch), {"data": {"values": rows}} | line])


def _probability_axis() -> Chart:
    axis = {"title": tr("probability"), "format": ".0%", "tickCount": 5, "domain": False, "ticks": False}
    return {"field": "probability", "type": "quantitative", "axis": axis, "scale": {"domain": [0, 1]}}


def _class_colors(names: Sequence[str]) -> Chart:
    colors = {"domain": list(names), "range": list(COLORS[: len(names)])}
    legend = {"title": None, "orient": "top", "columns": 3, "symbolType": "stroke", "symbolStrokeWidth": 3}
    return {"field": "class", "type": "nominal", "scale": colors, "legend": legend}


def _class_tooltip() -> list[Chart]:
    return [
        {"field": "class", "type": "nominal", "title": tr("class")},
        _epoch_tooltip(),
        {"field": "text", "type": "nominal", "title": tr("probability")},
    ]


def _epoch_tooltip() -> Chart:
    return {"field": "epoch", "type": "quantitative", "title": tr("epoch")}


def fan(epochs: Sequence[int], values: Floats, channel: int, epoch: int, label: str,
        observed: Floats | None = None) -> Chart:  # fmt: skip
    """A statistic of all channels, (epochs, C), over the epochs: range, middle half, median, one channel.

    `observed` (epochs,) is the same statistic of that channel on the image, dashed. `epoch` is marked.
    """
    x = {"x": _x(epochs)}
    axis = {"title": None, "tickCount": 4, "domain": False, "ticks": False}
    layers = [
        _area(x, axis, "least", "most", BAND),
        _area(x, axis, "low", "high", 2 * BAND),
        _line(x, "median", tr("median"), QUIET, [1, 0], 1.5),
        _line(x, "channel", tr("channel {channel}", channel=channel), OTHER, [1, 0], 2.5),
    ]
    if observed is not None:
        layers.append(_line(x, "observed", tr("this image"), OTHER, [4, 3], 1.5))
    rows = _fan_rows(epochs, values, channel, observed)
    return layered(label, 160, [_marked(epoch), {"data": {"values": rows}, "layer": layers}])


def _fan_rows(epochs: Sequence[int], values: Floats, channel: int, observed: Floats | None) -> list[Chart]:
    names = ("least", "low", "median", "high", "most")
    return [
        {"epoch": epoch, "channel": short(values[index, channel])}
        | dict(zip(names, map(short, row), strict=True))
        | ({} if observed is None else {"observed": short(observed[index])})
        for index, (epoch, row) in enumerate(zip(epochs, quartiles(values).T, strict=True))
    ]


def quartiles(values: Floats) -> npt.NDArray[np.float64]:
    """Minimum, lower quartile, median, upper quartile, maximum of all channels: (epochs, C) → (5, epochs)."""
    return np.asarray(np.quantile(values.astype(np.float64), (0, 0.25, 0.5, 0.75, 1), axis=1))


def observed_statistics(norms: Sequence[NormSummary], channel: int) -> dict[str, Floats]:
    """A channel's statistics on the image at every epoch (epochs,), by the learned one each compares with."""
    return {
        "mean": np.array([each.mean[channel] for each in norms]),
        "std": np.array([np.sqrt(each.var[channel] + each.eps) for each in norms]),
    }


def _area(x: Chart, axis: Chart, low: str, high: str, opacity: float) -> Chart:
    y = {"field": low, "type": "quantitative", "axis": axis, "scale": {"zero": False}}
    mark = {"type": "area", "color": QUIET, "opacity": opacity, "tooltip": None}
    return {"mark": mark, "encoding": x | {"y": y, "y2": {"field": high}}}


def _line(x: Chart, field: str, title: str, tone: str, dash: list[int], width: float) -> Chart:
    mark = {"type": "line", "color": tone, "strokeDash": dash, "strokeWidth": width}
    value = {"field": field, "type": "quantitative", "title": title, "format": ".3~g"}
    y = {"field": field, "type": "quantitative"}
    return {"mark": mark, "encoding": x | {"y": y, "tooltip": [_epoch_tooltip(), value]}}


def _marked(epoch: int) -> Chart:
    return {
        "data": {"values": [{"epoch": epoch}]},
        "mark": {"type": "rule", "color": ACCENT, "strokeWidth": 1.5, "strokeDash": [2, 2], "tooltip": None},
        "encoding": {"x": {"field": "epoch", "type": "quantitative"}},
    }


def _x(epochs: Sequence[int]) -> Chart:
    low, high = min(epochs), max(epochs)
    axis = {"title": tr("epoch"), "grid": False, "values": whole_ticks(low, high), "format": ",d"}
    axis["labelOverlap"] = True
    ends = {"domain": [low, high], "nice": False}
    return {"field": "epoch", "type": "quantitative", "axis": axis, "scale": ends}


def _quoted(text: str) -> str:
    """A text as Vega's expressions have it."""
    return json.dumps(text)
