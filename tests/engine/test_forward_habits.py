"""What people write into the forward of their networks: each habit with the values of a plain network."""

import random
import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint as recomputed

from explorer.engine.ablation import ablations
from explorer.engine.account import account
from explorer.engine.attribution import METHODS, attribute, method_problems
from explorer.engine.attribution.gradients import NoGradient
from explorer.engine.batchnorm import with_batch_statistics
from explorer.engine.checkup import check_up
from explorer.engine.flow import Flow
from explorer.engine.graph import graph
from explorer.engine.independence import mixes_rows
from explorer.engine.network import network_of
from explorer.engine.network_source import Source
from explorer.engine.opening import Opening, open_source
from explorer.engine.passes import private_view
from explorer.engine.probe import convolution_step
from explorer.engine.recalibration import recalibrated
from explorer.engine.scan.images import drawn_scenes
from explorer.engine.scan.running import scan
from explorer.engine.scores.randomized import random_nets
from explorer.engine.strongest_path import strongest_path
from explorer.engine.tracing import blocks, trace
from model.card import Card
from model.problems import Problem
from tests.engine.odd_networks import Plain, ReturnsNothing

CARD = Card(input_size=16, classes=tuple("abcde"))
X = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))


class Habit(Plain):
    """The network of every test, with weights of its own seed."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(2)
        for parameter in self.parameters():
            parameter.data = 0.5 * torch.randn(parameter.shape, generator=generator)

    def maps(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.maps(x).mean((2, 3)))


PLAIN = Habit().eval()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Opening]:
    """Opens what a function builds, as `--net own:build` does."""
    module = ModuleType("own_habits")
    monkeypatch.setitem(sys.modules, "own_habits", module)

    def open_(build: Callable[..., nn.Module], **options: object) -> Opening:
        module.build = build  # type: ignore[attr-defined]
        return open_source(Source(**{"net": "own_habits:build", "input_size": 16} | options))

    return open_


# What a forward does with its tensors


class LeNet(nn.Module):
    """One channel, and `view` before the dense layer, as in the tutorials for MNIST."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc = nn.Linear(400, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(torch.sigmoid(self.conv1(x)), 2)
        return self.fc(F.max_pool2d(torch.sigmoid(self.conv2(x)), 2).view(-1, 400))


def test_a_gray_network_may_view_its_maps(opened: Callable[..., Opening]) -> None:
    opening = opened(LeNet, input_size=28)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 3), np.uint8)
    x = opening.checkpoint.card.to_inputs(pixels)
    assert x.shape == (2, 1, 28, 28)
    assert x.stride() == (784, 784, 28, 1)
    net = opening.checkpoint.build()
    with torch.no_grad():
        np.testing.assert_allclose(trace(net, x).logits, net(x), atol=1e-6)


class HooksMaps(Habit):
    """As tutorials of Grad-CAM write it."""

    def forward(self, x: Tensor) -> Tensor:
        maps = self.maps(x)
        maps.register_hook(self.keep)
        return self.head(maps.mean((2, 3)))

    def keep(self, gradient: Tensor) -> None:
        self.gradient = gradient


class RetainsGradients(Habit):
    def forward(self, x: Tensor) -> Tensor:
        self.kept = self.maps(x)
        self.kept.retain_grad()
        return self.head(self.kept.mean((2, 3)))


@pytest.mark.parametrize("build", [HooksMaps, RetainsGradients])
def test_a_network_that_hooks_its_own_maps_works_as_without(
    opened: Callable[..., Opening], build: type[Habit]
) -> None:
    opening = opened(build)
    assert not opening.checkup.findings
    net = opening.checkpoint.build()
    np.testing.assert_allclose(trace(net, X).logits, trace(PLAIN, X).logits, atol=1e-6)
    own, plain = (attribute(each, X, layer="act", target=1).values for each in (net, PLAIN))
    np.testing.assert_allclose(own, plain, atol=1e-6)
    assert graph(net, X[:1]).edges == graph(PLAIN, X[:1]).edges
    images = drawn_scenes(opening.checkpoint.card, 4)
    checkpoint = replace(opening.checkpoint, builder=lambda: Habit())
    scanned, plain = (scan(network_of(each), images).layers for each in (opening.checkpoint, checkpoint))
    for layer in ("conv", "norm", "act"):
        np.testing.assert_allclose(scanned[layer].variance, plain[layer].variance, rtol=1e-5)
        np.testing.assert_allclose(scanned[layer].top_values, plain[layer].top_values, atol=1e-5)
    np.testing.assert_allclose(ablations(net, X, "act").zeroed, ablations(PLAIN, X, "act").zeroed, atol=1e-5)


