"""The charts of a run's snapshots, for the page and for print: probabilities and BatchNorm by epoch."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from explorer.drawing.chart import Area, Axis, Line, LineChart, axis, doubles
from explorer.drawing.palette import BAND, SERIES, Color
from explorer.drawing.ranges import probability
from explorer.engine.batchnorm import NormSummary
from explorer.views.time_machine.films import STATISTICS
from model.words import tr

MOST_CLASSES = len(SERIES)
Floats = npt.NDArray[np.float32]


def likeliest(probabilities: Floats, always: Sequence[int], most: int = MOST_CLASSES) -> list[int]:
    """Which classes of probabilities (epochs, K) are drawn: `always`, then those with the highest maxima."""
    order = np.argsort(-probabilities.max(0), kind="stable").tolist()
    return list(dict.fromkeys([*always, *order]))[:most]


def class_probabilities(
    epochs: Sequence[int], values: Floats, names: Sequence[str], always: Sequence[int], epoch: int
) -> LineChart:
    """Probabilities (epochs, K) of the likeliest classes, those of `always` first, the first one thickest.

    From 0 to 1 in every chart; `epoch` is marked.
    """
    classes = likeliest(values, always)
    lines = tuple(
        Line(
            names[k],
            doubles(epochs),
            doubles(values[:, k]),
            color,
            width=3 if k == classes[0] else 1.6,
            points=True,
            details=((tr("class"), names[k]),),
            texts=tuple(map(probability, values[:, k].tolist())),
        )
        for k, color in zip(classes, SERIES, strict=False)
    )
    drawn = tr(", ").join(line.name for line in lines)
    return LineChart(
        tr("Class probabilities"),
        tr("Class probabilities over the epochs: {classes}", classes=drawn),
        _epochs(epochs),
        Axis(tr("probability"), (0.0, 1.0), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), "percent"),
        lines,
        marked=float(epoch),
        legend=True,
        height=260,
    )


def statistics(
    epochs: Sequence[int], norms: Sequence[NormSummary], channel: int, epoch: int
) -> dict[str, LineChart]:
    """Name of a statistic → its chart, of all channels of a BatchNorm over the epochs; `epoch` is marked."""
    return {name: _statistic(name, epochs, norms, channel, epoch) for name in STATISTICS}


def _statistic(
    name: str, epochs: Sequence[int], norms: Sequence[NormSummary], channel: int, epoch: int
) -> LineChart:
    """The range, the middle half and the median of all channels, one channel, and the same of the image."""
    title, of, _ = STATISTICS[name]
    values = np.stack([of(each) for each in norms])
    least, low, median, high, most = quartiles(values)
    x = doubles(epochs)
    lines = [
        _named(tr("median"), x, median, Color.QUIET, 1.5),
        _named(tr("channel {channel}", channel=channel), x, values[:, channel], Color.HIGHLIGHT, 2.5),
    ]
    observed = observed_statistics(norms, channel).get(name)
    if observed is not None:
        lines.append(_named(tr("this image"), x, observed, Color.HIGHLIGHT, 1.5, dashed=True))
    return LineChart(
        tr(title),
        tr(
            "{statistic} of {layer} over the epochs, channel {channel} highlighted",
            statistic=tr(title),
            layer=norms[0].layer,
            channel=channel,
        ),
        _epochs(epochs),
        axis("", [least, most, *(line.y for line in lines)], rounded=True, most=4),
        tuple(lines),
        (Area(x, least, most, Color.QUIET, BAND), Area(x, low, high, Color.QUIET, 2 * BAND)),
        marked=float(epoch),
        height=160,
    )


def _named(
    name: str, x: npt.NDArray[np.float64], y: npt.ArrayLike, color: Color, width: float, dashed: bool = False
) -> Line:
    return Line(name, x, doubles(y), color, width, dashed=dashed, details=((tr("line"), name),))


def quartiles(values: Floats) -> npt.NDArray[np.float64]:
    """Minimum, lower quartile, median, upper quartile, maximum of all channels: (epochs, C) → (5, epochs)."""
    return np.asarray(np.quantile(values.astype(np.float64), (0, 0.25, 0.5, 0.75, 1), axis=1))


def observed_statistics(norms: Sequence[NormSummary], channel: int) -> dict[str, Floats]:
    """A channel's statistics on the image at every epoch (epochs,), by the learned one each compares with."""
    return {
        "mean": np.array([each.mean[channel] for each in norms]),
        "std": np.array([np.sqrt(each.var[channel] + each.eps) for each in norms]),
    }


def _epochs(epochs: Sequence[int]) -> Axis:
    return axis(tr("epoch"), [doubles(epochs)], "whole")
