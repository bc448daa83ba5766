"""The account of a logit adds up, and its parts are those of the weights."""

import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.account import account
from explorer.engine.outputs import Outputs, give_logits
from explorer.engine.prediction import prediction
from explorer.engine.tracing import trace
from model.checkpoint import load_checkpoint
from model.nets import NETS
from model.problems import Problem
from tests.engine.odd_networks import PreActivation, perceptron

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
SHIPPED = ("cifar10-course", "cifar10-fast", "cifar10-resnet9", "scenes-course", "scenes-shortcut")


@cache
def shipped(name: str) -> nn.Module:
    return load_checkpoint(CHECKPOINTS / f"{name}.safetensors").build()


@pytest.mark.parametrize("name", SHIPPED)
def test_the_sum_is_the_logit_in_shipped_networks(name: str, x: Tensor) -> None:
    net, logits = shipped(name), trace(shipped(name), x).logits
    for target in (0, 7):
        made = account(net, x, target)
        assert made.exact
        assert made.contributions.sum() + made.constant == pytest.approx(logits[target], abs=1e-4)
        assert made.channels.sum() == pytest.approx(made.positions.sum(), abs=1e-4)


def test_parts_are_those_of_the_weights(course: nn.Module, x: Tensor, untouched: Callable) -> None:
    with untouched(course):
        made = account(course, x, 3)
    maps = torch.from_numpy(trace(course, x).maps["pool3"])
    with torch.no_grad():
        hidden = course.fc1(maps.flatten()[None])[0]
        on = (hidden > 0).float() * course.fc2.weight[3]
        wanted = (on @ course.fc1.weight).reshape(maps.shape) * maps
        constant = on @ course.fc1.bias + course.fc2.bias[3]
    np.testing.assert_allclose(made.contributions, wanted, atol=1e-6)
    assert (made.layer, made.read, made.hidden) == ("pool3", False, "fc1")
    assert made.constant == pytest.approx(float(constant), abs=1e-6)
    assert made.unit_contributions is not None
    np.testing.assert_allclose(made.unit_contributions, (on * hidden).detach(), atol=1e-6)
    assert made.unit_constant == pytest.approx(course.fc2.bias[3].item(), abs=1e-6)
    assert pickle.loads(pickle.dumps(made)) == made


def test_global_pooling_divides_each_weight_among_the_positions(gap: nn.Module, x: Tensor) -> None:
    made = account(gap, x, 2)
    maps = trace(gap, x).maps["3"]
    wanted = gap[6].weight[2].detach().numpy()[:, None, None] * maps / maps[0].size
    np.testing.assert_allclose(made.contributions, wanted, atol=1e-7)
    assert (made.layer, made.hidden, made.units) == ("3", "", None)
    assert made.constant == pytest.approx(gap[6].bias[2].item(), abs=1e-7)


def test_maps_made_outside_of_modules_are_the_last_ones(tricky: nn.Module, x: Tensor) -> None:
    made = account(tricky, x, 1)
    assert made.exact
    assert made.maps.shape == (6, 15, 15)


def test_what_a_layer_reads_counts_where_no_layer_gives_it(x: Tensor, settled: Callable) -> None:
    made = account(settled(NETS["resnet9"](width=4)), x, 1)
    assert (made.layer, made.read, made.maps.shape) == ("pool", True, (24, 4, 4))
    assert made.exact


def test_a_norm_behind_the_maps_is_part_of_the_constant(x: Tensor, settled: Callable) -> None:
    torch.manual_seed(0)
    body = [nn.Conv2d(3, 4, 5, 4), nn.ReLU(), nn.Flatten(), nn.BatchNorm1d(196), nn.Linear(196, 5)]
    net = settled(nn.Sequential(*body))
    made, norm, fc = account(net, x, 1), net[3], net[4]
    shift = norm.bias - norm.running_mean * norm.weight / (norm.running_var + norm.eps).sqrt()
    assert made.constant == pytest.approx((fc.weight[1] @ shift + fc.bias[1]).item(), abs=1e-5)
    assert made.exact


class ByTokens(nn.Module):
    """Behind the maps: a layer over heads of tokens, norms over all tokens and over channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.wide = nn.Conv2d(3, 4, 8, 8), nn.Linear(2, 3)
        self.over_tokens, self.over_channels = nn.BatchNorm1d(3), nn.BatchNorm1d(2)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.conv(x).flatten(2).transpose(1, 2)
        heads = self.wide(tokens.unflatten(2, (2, 2)).transpose(1, 2))  # (N, 2, 16, 3)
        heads = self.over_tokens(heads.flatten(0, 2)).reshape(heads.shape)
        return self.head(self.over_channels(heads.flatten(2)).unflatten(2, (16, 3)).mean(2).flatten(1))


@pytest.mark.parametrize("image", [0, 1])
def test_biases_of_layers_over_tokens_are_part_of_the_constant(
    x: Tensor, settled: Callable, image: int
) -> None:
    net, one = settled(ByTokens()), (x, x.flip(3) * 2)[image]
    made = account(net, one, 1)
    with torch.no_grad():
        maps = net.conv(one)
        net.conv.bias.zero_()
        constant = float(net(torch.zeros_like(x))[0, 1])  # the maps are zero: all that is left are the biases
    assert made.exact
    np.testing.assert_allclose(made.maps, maps[0], atol=1e-6)
    np.testing.assert_allclose(made.constant, constant, atol=1e-5)


class SumAfterBranch(nn.Module):
    """A branch that changes nothing in eval mode, and a sum in its memory: the sum is what the head reads."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.drop, self.pool = nn.Conv2d(3, 4, 5, 4), nn.Dropout2d(), nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.conv(x)
        branch = self.drop(maps.relu())
        branch += maps
        return self.head(self.pool(branch).flatten(1))


