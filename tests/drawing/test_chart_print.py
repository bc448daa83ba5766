"""Charts in print, by what can be seen of them."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from explorer.drawing.chart import Area, Axis, ChannelChart, Line, LineChart, axis, doubles
from explorer.drawing.figures import picture
from explorer.drawing.palette import Color

ACCENT, HIGHLIGHT = Color.ACCENT, Color.HIGHLIGHT
X = np.arange(20.0)
STEPS = axis("step", [X], "whole")
FRACTIONS = Axis("fraction", (0.0, 1.0), (0.0, 0.5, 1.0), "percent")


def chart(*lines: Line, areas: tuple[Area, ...] = (), marked: float | None = None) -> LineChart:
    return LineChart("", "", STEPS, FRACTIONS, lines, areas, marked)


def channels(count: int, chosen: int = 0) -> ChannelChart:
    rng = np.random.default_rng(0)
    mean, spread = doubles(rng.normal(0, 0.5, count)), doubles(rng.uniform(0.2, 0.5, count))
    no = np.zeros(count, bool)
    y = axis("σ", [mean - spread, mean + spread])
    texts = tuple(map(str, range(count)))
    return ChannelChart("", "", "channel", y, np.arange(count), mean, spread, no, no, texts, chosen)


def where(pixels: np.ndarray, tone: str) -> np.ndarray:
    """Which pixels have a color, bool (h, w)."""
    wanted = np.round(np.array(to_rgb(tone)) * 255)
    return np.asarray((np.abs(pixels.astype(int) - wanted) <= 2).all(-1))


def count(pixels: np.ndarray, tone: str) -> int:
    return int(where(pixels, tone).sum())


def test_every_line_is_drawn_in_its_color() -> None:
    pixels = picture(chart(Line("", X, X / 20, ACCENT), Line("", X, 1 - X / 20, HIGHLIGHT)))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (720, 1584, 3)
    assert count(pixels, ACCENT) > 1000
    assert count(pixels, HIGHLIGHT) > 1000


def test_a_dashed_line_has_gaps() -> None:
    whole, dashed = (picture(chart(Line("", X, X / 20, ACCENT, dashed=each))) for each in (False, True))
    assert 0.4 < count(dashed, ACCENT) / count(whole, ACCENT) < 0.8


def test_fixed_ends_are_kept_whatever_the_values() -> None:
    low = picture(chart(Line("", X, X / 200, ACCENT)))
    rows = where(low, ACCENT)[:, : low.shape[1] // 2].any(1)  # the legend is in the other half
    assert np.flatnonzero(rows).min() > 400  # fractions up to 0.1 stay at the bottom of 0 to 1


@pytest.mark.parametrize("name", ["loss of $5 and $6", "<b>a</b>", "_hidden", "$x_{$"])
def test_a_name_is_shown_as_it_is(name: str) -> None:
    plain = picture(chart(Line("", X, X / 20, ACCENT)))
    assert not np.array_equal(plain, picture(chart(Line(name, X, X / 20, ACCENT))))


def test_an_area_a_mark_and_no_values_at_all() -> None:
    area = chart(Line("", X, X / 20, HIGHLIGHT), areas=(Area(X, 0 * X, X / 20, ACCENT, 1.0),))
    assert count(picture(area), ACCENT) > 50_000
    plain, marked = (chart(Line("", X, X / 20, ACCENT), marked=at) for at in (None, 7.0))
    assert not np.array_equal(picture(plain), picture(marked))
    assert picture(chart(Line("", X[:0], X[:0], ACCENT))).shape == (720, 1584, 3)


def test_two_charts_stand_side_by_side() -> None:
    one = chart(Line("", X, X / 20, ACCENT))
    assert picture(one, one).shape == (720, 2376, 3)


def test_every_channel_is_drawn_and_the_chosen_one_marked() -> None:
    pixels = picture(channels(40, chosen=7))
    assert pixels.shape == (720, 1584, 3)
    assert count(pixels, ACCENT) > 10 * count(pixels, HIGHLIGHT) > 0
    assert not np.array_equal(pixels, picture(channels(40, chosen=8)))


def test_one_channel_is_enough() -> None:
    assert picture(channels(1)).std() > 0


def test_dead_and_faint_channels_have_a_sign() -> None:
    first = channels(5)
    yes = np.arange(5) == 2
    drawn = {picture(each).tobytes() for each in (first, replace(first, dead=yes), replace(first, faint=yes))}
    assert len(drawn) == 3
