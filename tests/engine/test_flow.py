"""What flows to a class against brute force: plain gradients, and one input channel after another."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.engine.account import account_of
from explorer.engine.attribution.gradients import maps_and_gradients, score_of
from explorer.engine.flow import Flow, channel_contributions, inflow
from explorer.engine.graph import graph
from explorer.engine.tracing import trace
from model.nets import NETS
from model.problems import Problem
from tests.engine.odd_networks import ODD
from tests.engine.test_graph import Written


class Branched(nn.Module):
    """A skip, a concatenation, grouped, strided and dilated convolutions, a gate, functions in between."""

    def __init__(self, norm: Callable[[int], nn.Module] = nn.BatchNorm2d) -> None:
        super().__init__()
        self.stem, self.norm, self.act = nn.Conv2d(3, 8, 3, padding=1), norm(8), nn.SiLU()
        self.grouped = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4)
        self.depth, self.point = nn.Conv2d(8, 8, 3, 2, 1, groups=8), nn.Conv2d(8, 4, 1)
        self.short, self.pool = nn.Conv2d(3, 4, 1, 2), nn.MaxPool2d(2)
        self.join, self.relu = nn.Conv2d(12, 6, 3, padding=1, padding_mode="circular"), nn.ReLU()
        self.gate, self.sigmoid = nn.Linear(6, 6), nn.Sigmoid()
        self.fc1, self.drop, self.fc2 = nn.Linear(6 * 16, 7), nn.Dropout(), nn.Linear(7, 5)

    def forward(self, x: Tensor) -> Tensor:
        a = self.act(self.norm(self.stem(x)))
        s = self.grouped(a)
        s += a
        s = self.depth(s)
        j = torch.cat([self.point(s) - self.short(x), s], 1)
        j = self.pool(self.relu(self.join(j)))
        j = j * self.sigmoid(self.gate(j.mean((2, 3))))[:, :, None, None]
        return self.fc2(self.drop(torch.relu_(self.fc1(j.flatten(1))))) / 2


@pytest.fixture
def branched(settled: Callable) -> nn.Module:
    torch.manual_seed(4)
    return settled(Branched())


@pytest.fixture
def small() -> Tensor:
    return torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(5))


def by_gradient(net: nn.Module, x: Tensor, layer: str, target: int) -> tuple[Tensor, Tensor]:
    """What a layer gives, and the gradient of a logit on it, by a hook."""
    outputs: list[Tensor] = []
    hook = net.get_submodule(layer).register_forward_hook(
        lambda _, __, out: outputs.append(out) or out.clone()
    )
    logits = net(x.clone().requires_grad_())
    hook.remove()
    (gradient,) = torch.autograd.grad(logits[0, target], outputs[0])
    return outputs[0].detach(), gradient


def total(lines: dict[str, np.ndarray]) -> float:
    return sum(float(values.astype(np.float64).sum()) for values in lines.values())


LAYERS = ["stem", "norm", "act", "grouped", "depth", "point", "short", "join", "relu", "pool", "gate"]
LAYERS += ["sigmoid", "fc1", "drop", "fc2"]


def test_contributions_are_gradient_times_activation(
    branched: nn.Module, small: Tensor, untouched: Callable
) -> None:
    with untouched(branched), torch.inference_mode():
        contributions = channel_contributions(branched, small, LAYERS, 3)
    assert list(contributions) == LAYERS
    for layer in LAYERS:
        output, gradient = by_gradient(branched, small, layer, 3)
        wanted = (output * gradient)[0].reshape(output.shape[1], -1).sum(1)
        np.testing.assert_allclose(contributions[layer], wanted, rtol=1e-4, atol=1e-6)
        assert contributions[layer].dtype == np.float32


WITH_MAPS = [name for name in ODD if name not in ("Compiled", "ReturnsNothing")]


@pytest.mark.parametrize("name", [*WITH_MAPS, "Tricky"])
def test_contributions_are_captums_in_every_odd_network(name: str, tricky: nn.Module) -> None:
    torch.manual_seed(0)
    net, x = tricky if name == "Tricky" else ODD[name]().eval(), torch.randn(1, 3, 32, 32)
    layers = list(trace(net, x).shapes)
    contributions = channel_contributions(net, x, layers, 1)
    (pairs,) = maps_and_gradients(net, x, layers, score_of(1, None, 1))
    for layer in layers:
        maps, gradients = pairs[layer]
        wanted = (maps * gradients)[0].flatten(1).sum(1)
        np.testing.assert_allclose(contributions[layer], wanted, rtol=1e-4, atol=1e-6, err_msg=layer)


def test_all_layers_come_from_one_pass(course: nn.Module, x: Tensor) -> None:
    passes: list[bool] = []
    course.register_forward_pre_hook(lambda *_: passes.append(True))
    names = [node.name for node in graph(course, x).nodes]
    passes.clear()
    assert list(channel_contributions(course, x, names, 1)) == names
    assert len(passes) == 1


def test_what_they_add_up_to(course: nn.Module, x: Tensor) -> None:
    contributions = channel_contributions(course, x, ["flatten", "fc1", "fc2", ""], 2)
    with torch.no_grad():
        logit = float(course(x)[0, 2])
        on = course.fc1(torch.from_numpy(trace(course, x).maps["pool3"]).flatten()[None]) > 0
        bias = float(course.fc2.bias[2])
        hidden = float((course.fc2.weight[2] * on[0] * course.fc1.bias).sum())
    assert contributions["fc2"].sum() == pytest.approx(logit, rel=1e-4)
    assert contributions["fc1"].sum() == pytest.approx(logit - bias, rel=1e-4)
    assert contributions["flatten"].sum() == pytest.approx(logit - bias - hidden, rel=1e-4)
    assert contributions[""].shape == (3,)


def by_channel(run: Callable[[Tensor], Tensor], read: Tensor, gradient: Tensor) -> np.ndarray:
    """What each channel of a tensor gives of a linear function, weighed by a gradient: one after another."""
    nothing, parts = run(torch.zeros_like(read)), []
    for channel in range(read.shape[1]):
        alone = torch.zeros_like(read)
        alone[:, channel] = read[:, channel]
        parts.append(float(((run(alone) - nothing) * gradient).sum()))
    return np.array(parts)


def outputs(net: nn.Module, x: Tensor, layers: list[str]) -> dict[str, Tensor]:
    return {layer: by_gradient(net, x, layer, 0)[0] for layer in layers}


def joined(point: Tensor, short: Tensor, depth: Tensor) -> Tensor:
    return torch.cat([point - short, depth], 1)


def test_lines_are_what_each_input_channel_gives(branched: nn.Module, small: Tensor) -> None:
    net, channel = branched, 2
    made = outputs(net, small, LAYERS) | {"": small}
    gate = made["sigmoid"][:, :, None, None]
    zero = {layer: torch.zeros_like(value) for layer, value in made.items()}
    runs: dict[str, dict[str, Callable[[Tensor], Tensor]]] = {
        "stem": {"": net.stem},
        "norm": {"stem": net.norm},
        "grouped": {"act": net.grouped},
        "depth": {"act": net.depth, "grouped": net.depth},
        "point": {"depth": net.point},
        "join": {
            "point": lambda v: net.join(joined(v, zero["short"], zero["depth"])),
            "short": lambda v: net.join(joined(zero["point"], v, zero["depth"])),
            "depth": lambda v: net.join(joined(zero["point"], zero["short"], v)),
        },
        "gate": {"mean": net.gate},
        "fc1": {"pool": lambda v: net.fc1((v * gate).flatten(1))},
        "fc2": {"drop": net.fc2},
    }
    made["mean"] = made["pool"].mean((2, 3))
    for layer, sources in runs.items():
        _, gradient = by_gradient(net, small, layer, 3)
        gradient[:, [other for other in range(gradient.shape[1]) if other != channel]] = 0
        inputs = inflow(net, small, layer, channel, 3)
        assert list(inputs) == sorted(inputs, key=[*made].index)
        assert set(inputs) == set(sources)
        with torch.no_grad():
            for source, run in sources.items():
                wanted = by_channel(run, made[source], gradient)
                scale = max(np.abs(wanted).max(), 1e-6)
                np.testing.assert_allclose(inputs[source], wanted, rtol=1e-4, atol=1e-4 * scale)


@pytest.mark.parametrize(
    "conv",
    [
        lambda: nn.Conv2d(6, 4, 3, 2, 1, 2, groups=2),
        lambda: nn.Conv2d(6, 12, (1, 5), (2, 3), (0, 2), groups=6, bias=False),
        lambda: nn.Conv2d(6, 4, 4, padding="same", padding_mode="reflect"),
        lambda: nn.ConvTranspose2d(6, 4, 3, 2, 1, 1, groups=2),
        lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(6, 4, 3)),
    ],
)
def test_lines_of_any_convolution(conv: Callable[[], nn.Module], small: Tensor) -> None:
    torch.manual_seed(10)
    layer = conv()
    head = nn.LazyLinear(5)
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.Tanh(), layer, nn.GELU(), nn.AvgPool2d(3), nn.Flatten(), head)
    net.eval()(small)
    _, gradient = by_gradient(net, small, "2", 4)
    gradient[:, [channel for channel in range(gradient.shape[1]) if channel != 3]] = 0
    with torch.no_grad():
        wanted = by_channel(layer, net[:2](small), gradient)
    inputs = inflow(net, small, "2", 3, 4)
    assert list(inputs) == ["1"]
    np.testing.assert_allclose(inputs["1"], wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())
    bias = 0.0 if layer.bias is None else float((gradient.sum((0, 2, 3)) * layer.bias.detach()).sum())
    whole = channel_contributions(net, small, ["2"], 4)["2"][3]
    assert total(inputs) + bias == pytest.approx(whole, rel=1e-4, abs=1e-6)


def test_lines_and_the_bias_add_up(branched: nn.Module, small: Tensor) -> None:
    whole = channel_contributions(branched, small, LAYERS, 3)
    for layer in LAYERS:
        _, gradient = by_gradient(branched, small, layer, 3)
        for channel in (0, 3):
            summed = float(gradient[0, channel].sum())
            module = branched.get_submodule(layer)
            bias = 0.0
            if isinstance(module, nn.BatchNorm2d):
                scale = module.weight / (module.running_var + module.eps).sqrt()
                bias = summed * float((module.bias - module.running_mean * scale)[channel].detach())
            elif getattr(module, "bias", None) is not None:
                bias = summed * float(module.bias[channel].detach())
            lines = total(inflow(branched, small, layer, channel, 3))
            assert lines + bias == pytest.approx(whole[layer][channel], rel=1e-4, abs=1e-6), layer


@pytest.mark.parametrize(
    "norm",
    [lambda n: nn.GroupNorm(2, n), lambda n: nn.GroupNorm(1, n), nn.InstanceNorm2d,
     lambda n: nn.LayerNorm([n, 16, 16]), lambda n: nn.BatchNorm2d(n, track_running_stats=False)],
)  # fmt: skip
def test_norms_of_the_image_hold_their_statistics(small: Tensor, norm: Callable) -> None:
    torch.manual_seed(6)
    net = Branched(norm).eval()
    for parameter in net.norm.parameters():
        parameter.data.uniform_(0.5, 1.5)
    read, (_, gradient) = outputs(net, small, ["stem"])["stem"], by_gradient(net, small, "norm", 1)
    with torch.no_grad():
        out = net.norm(read)[0, 3]
        at, beside = (0, 0), (7, 9)  # two places of one channel tell its scale
        scale = (out[at] - out[beside]) / (read[0, 3][at] - read[0, 3][beside])
    inputs = inflow(net, small, "norm", 3, 1)["stem"]
    if not isinstance(net.norm, nn.LayerNorm):  # which has a weight for each place
        assert inputs[3] == pytest.approx(
            float((gradient[0, 3] * read[0, 3] * scale).sum()), rel=1e-3, abs=1e-6
        )
    assert not inputs[[channel for channel in range(8) if channel != 3]].any()


@pytest.mark.parametrize("name", ["NormAct", "GroupNormAct", "SameConv2d", "ScaledConv2d", "PreActivation"])
def test_odd_layers_add_up(name: str) -> None:
    torch.manual_seed(7)
    net, x = ODD[name]().eval(), torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        flow = Flow(net, x, 1)
    for node in graph(net, x).nodes[1:]:
        whole = flow.contributions([node.name])[node.name]
        with torch.inference_mode():
            lines = total(flow.inflow(node.name, 1))
        if node.kind in ("act", "pool", "concat", "add", "dropout"):
            assert lines == pytest.approx(whole[1], rel=1e-4, abs=1e-6), node.name


def test_the_larger_network_adds_up(x: Tensor, settled: Callable) -> None:
    torch.manual_seed(8)
    net = settled(NETS["resnet9"](width=8))
    names = [node.name for node in graph(net, x).nodes]
    whole = channel_contributions(net, x, names, 4)
    assert list(whole) == names
    for name in ("layer2.conv", "residual1.gate.sigmoid", "mul", "add#2", "layer3.act", "pool", "fc", "div"):
        lines = inflow(net, x, name, 4, 4)
        assert total(lines) == pytest.approx(whole[name][4], rel=1e-4, abs=1e-6), name
    assert set(inflow(net, x, "layer2.conv", 0, 4)) == {"layer1.act", "residual1.block2.act"}


def test_what_is_written_into_slices_and_in_place() -> None:
    torch.manual_seed(12)
    net, x = Written().eval(), torch.randn(1, 3, 8, 8)
    names = [node.name for node in graph(net, x).nodes]
    contributions = channel_contributions(net, x, names, 1)
    assert list(contributions) == names
    shortcut, image = x.clone().requires_grad_(), x.clone().requires_grad_()
    maps, other = net.conv(image), net.other(shortcut)
    joined = torch.cat([maps[:, :2], other[:, 2:]], 1)
    pooled = joined.relu().mean((2, 3)) + 2 * joined.relu().amax((2, 3))
    tensors = {"shortcut": shortcut, "conv": maps, "other": other, "add#2": pooled}
    gradients = torch.autograd.grad(net.head(pooled)[0, 1], list(tensors.values()))
    for (name, values), gradient in zip(tensors.items(), gradients, strict=True):
        wanted = (values * gradient).detach()[0].reshape(values.shape[1], -1).sum(1)
        np.testing.assert_allclose(contributions[name], wanted, rtol=1e-4, atol=1e-6, err_msg=name)
    assert total(inflow(net, x, "relu", 1, 1)) == pytest.approx(contributions["relu"][1], rel=1e-4)


class Mixed(nn.Module):
    """Softmax over channels, a product of two layers, attention, a reciprocal."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.other, self.act = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3), nn.Softmax2d()
        self.attend, self.head = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.act(self.conv(x)) * (1 / self.other(x))
        tokens, _ = self.attend(*[maps.flatten(2).transpose(1, 2)] * 3)
        return self.head(tokens.mean(1))


