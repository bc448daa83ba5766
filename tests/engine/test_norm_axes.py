"""Which values are averaged: PyTorch's own normalization layers are the oracles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, batch_norm, group_norm, max_pool2d

from explorer.engine.norm_axes import norm_axes, orders, pool_beside
from explorer.engine.tracing import trace
from model.problems import Problem


@pytest.fixture
def images() -> Tensor:
    return torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(4))


def before(course: nn.Module, x: Tensor) -> Tensor:
    """What bn2 receives."""
    with torch.no_grad():
        return course.conv2(max_pool2d(course.bn1(course.conv1(x)).relu(), 2))


def test_the_averages_are_those_of_both_normalizations(course: nn.Module, images: Tensor) -> None:
    axes, maps = norm_axes(course, images, "bn2"), before(course, images)
    shape = (1, -1, 1, 1)
    mean, std = (torch.from_numpy(each).reshape(shape) for each in (axes.batch_mean, axes.batch_std))
    wanted = batch_norm(maps, None, None, training=True, eps=1e-9)
    torch.testing.assert_close((maps - mean) / std, wanted, rtol=1e-3, atol=1e-4)
    mean, std = (torch.from_numpy(each)[:, None, None, None] for each in (axes.layer_mean, axes.layer_std))
    torch.testing.assert_close((maps - mean) / std, group_norm(maps, 1, eps=1e-9), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(axes.maps, maps.mean((2, 3)), atol=1e-5)
    np.testing.assert_allclose(axes.maps.mean(0), axes.batch_mean, atol=1e-5)
    assert axes.positions == 16 * 16


def test_both_orders_by_functional(course: nn.Module, images: Tensor) -> None:
    pooling = pool_beside(course, trace(course, images[:1]), "bn2")
    assert pooling == ("pool2", "norm_first")
    both, maps = orders(course, images, "bn2", 5, pooling), before(course, images)
    with torch.no_grad():
        weight, bias, eps = course.bn2.weight, course.bn2.bias, course.bn2.eps
        first = max_pool2d(batch_norm(maps, None, None, weight, bias, True, eps=eps), 2)
        second = batch_norm(max_pool2d(maps, 2), None, None, weight, bias, True, eps=eps)
    for order, output, received in (
        (both.norm_first, first, maps),
        (both.pool_first, second, max_pool2d(maps, 2)),
    ):
        np.testing.assert_allclose(order.mean, output.mean((0, 2, 3)), atol=1e-4)
        np.testing.assert_allclose(order.std, output.std((0, 2, 3), correction=0), rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(order.measured_mean, received.mean((0, 2, 3)), atol=1e-5)
        assert order.values == received[:, 0].numel()
        assert order.counts.sum() == output[:, 5].numel()
        counts = np.histogram(output[:, 5].numpy(), order.edges)[0]
        assert np.abs(order.counts - counts).sum() <= 4  # a value at an edge may be rounded to either side
    np.testing.assert_allclose(both.pool_first.mean, course.bn2.bias.detach(), atol=1e-4)
    assert both.largest


class PoolsFirst(nn.Sequential):
    def __init__(self, pool: nn.Module) -> None:
        tail = [nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)]
        super().__init__(nn.Conv2d(3, 4, 3), pool, nn.BatchNorm2d(4), *tail)


def test_a_network_that_pools_first(images: Tensor) -> None:
    net = PoolsFirst(nn.AvgPool2d(2)).eval()
    pooling = pool_beside(net, trace(net, images[:1]), "2")
    assert pooling == ("1", "pool_first")
    both = orders(net, images, "2", 0, pooling)
    with torch.no_grad():
        maps = net[0](images)
    np.testing.assert_allclose(both.norm_first.measured_mean, maps.mean((0, 2, 3)), atol=1e-5)
    np.testing.assert_allclose(both.pool_first.measured_mean, avg_pool2d(maps, 2).mean((0, 2, 3)), atol=1e-5)
    assert not both.largest


def test_without_a_pooling_a_maximum_of_two_by_two_is_taken(images: Tensor) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 900, 3)).eval()
    both = orders(net, images, "1", 0, pool_beside(net, trace(net, images[:1]), "1"))
    assert (both.pool, both.network, both.largest) == ("", "", True)
    assert both.norm_first.values == 4 * both.pool_first.values


def test_maps_of_one_position_cannot_be_pooled() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 8), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 3)).eval()
    with pytest.raises(Problem, match="too small to be pooled"):
        orders(net, torch.randn(2, 3, 8, 8), "1", 0, ("", ""))
