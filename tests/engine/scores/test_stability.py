from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.attribution import Heatmap
from explorer.engine.scores import Subject
from explorer.engine.scores.stability import COPIES, NOISES, stability

Made = Callable[..., Subject]


def test_a_map_that_ignores_the_image_is_perfectly_stable(
    by_hand: Made, top_left: nn.Module, bright: Tensor, quarter: np.ndarray
) -> None:
    result = stability(by_hand(top_left, bright, quarter))
    assert (result.value, result.worst) == (0, 0)
    assert result.above_chance < 0.01
    assert (result.noise, result.copies) == (NOISES[0], COPIES)


def test_where_the_map_is_the_image_its_change_is_the_noise(top_left: nn.Module, bright: Tensor) -> None:
    def image(_: nn.Module, x: Tensor, classes: np.ndarray) -> Heatmap:
        return Heatmap("image", "input", classes, x[:, 0].numpy())

    result = stability(Subject(top_left, bright, image(top_left, bright, np.array([0])), explain=image))
    strength = NOISES[0] * float(bright.max() - bright.min())
    expected = strength * np.sqrt(bright[0, 0].numel()) / float(bright[0, 0].norm())
    assert result.value == pytest.approx(expected, rel=0.1)
    assert result.value <= result.worst < 1.3 * expected


class Steps(nn.Module):
    """Two logits that change places when the mean of the image leaves a narrow band about `at`."""

    def __init__(self, at: float, width: float) -> None:
        super().__init__()
        self.at, self.width = at, width

    def forward(self, x: Tensor) -> Tensor:
        inside = ((x.mean((1, 2, 3)) - self.at).abs() < self.width).float()
        return torch.stack([inside, 1 - inside], 1)


def test_the_noise_is_made_smaller_until_the_prediction_stays(
    by_hand: Made, bright: Tensor, quarter: np.ndarray
) -> None:
    mean, spread = float(bright.mean()), float(bright.max() - bright.min()) / np.sqrt(bright.numel())
    result = stability(by_hand(Steps(mean, 4 * NOISES[2] * spread), bright, quarter))
    assert (result.noise, result.copies) in [(NOISES[1], COPIES), (NOISES[2], COPIES)]


def test_without_a_copy_that_keeps_its_prediction_nothing_is_said(
    by_hand: Made, bright: Tensor, quarter: np.ndarray
) -> None:
    result = stability(by_hand(Steps(float(bright.mean()), 1e-7), bright, quarter))
    assert (result.noise, result.copies) == (NOISES[-1], 0)
    assert np.isnan([result.value, result.worst]).all()


def test_an_all_zero_map_says_nothing(by_hand: Made, top_left: nn.Module, bright: Tensor) -> None:
    assert np.isnan(stability(by_hand(top_left, bright, np.zeros((8, 8)))).value)
