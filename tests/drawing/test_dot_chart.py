"""A chart of dots with intervals is the same on the page and in print."""

import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from explorer.drawing import chart_print, vega
from explorer.drawing.chart import DotChart, axis, doubles
from explorer.drawing.figures import figure, picture

MEAN, HALF = np.array([0.6, 0.2, -0.1, np.nan]), np.array([0.1, 0.05, 0.2, np.nan])
CHART = DotChart(
    title="Costs $5",
    alt="four rows",
    x=axis("mean", [MEAN - HALF, MEAN + HALF], zero=True, rounded=True),
    names=("one", "two", "three $x_{", "nothing"),
    mean=doubles(MEAN),
    low=doubles(MEAN - HALF),
    high=doubles(MEAN + HALF),
    chance=doubles([0, 0.1, np.nan, np.nan]),
    quiet=np.array([False, False, True, False]),
)


def test_the_room_of_labels_grows_with_their_type() -> None:
    assert vega.spec(CHART, 275)["config"]["axis"]["labelLimit"] == 275
    assert "labelLimit" not in vega.spec(CHART)["layer"][0]["encoding"]["y"]["axis"]


def test_page_and_print_have_the_same_rows() -> None:
    spec = json.loads(json.dumps(vega.spec(CHART)))
    rows = spec["data"]["values"]
    axes = Figure().subplots()
    chart_print.draw(CHART, axes)
    (rules,) = [each for each in axes.collections if isinstance(each, LineCollection)]
    chance, dots = [each for each in axes.collections if not isinstance(each, LineCollection)]
    for index, row in enumerate(rows[:3]):
        (low, y), (high, _) = rules.get_segments()[index]
        assert (low, high, y) == (pytest.approx(row["low"]), pytest.approx(row["high"]), index)
        assert dots.get_offsets()[index][0] == pytest.approx(row["mean"])
        assert to_hex(rules.get_colors()[index]) == to_hex(dots.get_facecolors()[index]) == row["color"]
    assert [row["chance"] for row in rows] == [0, 0.1, None, None]
    assert chance.get_offsets()[1][0] == pytest.approx(0.1)
    assert rows[3]["mean"] is None
    assert [row["name"] for row in rows] == list(CHART.names)
    assert [label.get_text().replace(r"\$", "$") for label in axes.get_yticklabels()] == list(CHART.names)
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first row is at the top"


def test_print_says_what_a_diamond_is() -> None:
    axes = Figure().subplots()
    chart_print.draw(CHART, axes)
    assert axes.get_legend() is None
    chart_print.draw(replace(CHART, diamond="chance"), axes)
    assert [each.get_text() for each in axes.get_legend().get_texts()] == ["chance"]


def test_a_reference_is_a_dashed_line_in_both() -> None:
    chart = replace(CHART, reference=0.25, chance=np.full(4, np.nan))
    spec = json.loads(json.dumps(vega.spec(chart)))
    (line,) = [layer for layer in spec["layer"] if "strokeDash" in layer["mark"]]
    assert line["data"]["values"] == [{"at": 0.25}]
    axes = Figure().subplots()
    chart_print.draw(chart, axes)
    (drawn,) = axes.get_lines()
    assert list(drawn.get_xdata()) == [0.25, 0.25]
    assert drawn.get_linestyle() == "--"
    assert to_hex(drawn.get_color()) == line["mark"]["color"]
    dots = next(layer for layer in spec["layer"] if "tooltip" in layer["encoding"])
    assert "chance" not in [each["title"] for each in dots["encoding"]["tooltip"]]
    assert not any("strokeDash" in layer["mark"] for layer in vega.spec(CHART)["layer"])


def test_both_have_the_same_axis() -> None:
    (scaled,) = [
        layer["encoding"]["x"] for layer in vega.spec(CHART)["layer"] if "axis" in layer["encoding"]["x"]
    ]
    axes = Figure().subplots()
    chart_print.draw(CHART, axes)
    assert tuple(scaled["scale"]["domain"]) == axes.get_xlim() == CHART.x.ends
    assert list(scaled["axis"]["values"]) == list(axes.get_xticks())
    assert scaled["axis"]["title"] == axes.get_xlabel() == "mean"


def test_files_are_high_enough_for_many_rows() -> None:
    rows = {name: np.tile(getattr(CHART, name), 6) for name in ("mean", "low", "high", "chance", "quiet")}
    many = replace(CHART, names=tuple(map(str, range(24))), **rows)
    assert picture(many).shape[0] > 1.5 * picture(CHART).shape[0]
    assert figure([many], "caption")[:4] == b"\x89PNG"


def test_names_too_long_for_a_line_are_broken_in_higher_rows() -> None:
    long = replace(CHART, names=("SGD with momentum · ReduceLROnPlateau", "Adam · none", "b · c", "d"))
    axis_of = [
        json.loads(json.dumps(vega.spec(each)))["layer"][0]["encoding"]["y"]["axis"] for each in (CHART, long)
    ]
    assert ["labelExpr" in each for each in axis_of] == [False, True]
    assert (long.height - CHART.height) / 4 == 12


def test_a_long_name_without_a_break_stays_in_one_line_at_its_row() -> None:
    one = replace(CHART, names=("Ablation-CAM at residual3.block2.act", "b", "c", "d"))
    assert "labelOffset" not in vega.spec(one)["layer"][0]["encoding"]["y"]["axis"]
    assert one.height == CHART.height


def test_beside_others_print_has_few_numbers_and_zero_among_them() -> None:
    """They would run into one another where the names leave little room."""
    axes, _ = Figure().subplots(1, 2)
    chart_print.draw(replace(CHART, x=axis("mean", [np.array([-0.2, 1.0])], most=8)), axes)
    assert list(axes.get_xticks()) == [0, 0.4, 0.8]
