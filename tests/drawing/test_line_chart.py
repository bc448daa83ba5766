"""Line charts for print, by what can be seen of them."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from explorer.drawing.figures import picture
from explorer.drawing.line_chart import Band, Line, Scale, chart

RED, BLUE = "#d01010", "#1010d0"
X = np.arange(20)
STEPS, SHARE = Scale("step"), Scale("share", percent=True, low=0, high=1)


def where(pixels: np.ndarray, tone: str) -> np.ndarray:
    """Which pixels have a color, bool (h, w)."""
    wanted = np.round(np.array(to_rgb(tone)) * 255)
    return np.asarray((np.abs(pixels.astype(int) - wanted) <= 2).all(-1))


def count(pixels: np.ndarray, tone: str) -> int:
    return int(where(pixels, tone).sum())


def test_every_line_is_drawn_in_its_color() -> None:
    pixels = picture(chart([Line(X, X / 20, RED), Line(X, 1 - X / 20, BLUE)], STEPS, SHARE))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (720, 1584, 3)
    assert count(pixels, RED) > 1000
    assert count(pixels, BLUE) > 1000


def test_a_dashed_line_has_gaps() -> None:
    whole, dashed = (picture(chart([Line(X, X / 20, RED, dashed=d)], STEPS, SHARE)) for d in (False, True))
    assert 0.4 < count(dashed, RED) / count(whole, RED) < 0.8


def test_fixed_ends_are_kept_whatever_the_values() -> None:
    low = picture(chart([Line(X, X / 200, RED)], STEPS, SHARE))
    assert np.flatnonzero(where(low, RED).any(1)).min() > 400  # shares up to 0.1 stay at the bottom of 0 to 1


@pytest.mark.parametrize("name", ["loss of $5 and $6", "<b>a</b>", "_hidden", "$x_{$"])
def test_a_name_is_shown_as_it_is(name: str) -> None:
    plain = picture(chart([Line(X, X, RED)], STEPS, STEPS))
    named = picture(chart([Line(X, X, RED, name)], STEPS, STEPS))
    assert not np.array_equal(plain, named)


def test_a_band_a_mark_and_no_values_at_all() -> None:
    band = chart([Band(X, X * 0, X, RED, 1.0)], STEPS, STEPS)
    assert count(picture(band), RED) > 50_000
    plain, marked = (chart([Line(X, X, RED)], STEPS, STEPS, marked=at) for at in (None, 7))
    assert not np.array_equal(picture(plain), picture(marked))
    assert picture(chart([Line([], [], RED)], STEPS, STEPS)).shape == (720, 1584, 3)


def test_two_charts_stand_side_by_side() -> None:
    one = chart([Line(X, X, RED)], STEPS, STEPS)
    assert picture(one, one).shape == (720, 2376, 3)
