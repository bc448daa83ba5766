"""A map blind to the network is told from one that depends on it; the network itself is not drawn anew."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from explorer.engine.attribution import Heatmap, attribute
from explorer.engine.scores import SCORES, Subject, random_nets
from explorer.engine.scores.randomized import entropy, randomized, with_random_weights
from model.nets import CourseCNN

EDGES = torch.tensor([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]]]).repeat(1, 3, 1, 1)


def edges(_: nn.Module, x: Tensor, classes: np.ndarray) -> Heatmap:
    """What Guided Backprop resembles: the edges of the image, whatever network and class."""
    values = nn.functional.conv2d(x, EDGES, padding=1).abs()[:, 0]
    return Heatmap("edges", "input", classes, values.numpy())


@pytest.fixture
def images() -> Tensor:
    return torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(7))


def test_an_edge_detector_fails_and_grad_cam_passes(course: nn.Module, x: Tensor, images: Tensor) -> None:
    nets = random_nets(course, images)
    heat = edges(course, x, np.array([3]))
    blind = randomized(Subject(course, x, heat, explain=edges, random_nets=nets))
    assert np.allclose([blind.value, *blind.correlations], 1)
    assert (blind.rise, blind.above_chance) == (0, 1)
    heat = attribute(course, x, layer="relu3", target=3)
    sensitive = randomized(Subject(course, x, heat, random_nets=nets))
    assert sensitive.value < 0.6
    assert sensitive.value == pytest.approx(sensitive.correlations.mean())


def test_the_maps_are_those_of_the_random_networks(course: nn.Module, x: Tensor, images: Tensor) -> None:
    nets = random_nets(course, images)
    result = randomized(Subject(course, x, attribute(course, x, layer="relu3", target=3), random_nets=nets))
    for net, values in zip(nets, result.maps, strict=True):
        assert np.allclose(values, attribute(net, x, layer="relu3", target=3).values, atol=1e-6)


def test_without_random_networks_the_reason_is_given(course: nn.Module, x: Tensor) -> None:
    subject = Subject(course, x, attribute(course, x, layer="relu3", target=3))
    assert "random weights" in str(SCORES["randomized"].unmet(subject))


def test_every_weight_is_new_and_follows_from_the_seed(tricky: nn.Module, untouched: Callable) -> None:
    with untouched(tricky):
        one, same, other = (with_random_weights(tricky, seed) for seed in (0, 0, 1))
    for name, trained in tricky.named_parameters():
        first, again, second = (dict(net.named_parameters())[name] for net in (one, same, other))
        assert torch.equal(first, again)
        assert not torch.equal(first, trained)
        assert "bn" in name or "down.1" in name or not torch.equal(first, second)


def test_batchnorm_has_the_statistics_of_the_images(tricky: nn.Module, images: Tensor) -> None:
    net = with_random_weights(tricky, 0, images)
    with torch.no_grad():
        received = net.conv1(images)
    assert torch.allclose(net.bn1.running_mean, received.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(net.bn1.running_var, received.var((0, 2, 3)), rtol=1e-4)
    assert not any(module.training for module in net.modules())


def test_weights_that_no_reset_reaches_are_drawn_too() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.linspace(1, 3, 200))
            self.conv = parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
            self.again = self.conv

    net = Own()
    drawn = with_random_weights(net, 0)
    names = dict(net.named_parameters())
    assert not any(torch.equal(each, names[name]) for name, each in drawn.named_parameters())
    assert drawn.again is drawn.conv
    assert drawn.scale.mean().item() == pytest.approx(2, abs=0.2)
    assert drawn.scale.std().item() == pytest.approx(net.scale.std().item(), rel=0.2)


def test_entropy_by_hand() -> None:
    assert entropy(np.zeros((4, 4))) == 0
    assert entropy(np.repeat([0.0, 1.0], 8)) == pytest.approx(np.log(2))
    # Quartiles 24.75 and 74.25: bins of width 2 · 49.5 / ∛100, which are five, raised to ten, the fewest.
    assert entropy(np.arange(100.0)) == pytest.approx(np.log(10))


def test_random_weights_are_those_of_their_seed_while_other_threads_draw() -> None:
    net = CourseCNN(widths=(4, 8), hidden=16).eval()
    wanted = [with_random_weights(net, seed).state_dict() for seed in range(2)]
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda n: with_random_weights(net, n % 2).state_dict(), range(60)))
    for n, weights in enumerate(drawn):
        assert all(torch.equal(weights[name], value) for name, value in wanted[n % 2].items())
