"""Contribution beside effect, on a network where both are known, and with ranks by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine import ablation
from explorer.engine import effects as effects_module
from explorer.engine.ablation import ablations, unchanged
from explorer.engine.attribution import channel_evidence
from explorer.engine.effects import Effects, channel_effects, channel_steps, effects_of


def effects(net: nn.Module, x: Tensor, layer: str, target: int) -> Effects:
    evidence = channel_evidence(net, x, layer, target)
    return effects_of(evidence, list(channel_effects(net, x, layer, len(evidence.maps))), target)


def test_in_a_linear_head_the_fall_is_the_contribution_times_the_positions(gap: nn.Module, x: Tensor) -> None:
    """There Grad-CAM tells the truth: the rank correlation is 1."""
    made = effects(gap, x, "3", 2)
    np.testing.assert_allclose(made.falls, 28 * 28 * made.contributions, rtol=1e-3, atol=1e-5)
    assert made.correlation == pytest.approx(1)
    assert made.common == 3
    assert made.rank_of_largest_fall == 1


def test_falls_are_those_of_each_channel_alone(course: nn.Module, x: Tensor) -> None:
    made = effects(course, x, "relu3", 4)
    every = ablations(course, x, "relu3")
    np.testing.assert_allclose(made.falls, every.logits[4] - every.zeroed[:, 4], atol=1e-5)
    assert channel_steps(128) == 2 == len(list(channel_effects(course, x, "relu3", 128)))


def test_the_pass_without_a_change_is_made_once(
    course: nn.Module, x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[str] = []

    def counted(net: nn.Module, x: Tensor, layer: str) -> tuple[Tensor, Tensor]:
        passes.append(layer)
        return unchanged(net, x, layer)

    monkeypatch.setattr(ablation, "unchanged", counted)
    monkeypatch.setattr(effects_module, "unchanged", counted)
    assert len(list(channel_effects(course, x, "relu3", 128))) == 2
    assert passes == ["relu3"]


def test_silent_channels_are_counted_and_fall_by_exactly_zero(course: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        course.bn3.weight[:5], course.bn3.bias[:5] = 0, -1
    made = effects(course, x, "relu3", 4)
    assert made.silent >= 5
    assert not made.falls[:5].any()


def test_the_order_in_words() -> None:
    one = Effects("a", np.float32([4, 3, 2, 1, 0]), np.float32([0, 3, 2, 1, 9]), 0)
    assert (one.common, one.rank_of_largest_fall) == (2, 5)
    assert one.correlation == pytest.approx(-0.6)  # 1 − 6 · (4² + 4²) / (5 · 24)
    assert np.isnan(Effects("a", np.zeros(3, np.float32), np.ones(3, np.float32), 3).correlation)
