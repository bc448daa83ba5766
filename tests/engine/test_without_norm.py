"""Networks without BatchNorm layers, by hand; neither the network nor its mode is touched."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import linear, max_pool2d

from explorer.engine.without_norm import predicted_without
from model.problems import Problem


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(4))


def by_hand(net: nn.Module, x: Tensor, without: tuple[str, ...]) -> Tensor:
    with torch.no_grad():
        for block in (1, 2, 3):
            x = net.get_submodule(f"conv{block}")(x)
            if f"bn{block}" not in without:
                x = net.get_submodule(f"bn{block}")(x)
            x = max_pool2d(x.relu(), 2)
        hidden = linear(x.flatten(1), net.fc1.weight, net.fc1.bias).relu()
        return linear(hidden, net.fc2.weight, net.fc2.bias)


@pytest.mark.parametrize("without", [(), ("bn2",), ("bn1", "bn2", "bn3")])
def test_each_layer_is_the_identity(
    course: nn.Module, images: Tensor, untouched: Callable, without: tuple[str, ...]
) -> None:
    with untouched(course):
        made = predicted_without(course, images, without)
    wanted = by_hand(course, images, without)
    torch.testing.assert_close(torch.from_numpy(made.logits), wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.from_numpy(made.probabilities), wanted.softmax(1), rtol=1e-4, atol=1e-6)
    if without:
        assert (made.logits - predicted_without(course, images, ()).logits).any()


def test_a_layer_that_is_not_there_is_refused(course: nn.Module, images: Tensor) -> None:
    with pytest.raises(Problem, match="There is no layer 'bn9'"):
        predicted_without(course, images, ["bn9"])
