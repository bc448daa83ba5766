"""What a channel contributes and what is lost without it: in a network whose logits are known sums."""

import numpy as np
import pytest
import torch
from torch import nn

from explorer.engine.attribution import channel_evidence
from explorer.engine.channel_effects import class_effect, contribution

SIDE = 6


class Averaged(nn.Module):
    """Logits are weighted means of the channels, so that each contribution is known."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.act = nn.ReLU()
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.act(self.conv(x)).mean((2, 3)))


NET = Averaged().eval()
X = torch.randn(5, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
with torch.no_grad():
    MAPS = NET.act(NET.conv(X)).numpy()
WEIGHTS = NET.head.weight.detach().numpy()


@pytest.mark.parametrize("images", [1, 5])
def test_a_contribution_is_weight_times_mean(images: int) -> None:
    one = contribution(NET, X[:images], "act", 2, 1)
    weight = WEIGHTS[1, 2] / SIDE**2
    np.testing.assert_allclose(one.weights, np.full(images, weight), rtol=1e-5)
    np.testing.assert_allclose(one.values, weight * MAPS[:images, 2].mean((1, 2)), rtol=1e-5)
    evidence = channel_evidence(NET, X[:images], "act", 1)
    np.testing.assert_allclose(one.values, np.atleast_1d(evidence.contributions[..., 2]))
    supporting = weight * MAPS[:images, 2]
    for row, (y, x) in enumerate(one.positions.tolist()):
        assert supporting[row, y, x] == supporting[row].max()


@pytest.mark.parametrize("images", [1, 5])
def test_the_fall_of_a_logit_is_the_term_that_is_gone(images: int) -> None:
    one = class_effect(NET, X[:images], "act", 2, 0)
    falls = WEIGHTS[0, 2] * MAPS[:images, 2].mean((1, 2))
    assert one.fall.mean == pytest.approx(float(falls.mean()), rel=1e-4)
    assert one.fall.n == images
    assert one.fall.low - 1e-6 <= falls.mean() <= one.fall.high + 1e-6
    with torch.no_grad():
        means = torch.from_numpy(MAPS[:images].mean((2, 3)))
        without = means.clone()
        without[:, 2] = 0
        changed = (NET.head(means).argmax(1) != NET.head(without).argmax(1)).sum()
    assert one.changed == int(changed)