def test_a_sum_in_place_is_later_than_the_branch_that_it_is_written_into(x: Tensor) -> None:
    torch.manual_seed(0)
    net = SumAfterBranch().eval()
    made = account(net, x, 2)
    with torch.no_grad():
        maps = net.conv(x)
        total = (maps.relu() + maps)[0]
    np.testing.assert_allclose(made.maps, total, atol=1e-6)
    np.testing.assert_allclose(
        made.contributions, net.head.weight[2].detach()[:, None, None] * total / total[0].numel(), atol=1e-6
    )
    assert (made.layer, made.read, made.exact) == ("pool", True, True)
    assert made.constant == pytest.approx(net.head.bias[2].item(), abs=1e-6)


def test_what_is_not_linear_leaves_a_residual(x: Tensor) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 8, 8), nn.ReLU(), nn.Flatten(), nn.Linear(64, 9), nn.Softplus(), nn.Linear(9, 5)
    ).eval()
    made = account(net, x, 4)
    assert not made.exact
    assert made.contributions.sum() + made.constant + made.residual == pytest.approx(made.logit, abs=1e-6)
    assert abs(made.residual) > 0.01


class Features(nn.Module):
    """What the networks below do with the maps of an image, or with several of them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.act = nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU()
        self.head, self.wide = nn.Linear(4, 5), nn.Linear(4 * 5, 5)
        self.shift = nn.Parameter(torch.randn(5))

    def maps(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.maps(x).mean((2, 3)))


class Detached(Features):
    def forward(self, x: Tensor) -> Tensor:
        means = self.maps(x).mean((2, 3))
        return self.head(means - means.amax(1, keepdim=True).detach())


def test_what_comes_without_a_gradient_is_not_of_the_biases(x: Tensor) -> None:
    torch.manual_seed(0)
    net = Detached().eval()
    made = account(net, x, 1)
    assert not made.exact
    assert made.constant == pytest.approx(net.head.bias[1].item(), abs=1e-5)


class Copies(Features):
    """Test-time augmentation inside: the image and its mirror image as one batch."""

    def forward(self, x: Tensor) -> Tensor:
        both = self.head(self.maps(torch.cat([x, x.flip(3)])).mean((2, 3)))
        return (both[: len(x)] + both[len(x) :]) / 2


def test_maps_of_copies_of_the_image_are_not_those_of_the_image(x: Tensor) -> None:
    with pytest.raises(Problem, match="no feature maps with positions"):
        account(Copies().eval(), x, 1)


class Branches(Features):
    """The image and its mirror image one after the other."""

    def forward(self, x: Tensor) -> Tensor:
        return (super().forward(x) + super().forward(x.flip(3))) / 2


def test_what_comes_past_the_last_maps_is_said(x: Tensor) -> None:
    net = Branches().eval()
    made = account(net, x, 1)
    with torch.no_grad():
        maps = net.maps(x.flip(3))[0]
        own = net.head.weight[1][:, None, None] * maps / maps[0].numel() / 2
        past = float(net.head(net.maps(x).mean((2, 3)))[0, 1]) / 2
    np.testing.assert_allclose(made.contributions, own, atol=1e-6)
    assert (made.layer, made.passed, made.exact) == ("act#2", True, False)
    assert made.contributions.sum() + made.constant + made.residual == pytest.approx(made.logit, abs=1e-6)
    assert made.residual == pytest.approx(past, abs=1e-5)


class Pyramid(Features):
    """Several poolings of the same maps side by side; a value that is added without a layer."""

    def forward(self, x: Tensor) -> Tensor:
        maps = self.maps(x)
        pooled = [nn.functional.adaptive_max_pool2d(maps, size).flatten(1) for size in (1, 2)]
        return self.wide(torch.cat(pooled, 1)) * 2 + self.shift


def test_earlier_maps_are_divided_where_all_of_the_logit_comes_through_them(x: Tensor) -> None:
    net = Pyramid().eval()
    made = account(net, x, 3)
    with torch.no_grad():
        logit = float(net(x)[0, 3])
        constant = float(2 * net.wide.bias[3] + net.shift[3])
    assert (made.layer, made.passed, made.exact) == ("act", False, True)
    assert made.constant == pytest.approx(constant, abs=1e-5)
    assert made.contributions.sum() == pytest.approx(logit - constant, abs=1e-4)
    maps = net.maps(x).detach().requires_grad_()
    net.maps = lambda _: maps  # type: ignore[method-assign]
    (gradient,) = torch.autograd.grad(net(x)[0, 3], maps)
    np.testing.assert_allclose(made.contributions, (gradient * maps)[0].detach(), atol=1e-5)


class HalfDetached(Features):
    """Adds values to a copy of them that no gradient passes."""

    def forward(self, x: Tensor) -> Tensor:
        means = self.maps(x).mean((2, 3))
        return self.head(means + means.detach())


def test_what_is_detached_from_the_gradient_is_no_part_of_the_constant(x: Tensor) -> None:
    net = HalfDetached().eval()
    made = account(net, x, 2)
    assert made.constant == pytest.approx(net.head.bias[2].item(), abs=1e-6)
    with torch.no_grad():
        held = float(net.head.weight[2] @ net.maps(x).mean((2, 3))[0])
    assert made.residual == pytest.approx(held, abs=1e-5)
    assert not made.exact


class ByFunctions(Features):
    """No layer gives the last maps, nor any maps at all."""

    def forward(self, x: Tensor) -> Tensor:
        maps = nn.functional.conv2d(x, self.conv.weight, self.conv.bias, 2).relu()
        return nn.functional.linear(maps.mean((2, 3)), self.head.weight, self.head.bias)


def test_maps_that_no_layer_gives_or_reads_are_computed_from_one(x: Tensor) -> None:
    made = account(ByFunctions().eval(), x, 2)
    assert (made.layer, made.after, made.read, made.exact) == ("", True, False, True)
    assert made.constant == pytest.approx(ByFunctions().head.bias[2].item(), abs=1e-6)
    gated = Features().eval()
    gated.act = nn.Identity()
    gated.maps = lambda x: gated.norm(gated.conv(x)).relu().square()  # type: ignore[method-assign]
    assert account(gated, x, 2).after


class Means(nn.Module):
    """A network without any layer."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def test_any_network_gives_an_account_or_one_sentence(x: Tensor) -> None:
    assert account(PreActivation().eval(), x, 1).exact
    with pytest.raises(Problem, match="no feature maps with positions"):
        account(perceptron().eval(), x, 1)
    with pytest.raises(Problem, match="no feature maps with positions"):
        account(Means(), x, 1)
    with pytest.raises(Problem, match="no class 5"):
        account(PreActivation().eval(), x, 5)


