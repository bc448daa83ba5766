"""Networks whose explanation is known, and heat maps made by hand."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.attribution import Heatmap
from explorer.engine.scores import Subject

SIDE = 16


class TopLeft(nn.Module):
    """Two logits: the brightness of the top-left quarter, and nothing."""

    def forward(self, x: Tensor) -> Tensor:
        bright = x[..., : x.shape[2] // 2, : x.shape[3] // 2].mean((1, 2, 3))
        return torch.stack([4 * bright, torch.zeros_like(bright)], 1)


class Constant(nn.Module):
    """The same three logits for every image."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tensor([1.0, 0.0, -1.0], dtype=x.dtype).expand(len(x), 3) + 0 * x.sum()


@pytest.fixture
def top_left() -> nn.Module:
    return TopLeft()


@pytest.fixture
def constant() -> nn.Module:
    return Constant()


@pytest.fixture
def bright() -> Tensor:
    """An image whose top-left quarter is 1 and the rest −1, with a little noise."""
    x = torch.full((1, 3, SIDE, SIDE), -1.0)
    x[..., : SIDE // 2, : SIDE // 2] = 1
    return x + 0.05 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def by_hand() -> Callable[..., Subject]:
    """`by_hand(net, x, values)`: a Subject whose map has these values, whatever class is asked for."""

    def made(net: nn.Module, x: Tensor, values: np.ndarray, target: int = 0, **known: object) -> Subject:
        heat = Heatmap("by hand", "input", target, np.asarray(values, np.float32))

        def explain(_: nn.Module, images: Tensor, classes: np.ndarray) -> Heatmap:
            batch = heat.values if heat.values.ndim == 3 else heat.values[None]
            return Heatmap("by hand", "input", classes, np.repeat(batch, len(images) // len(batch), 0))

        return Subject(net, x, heat, **{"explain": explain, **known})

    return made


@pytest.fixture
def quarter() -> np.ndarray:
    """The true map of `top_left`, (8, 8)."""
    values = np.zeros((8, 8))
    values[:4, :4] = 1
    return values
