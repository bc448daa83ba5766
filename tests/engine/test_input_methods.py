"""Methods that explain the pixels, or by passes of their own: against loops, linear networks and torchcam."""

import copy
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from explorer.engine import ablation
from explorer.engine.attribution import (
    METHODS,
    Heatmap,
    Method,
    attribute,
    completeness_gap,
    method_problems,
    perturbation,
)
from explorer.engine.attribution import operations as operations_module
from explorer.engine.attribution.baseline import BASELINES
from explorer.engine.attribution.operations import operations
from model.card import Card
from model.problems import Problem

OWN_PASSES = {name: record for name, record in METHODS.items() if record.compute}
INPUT = [name for name, record in METHODS.items() if record.space == "input"]
FEW: dict[str, dict[str, float]] = {"expected_gradients": {"samples": 8}, "smooth_grad": {"samples": 4}}


@pytest.fixture
def small() -> nn.Module:
    """Conv, BatchNorm, ReLU, pool, conv, ReLU, linear; of 12 × 12 pixels; every module is used once."""
    torch.manual_seed(6)
    body = [nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, 3), nn.ReLU()]
    return nn.Sequential(*body, nn.Flatten(), nn.Linear(4 * 3 * 3, 5)).eval()


@pytest.fixture
def linear() -> nn.Module:
    torch.manual_seed(7)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 12 * 12, 4)).eval()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, 12, 12, generator=torch.Generator().manual_seed(8))


def close(one: object, other: object, rounding: float = 1e-5) -> None:
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    assert first.shape == second.shape
    np.testing.assert_allclose(first, second, rtol=0, atol=rounding * max(np.abs(second).max(), 1e-3))


def layer_of(record: Method, layer: str = "5") -> str | None:
    return layer if record.needs_layer else None


def heat(net: nn.Module, x: Tensor, name: str, target: object, **more: object) -> Heatmap:
    settings = FEW.get(name, {}) | more
    return attribute(net, x, name, layer=layer_of(METHODS[name]), target=target, **settings)


@pytest.mark.parametrize("name", OWN_PASSES)
@pytest.mark.parametrize("against", [None, [1, 1, 0]])
def test_a_batch_equals_its_rows(
    small: nn.Module, images: Tensor, name: str, against: list[int] | None
) -> None:
    batch = heat(small, images, name, [0, 2, 4], against=against)
    for row, target in enumerate([0, 2, 4]):
        other = None if against is None else against[row]
        one = heat(small, images[row : row + 1], name, target, against=other)
        close(one.values, batch.row(row).values)
        assert (one.method, one.layer, one.target, one.against) == (name, batch.layer, target, other)
    assert batch.values.dtype == np.float32
    assert (batch.values.shape == images[:, 0].shape) is (METHODS[name].space == "input")


@pytest.mark.parametrize("name", OWN_PASSES)
def test_nothing_is_left_on_the_network(
    small: nn.Module, images: Tensor, untouched: Callable, name: str
) -> None:
    small.train()
    small[0].weight.requires_grad_(False)
    images.requires_grad_(True)
    state = torch.random.get_rng_state()
    with untouched(small):
        for _ in range(2):
            heat(small, images, name, 0)
        with pytest.raises(Problem, match="no class 99"):
            heat(small, images, name, 99)
        with pytest.raises(RuntimeError):  # not the size that the linear layer takes
            heat(small, torch.zeros(1, 3, 20, 20), name, 0)
    assert images.grad is None
    assert images.requires_grad
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", OWN_PASSES)
def test_gradient_mode_and_frozen_weights_do_not_matter(
    small: nn.Module, images: Tensor, name: str, mode: Callable
) -> None:
    wanted = heat(small, images, name, 3)
    small.requires_grad_(False)
    with mode():
        assert heat(small, images.clone(), name, 3) == wanted


