"""On a GPU the engine gives what it gives on the CPU, to the rounding of float32."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import fields

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.ablation import ablations
from explorer.engine.account import account
from explorer.engine.attribution import METHODS, attribute, channel_evidence, completeness_gap
from explorer.engine.batchnorm import is_batchnorm, statistics_many
from explorer.engine.dropout import dropouts, masked
from explorer.engine.flow import channel_contributions
from explorer.engine.graph import graph
from explorer.engine.intervention import Change, intervene
from explorer.engine.network import Network
from explorer.engine.pruning import pruned_predictions
from explorer.engine.samples import ArrayTestSet
from explorer.engine.scan import running
from explorer.engine.scan.images import of_test_set
from explorer.engine.scores import SCORES, Subject, random_nets
from explorer.engine.strongest_path import strongest_path
from explorer.engine.tracing import blocks, trace
from model.card import Card
from model.training.run import set_precision

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
TARGETS = [3, 0, 9]
ROUNDING = 2e-4
"""Of an array's largest value: a GPU adds up float32 numbers in another order."""
SWITCHED = 2e-3
"""The same for Expected Gradients: in one of many passes, a ReLU may switch at a value near 0."""


@pytest.fixture(params=["course", "tricky"])
def net(request: pytest.FixtureRequest) -> nn.Module:
    set_precision("float32")
    chosen: nn.Module = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def on_gpu(net: nn.Module) -> nn.Module:
    return deepcopy(net).to("cuda")


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(4))


def near(one: object, other: object, rounding: float = ROUNDING) -> None:
    """Equal to the rounding: arrays, values that hold them, and plain values."""
    if isinstance(one, np.ndarray) and one.dtype.kind == "f":
        atol = rounding * max(np.abs(np.asarray(other)).max(), 1e-3)
        np.testing.assert_allclose(one, np.asarray(other), rtol=0, atol=atol)
    elif isinstance(one, Mapping):
        assert isinstance(other, Mapping)
        near(tuple(one.items()), tuple(other.items()), rounding)
    elif isinstance(one, tuple):
        assert isinstance(other, tuple)
        for pair in zip(one, other, strict=True):
            near(*pair, rounding)
    elif hasattr(one, "__dataclass_fields__"):
        for field in fields(one):  # type: ignore[arg-type]
            near(getattr(one, field.name), getattr(other, field.name), rounding)
    else:
        np.testing.assert_equal(one, other)


def targets(net: nn.Module, images: Tensor) -> list[int]:
    classes = trace(net, images).logits.shape[1]
    return [target % classes for target in TARGETS]


def conv_of(net: nn.Module, images: Tensor) -> str:
    return str(blocks(net, trace(net, images))[0].conv)


def last_of(net: nn.Module, images: Tensor) -> str:
    block = blocks(net, trace(net, images))[-1]
    return str(block.act or block.conv)


def test_a_trace(net: nn.Module, on_gpu: nn.Module, images: Tensor) -> None:
    near(trace(on_gpu, images.cuda()), trace(net, images))
    assert graph(on_gpu, images[:1].cuda()).edges == graph(net, images[:1]).edges


@pytest.mark.parametrize("method", METHODS)
def test_every_method(net: nn.Module, on_gpu: nn.Module, images: Tensor, method: str) -> None:
    layer = last_of(net, images) if METHODS[method].needs_layer else None
    record, x = METHODS[method], images[:1]
    if record.unmet(net, layer, x) is not None:
        assert record.unmet(on_gpu, layer, x.cuda()) is not None
        return
    classes = targets(net, images)
    heat = attribute(net, images, method, layer=layer, target=classes)
    rounding = SWITCHED if method == "expected_gradients" else ROUNDING
    near(attribute(on_gpu, images.cuda(), method, layer=layer, target=classes), heat, rounding)
    if record.adds_up:
        near(completeness_gap(on_gpu, images.cuda(), heat), completeness_gap(net, images, heat))


def test_the_evidence_of_channels(net: nn.Module, on_gpu: nn.Module, images: Tensor) -> None:
    layer, classes = conv_of(net, images), targets(net, images)
    near(
        channel_evidence(on_gpu, images.cuda(), layer, classes, 1),
        channel_evidence(net, images, layer, classes, 1),
    )


