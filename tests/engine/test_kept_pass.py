"""One pass that is kept gives what a pass of its own gives for each question."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.attribution import class_gradients
from explorer.engine.attribution.gradients import NoGradient
from explorer.engine.attribution.kept_pass import keep_pass
from explorer.engine.tracing import trace

X = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Skip(nn.Module):
    """As torchvision's residual blocks: what the norm gave is added to in place, and read by a ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(True)
        self.skip, self.fc = nn.Conv2d(3, 4, 1), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.norm(self.conv(x))
        maps += self.skip(x)
        return self.fc(self.relu(maps).mean((2, 3)))


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    net = Skip().eval()
    net.norm.running_mean.normal_()
    return net


def test_all_of_it_comes_from_one_forward_pass(net: nn.Module) -> None:
    keep_pass(net, X)
    kept, whole = keep_pass(net, X), trace(net, X)
    assert kept.seen.inputs == whole.inputs
    assert kept.seen.shapes == whole.shapes
    assert not kept.seen.maps
    np.testing.assert_array_equal(kept.seen.logits, whole.logits)
    np.testing.assert_array_equal(kept.seen.probabilities, whole.probabilities)
    maps = kept.maps(whole.shapes)
    assert maps is not None
    for layer, expected in whole.maps.items():
        np.testing.assert_array_equal(maps[layer], expected)


def test_gradients_are_those_of_plain_torch(net: nn.Module) -> None:
    keep_pass(net, X)
    kept = keep_pass(net, X)
    own = net.norm(net.conv(X)).detach().requires_grad_()
    logits = net.fc((own + net.skip(X)).relu().mean((2, 3)))
    expected = [torch.autograd.grad(logits[0, k], own, retain_graph=True)[0][0] for k in (2, 0)]
    for classes in ((2, 0), (2,), (0,)):  # the graph is there for more than one question
        gradients = class_gradients(net, X, ["norm"], classes, kept)["norm"]
        for one in gradients:
            assert one.target in classes
            torch.testing.assert_close(torch.from_numpy(one.gradients), expected[(2, 0).index(one.target)])
            torch.testing.assert_close(torch.from_numpy(one.maps), own[0].detach())


def test_what_was_written_to_later_is_not_given(net: nn.Module) -> None:
    first = keep_pass(net, X)
    assert first.maps(["norm"]) is None
    assert first.maps(["conv", "relu"]) is not None
    fresh = class_gradients(net, X, ["norm", "relu"], (1,))
    kept = class_gradients(net, X, ["norm", "relu"], (1,), first)
    for layer, (one,) in fresh.items():
        np.testing.assert_array_equal(kept[layer][0].gradients, one.gradients)
    assert keep_pass(net, X).maps(["norm"]) is not None  # the second pass keeps a copy


def test_what_was_written_past_autograd_is_not_given_either() -> None:
    class Doubles(Skip):
        def forward(self, x: Tensor) -> Tensor:
            maps = self.conv(x)
            read = self.norm(maps)
            maps.data.mul_(2)
            return self.fc(self.relu(read).mean((2, 3)))

    net = Doubles().eval()
    first, second, expected = keep_pass(net, X), keep_pass(net, X), net.conv(X)[0].detach()
    assert first.maps(["conv"]) is None
    maps = second.maps(["conv"])
    assert maps is not None
    torch.testing.assert_close(torch.from_numpy(maps["conv"]), expected)


def test_a_layer_that_no_gradient_reaches_is_named() -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.other, self.fc = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            self.other(x)
            return self.fc(self.conv(x).mean((2, 3)))

    net = Cut().eval()
    for kept in (None, keep_pass(net, X)):
        with pytest.raises(NoGradient, match="'other'"):
            class_gradients(net, X, ["other"], (1,), kept)
