from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from explorer.engine.scores import Subject
from explorer.engine.scores.ordering import STEPS, orderings
from explorer.engine.scores.removal import NOISE

Made = Callable[..., Subject]


def test_curves_start_at_the_full_and_end_at_the_mean_color(
    by_hand: Made, top_left: nn.Module, bright: Tensor, quarter: np.ndarray
) -> None:
    result = orderings(by_hand(top_left, bright, quarter))
    curves = np.vstack([result.most_first, result.least_first, result.random])
    full = top_left(bright).softmax(1)[0, 0].item()
    gray = top_left(bright.mean((2, 3), keepdim=True).expand_as(bright)).softmax(1)[0, 0].item()
    assert np.allclose(curves[:, 0], full, atol=1e-6)
    assert np.allclose(curves[:, -1], gray, atol=NOISE)
    assert (result.removed[0], result.removed[-1], len(result.removed)) == (0, 1, STEPS + 1)


def test_the_right_map_is_better_than_chance_and_its_negative_worse(
    by_hand: Made, top_left: nn.Module, bright: Tensor, quarter: np.ndarray
) -> None:
    right, wrong = (orderings(by_hand(top_left, bright, sign * quarter)) for sign in (1, -1))
    assert right.value > max(0.2, right.chance.max())
    assert wrong.value < min(-0.2, wrong.chance.min())


def test_the_area_is_that_between_the_two_curves(
    by_hand: Made, top_left: nn.Module, bright: Tensor, quarter: np.ndarray
) -> None:
    result = orderings(by_hand(top_left, bright, quarter))
    gaps, widths = result.least_first - result.most_first, np.diff(result.removed)
    assert np.isclose(result.value, ((gaps[1:] + gaps[:-1]) / 2 * widths).sum())
    low, high = result.band
    assert ((low <= result.random) & (result.random <= high)).all()


@settings(max_examples=10)
@given(
    st.floats(0.1, 10), st.floats(-5, 5), st.sampled_from([np.exp, np.tanh, np.cbrt, lambda values: values])
)
def test_areas_do_not_change_under_a_monotone_rescaling(scale: float, shift: float, bend: Callable) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    ).eval()
    x = torch.randn(1, 3, 12, 12)
    heat = np.round(np.random.default_rng(0).normal(size=(4, 4)), 1)
    one, other = (orderings(_subject(net, x, values)) for values in (heat, scale * bend(heat) + shift))
    assert np.array_equal(one.most_first, other.most_first)
    assert one.value == other.value


def _subject(net: nn.Module, x: Tensor, values: np.ndarray) -> Subject:
    from explorer.engine.attribution import Heatmap

    return Subject(net, x, Heatmap("by hand", "input", 0, values.astype(np.float32)))


def test_a_constant_map_is_not_flattered_by_the_order_of_its_ties(
    by_hand: Made, top_left: nn.Module, bright: Tensor
) -> None:
    """Sorted stably it would begin at the top left, where this network looks, and score above 0.2."""
    results = [orderings(by_hand(top_left, bright, np.zeros((8, 8)), seed=seed)) for seed in range(8)]
    chance = np.concatenate([result.chance for result in results])
    values = np.array([result.value for result in results])
    stable = orderings(by_hand(top_left, bright, -np.arange(64.0).reshape(8, 8))).value
    assert np.abs(values).max() <= np.abs(chance).max() * 1.2
    assert abs(values.mean()) < 0.05 < 0.1 < stable


def test_a_constant_network_has_flat_curves(
    by_hand: Made, constant: nn.Module, bright: Tensor, quarter: np.ndarray
) -> None:
    result = orderings(by_hand(constant, bright, quarter))
    assert np.ptp(result.most_first) == 0
    assert (result.value, result.above_chance) == (0, 0.5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (7, 5), (16, 16)])
def test_maps_of_any_size(by_hand: Made, top_left: nn.Module, bright: Tensor, shape: tuple[int, int]) -> None:
    heat = np.random.default_rng(0).random(shape)
    result = orderings(by_hand(top_left, bright, heat))
    assert np.isfinite(result.value)
    assert (np.diff(result.removed) >= 0).all()
