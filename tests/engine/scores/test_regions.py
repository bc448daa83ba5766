import numpy as np
import pytest

from explorer.engine.scores.regions import means, overlaps, patch_sums, positions


@pytest.mark.parametrize(("parts", "cells"), [(4, 8), (4, 7), (4, 4), (4, 3), (4, 1), (7, 32)])
def test_every_value_is_spread_once(parts: int, cells: int):
    assert np.allclose(overlaps(parts, cells).sum(0), 1)
    heat = np.random.default_rng(0).normal(size=(2, cells, cells))
    assert np.allclose(patch_sums(heat, (parts, parts)).sum((1, 2)), heat.sum((1, 2)))


def test_sums_of_whole_and_of_cut_positions():
    assert np.allclose(patch_sums(np.arange(16.0).reshape(4, 4), (2, 2)), [[10, 18], [42, 50]])
    assert np.allclose(patch_sums(np.array([[3.0, 6.0, 9.0]]), (1, 2)), [[6, 12]])


@pytest.mark.parametrize("cells", range(1, 15))
def test_equal_values_have_equal_sums(cells: int):
    assert np.ptp(patch_sums(np.full((cells, cells), 0.1), (4, 4))) == 0


def test_means_of_pixels():
    pixels = np.arange(16.0).reshape(4, 4)
    assert means(pixels, (2, 2)).tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert np.isclose(means(pixels, (3, 3)).mean(), pixels.mean())


def test_the_position_at_each_pixel():
    assert positions((4, 4), (2, 2)).tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    assert positions((2, 5), (1, 5)).tolist() == [[0, 1, 2, 3, 4]] * 2