def test_what_is_computed_of_channels(net: nn.Module, on_gpu: nn.Module, images: Tensor) -> None:
    layer, given = conv_of(net, images), images.cuda()
    near(ablations(on_gpu, given, layer), ablations(net, images, layer))
    changes = [Change(layer, (0, 2)), Change(layer, (1,), "mean")]
    near(intervene(on_gpu, given, changes), intervene(net, images, changes))
    channels = trace(net, images[:1]).maps[layer].shape[0]
    fill, labels = np.zeros(channels, np.float32), np.zeros(3, np.int64)
    sets = ((0,), (1, 2))
    near(
        pruned_predictions(on_gpu, given, labels, layer, sets, fill),
        pruned_predictions(net, images, labels, layer, sets, fill),
    )


def test_what_is_computed_of_the_way_to_the_class(net: nn.Module, on_gpu: nn.Module, images: Tensor) -> None:
    near(account(on_gpu, images.cuda(), 1), account(net, images, 1))
    x, layers = images[:1], list(trace(net, images[:1]).maps)[:2]
    near(channel_contributions(on_gpu, x.cuda(), layers, 1), channel_contributions(net, x, layers, 1))
    paths = strongest_path(on_gpu, x.cuda(), 1), strongest_path(net, x, 1)
    for steps in zip(paths[0].steps, paths[1].steps, strict=True):
        assert type(steps[0]) is type(steps[1])
        assert steps[0].value == pytest.approx(steps[1].value, abs=1e-3)


def test_batchnorm(net: nn.Module, on_gpu: nn.Module, images: Tensor) -> None:
    layers = [layer for layer in trace(net, images).maps if is_batchnorm(net, layer)]
    gpu, cpu = statistics_many(on_gpu, images.cuda(), layers), statistics_many(net, images, layers)
    for layer in layers:
        near(gpu[layer], cpu[layer])


def test_the_masks_of_dropout_are_the_same(course: nn.Module, images: Tensor) -> None:
    set_precision("float32")
    on_gpu, x = deepcopy(course).to("cuda"), images[:1]
    for layer in dropouts(course, x):
        asked = (layer,), layer.layer
        near(masked(on_gpu, x.cuda(), *asked), masked(course, x, *asked))


@pytest.mark.parametrize("method", ["grad_cam", "input_x_gradient"])
def test_every_score(course: nn.Module, images: Tensor, method: str) -> None:
    set_precision("float32")
    on_gpu, layer = deepcopy(course).to("cuda"), "relu3" if method == "grad_cam" else None
    heat = attribute(course, images, method, layer=layer, target=TARGETS)
    nets = random_nets(course, images)
    gpu = Subject(on_gpu, images.cuda(), heat, random_nets=tuple(deepcopy(net).to("cuda") for net in nets))
    cpu = Subject(course, images, heat, random_nets=nets)
    for name, score in SCORES.items():
        if score.unmet(cpu) is None:
            measure = score.measure_many or score.measure
            values = np.asarray(measure(gpu).value, float), np.asarray(measure(cpu).value, float)
            np.testing.assert_allclose(*values, atol=0.02, err_msg=name)


class Random(nn.Module):
    """A network with a dropout that is on in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.last(
            nn.functional.dropout(self.conv(x).relu().mean((2, 3)), 0.5, training=True)
        )
        return logits


def test_a_random_network_draws_the_same_numbers(images: Tensor) -> None:
    net, x = Random().eval().to("cuda"), images[:1].cuda()
    before = torch.cuda.get_rng_state()
    assert trace(net, x) == trace(net, x)
    assert torch.equal(torch.cuda.get_rng_state(), before)


def test_a_scan(course: nn.Module) -> None:
    set_precision("float32")
    random = np.random.default_rng(0)
    pixels = random.integers(0, 255, (300, 32, 32, 3), np.uint8)
    card = Card()
    photos = ArrayTestSet("photos", card.classes, random.integers(0, 10, 300), pixels)
    network, images = Network(course, card, "course 0123"), of_test_set(photos, card)
    gpu, cpu = running.scan(network, images, "cuda"), running.scan(network, images)
    near(gpu.logits, cpu.logits)
    for layer, part in cpu.layers.items():
        for name in ("mean", "variance", "class_mean", "image_mean", "top_values", "bottom_values"):
            near(getattr(gpu.layers[layer], name), getattr(part, name))
        np.testing.assert_allclose(gpu.layers[layer].zeros, part.zeros, atol=1e-3)
