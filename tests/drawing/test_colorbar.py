import numpy as np
import pytest

from explorer.drawing.colorbar import bar, ticks
from explorer.drawing.colormaps import blue_red, viridis
from explorer.drawing.ranges import Range


def test_the_bar_runs_from_low_to_high():
    assert np.array_equal(bar(Range(0, 3), 256, 2), np.stack([viridis()] * 2))
    assert bar(Range(-1, 1, True), 100, 7).shape == (7, 100, 3)
    assert (bar(Range(0, 0, True)) == blue_red()[128]).all()


@pytest.mark.parametrize(
    ("range", "expected"),
    [
        (Range(-2, 2, True), ((0, -2), (0.5, 0), (1, 2))),
        (Range(0, 2), ((0, 0), (1, 2))),
        (Range(-1, 3), ((0, -1), (0.25, 0), (1, 3))),
        (Range(0, 0), ((0.5, 0),)),
    ],
)
def test_low_zero_and_high_are_marked(range, expected):
    assert ticks(range) == expected
