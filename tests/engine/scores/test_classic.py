"""Deletion, insertion and infidelity with a baseline: known answers, and Captum's infidelity."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.scores import Subject
from explorer.engine.scores.classic import DELETION, INFIDELITY, INSERTION, classic, infidelity, squares

Made = Callable[..., Subject]


def test_curves_go_from_the_image_to_the_baseline_and_back(
    by_hand: Made, top_left: nn.Module, bright: Tensor, quarter: np.ndarray
) -> None:
    baseline = torch.full_like(bright, 0.2)
    scores = classic(by_hand(top_left, bright, quarter), baseline)
    full, gone = (top_left(images).softmax(1)[0, 0].item() for images in (bright, baseline))
    deletion, insertion = scores[DELETION].curve, scores[INSERTION].curve
    assert [deletion[0], deletion[-1]] == pytest.approx([full, gone], abs=1e-6)
    assert [insertion[0], insertion[-1]] == pytest.approx([gone, full], abs=1e-6)
    fractions = scores[DELETION].fractions
    assert scores[DELETION].value == pytest.approx(np.trapezoid(deletion, fractions))
    assert (scores[DELETION].chance.shape, scores[INFIDELITY].chance.shape) == ((8,), (200,))


def test_the_right_map_is_better_than_chance_and_the_wrong_one_worse(
    by_hand: Made, top_left: nn.Module, bright: Tensor, quarter: np.ndarray
) -> None:
    baseline = torch.zeros_like(bright)
    right, wrong = (classic(by_hand(top_left, bright, sign * quarter), baseline) for sign in (1, -1))
    assert right[DELETION].value < wrong[DELETION].value
    assert right[INSERTION].value > wrong[INSERTION].value
    elsewhere = classic(by_hand(top_left, bright, np.rot90(quarter, 2)), baseline)
    assert right[INFIDELITY].value < 0.2 < 0.5 < elsewhere[INFIDELITY].value
    assert right[INFIDELITY].above_chance < 0.05


def test_infidelity_equals_captums(course: nn.Module, x: Tensor) -> None:
    from captum.metrics import infidelity as captum_infidelity

    heat = np.random.default_rng(0).normal(size=(32, 32))
    removed = torch.from_numpy(squares((32, 32), 0))
    baseline = torch.zeros_like(x)

    def perturbed(images: Tensor) -> tuple[Tensor, Tensor]:
        masks = removed[:, None].expand(-1, 3, -1, -1)
        return masks.to(images.dtype), torch.where(masks, torch.zeros(()), images)

    attributions = torch.from_numpy(heat / 3).float().expand(1, 3, -1, -1)
    expected = captum_infidelity(
        course, perturbed, x, attributions, target=3, n_perturb_samples=len(removed), normalize=True
    ).item()
    with torch.no_grad():
        drops = (course(x) - course(torch.where(removed[:, None], baseline, x)))[:, 3].numpy().astype(float)
    sums = (removed.numpy() * heat).sum((1, 2))
    assert infidelity(sums, drops) == pytest.approx(expected / np.square(drops).mean(), rel=1e-3)


def test_a_batch_equals_its_rows(by_hand: Made, course: nn.Module) -> None:
    from explorer.engine.attribution import attribute

    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    heat, baseline = attribute(course, x, layer="relu3", target=[4, 0]), torch.zeros_like(x)
    both = classic(Subject(course, x, heat), baseline, steps=4)
    for index in range(2):
        alone = classic(Subject(course, x[[index]], heat.row(index)), baseline[[index]], steps=4)
        for name, one in alone.items():
            assert both[name].row(index).value == pytest.approx(one.value, abs=1e-4)


def test_a_constant_network_has_nothing_to_explain(
    by_hand: Made, constant: nn.Module, bright: Tensor, quarter: np.ndarray
) -> None:
    scores = classic(by_hand(constant, bright, quarter), torch.zeros_like(bright))
    assert np.isnan(scores[INFIDELITY].value)
    assert np.ptp(scores[DELETION].curve) == 0


def test_squares_lie_inside_and_follow_from_the_seed() -> None:
    one = squares((16, 24), 3)
    assert np.array_equal(one, squares((16, 24), 3))
    for mask in one:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert len(rows) == len(columns) >= 2
        assert mask.sum() == len(rows) * len(columns)