@pytest.mark.parametrize("name", INPUT)
def test_in_a_linear_network_all_is_weight_times_input(linear: nn.Module, images: Tensor, name: str) -> None:
    weight = linear[1].weight[2].detach().reshape(3, 12, 12)
    wanted = {
        "saliency": weight.abs().expand(images.shape),
        "smooth_grad": weight.expand(images.shape),
    }.get(name, weight * images)
    if METHODS[name].needs_layer or METHODS[name].unmet(linear, None, images[:1]):
        pytest.skip("no layer with feature maps, or nothing to guide")
    more: dict[str, object] = {}
    if name == "lrp":
        linear[1].bias.data.zero_()
    if METHODS[name].baseline == "references":
        more = {"baseline": torch.zeros(3, 12, 12)}
    if name == "occlusion":
        more = {"patch": 1 / 12, "stride": 1.0}
    close(heat(linear, images, name, 2, **more).values, wanted.sum(1))


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("name", [name for name, record in METHODS.items() if record.adds_up])
def test_values_add_up_to_the_logit_minus_that_of_the_baseline(
    small: nn.Module, images: Tensor, name: str, baseline: str
) -> None:
    start = BASELINES[baseline].images(Card(), images)
    more = {"integrated_gradients": {"steps": 500}}.get(name, {})
    heatmap = heat(small, images, name, 1, against=3, baseline=start, **more)
    with torch.no_grad():
        (whole, none) = ((logits[:, 1] - logits[:, 3]).numpy() for logits in (small(images), small(start)))
    close(heatmap.values.sum((1, 2)), whole - none, 1e-5 if name == "deep_lift" else 0.02)
    gap = completeness_gap(small, images, heatmap, start)
    close(gap, heatmap.values.sum((1, 2), dtype=np.float64) - (whole - none), 1e-2)
    close(completeness_gap(small, images[:1], heatmap.row(0), start[:1]), gap[:1], 1e-2)


def test_integrated_gradients_by_a_plain_sum(small: nn.Module, images: Tensor) -> None:
    total = torch.zeros_like(images)
    for step in range(400):
        point = (images * (step + 0.5) / 400).requires_grad_()
        total += torch.autograd.grad(small(point)[:, 1].sum(), point)[0] / 400
    heatmap = heat(small, images, "integrated_gradients", 1, steps=500)
    close(heatmap.values, (total * images).sum(1), 5e-3)


def test_expected_gradients_come_to_the_mean_over_the_references(small: nn.Module, images: Tensor) -> None:
    references = torch.stack([torch.zeros(3, 12, 12), torch.ones(3, 12, 12)])
    heatmap = heat(small, images, "expected_gradients", 1, samples=1000, baseline=references).values
    each = [heat(small, images, "integrated_gradients", 1, baseline=one).values for one in references]
    close(heatmap, np.mean(each, axis=0), 0.1)
    one = heat(small, images, "expected_gradients", 1, samples=1000, baseline=references[0]).values
    assert abs(one - heatmap).max() > 0.1 * abs(heatmap).max()


def test_smooth_grad_is_the_gradient_without_noise_and_relative_to_the_range(
    small: nn.Module, images: Tensor
) -> None:
    point = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(small(point)[:, 1].sum(), point)
    close(heat(small, images, "smooth_grad", 1, noise=0).values, gradient.sum(1))

    noise = torch.randn(4, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    mean = torch.zeros(12, 12)
    for one in noise:
        copy = images[:1] + 0.2 * (images[0].max() - images[0].min()) * one
        (gradient,) = torch.autograd.grad(small(copy.requires_grad_())[0, 1], copy)
        mean += gradient[0].sum(0) / 4
    close(heat(small, images, "smooth_grad", 1, noise=0.2).row(0).values, mean)


class Guided(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        context.save_for_backward(x)
        return x.relu()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        (x,) = context.saved_tensors
        return gradient.relu() * (x > 0)


def test_guided_backprop_by_a_function_of_its_own(small: nn.Module, images: Tensor) -> None:
    guided = images.clone().requires_grad_()
    value = guided
    for module in small:
        value = Guided.apply(value) if isinstance(module, nn.ReLU) else module(value)
    (gradient,) = torch.autograd.grad(value[:, 1].sum(), guided)
    close(heat(small, images, "guided_backprop", 1).values, gradient.sum(1))

    cam = attribute(small, images, layer="5", target=1).values
    enlarged = nn.functional.interpolate(torch.from_numpy(cam).relu()[:, None], (12, 12), mode="bilinear")
    heatmap = attribute(small, images, "guided_grad_cam", layer="5", target=1)
    close(heatmap.values, (enlarged * gradient).sum(1))


def test_guided_backprop_with_a_relu_used_twice(images: Tensor) -> None:
    torch.manual_seed(9)
    relu = nn.ReLU(inplace=True)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), relu, nn.Conv2d(4, 4, 3), relu, nn.Flatten(), nn.Linear(256, 3))
    apart = nn.Sequential(*(nn.ReLU() if module is relu else module for module in net))
    wanted = heat(apart.eval(), images, "guided_backprop", 1).values
    close(heat(net.eval(), images, "guided_backprop", 1).values, wanted)


