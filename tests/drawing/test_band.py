"""The chart of all channels shows the edges of the learned band, ±1, however small the spans are."""

import math

import pytest

from explorer.drawing.vega import Channel, expectations


@pytest.mark.parametrize(
    ("distance", "spread", "domain"),
    [
        (0.0, 1.0, [-1.2, 1.2]),
        (0.1, 0.2, [-1.2, 1.2]),
        (3.0, 0.5, [-1.2, 3.5]),
        (-2.0, 1.0, [-3.0, 1.2]),
        (math.inf, 1.0, [-1.2, 1.2]),
    ],
)
def test_the_y_axis_reaches_beyond_the_band(distance: float, spread: float, domain: list[float]) -> None:
    chart = expectations([Channel(0, distance, spread)], 0, "label")
    domains = [
        layer["encoding"]["y"]["scale"]["domain"]
        for layer in chart["layer"]
        if "scale" in layer["encoding"].get("y", {})
    ]
    assert domains == [pytest.approx(domain)]


def test_the_labels_of_the_y_axis_stand_at_their_values() -> None:
    assert expectations([Channel(0, 0, 1)], 0, "label")["config"]["axisY"] == {"labelFlush": False}
