"""The names of a chart's lines in their colors, which wrap where Vega's legend would be cut off."""

from html import escape

from explorer.drawing.chart import LineChart
from explorer.ui import markup


def legend(chart: LineChart) -> str:
    """Each name once with a swatch of its color, as html."""
    entries = (
        f'<span><i style="background:{color}"></i>{escape(name)}</span>'
        for name, color in chart.names.items()
    )
    return markup.element("div", *entries, cls="fx-legend")
