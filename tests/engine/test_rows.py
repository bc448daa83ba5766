"""A batch is its images one by one, for every network and method; and the shared pass is Captum's."""

import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn

from explorer.engine.ablation import ablations
from explorer.engine.attribution import METHODS, attribute, attribute_many, channel_evidence, evidence_many
from explorer.engine.attribution.gradients import CHUNK
from explorer.engine.batchnorm import is_batchnorm, statistics_many, with_batch_statistics
from explorer.engine.passes import tapped
from explorer.engine.tracing import blocks, trace
from explorer.engine.values import Rows
from model.nets import NETS

ROUNDING = 1e-5
"""Of an array's largest value: operations on more images add up float32 numbers in another order."""
TARGETS, AGAINST = [3, 0, 9], [1, 2, 0]
ONE_PASS = [name for name, record in METHODS.items() if record.heat]


@pytest.fixture(params=[name for name in NETS if name != "mlp"])  # it has no feature maps
def net(request: pytest.FixtureRequest, settled: Callable[[nn.Module], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return settled(NETS[request.param]())


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(4))


def near(one: object, other: object, rounding: float = ROUNDING) -> None:
    """Equal to the rounding: arrays of one shape and type, and whatever holds them."""
    if isinstance(one, Mapping):
        assert isinstance(other, Mapping)
        assert list(one) == list(other)
        for name in one:
            near(one[name], other[name], rounding)
    elif isinstance(one, np.ndarray) and one.dtype.kind == "f":
        assert isinstance(other, np.ndarray)
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        np.testing.assert_allclose(one, other, rtol=0, atol=rounding * max(np.abs(other).max(), 1e-6))
    else:
        assert one == other


def near_values(one: object, other: object) -> None:
    assert type(one) is type(other)
    for field in fields(one):  # type: ignore[arg-type]
        near(getattr(one, field.name), getattr(other, field.name))


def check_rows(batch: Rows, alone: Iterator[Rows]) -> None:
    """Every row of a batch is what its image alone gives."""
    rows = batch.rows()
    assert (batch.images, len(rows)) == (3, 3)
    for row, one in zip(rows, alone, strict=True):
        assert (row.images, one.images) == (None, None)
        assert one.rows() == (one,)
        near_values(row, one)
    assert pickle.loads(pickle.dumps(batch)) == batch


def layers_of(net: nn.Module, images: Tensor) -> list[str]:
    return list(trace(net, images[:1]).maps)


def fitting(net: nn.Module, images: Tensor, method: str) -> list[str]:
    """The layers that the method can explain."""
    seen, unmet = trace(net, images).maps, METHODS[method].unmet
    return [layer for layer, maps in seen.items() if unmet(net, layer, torch.from_numpy(maps)) is None]


def test_a_trace(net: nn.Module, images: Tensor) -> None:
    batch = trace(net, images)
    check_rows(batch, (trace(net, x[None]) for x in images))
    assert batch.logits.shape == (3, 10)
    assert blocks(net, batch) == blocks(net, batch.row(1))


@pytest.mark.parametrize("method", ONE_PASS)
def test_heat_maps_by_every_method(net: nn.Module, images: Tensor, method: str) -> None:
    layers = fitting(net, images, method)  # none by Grad-CAM++ in a network of SiLU: its maps have negatives
    batch = attribute_many(net, images, [method], layers, TARGETS, AGAINST)[method]
    for layer in layers:
        rows = zip(images, TARGETS, AGAINST, strict=True)
        alone = (attribute(net, x[None], method, layer=layer, target=t, against=a) for x, t, a in rows)
        check_rows(batch[layer], alone)
        assert batch[layer].values.ndim == 3


def test_one_class_for_all_images(net: nn.Module, images: Tensor) -> None:
    layer = layers_of(net, images)[-1]
    same = attribute(net, images, layer=layer, target=5)
    assert same.target.tolist() == [5, 5, 5]
    assert same.against is None
    check_rows(same, (attribute(net, x[None], layer=layer, target=5) for x in images))
    for target in (torch.tensor([5, 5, 5]), np.array([5, 5, 5]), [5, 5, 5]):
        assert attribute(net, images, layer=layer, target=target) == same


def test_channel_evidence(net: nn.Module, images: Tensor) -> None:
    batch = evidence_many(net, images, layers_of(net, images), TARGETS, 4)
    heats = attribute_many(net, images, ["grad_cam"], batch, TARGETS, 4)["grad_cam"]
    for layer, evidence in batch.items():
        rows = zip(images, TARGETS, strict=True)
        check_rows(evidence, (channel_evidence(net, x[None], layer, t, 4) for x, t in rows))
        near(evidence.values, heats[layer].values)
        near(evidence.contributions.sum(-1), evidence.values.mean((1, 2)))
        near(evidence.row(1).contributions, evidence.contributions[1])


def test_ablations(net: nn.Module, images: Tensor) -> None:
    layer = blocks(net, trace(net, images))[1].conv
    check_rows(
        ablations(net, images, layer, [0, 5]), (ablations(net, x[None], layer, [0, 5]) for x in images)
    )


def test_batchnorm(net: nn.Module, images: Tensor) -> None:
    layers = [layer for layer in layers_of(net, images) if is_batchnorm(net, layer)]
    batch = statistics_many(net, images, layers)
    for x, *rows in zip(images, *(batch[layer].rows() for layer in layers), strict=True):
        alone = statistics_many(net, x[None], layers)
        for row in rows:
            near_values(row, alone[row.layer])
    twice = [with_batch_statistics(net, x.expand(2, -1, -1, -1)).running[0] for x in images]
    near(with_batch_statistics(net, images).running, np.stack(twice))


@pytest.mark.parametrize("method", ONE_PASS)
def test_in_place_and_reused_layers(tricky: nn.Module, images: Tensor, method: str) -> None:
    layers = fitting(tricky, images, method)
    assert {"relu", "relu#2"} <= set(layers)
    batch = attribute_many(tricky, images, [method], layers, [0, 1, 4])[method]
    for layer in layers:
        rows = zip(images, [0, 1, 4], strict=True)
        check_rows(batch[layer], (attribute(tricky, x[None], method, layer=layer, target=t) for x, t in rows))
    check_rows(ablations(tricky, images, "down.1"), (ablations(tricky, x[None], "down.1") for x in images))


def test_more_images_than_are_worked_on_at_once(course: nn.Module) -> None:
    images = torch.randn(CHUNK + 2, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    targets = torch.arange(len(images)) % 10
    heat = attribute(course, images, layer="relu2", target=targets)
    proof = channel_evidence(course, images, "relu2", targets)
    assert len(heat.values) == len(proof.maps) == len(images)
    for row in (0, CHUNK - 1, CHUNK, CHUNK + 1):
        one = attribute(course, images[row : row + 1], layer="relu2", target=int(targets[row]))
        near_values(heat.row(row), one)
        near(proof.row(row).values, one.values)


def test_a_network_that_needs_contiguous_maps(images: Tensor) -> None:
    class Views(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4 * 30 * 30, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            logits: Tensor = self.fc(x.view(len(x), -1))
            return logits

    net = Views().eval()
    heat = attribute(net, images, layer="conv", target=TARGETS)
    check_rows(
        heat,
        (attribute(net, x[None], layer="conv", target=t) for x, t in zip(images, TARGETS, strict=True)),
    )


def test_grad_cam_is_captums(net: nn.Module, images: Tensor) -> None:
    """To 1e-6 of the largest value, at every layer, for a batch; in float64, so that only the math counts."""
    net, images = net.double(), images.double()
    layers = layers_of(net, images)
    ours = attribute_many(net, images, ["grad_cam"], layers, TARGETS)["grad_cam"]
    for layer in layers:
        view, points = tapped(net, [layer])
        theirs = LayerGradCam(view, points[layer]).attribute(images.clone(), TARGETS)
        near(ours[layer].values, theirs[:, 0].detach().float().numpy(), 1e-6)
