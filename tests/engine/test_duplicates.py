import numpy as np
import pytest

from explorer.engine.duplicates import (
    NONE,
    correlations,
    correlations_with,
    partners,
    redundant,
    removal_order,
)


@pytest.fixture
def image_mean() -> np.ndarray:
    """Ten channels of 200 images: 3 is twice 1 with a little noise, 7 is dead, 8 the same everywhere."""
    generator = np.random.default_rng(0)
    values = generator.random((200, 10)).astype(np.float32)
    values[:, 3] = 2 * values[:, 1] + 0.05 * generator.standard_normal(200)
    values[:, 7], values[:, 8] = 0.0, 0.3
    return values


def test_correlations_are_those_of_numpy(image_mean: np.ndarray) -> None:
    varying = [0, 1, 2, 3, 4, 5, 6, 9]
    expected = np.corrcoef(image_mean[:, varying].astype(np.float64).T)
    np.testing.assert_allclose(correlations(image_mean)[np.ix_(varying, varying)], expected, atol=1e-12)
    assert np.isnan(correlations(image_mean)[[7, 8]]).all()


def test_a_planted_duplicate_is_found_and_its_partner_named(image_mean: np.ndarray) -> None:
    most_alike = partners(image_mean)
    assert most_alike.near().tolist() == [1, 3]
    assert (most_alike.channel[1], most_alike.channel[3]) == (3, 1)
    assert most_alike.correlation[1] == pytest.approx(np.corrcoef(image_mean[:, 1], image_mean[:, 3])[0, 1])
    assert most_alike.channel[[7, 8]].tolist() == [NONE, NONE]
    assert 0 < most_alike.chance < 0.4  # of 200 images
    assert most_alike == partners(image_mean)


def test_of_two_alike_the_one_that_varies_less_goes(image_mean: np.ndarray) -> None:
    order = removal_order(image_mean)
    assert order[0][0] == 1
    assert redundant(image_mean) == (1,)
    assert {channel for channel, _ in order} <= set(range(10)) - {7, 8}
    assert len(order) == 7  # of eight that vary, one stays
    values = [value for _, value in order]
    assert values == sorted(values, reverse=True)


def test_of_three_alike_one_stays() -> None:
    one = np.random.default_rng(1).random(50)
    image_mean = np.stack([one, 3 * one, 2 * one, -one], 1).astype(np.float32)
    assert redundant(image_mean) == (0, 2)  # not 3, which does the opposite
    assert partners(image_mean).channel[3] in (0, 1, 2)


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (5, 1), (5, 0)])
def test_too_little_to_compare(shape: tuple[int, int]) -> None:
    image_mean = np.ones(shape, np.float32)
    most_alike = partners(image_mean)
    assert (most_alike.channel == NONE).all()
    assert np.isnan(most_alike.chance)
    assert removal_order(image_mean) == ()


def test_values_that_are_not_finite_have_no_partner() -> None:
    image_mean = np.random.default_rng(2).random((20, 3)).astype(np.float32)
    image_mean[4, 1] = np.inf
    assert partners(image_mean).channel.tolist() == [2, NONE, 0]


def test_the_correlation_is_that_of_numpy() -> None:
    means = np.random.default_rng(3).normal(size=(100, 5)).astype(np.float32)
    means[:, 3] = 2 * means[:, 1] + 1  # the same
    means[:, 4] = 0.1  # dead
    values = correlations_with(means, 1)
    np.testing.assert_allclose(values[[0, 2]], np.corrcoef(means[:, :3].T)[1, [0, 2]], atol=1e-6)
    assert values[3] == pytest.approx(1.0)
    assert np.isnan(values[[1, 4]]).all()
    assert np.isnan(correlations_with(means, 4)).all()
