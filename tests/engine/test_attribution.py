import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam, LayerGradientXActivation
from torch import Tensor, nn

from explorer.engine.attribution import (
    METHODS,
    Heatmap,
    attribute,
    attribute_many,
    channel_evidence,
    class_gradients,
    evidence_from,
    evidence_many,
    gradients,
    heat_from,
)
from explorer.engine.attribution.gradients import maps_and_gradients, score_of
from explorer.engine.batchnorm import statistics
from explorer.engine.tracing import trace
from model.problems import Problem

RELUS = ["relu1", "relu2", "relu3"]
ONE_PASS = [name for name, record in METHODS.items() if record.heat]


def close(one: object, other: object) -> None:
    """Equal to 1e-5 of the largest value."""
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-5 * max(np.abs(second).max(), 1e-3))


def by_hand(net: nn.Module, x: Tensor, layer: str, target: int) -> tuple[Tensor, Tensor]:
    """The oracle: maps and gradients by one plain hook on a network that is nobody else's."""
    outputs: list[Tensor] = []
    with net.get_submodule(layer).register_forward_hook(lambda _, __, out: outputs.append(out)):
        logit = net(x)[0, target]
    (gradient,) = torch.autograd.grad(logit, outputs[0])
    return outputs[0].detach()[0], gradient[0]


@pytest.mark.parametrize("layer", [*RELUS, "conv1", "conv2", "conv3", "bn2", "pool3"])
def test_grad_cam_equals_captum_and_autograd(course: nn.Module, x: Tensor, layer: str) -> None:
    heat = attribute(course, x, layer=layer, target=3)
    maps, gradient = by_hand(course, x, layer, 3)
    captum = LayerGradCam(course, course.get_submodule(layer)).attribute(x.clone(), 3)[0, 0].detach()
    close(heat.values, captum)
    close(heat.values, (gradient.mean((1, 2), keepdim=True) * maps).sum(0))
    assert heat.values.dtype == np.float32
    assert (heat.values < 0).any()


@pytest.mark.parametrize(
    ("method", "name"), [("grad_cam", "GradCAM"), ("layer_cam", "LayerCAM"), ("xgrad_cam", "XGradCAM")]
)
@pytest.mark.parametrize("layer", RELUS)
def test_methods_equal_torchcam(course: nn.Module, x: Tensor, layer: str, method: str, name: str) -> None:
    methods = pytest.importorskip("torchcam.methods")
    with getattr(methods, name)(course, layer) as extractor:
        (cam,) = extractor(class_idx=3, scores=course(x), normalized=False)
    close(attribute(course, x, method, layer=layer, target=3).values.clip(0), cam[0])


def test_grad_cam_pp_by_the_derivatives_of_its_paper(gap: nn.Module) -> None:
    """α by the derivatives of Y = exp(logit) at each cell. No torchcam 0.5: it loses the division."""
    x = torch.randn(1, 3, 9, 9)
    maps = torch.from_numpy(trace(gap, x).maps["3"]).double()
    head = gap[4:].double()

    def class_score(step: Tensor, direction: Tensor) -> Tensor:
        return head((maps + step * direction)[None])[0, 1].exp()

    def derivative(order: int) -> Tensor:
        function = class_score
        for _ in range(order):
            function = torch.func.grad(function)
        directions = torch.eye(maps.numel(), dtype=torch.float64).unflatten(1, maps.shape)
        steps = torch.zeros(maps.numel(), dtype=torch.float64)
        return torch.vmap(function)(steps, directions).reshape(maps.shape).detach()

    first, second, third = (derivative(order) for order in (1, 2, 3))
    alpha = second / (2 * second + maps.sum((1, 2), keepdim=True) * third)
    weights = (alpha * first.relu()).sum((1, 2), keepdim=True) / head(maps[None])[0, 1].exp().detach()
    gap.float()
    close(attribute(gap, x, "grad_cam_pp", layer="3", target=1).values, (weights * maps).sum(0))


