"""The charts of the page “Interventions”: contribution against effect, and the margin of a search."""

import numpy as np

from explorer.drawing.chart import Line, LineChart, PointChart, axis, doubles
from explorer.drawing.palette import Color
from explorer.engine.effects import Effects
from explorer.engine.smallest_set import GreedySearch
from model.words import tr


def contribution_and_effect(one: Effects, name: str, chosen: int | None = None) -> PointChart:
    """Each channel's contribution to Grad-CAM, and how much the logit of class `name` falls without it."""
    across, up = doubles(one.contributions), doubles(one.falls)
    return PointChart(
        tr("Contribution and effect of each channel of {layer}", layer=one.layer),
        tr(
            "One point for each of the {count} channels of {layer}: its contribution to Grad-CAM, and how "
            "much the logit of {class_name} falls without it",
            count=len(up),
            layer=one.layer,
            class_name=name,
        ),
        axis(tr("contribution to Grad-CAM"), [across], zero=True, rounded=True, most=6),
        axis(tr("measured fall of the logit"), [up], zero=True, rounded=True, most=6),
        np.arange(len(up), dtype=np.int64),
        across,
        up,
        chosen,
    )


def margins(state: GreedySearch, name: str) -> LineChart:
    """The margin of the class predicted at first, after each channel that the search has taken."""
    steps, values = doubles(np.arange(len(state.margins))), doubles(state.margins)
    title = tr("Logit of {class_name} less the largest other logit", class_name=name)
    return LineChart(
        title,
        tr("{title}, after each channel that is set to zero", title=title),
        axis(tr("channels set to zero"), [steps], "whole", zero=True),
        axis(tr("difference of the logits"), [values], zero=True, rounded=True, most=5),
        (
            Line(tr("zero"), steps, 0 * steps, Color.QUIET, details=None),
            Line(title, steps, values, Color.ACCENT, points=True),
        ),
        height=200,
    )
