"""A chart of many images is the same on the page and in print."""

import json
from dataclasses import replace

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from explorer.drawing import chart_print, vega
from explorer.drawing.chart import ScatterChart, axis, doubles
from explorer.drawing.figures import figure, picture
from explorer.drawing.palette import Color

ACROSS, UP = np.array([0.1, 0.2, 0.05]), np.array([0.9, 0.5, 0.1])
CHART = ScatterChart(
    title="Costs $5",
    alt="three images",
    x=axis("variability", [ACROSS], zero=True, rounded=True),
    y=axis("confidence", [UP], zero=True, rounded=True),
    images=np.array([7, 3, 11]),
    across=doubles(ACROSS),
    up=doubles(UP),
    groups=np.array([0, 1, 0]),
    names=("easy", "hard $x_{"),
    colors=("#1f9089", "#7d77d8"),
    labels=("cat", "dog", "cat"),
    group_title="region",
    chosen=3,
)


def test_page_and_print_have_the_same_points() -> None:
    spec = json.loads(json.dumps(vega.spec(CHART)))
    (points, ring), rows = spec["layer"], spec["data"]["values"]
    scale = points["encoding"]["color"]["scale"]
    color = dict(zip(scale["domain"], scale["range"], strict=True))
    axes = Figure().subplots()
    chart_print.draw(CHART, axes)
    drawn, chosen = axes.collections
    np.testing.assert_allclose(drawn.get_offsets(), [[row["x"], row["y"]] for row in rows])
    assert [to_hex(each) for each in drawn.get_facecolors()] == [color[row["group"]] for row in rows]
    assert [(row["image"], row["label"]) for row in rows] == [(7, "cat"), (3, "dog"), (11, "cat")]
    assert not any("data" in layer for layer in (points, ring))  # sent once, as a table
    assert ring["transform"] == [{"filter": {"field": "image", "equal": 3}}]
    np.testing.assert_allclose(chosen.get_offsets(), [[0.2, 0.5]])
    assert to_hex(chosen.get_edgecolors()[0]) == ring["mark"]["color"] == Color.HIGHLIGHT


def test_both_have_the_same_axes_and_names() -> None:
    encoding = vega.spec(CHART)["layer"][0]["encoding"]
    axes = Figure().subplots()
    chart_print.draw(CHART, axes)
    assert tuple(encoding["x"]["scale"]["domain"]) == axes.get_xlim() == CHART.x.ends
    assert tuple(encoding["y"]["scale"]["domain"]) == axes.get_ylim() == CHART.y.ends
    assert encoding["x"]["axis"]["title"] == axes.get_xlabel() == "variability"
    legend = axes.get_legend()
    assert legend is not None
    axes.get_figure(root=True).draw_without_rendering()
    assert legend.get_window_extent().y1 <= axes.get_window_extent().y0, "it would cover points"
    assert [text.get_text().replace(r"\$", "$") for text in legend.get_texts()] == list(CHART.names)


def test_nothing_chosen_has_no_ring_and_a_figure_can_hold_the_chart() -> None:
    chart = replace(CHART, chosen=None)
    assert vega.spec(chart)["layer"][1]["transform"][0]["filter"]["equal"] == -1
    axes = Figure().subplots()
    chart_print.draw(chart, axes)
    assert not len(axes.collections[1].get_offsets())
    assert chart != CHART == replace(chart, chosen=3)
    assert picture(chart).ndim == 3
    assert figure([chart], "caption", "pdf").startswith(b"%PDF")