@pytest.mark.parametrize("gamma", [0, 0.25])
def test_lrp_by_a_plain_loop(small: nn.Module, images: Tensor, gamma: float) -> None:
    """R = a · ∂z/∂a · R/z through every layer, with weights w + γ·max(w, 0) in the second convolution."""
    merged = fuse_conv_bn_eval(small[0], small[1])
    second = copy.deepcopy(small[4])
    second.weight.data += gamma * second.weight.data.clamp(min=0)
    plain = [merged, small[2], small[3], small[4], *small[5:]]
    ruled = [merged, small[2], small[3], second, *small[5:]]
    values = [images]
    for module in plain:
        values.append(module(values[-1]).detach())
    relevance = torch.zeros_like(values[-1])
    relevance[:, 1] = values[-1][:, 1]
    for module, value in zip(reversed(ruled), values[-2::-1], strict=True):
        if not isinstance(module, nn.ReLU):
            point = value.clone().requires_grad_()
            z = module(point)
            (back,) = torch.autograd.grad((z * (relevance / z.where(z != 0, 1)).detach()).sum(), point)
            relevance = (value * back).reshape(value.shape)
    close(heat(small, images, "lrp", 1, gamma=gamma).values, relevance.sum(1), 1e-4)


def test_lrp_without_biases_adds_up_to_the_logit(images: Tensor) -> None:
    torch.manual_seed(10)
    body = [
        nn.Conv2d(3, 6, 3, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 4, 3, bias=False),
        nn.ReLU(),
    ]
    net = nn.Sequential(*body, nn.Flatten(), nn.Linear(36, 5, bias=False)).eval()
    with torch.no_grad():
        logits = net(images)
    close(heat(net, images, "lrp", 1).values.sum((1, 2)), logits[:, 1])
    difference = heat(net, images, "lrp", 1, against=3).values.sum((1, 2))
    close(difference, logits[:, 1] - logits[:, 3])