def test_what_cannot_be_split_is_a_problem() -> None:
    torch.manual_seed(9)
    net, x = Mixed().eval(), torch.randn(1, 3, 6, 6)
    for layer, named, reason in (
        ("act", "act", "it is not linear"),
        ("mul", "mul", "it is a product of tensors"),
        ("attend", "attend", "it does not give one tensor of real numbers"),
        ("mean", "attend", "it does not give one tensor of real numbers"),
    ):
        with pytest.raises(Problem, match=f"'{named}' cannot be split by channel, because {reason}"):
            inflow(net, x, layer, 0, 1)
    own = channel_contributions(net, x, ["reciprocal"], 1)["reciprocal"][0]  # by each value itself
    assert total(inflow(net, x, "reciprocal", 0, 1)) == pytest.approx(own, rel=1e-4)
    assert list(channel_contributions(net, x, ["conv", "attend", "head"], 1)) == ["conv", "head"]


def test_what_is_not_there(course: nn.Module, x: Tensor) -> None:
    assert inflow(course, x, "", 0, 0) == {}
    with pytest.raises(Problem, match="no channel 32"):
        inflow(course, x, "conv1", 32, 0)
    with pytest.raises(Problem, match="no class 10"):
        inflow(course, x, "conv1", 0, 10)
    with pytest.raises(Problem, match="'conv9' did not run"):
        channel_contributions(course, x, ["conv9"], 0)