def test_passes_with_gradients_leave_the_mode_of_the_thread(opened: Callable[..., Opening]) -> None:
    net = opened(HooksMaps).checkpoint.build()
    with torch.no_grad():
        assert not private_view(net)(X).requires_grad
        assert not torch.is_grad_enabled()
        with pytest.raises(RuntimeError):
            private_view(net)(X[:, :2])
        assert not torch.is_grad_enabled()


class Normalizes(Habit):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward((x - 0.4) / 0.2)


class NormalizesInPlace(Habit):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.sub_(0.4).div_(0.2))


@pytest.mark.parametrize("method", METHODS)
def test_a_network_may_write_on_its_images(method: str) -> None:
    x, layer = X.clone(), "act" if METHODS[method].needs_layer else None
    try:
        expected = attribute(Normalizes().eval(), X, method, layer=layer, target=1).values
    except Problem:
        pytest.skip("not allowed by such a network")
    own = attribute(NormalizesInPlace().eval(), x, method, layer=layer, target=1).values
    np.testing.assert_allclose(own, expected, atol=1e-5 * np.abs(expected).max())
    assert torch.equal(x, X)


def test_batch_statistics_are_of_images_that_are_normalized_once() -> None:
    own, expected = (with_batch_statistics(net.eval(), X) for net in (NormalizesInPlace(), Normalizes()))
    np.testing.assert_allclose(own.batch, expected.batch, atol=1e-6)


class UnderAutocast(Habit):
    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return super().forward(x)


@pytest.mark.parametrize("method", [name for name, each in METHODS.items() if each.heat is not None])
def test_maps_of_16_bits_have_every_heat_map(method: str) -> None:
    own, plain = (attribute(net, X, method, layer="act", target=1).values for net in (UnderAutocast(), PLAIN))
    assert np.corrcoef(own.ravel(), plain.ravel())[0, 1] > 0.99


class Complex(Habit):
    def __init__(self) -> None:
        super().__init__()
        self.waves = nn.Conv2d(3, 3, 3, padding=1, dtype=torch.complex64)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.waves(x.to(torch.complex64)).abs())


def test_complex_arithmetic_is_not_spelled_out() -> None:
    conv = Complex().waves
    read = X[0].to(torch.complex64)
    with pytest.raises(Problem, match="more than a plain Conv2d"):
        convolution_step(conv, "waves", read, conv(read[None])[0].detach(), (0, 1, 1))


def test_complex_values_are_no_feature_maps(opened: Callable[..., Opening]) -> None:
    net = opened(Complex).checkpoint.build()
    assert list(trace(net, X[:1]).maps) == ["conv", "norm", "act"]


class InHalf(Habit):
    def __init__(self) -> None:
        super().__init__()
        self.half()

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.half())


def test_a_map_that_is_no_number_is_none() -> None:
    with pytest.raises(Problem, match="DeepLift gives NaN or infinity"):
        attribute(InHalf().eval(), torch.zeros(1, 3, 16, 16), "deep_lift", target=1)


# No gradient, or no number


class Detached(Habit):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.maps(x).detach().mean((2, 3)))


class WithoutGradients(Habit):
    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class Checkpointed(Habit):
    """By the way of checkpointing that runs the layers again in the backward pass."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(recomputed(self.maps, x, use_reentrant=True).mean((2, 3)))


CUT = {"detach": Detached, "no_grad": WithoutGradients, "checkpointing": Checkpointed}
BY_GRADIENT = ("saliency", "input_x_gradient", "integrated_gradients", "expected_gradients", "smooth_grad",
               "deep_lift", "lrp", "guided_backprop")  # fmt: skip


@pytest.mark.parametrize("kind", CUT)
@pytest.mark.filterwarnings("ignore")
def test_methods_by_the_gradient_on_pixels_say_that_there_is_none(kind: str) -> None:
    net = CUT[kind]().eval()
    reasons = method_problems(net, X[:1], "act")
    for method in BY_GRADIENT:
        with pytest.raises(Problem) as caught:
            attribute(net, X[:1], method, target=1)
        assert str(caught.value) == str(reasons[method])
    assert "gradient of the class on the pixels" in str(reasons["saliency"])
    assert not {"occlusion", "ablation_cam", "score_cam"} & {*reasons}


@pytest.mark.parametrize("kind", CUT)
@pytest.mark.filterwarnings("ignore")
def test_what_flows_is_that_of_the_forward_pass_alone(kind: str) -> None:
    net = CUT[kind]().eval()
    names = [node.name for node in Flow(net, X[:1], 1).graph.nodes]
    assert names == [node.name for node in Flow(PLAIN, X[:1], 1).graph.nodes] or kind == "detach"
    assert names.count("conv") == 1
    assert strongest_path(net, X[:1], 1).steps
    if kind != "checkpointing":  # whose result has a gradient, though what is inside has none
        with pytest.raises(Problem, match="no feature maps with positions that a gradient"):
            account(net, X[:1], 1)


class WithDecoder(Habit):
    """A second task, whose layers the classes do not depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.decode, self.relu = nn.Conv2d(8, 3, 1), nn.ReLU()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.maps(x)
        return self.head(maps.mean((2, 3))), self.relu(self.decode(maps))