class Functional(nn.Module):
    """A network whose parts a test chooses."""

    def __init__(self, between: Callable[[Tensor], Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.conv, self.between = nn.Conv2d(3, 4, 3), between
        self.relu, self.fc = nn.ReLU(), nn.Linear(400, 3)
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.relu(self.between(self.conv(x))).flatten(1))
        return logits


def both(reason: str) -> dict[str, str]:
    return {"deep_lift": reason, "lrp": reason}


def twice(net: nn.Module) -> nn.Module:
    net.between = net.relu
    return net


RELU = {"guided_backprop": "calls relu as", "guided_grad_cam": "calls relu as"}
SILU = {"guided_backprop": "has SiLU", "guided_grad_cam": "has SiLU"}
NONE = {"guided_backprop": "has none", "guided_grad_cam": "has none"}
UNMET: dict[str, tuple[Callable[[], nn.Module], dict[str, str]]] = {
    "relu": (lambda: Functional(torch.relu), RELU | both("calls relu as a function")),
    "relu in place": (lambda: Functional(nn.functional.relu_), RELU | both("calls relu as a function")),
    "reused relu": (lambda: twice(Functional(torch.relu)), both("uses 'relu' several times")),
    "added": (lambda: Functional(lambda x: x + 1.5), {"lrp": "calls add as a function"}),
    "gate": (lambda: Functional(lambda x: x * x), both("calls mul as a function")),
    "scaled": (lambda: Functional(lambda x: x / 8), {"lrp": "calls div as a function"}),
    "silu": (lambda: Functional(nn.Identity(), relu=nn.SiLU()), SILU | both("no rule for SiLU")),
    "no relu": (lambda: Functional(nn.Identity(), relu=nn.Tanh()), NONE),
    "group norm": (lambda: Functional(nn.GroupNorm(2, 4)), both("no rule for GroupNorm")),
    "overlapping": (lambda: Functional(nn.MaxPool2d(3, 1, 1)), {"deep_lift": "windows that do not overlap"}),
    "identity": (lambda: Functional(nn.Identity()), {}),
}


@pytest.mark.parametrize("kind", UNMET)
@pytest.mark.parametrize("name", INPUT)
def test_a_network_that_does_not_allow_a_method_gets_the_reason(
    images: Tensor, untouched: Callable, kind: str, name: str
) -> None:
    torch.manual_seed(11)
    build, reasons = UNMET[kind]
    net, record = build().eval(), METHODS[name]
    layer = layer_of(record, "conv")
    with untouched(net):
        problem = record.unmet(net, layer, images[:1])
        if name not in reasons:
            assert problem is None
            assert np.isfinite(heat_at(net, images, name, layer).values).all()
            return
        assert reasons[name] in str(problem)
        assert re.fullmatch(r"[A-Z][^.:]*: [^.:]*\.", str(problem))
        with pytest.raises(Problem, match=re.escape(str(problem))):
            heat_at(net, images, name, layer)


def heat_at(net: nn.Module, x: Tensor, name: str, layer: str | None) -> Heatmap:
    return attribute(net, x, name, layer=layer, target=1, **FEW.get(name, {}))


@pytest.mark.parametrize("name", INPUT)
def test_gray_images(small: nn.Module, images: Tensor, name: str) -> None:
    small[0] = nn.Conv2d(1, 6, 3)
    gray = images[:, :1]
    assert heat(small, gray, name, 1).values.shape == (3, 12, 12)
    assert BASELINES["blurred"].images(Card(mean=(0.5,), std=(0.2,)), gray).shape == gray.shape
    close(BASELINES["black"].images(Card(mean=(0.5,), std=(0.2,)), gray), np.full(gray.shape, -2.5))


def test_what_ran(images: Tensor) -> None:
    net = Functional(lambda x: (x * 2).mean((2, 3), keepdim=True) + x.sigmoid() * x)
    ran = operations(net.eval(), images)
    assert [path for path, _ in ran.modules] == ["conv", "relu", "fc"]
    assert set(ran.functions) == {"mean", "add", "sigmoid", "mul", "flatten"}
    assert ran.scalings == ("mul",)
    assert not ran.reused
    assert operations(twice(net), images).reused == ("relu",)


@pytest.mark.parametrize(("patch", "stride"), [(4, 2), (4, 4), (5, 3)])
def test_occlusion_by_a_plain_loop(small: nn.Module, images: Tensor, patch: int, stride: int) -> None:
    cover = BASELINES["black"].images(Card(), images)
    drops, covered = torch.zeros(3, 12, 12), torch.zeros(12, 12)
    starts = range(0, 12 - patch + stride, stride)
    with torch.no_grad():
        whole = small(images)[:, 1]
        for top in starts:
            for left in starts:
                here = (slice(top, top + patch), slice(left, left + patch))
                changed = images.clone()
                changed[:, :, *here] = cover[:, :, *here]
                drops[:, *here] += (whole - small(changed)[:, 1])[:, None, None]
                covered[here] += 1
    heatmap = heat(small, images, "occlusion", 1, patch=patch / 12, stride=stride / patch, baseline=cover)
    close(heatmap.values, drops / covered)


class Viewed(nn.Flatten):
    """As many people write it: `view` refuses maps in another memory order."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view(x.size(0), -1)


@pytest.mark.parametrize("name", ["occlusion", "integrated_gradients", "expected_gradients", "smooth_grad"])
def test_a_network_that_cannot_work_in_the_faster_memory_order(
    small: nn.Module, images: Tensor, name: str
) -> None:
    wanted = heat(small, images, name, 1).values
    small[6] = Viewed()
    close(heat(small, images, name, 1).values, wanted)


def test_ablation_cam_passes_only_what_its_weights_need(
    small: nn.Module, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled: list[float] = []
    original = ablation.ImageAtLayer.logits

    def counted(image: ablation.ImageAtLayer, masks: Tensor, fills: Tensor) -> Tensor:
        filled.append(float(fills.abs().max()))
        return original(image, masks, fills)

    monkeypatch.setattr(ablation.ImageAtLayer, "logits", counted)
    attribute(small, images, "ablation_cam", layer="2", target=2)
    assert filled
    assert not any(filled)


@pytest.mark.parametrize("layer", ["2", "3", "5", "0"])
def test_ablation_cam_by_a_plain_loop(small: nn.Module, images: Tensor, layer: str) -> None:
    at = int(layer) + 1
    with torch.no_grad():
        maps = small[:at](images)
        wanted = torch.zeros_like(maps[:, 0])
        for channel in range(maps.shape[1]):
            without = maps.clone()
            without[:, channel] = 0
            drop = (small[at:](maps) - small[at:](without))[:, 2]
            wanted += drop[:, None, None] * maps[:, channel]
    close(attribute(small, images, "ablation_cam", layer=layer, target=2).values, wanted)


def test_score_cam_equals_torchcam(small: nn.Module, images: Tensor) -> None:
    methods = pytest.importorskip("torchcam.methods")
    for layer in ("2", "5"):
        with methods.ScoreCAM(small, layer, input_shape=(3, 12, 12)) as extractor:
            (cams,) = extractor([0, 1, 2], small(images), normalized=False)
        close(attribute(small, images, "score_cam", layer=layer, target=[0, 1, 2]).values, cams, 1e-4)


def test_baselines(images: Tensor) -> None:
    card = Card()
    made = {name: baseline.images(card, images) for name, baseline in BASELINES.items()}
    assert all(one.shape == images.shape for one in made.values())
    assert not made["mean"].any()
    close(made["black"][:1], card.to_input(np.zeros((32, 32, 3), np.uint8))[:, :, :12, :12])
    plain = torch.full((1, 3, 12, 12), 0.7)
    close(BASELINES["blurred"].images(card, plain), plain)
    assert made["blurred"].std() < images.std() / 3
    close(made["blurred"][1:2], BASELINES["blurred"].images(card, images[1:2]))


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("saliency", {"layer": "5"}, "Saliency explains the input and needs no layer: leave it out"),
        ("score_cam", {}, "Score-CAM explains a layer: choose one"),
        ("grad_cam", {}, "Grad-CAM explains a layer: choose one"),
        ("saliency", {"baseline": torch.zeros(3, 12, 12)}, "Saliency does not compare with a baseline"),
        ("smooth_grad", {"size": 3}, "SmoothGrad has no setting “size”"),
        ("smooth_grad", {"noise": 2}, "“noise” of SmoothGrad is 2: choose a number from 0 to 1"),
        ("occlusion", {"baseline": torch.zeros(3, 9, 9)}, r"must be \(3, 12, 12\) like an image"),
    ],
)
def test_what_a_method_is_not_asked(
    small: nn.Module, images: Tensor, name: str, more: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        attribute(small, images, name, target=0, **more)


def test_what_a_network_runs_is_looked_up_once_for_a_size(
    small: nn.Module, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[torch.Size] = []
    original = operations_module.operations
    monkeypatch.setattr(
        operations_module, "operations", lambda net, x: (passes.append(x.shape), original(net, x))[1]
    )
    first = method_problems(small, images[:1], "2")
    again = method_problems(small, images[1:2], "2", perturbation.maps_of(small, images[1:2], "2"))
    assert {name: str(each) for name, each in first.items()} == {k: str(each) for k, each in again.items()}
    method_problems(small, images[:2], "2")
    assert passes == [images[:1].shape, images[:2].shape]


@pytest.mark.parametrize("layer", ["0", "2", None])
def test_the_methods_with_a_problem_are_those_that_raise_it(
    small: nn.Module, images: Tensor, layer: str | None
) -> None:
    problems = method_problems(small, images[:1], layer)
    for name, record in METHODS.items():
        given = layer if record.needs_layer else None
        if name not in problems:
            attribute(small, images[:1], name, layer=given, target=1, **FEW.get(name, {}))
        elif layer is not None:
            with pytest.raises(Problem, match=re.escape(str(problems[name]))):
                attribute(small, images[:1], name, layer=given, target=1)
    assert ("xgrad_cam" in problems) == (layer != "2")
    assert ("grad_cam" in problems) == (layer is None)
