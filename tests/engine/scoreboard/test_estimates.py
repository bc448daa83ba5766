"""Means and intervals, beside computations that share nothing with them."""

import math
from itertools import product

import numpy as np
import pytest

from explorer.engine.scoreboard.estimates import mean_of, ratio_of


def test_the_interval_of_many_images_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(1).normal(3, 2, 400)
    half = 1.96 * values.std(ddof=1) / math.sqrt(400)
    found = mean_of(values)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.03)
    assert found.high == pytest.approx(values.mean() + half, abs=0.03)
    assert found.n == 400


def test_the_interval_of_few_images_is_that_of_all_draws() -> None:
    values = np.array([0.0, 1, 5, 11])
    every = np.array([np.mean(draw) for draw in product(values, repeat=4)])
    found = mean_of(values)
    low, high = np.quantile(every, (0.025, 0.975))
    assert found.low == pytest.approx(low, abs=0.3)
    assert found.high == pytest.approx(high, abs=0.3)


def test_the_interval_holds_the_mean_in_95_of_100_samples() -> None:
    random = np.random.default_rng(2)
    found = [mean_of(random.exponential(1, 100)) for _ in range(60)]
    assert 0.85 <= np.mean([each.low <= 1 <= each.high for each in found]) <= 1


def test_what_is_not_a_number_does_not_count() -> None:
    values = np.array([1.0, 2, 4])
    assert mean_of([1, np.nan, 2, 4, np.nan]) == mean_of(values)
    assert mean_of([np.nan]).n == 0
    assert math.isnan(mean_of([]).mean)
    assert (mean_of([3.0]).low, mean_of([3.0]).high) == (3, 3)


def test_the_same_images_give_the_same_interval() -> None:
    values = np.random.default_rng(3).normal(size=50)
    assert mean_of(values) == mean_of(values)


def test_images_are_drawn_as_a_whole() -> None:
    """Ten equal things of an image are no more evidence than one."""
    right = np.random.default_rng(4).integers(0, 2, 60).astype(float)
    one, ten = ratio_of(right, np.ones(60)), ratio_of(10 * right, np.full(60, 10.0))
    assert (one.mean, one.low, one.high) == (ten.mean, ten.low, ten.high)
