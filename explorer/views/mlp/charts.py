"""The chart of both networks' accuracy on moved scenes."""

from collections.abc import Mapping

from explorer.drawing.chart import Area, Axis, Line, LineChart, doubles
from explorer.drawing.palette import BAND, Color
from explorer.drawing.ranges import percent
from explorer.engine.translation import MOST, ShiftedPredictions
from model.words import tr

COLORS = (Color.HIGHLIGHT, Color.ACCENT)
CHANCE = 0.1


def by_shift(measured: Mapping[str, ShiftedPredictions]) -> LineChart:
    """Accuracy with its interval by how far the scenes are moved; the second two networks are dashed.

    They have the colors and names of the first two; tooltips tell them apart.
    """
    x, names = doubles(range(MOST + 1)), list(measured)
    lines, areas = [], []
    for index, (name, each) in enumerate(measured.items()):
        counted = [each.correct(pixels) for pixels in range(MOST + 1)]
        values = [one.value for one in counted]
        low, high = (doubles([one.ends[end] for one in counted]) for end in (0, 1))
        areas.append(Area(x, low, high, COLORS[index % 2], BAND))
        lines.append(
            Line(
                names[index % 2],
                x,
                doubles(values),
                COLORS[index % 2],
                dashed=index > 1,
                points=True,
                details=((tr("network"), name),),
                texts=tuple(map(percent, values)),
            )
        )
    chance = Line(tr("chance"), x, doubles([CHANCE] * len(x)), Color.QUIET, width=1.2, details=None)
    return LineChart(
        tr("Accuracy on moved scenes"),
        tr("Accuracy by the shift in pixels: {networks}", networks=tr(", ").join(measured)),
        Axis(tr("shift in pixels"), (0.0, float(MOST)), tuple(map(float, range(MOST + 1))), "whole"),
        Axis(tr("accuracy"), (0.0, 1.0), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), "percent"),
        (*lines, chance),
        tuple(areas),
        legend=True,
        dashed=tr("not moved in training"),
        height=260,
    )
