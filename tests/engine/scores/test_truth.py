from collections.abc import Callable

import numpy as np
import pytest
from torch import Tensor, nn

from explorer.engine.scores import SCORES, Subject
from explorer.engine.scores.truth import inside_object

Made = Callable[..., Subject]


@pytest.fixture
def mask() -> np.ndarray:
    """The top-left quarter of 16 × 16."""
    mask = np.zeros((16, 16), bool)
    mask[:8, :8] = True
    return mask


def test_all_heat_inside_has_the_most_and_none_has_nothing(
    by_hand: Made, top_left: nn.Module, bright: Tensor, quarter: np.ndarray, mask: np.ndarray
) -> None:
    result = inside_object(by_hand(top_left, bright, quarter, mask=mask))
    assert (result.value, result.area, result.pointing, result.pointing_chance) == (4, 0.25, 1, 0.25)
    result = inside_object(by_hand(top_left, bright, np.rot90(quarter), mask=mask))
    assert (result.value, result.pointing) == (0, 0)


@pytest.mark.parametrize("shape", [(8, 8), (7, 7), (16, 16), (1, 1), (3, 5)])
def test_a_constant_map_scores_at_chance(
    by_hand: Made, top_left: nn.Module, bright: Tensor, mask: np.ndarray, shape: tuple[int, int]
) -> None:
    result = inside_object(by_hand(top_left, bright, np.full(shape, 0.3), mask=mask))
    assert result.value == pytest.approx(1)
    assert result.chance == pytest.approx(np.ones_like(result.chance))
    assert result.pointing == result.pointing_chance


def test_heat_below_zero_does_not_count(
    by_hand: Made, top_left: nn.Module, bright: Tensor, quarter: np.ndarray, mask: np.ndarray
) -> None:
    result = inside_object(by_hand(top_left, bright, quarter - 5 * (quarter == 0), mask=mask))
    assert result.value == 4
    assert np.isnan(inside_object(by_hand(top_left, bright, -quarter, mask=mask)).value)


def test_a_position_half_inside_counts_half(by_hand: Made, top_left: nn.Module, bright: Tensor) -> None:
    mask = np.zeros((16, 16), bool)
    mask[:, :2] = True
    heat = np.zeros((4, 4))
    heat[2, 0] = 1
    result = inside_object(by_hand(top_left, bright, heat, mask=mask))
    assert result.value == pytest.approx(0.5 / 0.125)


def test_chance_is_one_on_average(
    by_hand: Made, top_left: nn.Module, bright: Tensor, mask: np.ndarray
) -> None:
    heat = np.random.default_rng(0).random((8, 8))
    result = inside_object(by_hand(top_left, bright, heat, mask=mask))
    assert result.chance_mean == pytest.approx(1, abs=0.03)


def test_without_an_object_the_reason_is_given(
    by_hand: Made, top_left: nn.Module, bright: Tensor, quarter: np.ndarray, mask: np.ndarray
) -> None:
    unmet = SCORES["inside_object"].unmet
    assert unmet(by_hand(top_left, bright, quarter, mask=mask)) is None
    for nothing in (None, np.zeros_like(mask)):
        assert "needs a mask" in str(unmet(by_hand(top_left, bright, quarter, mask=nothing)))