def test_a_layer_that_no_gradient_reaches() -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3), nn.Linear(4, 5)

        def forward(self, x: Tensor) -> Tensor:
            self.unused(x)
            return self.head(F.relu(self.used(x)).amax((2, 3)))

    net, x = Half().eval(), torch.randn(1, 3, 6, 6)
    assert list(channel_contributions(net, x, ["used", "unused"], 1)) == ["used"]
    with pytest.raises(Problem, match="No gradient"):
        inflow(net, x, "unused", 0, 1)


class OwnConv(nn.Module):
    """A convolution of one's own, whose weight is computed, with a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(4, 5, 3, 3)), nn.Parameter(torch.randn(4))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight, self.bias, padding=1)


class Attends(nn.Module):
    """Positions beside the image; channels are weighed with `expand_as`, positions by the largest channel."""

    def __init__(self) -> None:
        super().__init__()
        self.own, self.squeeze, self.spot = OwnConv(), nn.Linear(4, 4), nn.Conv2d(1, 1, 3, padding=1)
        self.head = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        rows = torch.linspace(-1, 1, x.shape[2])[:, None].expand(len(x), 2, -1, x.shape[3])
        maps = self.own(torch.cat([x, rows], 1))
        gate = self.squeeze(maps.mean((2, 3))).sigmoid()[:, :, None, None]
        maps = maps * gate.expand_as(maps)
        largest, _ = maps.max(1, keepdim=True)
        return self.head((maps * self.spot(largest).sigmoid()).mean((2, 3)))


def test_attention_to_channels_and_positions_is_split() -> None:
    torch.manual_seed(8)
    net, x = Attends().eval(), torch.randn(1, 3, 6, 6)
    flow = Flow(net, x, 1)
    own = flow.contributions(["own", "mul", "max", "spot"])
    lines = {layer: total(flow.inflow(layer, 0)) for layer in ("mul", "max")}
    assert lines == {layer: pytest.approx(own[layer][0], rel=1e-4) for layer in lines}
    assert [*flow.inflow("mul", 0)] == ["own"]
    with torch.no_grad():
        maps = net.own(torch.cat([x, x.new_zeros(1, 2, 6, 6)], 1))
        rows = torch.linspace(-1, 1, 6)[:, None].expand(1, 2, -1, 6)
        whole = net.own(torch.cat([x, rows], 1))
    made = whole.clone().requires_grad_()
    net_after = net.head  # of what follows `own`, by plain autograd
    gated = made * net.squeeze(made.mean((2, 3))).sigmoid()[:, :, None, None]
    logit = net_after((gated * net.spot(gated.amax(1, keepdim=True)).sigmoid()).mean((2, 3)))[0, 1]
    (gradient,) = torch.autograd.grad(logit, made)
    np.testing.assert_allclose(own["own"], (whole * gradient)[0].sum((1, 2)), rtol=1e-4, atol=1e-6)
    of_image = ((maps - net.own.bias[:, None, None]) * gradient)[0, 2].sum().item()
    assert total(flow.inflow("own", 2)) == pytest.approx(of_image, rel=1e-4)


def test_the_bias_of_a_convolution_of_ones_own_is_part_of_the_constant() -> None:
    torch.manual_seed(8)
    net = nn.Sequential(nn.Conv2d(3, 5, 3), OwnConv(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    told = account_of(Flow(net.eval(), torch.randn(1, 3, 6, 6), 1))
    assert (told.layer, told.exact) == ("1", True)
    earlier = Flow(net, torch.randn(1, 3, 6, 6), 1)
    assert earlier.constant(2) == pytest.approx(float(net[4].weight[1] @ net[1].bias), rel=1e-4)
