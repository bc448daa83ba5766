"""The distance between distributions of a channel, beside that of sorted values and of halves."""

import numpy as np
import pytest
import torch
from torch import nn

from explorer.engine.distribution import POSITIONS, counts, wasserstein
from explorer.engine.norm_inputs import observe
from explorer.engine.shift import drift


def maps(seed: int, scale: float = 1.0, offset: float = 0.0) -> torch.Tensor:
    drawn = torch.randn(200, 2, 8, 8, generator=torch.Generator().manual_seed(seed))
    return drawn * scale + offset


@pytest.mark.parametrize("other", [maps(1, offset=0.05), maps(1, offset=-3), maps(1, 2), maps(1).abs()])
def test_the_distance_is_the_mean_one_of_sorted_values(other: torch.Tensor) -> None:
    one, mean, std = maps(0), torch.tensor([0.5, -1.0]), torch.tensor([0.5, 2.0])
    distance = wasserstein(*(counts(each, mean, std).sum(0).numpy() for each in (one, other)))
    for channel in range(2):
        values, others = (each[:, channel].flatten().sort().values / std[channel] for each in (one, other))
        expected = float((values - others).abs().mean())
        assert distance[channel] == pytest.approx(expected, rel=0.03, abs=0.01)


def test_every_value_counts_once_and_large_maps_by_some_positions() -> None:
    counted = counts(torch.tensor([[[-1e9, 0.0, 1e9, float("nan")]]]), torch.zeros(1), torch.ones(1))
    assert counted.sum() == 4
    assert (counted[0, 0, 0], counted[0, 0, -1]) == (2, 1)  # NaN among the first
    large = counts(torch.randn(3, 2, 20, 20), torch.zeros(2), torch.ones(2))
    assert (large.sum(2) == POSITIONS).all()


def test_a_channel_that_only_spreads_is_found_by_the_distribution_and_not_by_the_mean() -> None:
    net = nn.Sequential(nn.BatchNorm2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    plain = maps(0)
    wider = torch.cat([plain[:, :1] * 1.5, plain[:, 1:]], 1)
    one = drift(net, observe(net, plain), observe(net, wider), paired=True)["0"]
    assert not one.beyond.any()
    assert one.moved_beyond.tolist() == [True, False]
    assert one.moved[0] == pytest.approx(0.5 * np.sqrt(2 / np.pi), rel=0.03)  # E|0.5 z|
    assert one.moved[1] == 0
    alike = drift(net, observe(net, plain), observe(net, maps(5)), paired=False)["0"]
    assert not alike.moved_beyond.any()