def principal(maps: Tensor) -> Tensor:
    """The maps weighted by the first eigenvector of their inner products, in float64."""
    flat = maps.double().flatten(1)
    first = torch.linalg.eigh(flat @ flat.mT).eigenvectors[:, -1]
    return (first.abs()[:, None, None] * maps).sum(0)  # maps ≥ 0, so the first has no negative entry


def test_methods_equal_their_formulas(course: nn.Module, x: Tensor) -> None:
    maps, gradient = by_hand(course, x, "relu2", 5)
    elementwise = LayerGradientXActivation(course, course.relu2).attribute(x.clone(), 5)[0].sum(0).detach()
    squared = gradient.double() ** 2
    alpha = squared / (2 * squared + maps.sum((1, 2), keepdim=True) * gradient.double() ** 3)
    weights = (alpha.nan_to_num() * gradient.relu()).sum((1, 2), keepdim=True)
    formulas = {
        "grad_cam": (gradient.mean((1, 2), keepdim=True) * maps).sum(0),
        "hires_cam": elementwise,
        "layer_cam": (gradient.relu() * maps).sum(0),
        "grad_cam_pp": (weights * maps).sum(0),
        "xgrad_cam": (((gradient * maps).sum((1, 2)) / maps.sum((1, 2)))[:, None, None] * maps).nansum(0),
        "eigen_cam": principal(maps),
    }
    assert set(formulas) == set(ONE_PASS)
    for method, wanted in formulas.items():
        close(attribute(course, x, method, layer="relu2", target=5).values, wanted)


def test_many_layers_equal_captum_one_by_one(course: nn.Module, x: Tensor) -> None:
    layers = list(trace(course, x).maps)
    many = attribute_many(course, x, ["grad_cam"], layers, target=7)["grad_cam"]
    assert list(many) == layers
    for layer in layers:
        one = attribute(course, x, layer=layer, target=7)
        assert (many[layer].method, many[layer].layer, many[layer].target) == ("grad_cam", layer, 7)
        close(many[layer].values, one.values)


@pytest.mark.parametrize("method", ONE_PASS)
def test_one_pass_gives_what_passes_of_their_own_give(course: nn.Module, x: Tensor, method: str) -> None:
    """Every method and the channel evidence, of one class and of two."""
    one, both = (class_gradients(course, x, RELUS, classes) for classes in ((2,), (2, 5)))
    for layer in RELUS:
        (alone,), (first, second) = one[layer], both[layer]
        assert heat_from(course, alone, method) == attribute(course, x, method, layer=layer, target=2)
        assert evidence_from(alone) == channel_evidence(course, x, layer, 2)
        for each, target in ((first, 2), (second, 5)):
            wanted = attribute(course, x, method, layer=layer, target=target)
            close(heat_from(course, each, method).values, wanted.values)
            assert each.target == target
            close(evidence_from(each).weights, channel_evidence(course, x, layer, target).weights)


def test_the_difference_of_two_classes_comes_from_their_one_pass(course: nn.Module, x: Tensor) -> None:
    for layer, (first, second) in class_gradients(course, x, RELUS, (2, 5)).items():
        heat = heat_from(course, first.minus(second), "grad_cam")
        wanted = attribute(course, x, layer=layer, target=2, against=5)
        close(heat.values, wanted.values)
        assert (heat.target, heat.against) == (wanted.target, wanted.against) == (2, 5)


def test_the_pass_of_two_classes_is_one(
    monkeypatch: pytest.MonkeyPatch, course: nn.Module, x: Tensor
) -> None:
    passes: list[object] = []
    tapped = gradients.tapped
    monkeypatch.setattr(gradients, "tapped", lambda *given: passes.append(given) or tapped(*given))
    class_gradients(course, x, RELUS, (1, 2))
    assert len(passes) == 1
    with pytest.raises(ValueError, match="1, C, h, w"):
        class_gradients(course, torch.cat([x, x]), RELUS, (1, 2))


