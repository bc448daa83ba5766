from collections.abc import Callable

import numpy as np
import pytest
from torch import Tensor, nn

from explorer.engine.scores import Subject
from explorer.engine.scores.findings import Findings, findings


@pytest.fixture
def of(by_hand: Callable[..., Subject], top_left: nn.Module, bright: Tensor) -> Callable[..., Findings]:
    return lambda values: findings(by_hand(top_left, bright, np.array(values, np.float64)))


def test_an_all_zero_map(of: Callable[..., Findings]) -> None:
    result = of(np.zeros((4, 4)))
    assert (result.all_zero, result.negative, result.tied) == (True, 0, 1)
    assert np.isnan(result.value)


def test_what_a_relu_cuts_off(of: Callable[..., Findings]) -> None:
    result = of([[1, -2], [3, -4]])
    assert (result.all_zero, result.tied) == (False, 0)
    assert result.negative == pytest.approx(0.6)


def test_values_that_others_share(of: Callable[..., Findings]) -> None:
    assert of([[1, 1, 2], [3, 3, 3]]).tied == pytest.approx(5 / 6)


def test_heat_at_the_border_over_an_even_map(of: Callable[..., Findings]) -> None:
    border = np.ones((8, 8))
    border[1:-1, 1:-1] = 0
    assert of(np.full((8, 8), 2)).value == pytest.approx(1)
    assert of(border).value == pytest.approx(64 / 28)
    assert of(border).above_chance > 0.9
    assert of(1 - border).value == 0
    assert of(np.arange(4).reshape(2, 2)).value == 1, "a map that is all border"
