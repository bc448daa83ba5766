"""How selective a channel is: against numbers counted by hand and NumPy's correlation."""

import numpy as np
import pytest

from explorer.engine.selectivity import class_means, selectivity

RNG = np.random.default_rng(0)


def test_the_index_is_that_counted_by_hand() -> None:
    values = np.array([1, 3, 6, 6, 2, 4, 9], np.float32)
    labels = np.array([0, 0, 1, 1, 2, 2, -1])
    one = selectivity(values, labels, 4)
    assert one is not None
    np.testing.assert_array_equal(one.class_means, [2, 6, 3, np.nan])
    assert one.index == pytest.approx((6 - 2.5) / (6 + 2.5))
    assert one.favorite == 1


def test_a_channel_for_one_class_is_above_chance_and_noise_is_not() -> None:
    labels = np.repeat(np.arange(10), 50)
    noise = RNG.random(500).astype(np.float32)
    one, other = selectivity(noise, labels, 10), selectivity(noise * (labels == 4), labels, 10)
    assert one is not None
    assert other is not None
    assert one.index <= one.chance_high * 1.3
    assert (other.index, other.favorite) == (1.0, 4)
    assert other.chance < other.chance_high < 0.6


def test_it_is_not_defined_for_negative_values_or_one_class() -> None:
    labels = np.array([0, 1, 1])
    assert selectivity(np.array([-1, 2, 3], np.float32), labels, 2) is None
    assert selectivity(np.array([1, 2, 3], np.float32), np.zeros(3, np.int64), 2) is None
    assert selectivity(np.array([1, 2, 3], np.float32), np.full(3, -1), 2) is None
    assert selectivity(np.zeros(3, np.float32), labels, 2) is None


def test_means_of_classes_without_images_are_not_numbers() -> None:
    np.testing.assert_array_equal(class_means(np.array([2.0, 4.0]), np.array([1, 1]), 3), [np.nan, 3, np.nan])