@pytest.mark.parametrize("layer", ["relu", "relu#2", "bn2", "conv2", "conv3", "down.1", "down", "pool"])
def test_in_place_and_reused_layers(tricky: nn.Module, x: Tensor, layer: str) -> None:
    """Against the same network written without anything in place or reused."""

    def forward(x: Tensor, tap: dict[str, Tensor]) -> Tensor:
        def keep(name: str, value: Tensor) -> Tensor:
            return tap.setdefault(name, value)

        x = keep("relu", tricky.bn1(tricky.conv1(x)).relu())
        y = keep("bn2", tricky.bn2(keep("conv2", tricky.conv2(x))))
        y = y + keep("down", keep("down.1", tricky.down(x)))
        y = keep("conv3", tricky.conv3(keep("relu#2", y.relu()))).relu()
        logits: Tensor = tricky.fc(keep("pool", nn.functional.max_pool2d(y, 2)).mean((2, 3)))
        return logits

    tap: dict[str, Tensor] = {}
    (gradient,) = torch.autograd.grad(forward(x, tap)[0, 2], tap[layer])
    wanted = (gradient.mean((2, 3), keepdim=True) * tap[layer]).sum(1)[0].detach()
    close(attribute(tricky, x, layer=layer, target=2).values, wanted)
    close(attribute_many(tricky, x, ["grad_cam"], [layer], 2)["grad_cam"][layer].values, wanted)


def test_channels_add_up_to_the_heat_map(course: nn.Module, x: Tensor) -> None:
    for layer, proof in evidence_many(course, x, [*RELUS, "conv1"], 4).items():
        heat = attribute(course, x, layer=layer, target=4)
        assert proof == channel_evidence(course, x, layer, 4)
        close((proof.weights[:, None, None] * proof.maps).sum(0), heat.values)
        close(proof.values, heat.values)
        close(proof.contributions.sum(), heat.values.mean())
        np.testing.assert_array_equal(proof.maps, trace(course, x).maps[layer])


def test_the_difference_of_two_classes(course: nn.Module, x: Tensor) -> None:
    cat, dog = (attribute(course, x, layer="relu3", target=target).values for target in (3, 5))
    why = attribute(course, x, layer="relu3", target=3, against=5)
    assert (why.target, why.against) == (3, 5)
    close(why.values, cat - dog)
    close(
        attribute_many(course, x, ["grad_cam"], ["relu3"], 3, against=5)["grad_cam"]["relu3"].values,
        cat - dog,
    )
    close(channel_evidence(course, x, "relu3", 3, against=5).values, cat - dog)
    assert not attribute(course, x, layer="relu3", target=3, against=3).values.any()


def test_global_average_and_linear_head(gap: nn.Module, x: Tensor) -> None:
    """There the weights are W/(h·w), the raw map sums to logit − bias, and HiResCAM is Grad-CAM."""
    head = gap[-1]
    for target in range(5):
        proof = channel_evidence(gap, x, "3", target)
        heat = attribute(gap, x, layer="3", target=target).values
        close(proof.weights, head.weight[target].detach() / heat.size)
        close(heat.sum(), trace(gap, x).logits[target] - head.bias[target].item())
        close(attribute(gap, x, "hires_cam", layer="3", target=target).values, heat)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_before_and_after_batchnorm_differ_by_a_constant(course: nn.Module, x: Tensor, n: int) -> None:
    """raw(BN) − raw(conv) = Σ w (β − γμ/√(σ²+ε)) with w at the BN output, everywhere."""
    conv, norm = (attribute(course, x, layer=f"{stage}{n}", target=1).values for stage in ("conv", "bn"))
    weights = channel_evidence(course, x, f"bn{n}", 1).weights
    constant = float((weights * statistics(course, x, f"bn{n}").offset).sum())
    np.testing.assert_allclose(norm - conv, constant, rtol=0, atol=1e-5 * np.abs(norm).max())


def test_one_image_equals_its_row_in_a_batch(course: nn.Module, x: Tensor) -> None:
    batch = torch.cat([x, torch.randn(3, 3, 32, 32)])
    heat = attribute(course, x, layer="bn2", target=6).values

    def row(net: nn.Module) -> Tensor:
        return LayerGradCam(net, net.bn2).attribute(batch.clone(), [6, 1, 2, 3])[0, 0].detach()

    close(heat, row(course))
    course.train()  # there each image depends on the others
    course.dropout.eval()
    assert np.abs(row(course).numpy() - heat).max() > 1e-2 * np.abs(heat).max()