# The answer


def test_softmax_and_cross_entropy_are_torchs() -> None:
    logits = torch.randn(4, 10, generator=torch.Generator().manual_seed(0)) * 5
    labels = torch.tensor([0, 9, 3, 3])
    made = prediction(nn.Identity(), logits.numpy(), labels)
    np.testing.assert_allclose(made.probabilities, logits.softmax(1), atol=1e-6)
    np.testing.assert_allclose(
        made.loss, nn.functional.cross_entropy(logits.double(), labels, reduction="none"), atol=1e-12
    )
    exponentials = made.exponentials
    np.testing.assert_allclose(
        exponentials / exponentials.sum(1, keepdims=True), logits.softmax(1), atol=1e-6
    )
    one = prediction(nn.Identity(), logits[1].numpy(), 9)
    assert one.loss == pytest.approx(-np.log(one.probabilities[9]), abs=1e-5)
    assert prediction(nn.Identity(), logits[1].numpy()).loss is None


def test_independent_labels_have_a_sigmoid_each() -> None:
    net, logits = give_logits(nn.Identity(), Outputs("sigmoid-logits")), torch.tensor([2.0, -1.0, 0.5])
    made = prediction(net, logits.numpy(), 1)
    np.testing.assert_allclose(made.probabilities, logits.sigmoid(), atol=1e-7)
    wanted = nn.functional.binary_cross_entropy_with_logits(logits[1].double(), torch.tensor(1.0).double())
    assert made.loss == pytest.approx(float(wanted))
    with pytest.raises(Problem, match="no class 3"):
        prediction(net, logits.numpy(), 3)


class Compares(nn.Module):
    """A Siamese network: the image's values beside those of a kept picture, which runs last."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 5, 4), nn.ReLU())
        self.register_buffer("kept", torch.randn(1, 3, 32, 32))
        self.head = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean((2, 3)) - self.body(self.kept).mean((2, 3)))


def test_maps_of_another_picture_are_not_divided(x: Tensor) -> None:
    torch.manual_seed(0)
    net = Compares().eval()
    made = account(net, x, 1)
    with torch.no_grad():
        maps = net.body(x)[0]
        wanted = maps * net.head.weight[1][:, None, None] / maps[0].numel()
    assert made.layer == "body.1"
    np.testing.assert_allclose(made.contributions, wanted, atol=1e-6)