def test_guided_grad_cam_of_a_layer_that_the_class_does_not_depend_on(opened: Callable[..., Opening]) -> None:
    net = opened(WithDecoder).checkpoint.build()
    with pytest.raises(NoGradient, match="reaches layer 'decode'"):
        attribute(net, X, "guided_grad_cam", layer="decode", target=1)


class AsksForGradients(Habit):
    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            image = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(super().forward(image).sum(), image)
        return super().forward(x + gradient)


def test_a_forward_that_asks_for_gradients_is_one_sentence() -> None:
    net = AsksForGradients().eval()
    assert trace(net, X[:1]).shapes
    with pytest.raises(Problem, match="computes gradients in its forward"):
        Flow(net, X[:1], 1)


def test_ablations_of_a_network_that_gives_nan_are_nan() -> None:
    net = Habit()
    net.head.weight.data[0, 0] = torch.nan
    assert np.isnan(ablations(net, X[:1], "act").zeroed[:, 0]).all()


# Batches and arguments


class OneAtATime(Habit):
    def forward(self, x: Tensor) -> Tensor:
        assert len(x) == 1
        return super().forward(x)


def test_a_network_that_takes_one_image_gets_them_one_by_one(opened: Callable[..., Opening]) -> None:
    net = opened(OneAtATime).checkpoint.build()
    assert mixes_rows(net, X)
    own, plain = (attribute(each, X, layer="act", target=1).values for each in (net, PLAIN))
    np.testing.assert_allclose(own, plain, atol=1e-6)
    (first, *_), (other, *_) = random_nets(net, X), random_nets(PLAIN, X)
    seen = other.norm.running_mean
    torch.testing.assert_close(first.norm.running_mean, seen)  # maps of one size: the mean of their means


class TwoImages(Habit):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return super().forward(x * mask)


def test_a_forward_with_other_arguments_is_named(opened: Callable[..., Opening]) -> None:
    with pytest.raises(Problem, match=r"takes other arguments than a batch of images alone .*'mask'"):
        opened(TwoImages)


class OneDimensional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.act = nn.Conv1d(3, 16, 9, 4), nn.BatchNorm1d(16), nn.ReLU()
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.norm(self.conv(x.flatten(2)))).mean(2))


def test_channels_of_a_1d_convolution_are_no_tokens() -> None:
    net = OneDimensional().eval()
    assert not blocks(net, trace(net, X[:1]))
    assert not [each for each in check_up(net, CARD).findings if each.name == "grid"]


# Gradients or not


class BatchNormByHand(nn.Module):
    """As “Dive into Deep Learning” writes it: it tells training from evaluation by the gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(1, 8, 1, 1)), nn.Parameter(torch.zeros(1, 8, 1, 1))
        self.moving_mean, self.moving_var = torch.full((1, 8, 1, 1), 0.3), torch.full((1, 8, 1, 1), 2.0)

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.moving_mean, self.moving_var
        if torch.is_grad_enabled():
            mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True)
            self.moving_mean = 0.9 * self.moving_mean + 0.1 * mean
        return self.gamma * (x - mean) / (var + 1e-5).sqrt() + self.beta


class ByHand(Habit):
    def __init__(self) -> None:
        super().__init__()
        self.norm = BatchNormByHand()


class ByHandInEvaluation(Habit):
    """What it computes in evaluation, by torch's BatchNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(8)
        self.norm.running_mean.fill_(0.3)
        self.norm.running_var.fill_(2.0)


