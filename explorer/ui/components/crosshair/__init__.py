"""One crosshair over several line charts of a page: the values of all at one x, by pointer or keys."""

from collections.abc import Mapping
from typing import Any

from explorer.drawing.chart import LineChart
from explorer.drawing.vega import short
from explorer.ui.components.beside import component
from model.words import tr

# Without a style of its own: the page's style sheet holds for it, and the charts are outside of it.
_CROSSHAIR = component(__file__, isolate_styles=False)


def crosshair(charts: Mapping[str, LineChart], *, key: str) -> None:
    """Join charts that share one x-axis, each drawn in a container of the key `crossed_` and its name."""
    _CROSSHAIR(key=key, data=payload(charts))


def payload(charts: Mapping[str, LineChart]) -> dict[str, Any]:
    """What the browser needs of the charts: where their axes end, and the lines that have tooltips."""
    runs = {line.name for chart in charts.values() for line in chart.lines}
    axis = next(iter(charts.values())).x
    return {
        "title": axis.title,
        "whole": axis.numbers == "whole",
        "ends": list(axis.ends),
        "hint": tr(
            "Point at a chart or tap it, or focus this line and press ← or →, to read all values at one "
            "position."
        ),
        "label": tr("Position of the crosshair"),
        "charts": {name: _chart(chart, several=len(runs) > 1) for name, chart in charts.items()},
    }


def _chart(chart: LineChart, several: bool) -> dict[str, Any]:
    read = [line for line in chart.lines if line.details is not None]
    return {
        "title": chart.title,
        "y": list(chart.y.ends),
        "log": chart.y.log,
        "steps": any(line.steps for line in read),
        "lines": [
            {
                **_names(chart, [text for _, text in line.details or ()], several),
                "color": line.color,
                "dashed": line.dashed,
                "x": [short(x) for x in line.x.tolist()],
                "y": [short(y) for y in line.y.tolist()],
                "texts": list(line.texts),
            }
            for line in read
        ],
    }


def _names(chart: LineChart, details: list[str], several: bool) -> dict[str, str]:
    """The row and the column of a line's value: of several runs the run and the images, else the images."""
    run, *images = details
    kind = " · ".join(images)
    return {"row": run, "column": kind} if several else {"row": kind or chart.y.title, "column": ""}
