import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.channel_survey import Scaling, scaling_before, survey
from explorer.engine.scan.result import LayerScan
from explorer.engine.tracing import blocks, trace


def layer_scan(maps: np.ndarray) -> LayerScan:
    """What a scan says of maps (N, C, h, w), of which all are kept here."""
    channels = maps.transpose(1, 0, 2, 3).reshape(maps.shape[1], -1).astype(np.float64)
    largest = maps.max((2, 3)).T
    rows = np.argsort(-largest, 1)
    empty = np.zeros((len(channels), 1), np.float32)
    return LayerScan(
        count=channels.shape[1],
        mean=channels.mean(1),
        variance=channels.var(1),
        zeros=(channels == 0).mean(1),
        class_mean=empty.T,
        image_mean=maps.mean((2, 3)).astype(np.float32),
        histogram=empty.astype(np.int64),
        edges=np.stack([channels.min(1), channels.max(1)], 1).astype(np.float32),
        top_rows=rows,
        top_values=np.take_along_axis(largest, rows, 1).astype(np.float32),
        top_positions=np.zeros((*rows.shape, 2), np.int64),
        bottom_rows=rows[:, ::-1],
        bottom_values=np.take_along_axis(largest, rows[:, ::-1], 1).astype(np.float32),
    )


def test_planted_faults_are_found_and_named() -> None:
    maps = np.maximum(np.random.default_rng(0).standard_normal((40, 6, 3, 3)), 0)
    maps[:, 1] = 0  # dead
    maps[:, 4] = 1.5 * maps[:, 2]  # a duplicate
    maps[:, 3] += 0.01  # always on
    maps[:, 5] = 0.7  # constant
    surveyed = survey("relu", layer_scan(maps.astype(np.float32)))
    assert np.flatnonzero(surveyed.dead).tolist() == [1]
    assert np.flatnonzero(surveyed.always_on).tolist() == [3, 5]
    assert np.flatnonzero(surveyed.constant).tolist() == [5]
    assert surveyed.partners.pairs() == ((2, 4, pytest.approx(1.0)),)
    assert surveyed.redundant == (2,)
    assert surveyed.expected_zeros is None


def test_where_nothing_is_zero_but_by_chance_no_channel_is_always_on() -> None:
    maps = np.random.default_rng(1).standard_normal((10, 3, 2, 2)).astype(np.float32)
    maps[0, 0, 0, 0] = 0
    maps = np.tile(maps, (40, 1, 1, 1))  # one value of 2,400 is zero, by chance
    maps[1:, 0, 0, 0] += 1
    surveyed = survey("conv", layer_scan(maps))
    assert not (surveyed.always_on | surveyed.dead | surveyed.constant).any()


def test_zeros_that_gamma_and_beta_give() -> None:
    gamma, beta = np.float32([1, -2, 0, 0, 0.5]), np.float32([0, 1, 0.1, -0.1, -1])
    expected = Scaling("bn", gamma, beta).zeros
    normal = torch.distributions.Normal(0, 1)
    by_hand = [
        normal.cdf(torch.tensor(-b / abs(g))) for g, b in zip(gamma[[0, 1, 4]], beta[[0, 1, 4]], strict=True)
    ]
    np.testing.assert_allclose(expected[[0, 1, 4]], by_hand, atol=1e-6)
    assert expected[2:4].tolist() == [0, 1]


class Skip(nn.Module):
    """A ReLU behind its BatchNorm, and one behind an addition."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1, self.relu1 = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
        self.conv2, self.bn2, self.relu2 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.bn1(self.conv1(x)))
        y = self.relu2(self.bn2(self.conv2(x)) + x)
        logits: Tensor = self.head(y.mean((2, 3)))
        return logits


def test_the_normalization_before_a_layer() -> None:
    torch.manual_seed(0)
    net = Skip().eval()
    net.bn1.weight.data.copy_(torch.tensor([0.1, 0.2, 0.3, 0.4]))
    seen = trace(net, torch.randn(1, 3, 5, 5))
    first, second = blocks(net, seen)
    scaling, rectified = scaling_before(net, seen, first, "relu1")
    assert rectified
    assert scaling is not None
    np.testing.assert_allclose(scaling.gamma, [0.1, 0.2, 0.3, 0.4])
    assert scaling_before(net, seen, first, "conv1") == (None, False)
    behind_sum, rectified = scaling_before(net, seen, second, "relu2")
    assert behind_sum is not None
    assert not rectified  # γ and β alone do not decide its zeros
