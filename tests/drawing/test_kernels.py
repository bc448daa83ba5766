import numpy as np
import pytest

from explorer.drawing.colormaps import color
from explorer.drawing.kernels import kernels
from explorer.drawing.ranges import Range, symmetric


def test_three_channels_are_shown_in_their_own_colors():
    weights = np.zeros((2, 3, 1, 1))
    weights[1, :, 0, 0] = (1, -1, 0.5)
    drawn = kernels(weights, Range(-1, 1, signed=True))
    np.testing.assert_array_equal(drawn[0, 0, 0], (128, 128, 128))
    np.testing.assert_array_equal(drawn[1, 0, 0], (255, 0, 191))


def test_cells_stay_in_their_places():
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 5))
    drawn = kernels(weights, symmetric(weights))
    assert drawn.shape == (4, 3, 5, 3)
    reach = np.abs(weights).max()
    expected = np.rint((0.5 + weights[2, 1, 0, 4] / (2 * reach)) * 255)
    assert drawn[2, 0, 4, 1] == expected


def test_beyond_the_range_the_end_colors_go_on():
    drawn = kernels(np.full((1, 3, 1, 1), 7.0), Range(-1, 1, signed=True))
    assert (drawn == 255).all()


@pytest.mark.parametrize("channels", [1, 2, 16])
def test_others_are_their_mean_from_blue_to_red(channels):
    weights = np.random.default_rng(0).normal(size=(4, channels, 3, 3))
    range = symmetric(weights)
    np.testing.assert_array_equal(kernels(weights, range), color(weights.mean(1), range))


def test_all_zero_is_grey_and_other_shapes_are_refused():
    assert (kernels(np.zeros((1, 3, 2, 2)), symmetric(np.zeros(1))) == 128).all()
    with pytest.raises(ValueError, match="not \\(3, 3\\)"):
        kernels(np.zeros((3, 3)), Range(-1, 1, signed=True))