def test_a_network_that_asks_for_gradients_is_explained_as_it_evaluates(
    opened: Callable[..., Opening],
) -> None:
    opening, plain = opened(ByHand), ByHandInEvaluation().eval()
    (said,) = map(str, opening.checkup.findings)
    assert "asks torch.is_grad_enabled()" in said
    net = opening.checkpoint.build()
    np.testing.assert_allclose(trace(net, X).logits, plain(X).detach(), atol=1e-5)
    for layer in ("conv", "norm", "act"):
        own, wanted = (attribute(each, X, layer=layer, target=1).values for each in (net, plain))
        np.testing.assert_allclose(own, wanted, atol=1e-5)
    for method in ("saliency", "integrated_gradients", "occlusion"):
        own, wanted = (attribute(each, X, method, target=1).values for each in (net, plain))
        np.testing.assert_allclose(own, wanted, atol=1e-4)
    assert account(net, X[:1], 1).logit == pytest.approx(plain(X[:1])[0, 1].item(), abs=1e-5)
    assert torch.is_grad_enabled()
    with torch.no_grad():
        assert not torch.is_grad_enabled()


class AsksInVain(Habit):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if torch.is_grad_enabled() else super().forward(x.clone())


def test_a_question_that_changes_nothing_is_not_said(opened: Callable[..., Opening]) -> None:
    assert not opened(AsksInVain).checkup.findings


# Modes


class TrainsInALoop(Habit):
    """Methods of one's own by the names of torch's."""

    def train(self, loader: object, epochs: int = 10) -> None:  # type: ignore[override]
        for _ in loader:  # type: ignore[attr-defined]
            raise AssertionError


class TrainsIfAsked(Habit):
    def train(self, data: object = None) -> None:  # type: ignore[override]
        assert data is None, "it is no mode"


class CountsErrors(Habit):
    def eval(self, loader: list[int]) -> int:  # type: ignore[override]
        return len(loader)


class Refuses(Habit):
    def eval(self) -> None:  # type: ignore[override]
        raise RuntimeError("not now")


@pytest.mark.parametrize("kind", [TrainsInALoop, TrainsIfAsked, CountsErrors, Refuses, ReturnsNothing])
def test_modes_are_set_whatever_train_and_eval_do(
    opened: Callable[..., Opening], kind: type[nn.Module]
) -> None:
    net = opened(kind).checkpoint.build()
    assert not any(module.training for module in net.modules())
    plain = PLAIN
    if kind is ReturnsNothing:
        plain = Plain().eval()
        plain.load_state_dict(net.state_dict())
    np.testing.assert_allclose(trace(net, X).logits, trace(plain, X).logits, atol=1e-6)
    for method in ("grad_cam", "integrated_gradients", "lrp"):
        layer = "act" if METHODS[method].needs_layer else None
        own = [method_problems(each, X, "act").get(method) for each in (net, plain)]
        assert str(own[0]) == str(own[1])
        if own[0] is None:
            one, other = (attribute(each, X, method, layer=layer, target=1).values for each in (net, plain))
            np.testing.assert_allclose(one, other, atol=1e-5)
    assert recalibrated(net, X)(X).shape == (3, 5)
    assert random_nets(net, X)


class InModules(nn.Sequential):
    def __init__(self) -> None:
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU()]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5))


def pruned(net: InModules) -> list[nn.Module]:
    prune.l1_unstructured(net[2], "weight", 0.5)
    prune.ln_structured(net[7], "weight", 0.4, 2, 0)
    return [net[2], net[7]]


def test_lrp_of_a_pruned_network_is_that_of_its_weights() -> None:
    net, plain = InModules().eval(), InModules().eval()
    pruned(net)
    for layer in pruned(plain):
        prune.remove(layer, "weight")
    assert "lrp" not in method_problems(net, X, "4")
    own, wanted = (attribute(each, X, "lrp", target=1).values for each in (net, plain))
    np.testing.assert_allclose(own, wanted, atol=1e-6)


