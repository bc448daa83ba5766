"""Functions that torch tells nobody of are steps like any other."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.engine.account import account
from explorer.engine.attribution import METHODS
from explorer.engine.attribution.operations import operations
from explorer.engine.flow import Flow
from model.problems import Problem


class Rectify(torch.autograd.Function):
    """A ReLU of one's own."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient * (ctx.saved_tensors[0] > 0)


class Identical(torch.autograd.Function):
    """Calls no function of torch, and gives what it reads."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient


@torch.jit.script
def swish(x: Tensor) -> Tensor:
    """A function by TorchScript."""
    return x * torch.sigmoid(x)


class Calls(nn.Module):
    def __init__(self, function: object, plain: object) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
        self.head, self.function, self.plain = nn.Linear(4, 5), function, plain

    def forward(self, x: Tensor) -> Tensor:
        x = self.function(self.conv2(self.function(self.conv1(x))))
        return self.head(x.mean((2, 3)))


class InModule(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Rectify.apply(x)


CALLS = {
    "Rectify": lambda: Calls(Rectify.apply, torch.relu),
    "Identical": lambda: Calls(Identical.apply, torch.clone),
    "function": lambda: Calls(swish, F.silu),
}


def made(name: str) -> Calls:
    torch.manual_seed(4)
    return CALLS[name]().eval()


@pytest.mark.parametrize("name", CALLS)
def test_it_is_a_step_between_the_layers(name: str, x: Tensor) -> None:
    flow = Flow(made(name), x, 2)
    assert [node.name for node in flow.graph.nodes] == [
        "", "conv1", name, "conv2", f"{name}#2", "mean", "head"
    ]  # fmt: skip
    assert flow.graph.edges == tuple((at, at + 1) for at in range(6))


@pytest.mark.parametrize("name", CALLS)
def test_no_part_of_the_logit_is_said_to_come_past_it(name: str, x: Tensor) -> None:
    net = made(name)
    told = account(net, x, 2)
    with torch.no_grad():
        maps = net.plain(net.conv2(net.plain(net.conv1(x))))[0]
        wanted = maps * net.head.weight[2][:, None, None] / maps[0].numel()
    np.testing.assert_allclose(told.contributions, wanted, atol=1e-6)
    assert (told.passed, told.exact) == (False, True)
    assert told.constant == pytest.approx(net.head.bias[2].item(), abs=1e-6)


@pytest.mark.parametrize("name", CALLS)
def test_what_flows_through_it_is_that_of_the_same_function_of_torch(name: str, x: Tensor) -> None:
    net = made(name)
    flow = Flow(net, x, 2)
    first = net.conv1(x).detach()
    on = net.plain(first).requires_grad_()
    logit = net.head(net.plain(net.conv2(on)).mean((2, 3)))[0, 2]
    (gradient,) = torch.autograd.grad(logit, [on])
    wanted = (on * gradient)[0].sum((1, 2)).detach()
    np.testing.assert_allclose(flow.contributions([name])[name], wanted, atol=1e-6)
    lines = flow.inflow(name, 1)
    assert [*lines] == ["conv1"]
    np.testing.assert_allclose(lines["conv1"], torch.eye(4)[1] * wanted[1], atol=1e-6)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("method", ["lrp", "deep_lift", "guided_backprop"])
def test_methods_with_rules_for_modules_know_it(name: str, method: str, x: Tensor) -> None:
    ran = operations(made(name), x)
    assert ran.unseen == (name,)
    assert isinstance(METHODS[method].rules(ran), Problem)


def test_a_module_around_it_is_a_layer_like_any_other(x: Tensor) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), InModule(), nn.Flatten(), nn.Linear(4 * 30 * 30, 5)).eval()
    assert [node.name for node in Flow(net, x, 2).graph.nodes] == ["", "0", "1", "2", "3"]
    assert operations(net, x).unseen == ()


class OwnWeight(nn.Module):
    """The largest of each two channels, and a functional convolution with a stride."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(6, 5)
        self.weight = nn.Parameter(torch.randn(6, 4, 3, 3) / 6)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.conv(x)
        largest = maps.view(len(maps), 4, 2, *maps.shape[2:]).amax(2)
        return self.head(F.conv2d(largest, self.weight, stride=2).relu().mean((2, 3)))


def test_lines_lead_into_functions_that_give_maps(x: Tensor) -> None:
    torch.manual_seed(5)
    net = OwnWeight().eval()
    maps = net.conv(x).requires_grad_()
    largest = torch.maximum(maps[:, ::2], maps[:, 1::2])
    made = F.conv2d(largest, net.weight, stride=2)
    gradient = torch.autograd.grad(net.head(made.relu().mean((2, 3)))[0, 1], made)[0]
    flow = Flow(net, x, 1)
    for channel in (0, 3):
        only = torch.zeros_like(gradient)
        only[:, channel] = gradient[:, channel]
        (through,) = torch.autograd.grad(made, largest, only, retain_graph=True)
        wanted = (largest * through)[0].sum((1, 2)).detach()
        np.testing.assert_allclose(flow.inflow("conv2d", channel)["amax"], wanted, atol=1e-6)
        (gradient_of_largest,) = torch.autograd.grad(made, largest, gradient, retain_graph=True)
        only = torch.zeros_like(largest)
        only[:, channel] = gradient_of_largest[:, channel]
        (through,) = torch.autograd.grad(largest, maps, only, retain_graph=True)
        wanted = (maps * through)[0].sum((1, 2)).detach()
        np.testing.assert_allclose(flow.inflow("amax", channel)["conv"], wanted, atol=1e-6)
