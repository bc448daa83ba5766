import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.drawing.colormaps import color
from explorer.drawing.ranges import per_channel, shared
from explorer.drawing.sheets import WIDTH, columns_for, sheet, tiled


def signed_maps(count, h, w, seed=0):
    return np.random.default_rng(seed).normal(size=(count, h, w)).astype(np.float32)


@given(st.integers(1, 40), st.integers(1, 20), st.integers(1, 20), st.integers(0, 3))
def test_every_cell_is_a_square_of_its_own_color(count, h, w, gap):
    maps = signed_maps(count, h, w)
    range = shared(maps, signed=True)
    columns = columns_for(count)
    picture = sheet(maps, range, gap=gap, columns=columns)
    rows = -(-count // columns)
    scale = (picture.shape[1] + gap - columns * gap) // (columns * w)
    assert picture.shape == (rows * (h * scale + gap) - gap, columns * (w * scale + gap) - gap, 3)
    assert picture.shape[1] <= WIDTH
    for channel in {0, count // 2, count - 1}:
        top, left = channel // columns * (h * scale + gap), channel % columns * (w * scale + gap)
        tile = picture[top : top + h * scale, left : left + w * scale]
        expected = color(maps[channel], range).repeat(scale, axis=0).repeat(scale, axis=1)
        assert np.array_equal(tile, expected)


def test_gaps_and_empty_places_show_the_background():
    picture = tiled(np.zeros((3, 2, 2, 3), np.uint8), columns=2, gap=1, background=(9, 9, 9))
    assert picture.shape == (5, 5, 3)
    assert (picture[2] == 9).all()
    assert (picture[:, 2] == 9).all()
    assert (picture[3:, 3:] == 9).all()
    assert (picture[:2, :2] == 0).all()


def test_one_range_per_channel():
    maps = signed_maps(3, 2, 2) * np.array([1, 10, 100])[:, None, None]
    picture = sheet(maps, per_channel(maps, signed=True), columns=3, gap=0, width=6)
    assert np.array_equal(picture[:, 2:4], color(maps[1], per_channel(maps, signed=True)[1]))
    with pytest.raises(ValueError, match="3 maps need one range or 3 ranges, not 2"):
        sheet(maps, per_channel(maps, signed=True)[:2])


@pytest.mark.parametrize("count", [1, 3, 32, 64, 128, 256, 512])
@pytest.mark.parametrize("side", [1, 4, 8, 32, 112])
def test_sheets_stay_under_the_width_that_would_be_blurred(count, side):
    picture = sheet(np.zeros((count, side, side), np.float32), shared([0.0], signed=False))
    assert picture.shape[1] < 1460


def test_a_map_wider_than_the_sheet_is_shown_whole():
    assert sheet(np.zeros((2, 1, 40)), shared([0.0], signed=False), width=30).shape == (4, 40, 3)


@pytest.mark.parametrize("shape", [(3, 3), (0, 2, 2), (1, 0, 2), (1, 1, 2, 2)])
def test_other_shapes_are_named(shape):
    with pytest.raises(ValueError, match=r"maps of shape \(C,h,w\)"):
        sheet(np.zeros(shape), shared([0.0], signed=False))