@pytest.mark.parametrize("norm", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_lrp_of_a_network_with_normalized_weights_is_that_of_the_computed_ones(
    norm: Callable[[nn.Module], nn.Module],
) -> None:
    net, plain = InModules(), InModules().eval()
    norm(net[2])
    norm(net[7])
    net.eval()
    for layer in (2, 7):
        plain[layer].weight.data = net[layer].weight.detach().clone()
    assert "lrp" not in method_problems(net, X, "4")
    own, wanted = (attribute(each, X, "lrp", target=1).values for each in (net, plain))
    np.testing.assert_allclose(own, wanted, atol=1e-6)
    np.testing.assert_array_equal(trace(net, X).logits, trace(plain, X).logits)  # the network is as it was


class OneLogit(InModules):
    def __init__(self) -> None:
        super().__init__()
        self[7] = nn.Linear(6, 1)


class TwoLogits(InModules):
    """What one logit is taken for: minus it, and it."""

    def __init__(self) -> None:
        super().__init__()
        (head, self[7]) = nn.Linear(6, 1), nn.Linear(6, 2)
        self[7].weight.data = torch.cat([-head.weight, head.weight]).detach()
        self[7].bias.data = torch.cat([-head.bias, head.bias]).detach()


def test_lrp_of_one_logit_is_that_of_two(opened: Callable[..., Opening]) -> None:
    net, two = opened(OneLogit).checkpoint.build(), TwoLogits().eval()
    np.testing.assert_allclose(trace(net, X).logits, trace(two, X).logits, atol=1e-6)
    assert "lrp" not in method_problems(net, X, "4")
    for target in (0, 1):
        own, wanted = (attribute(each, X, "lrp", target=target).values for each in (net, two))
        np.testing.assert_allclose(own, wanted, atol=1e-5)


# Random numbers


class Coin(Habit):
    def __init__(self, toss: Callable[[], float]) -> None:
        super().__init__()
        self.toss = toss

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (1 + (self.toss() < 0.5))


TOSSES = {"python": lambda: random.random(), "numpy": lambda: np.random.rand()}


@pytest.mark.parametrize("toss", TOSSES.values(), ids=TOSSES)
def test_random_numbers_of_python_and_numpy_are_fixed_too(toss: Callable[[], float]) -> None:
    net = Coin(toss).eval()
    said = [str(each) for each in check_up(net, CARD).findings]
    assert ["same seed" in each for each in said] == [True]
    assert len({private_view(net)(X).sum().item() for _ in range(20)}) == 1
    random.seed(3)
    np.random.seed(3)
    wanted = random.random(), np.random.rand()
    random.seed(3)
    np.random.seed(3)
    private_view(net)(X)
    assert (random.random(), np.random.rand()) == wanted  # what others draw stays undisturbed


# Builders and outputs


@pytest.mark.parametrize("name", ["nb_classes", "num_class", "n_class", "nclass", "class_num"])
def test_other_names_of_the_number_of_classes(opened: Callable[..., Opening], name: str) -> None:
    names: dict[str, object] = {"nn": nn, "Sized": lambda count: nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, count))}  # fmt: skip
    exec(f"def build({name}=10): return Sized({name})", names)
    assert opened(names["build"], classes="a,b,c").checkpoint.card.classes == ("a", "b", "c")


def test_logits_are_known_by_the_end_of_their_name(opened: Callable[..., Opening]) -> None:
    class Named(Habit):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            pooled = self.maps(x).mean((2, 3))
            return {"pooled": pooled, "aux_logits": self.head(-pooled), "class_logits": self.head(pooled)}

    opening = opened(Named)
    assert opening.checkup.outputs.name == "class_logits"
    assert len(opening.checkpoint.card.classes) == 5


def test_a_network_without_memory_is_named(opened: Callable[..., Opening]) -> None:
    with pytest.raises(Problem, match="device “meta”"):
        opened(lambda: Habit().to("meta"))


# Functions that know the network


