"""The charts that pages draw, as Altair values; Streamlit gives them the theme's colours."""

import altair as alt
import numpy as np
import numpy.typing as npt
import pandas as pd

ACCENT, OTHER, QUIET = "#1f9089", "#c2571a", "#8b877f"  # legible on the light and on the dark page


def distances(channels: npt.NDArray[np.int64], distance: npt.NDArray[np.float32], chosen: int) -> alt.Chart:
    """A stem for each channel, in the order given: signed distance in running standard deviations."""
    rows = pd.DataFrame({"channel": channels, "distance": distance[channels], "place": range(len(channels))})
    place = alt.X("place:O", axis=alt.Axis(title="channels, furthest first", labels=False, ticks=False))
    tone = alt.condition(alt.datum.channel == chosen, alt.value(OTHER), alt.value(ACCENT))
    tooltip = ["channel", alt.Tooltip("distance", format="+.2f")]
    stems = alt.Chart(rows).mark_bar(width={"band": 0.72})
    return stems.encode(
        place, alt.Y("distance:Q", title="mean, in running σ"), color=tone, tooltip=tooltip
    ).properties(height=190)


def histogram(
    values: npt.NDArray[np.float32], marks: dict[str, float], title: str, bins: int = 40
) -> alt.LayerChart:
    """Cells by value, with labelled lines at `marks`."""
    counts, edges = np.histogram(values, bins=bins)
    rows = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "cells": counts})
    area = alt.Chart(rows).mark_bar(color=QUIET, opacity=0.65)
    area = area.encode(
        alt.X("from:Q", title=title), alt.X2("to:Q"), alt.Y("cells:Q", title="cells"),
        tooltip=[alt.Tooltip("from", format=".3g"), alt.Tooltip("to", format=".3g"), "cells"],
    )  # fmt: skip
    lines = pd.DataFrame({"at": marks.values(), "line": marks.keys()})
    colours = alt.Scale(domain=list(marks), range=[OTHER, ACCENT, QUIET][: len(marks)])
    rules = alt.Chart(lines).mark_rule(strokeWidth=2).encode(
        alt.X("at:Q"), alt.Color("line:N", scale=colours, legend=alt.Legend(title=None, orient="bottom")),
        tooltip=["line", alt.Tooltip("at", format=".3g")],
    )  # fmt: skip
    return (area + rules).properties(height=190)