@pytest.mark.parametrize("method", ONE_PASS)
def test_nothing_is_left_on_the_network(
    tricky: nn.Module, x: Tensor, untouched: Callable, method: str
) -> None:
    tricky.train()
    tricky.conv1.weight.requires_grad_(False)
    x.requires_grad_(True)
    with untouched(tricky):
        attribute(tricky, x, method, layer="relu#2", target=0)
        attribute_many(tricky, x, [method], ["relu#2", "relu"], 1)
        for layer, target in (("nope", 0), ("relu#9", 0), ("fc", 0), ("relu", 99)):
            with pytest.raises(ValueError, match=r"layer|Layer|class|values"):
                attribute(tricky, x, method, layer=layer, target=target)
    assert x.grad is None
    assert x.requires_grad


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("method", ONE_PASS)
def test_gradient_mode_and_frozen_weights_do_not_matter(
    course: nn.Module, x: Tensor, method: str, mode: Callable
) -> None:
    wanted = attribute(course, x, method, layer="relu1", target=2)
    course.requires_grad_(False)
    with mode():
        assert attribute(course, x.clone(), method, layer="relu1", target=2) == wanted


def test_four_threads_give_bitwise_what_one_gives(course: nn.Module) -> None:
    images = torch.randn(6, 1, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    jobs = [(i, method, RELUS[(i + k) % 3]) for k, method in enumerate(ONE_PASS) for i in range(len(images))]

    def work(job: tuple[int, str, str]) -> tuple[object, ...]:
        i, method, layer = job
        heat = attribute(course, images[i], method, layer=layer, target=i)
        return heat, attribute_many(course, images[i], ONE_PASS, RELUS, i), trace(course, images[i])

    alone = [work(job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            assert list(pool.map(work, jobs)) == alone


def test_a_layer_the_class_does_not_depend_on_is_one_sentence(x: Tensor) -> None:
    class Aside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.aside = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            self.aside(x)
            return self.used(x).mean((2, 3))

    net = Aside().eval()
    for method in ("grad_cam", "hires_cam"):
        with pytest.raises(Problem, match=r"reaches layer 'aside'.*does not depend on it"):
            attribute(net, x, method, layer="aside", target=0)


def test_errors_name_what_came(course: nn.Module, x: Tensor) -> None:
    with pytest.raises(ValueError, match=r"no method “magic”.*grad_cam"):
        attribute(course, x, "magic", layer="relu1", target=0)
    with pytest.raises(ValueError, match="no class 10: choose one from 0 to 9"):
        attribute(course, x, layer="relu1", target=10)
    with pytest.raises(ValueError, match="no class -1"):
        attribute(course, x, layer="relu1", target=0, against=-1)
    with pytest.raises(ValueError, match=r"\(3, 32, 32\)"):
        attribute(course, x[0], layer="relu1", target=0)
    for target in ([1, 2, 3], torch.ones(2), [[1], [2]]):
        with pytest.raises(ValueError, match="one for all images or one for each of 2, not"):
            attribute(course, x.repeat(2, 1, 1, 1), layer="relu1", target=target)
    with pytest.raises(ValueError, match="no class 10"):
        attribute(course, x.repeat(2, 1, 1, 1), layer="relu1", target=[1, 10])
    with pytest.raises(ValueError, match="without negative values"):
        attribute(course, x, "grad_cam_pp", layer="conv1", target=0)


def test_values_can_be_pickled(course: nn.Module, x: Tensor) -> None:
    for value in (attribute(course, x, layer="relu3", target=0), channel_evidence(course, x, "relu3", 0)):
        assert pickle.loads(pickle.dumps(value)) == value
    assert isinstance(attribute(course, x, layer="relu3", target=0), Heatmap)
    (parts,) = maps_and_gradients(course, x, ["relu3"], score_of(0, None, 1))
    maps, gradients = parts["relu3"]
    assert not maps.requires_grad
    assert not gradients.requires_grad