class KeepsMaps(Habit):
    """A hook that is a closure over the network, as `lambda` is, keeps maps that the forward then reads."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Tensor] = {}
        self.act.register_forward_hook(lambda _, __, maps: self.kept.update(maps=maps))

    def forward(self, x: Tensor) -> Tensor:
        self.maps(x)
        return self.head(self.kept["maps"].mean((2, 3)))


def forward_from_outside() -> Habit:
    net = Habit()
    net.forward = lambda x: net.head(net.maps(x).mean((2, 3)))  # type: ignore[method-assign]
    return net


def forward_around_another() -> Habit:
    net = Habit()

    def around(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda x: forward(x)  # closes over a bound method

    net.forward = around(around(net.forward))  # type: ignore[method-assign]
    return net


def hook_with_defaults() -> Habit:
    net = Habit()
    net.kept = {}  # type: ignore[assignment]

    def keep(
        _: nn.Module, __: object, maps: Tensor, net: nn.Module = net, *, kept: object = net.kept
    ) -> None:
        assert kept is net.kept
        net.kept["maps"] = maps  # type: ignore[index, operator]

    net.act.register_forward_hook(keep)
    return net


class FunctionsInAList(Habit):
    def __init__(self) -> None:
        super().__init__()
        self.steps = [lambda x: self.conv(x), (lambda x: self.act(self.norm(x)),)]

    def maps(self, x: Tensor) -> Tensor:
        return self.steps[1][0](self.steps[0](x))  # type: ignore[index, operator, no-any-return]


class RefersBack(Habit):
    def __init__(self) -> None:
        super().__init__()
        self.conv.network = weakref.ref(self)  # type: ignore[assignment]

    def maps(self, x: Tensor) -> Tensor:
        net = self.conv.network()  # type: ignore[operator]
        return net.act(net.norm(net.conv(x)))  # type: ignore[no-any-return]


def hook_by_a_dict() -> Habit:
    net = Habit()
    known = {"nets": [net]}
    net.act.register_forward_hook(lambda _, __, out: setattr(known["nets"][0], "kept", {"act": out}))
    return net


OUTSIDE: dict[str, Habit] = {}


def keep_outside(output: Tensor) -> None:
    OUTSIDE["net"].kept = {"act": output}  # type: ignore[assignment]


def hook_by_the_module() -> Habit:
    OUTSIDE["net"] = net = Habit()
    net.act.register_forward_hook(lambda _, __, output: keep_outside(output))
    return net


KNOWING = [
    KeepsMaps,
    hook_by_a_dict,
    hook_by_the_module,
    forward_from_outside,
    forward_around_another,
    hook_with_defaults,
    FunctionsInAList,
    RefersBack,
]


@pytest.mark.parametrize("build", KNOWING)
def test_a_function_that_knows_the_network_knows_its_copies(
    opened: Callable[..., Opening], build: Callable[[], Habit]
) -> None:
    opening = opened(build)
    assert not opening.checkup.findings
    net = opening.checkpoint.build()
    with torch.no_grad():
        np.testing.assert_allclose(trace(net, X).logits, PLAIN(X), rtol=1e-5)
    heat, plain = (attribute(each, X[:1], "grad_cam", layer="act", target=1) for each in (net, PLAIN))
    np.testing.assert_allclose(heat.values, plain.values, rtol=1e-4, atol=1e-7)
    assert not getattr(net, "kept", {}), "the shared network is never written"


class InParts(Habit):
    def forward(self, x: Tensor) -> Tensor:
        return {"maps": self.maps(x), "logits": super().forward(x)}  # type: ignore[return-value]


def test_a_module_of_torch_fx_gives_logits_like_any_other(opened: Callable[..., Opening]) -> None:
    net = opened(lambda: torch.fx.symbolic_trace(InParts())).checkpoint.build()
    with torch.no_grad():
        np.testing.assert_allclose(trace(net, X).logits, PLAIN(X), rtol=1e-5)


class Overwrites(Habit):
    """Writes into what gradients need; torch refuses these, and there is nothing undefined about them."""

    def maps(self, x: Tensor) -> Tensor:
        maps = torch.sigmoid(self.act(self.norm(self.conv(x))))
        maps *= 3
        maps[:, :, 0] = 0
        return maps


class Anew(Habit):
    """The same, written into new tensors."""

    def maps(self, x: Tensor) -> Tensor:
        maps = 3 * torch.sigmoid(self.act(self.norm(self.conv(x))))
        return torch.cat([torch.zeros_like(maps[:, :, :1]), maps[:, :, 1:]], 2)


def test_gradients_of_a_network_that_writes_into_its_maps(opened: Callable[..., Opening]) -> None:
    opening = opened(Overwrites)
    assert not opening.checkup.findings
    net, plain = opening.checkpoint.build(), Anew().eval()
    for method in ("grad_cam", "saliency", "integrated_gradients"):
        layer = "act" if METHODS[method].needs_layer else None
        ours, theirs = (attribute(each, X[:1], method, layer=layer, target=1) for each in (net, plain))
        np.testing.assert_allclose(ours.values, theirs.values, rtol=1e-4, atol=1e-7)
    made = account(net, X[:1], 1)
    assert made.logit == pytest.approx(float(plain(X[:1])[0, 1]), rel=1e-5)
    assert made.exact
