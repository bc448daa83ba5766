"""The chart of the page “Attributions”: the probability as the image is removed in a map's order."""

from collections.abc import Mapping

from explorer.drawing.chart import Area, Axis, Line, LineChart, doubles
from explorer.drawing.palette import BAND, SERIES, Color
from explorer.drawing.ranges import number, probability
from explorer.engine.attribution.baseline import BASELINES
from explorer.engine.scores.classic import INSERTION, RemovalCurve
from explorer.engine.scores.ordering import Orderings
from explorer.engine.values import Doubles
from model.words import tr

FIFTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def removal(ordering: Orderings, title: str, name: str) -> LineChart:
    """Both curves of a map, called `title`, for the class `name`; the area between, and random orders."""
    x = doubles(ordering.removed)
    low, high = ordering.band
    lowest, highest = _sorted(ordering.most_first, ordering.least_first)
    return LineChart(
        tr("Most first against least first: {title}", title=title),
        tr(
            "Probability of {name} as the image is removed in the order of {title}: area {area}",
            name=name,
            title=title,
            area=number(float(ordering.value)),
        ),
        Axis(tr("fraction of the image removed"), (0.0, 1.0), FIFTHS, "percent"),
        Axis(tr("probability"), (0.0, 1.0), FIFTHS, "percent"),
        (
            _curve(tr("most first"), x, ordering.most_first, Color.HIGHLIGHT),
            _curve(tr("least first"), x, ordering.least_first, Color.ACCENT),
            _curve(tr("random order"), x, ordering.random.mean(0), Color.QUIET, dashed=True),
        ),
        (Area(x, low, high, Color.QUIET, 2 * BAND), Area(x, lowest, highest, Color.ACCENT, BAND)),
        legend=True,
        height=260,
    )


def classic(curves: Mapping[str, Mapping[str, RemovalCurve]], title: str, name: str) -> LineChart:
    """Deletion and insertion of a map, called `title`, with each baseline: name → score → its curve."""
    lines = []
    for baseline, color in zip(BASELINES, SERIES, strict=False):
        for kind, one in curves.get(baseline, {}).items():
            label = tr(BASELINES[baseline].title)
            lines.append(_curve(label, doubles(one.fractions), one.curve, color, dashed=kind == INSERTION))
    return LineChart(
        tr("Deletion and insertion: {title}", title=title),
        tr("Probability of {name} by deletion and insertion in the order of {title}", name=name, title=title),
        Axis(tr("fraction of the image deleted or inserted"), (0.0, 1.0), FIFTHS, "percent"),
        Axis(tr("probability"), (0.0, 1.0), FIFTHS, "percent"),
        tuple(lines),
        legend=True,
        dashed=tr("insertion"),
        height=260,
    )


def _sorted(one: Doubles, other: Doubles) -> tuple[Doubles, Doubles]:
    """The lower and the higher of two curves at each position."""
    return doubles([*map(min, one, other)]), doubles([*map(max, one, other)])


def _curve(name: str, x: Doubles, y: Doubles, color: Color, dashed: bool = False) -> Line:
    texts = tuple(map(probability, y.tolist()))
    return Line(
        name,
        x,
        doubles(y),
        color,
        dashed=dashed,
        points=not dashed,
        details=((tr("order"), name),),
        texts=texts,
    )
