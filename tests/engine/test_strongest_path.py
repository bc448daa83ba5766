"""Each step of the strongest path is torch's own arithmetic on what the network computed."""

import inspect
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.engine.passes import need_gradients
from explorer.engine.prediction import prediction
from explorer.engine.probe import ConvStep, NormStep, PoolStep
from explorer.engine.strongest_path import (
    DenseStep,
    FlattenStep,
    MapStep,
    OperationStep,
    PixelStep,
    PredictionStep,
    StrongestPath,
    strongest_path,
)
from explorer.engine.tracing import Trace, trace
from model.checkpoint import load_checkpoint
from model.nets import NETS
from model.problems import Problem
from tests.engine import odd_networks

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
near = pytest.approx


def recomputed(net: nn.Module, step: MapStep, seen: Trace, x: Tensor) -> float:
    """The value of a step's position, by torch's functions on the maps of another pass."""
    read = x if step.source == "" else torch.from_numpy(seen.maps[str(step.source)])[None]
    layer = net.get_submodule(step.layer)
    with torch.no_grad():
        if isinstance(layer, nn.Conv2d):
            made = F.conv2d(read, layer.weight, layer.bias, layer.stride, layer.padding)
        elif isinstance(layer, nn.BatchNorm2d):
            made = F.batch_norm(read, layer.running_mean, layer.running_var, layer.weight, layer.bias)
        elif isinstance(layer, nn.MaxPool2d):
            made = F.max_pool2d(read, layer.kernel_size, layer.stride)
        elif isinstance(layer, nn.SiLU):
            made = F.silu(read)
        else:
            assert isinstance(layer, nn.ReLU)
            made = read.clamp(min=0)
    return float(made[0][step.position])


def check_chain(path: StrongestPath) -> None:
    """Every step goes on from the position and the value that the one before it gave."""
    for before, step in zip(path.steps, path.steps[1:-1], strict=False):
        if isinstance(before, FlattenStep | OperationStep | PixelStep | MapStep | DenseStep):
            position, value = before.position, before.value
        if isinstance(step, OperationStep):
            assert (step.parts[0].position, step.parts[0].value) == (position, near(value, abs=1e-5))
            whole = sum(part.contribution for part in step.parts) + step.others + step.remainder
            assert whole == near(step.value, abs=1e-4, rel=1e-4)
            continue
        assert isinstance(step, MapStep | DenseStep | FlattenStep)
        assert step.origin == position
        if isinstance(step, MapStep):
            assert step.read[position[-2:]] == near(value, abs=1e-5, rel=1e-5)
            assert step.made[step.position[-2:]] == near(step.value, abs=1e-5, rel=1e-5)
            assert step.arithmetic.value == near(step.arithmetic.traced, abs=1e-4, rel=1e-4)


@pytest.mark.parametrize("name", ["cifar10-course", "cifar10-resnet9"])
def test_every_step_is_torchs_arithmetic(name: str, x: Tensor) -> None:
    net = load_checkpoint(CHECKPOINTS / f"{name}.safetensors").build()
    seen = trace(net, x)
    path = strongest_path(net, x, 5)
    assert path.complete
    check_chain(path)
    maps = [step for step in path.steps if isinstance(step, MapStep)]
    for step in (step for step in maps if step.made.ndim == 2 and step.source in ("", *seen.maps)):
        if step.layer != "pool":
            assert recomputed(net, step, seen, x) == near(step.arithmetic.value, abs=1e-4, rel=1e-4)
    last = path.steps[-1]
    assert isinstance(last, PredictionStep)
    assert last.value == near(float(seen.logits[5]), abs=1e-4)
    assert np.allclose(last.prediction.logits, prediction(net, seen.logits).logits, atol=1e-4)


def test_the_course_networks_path(course: nn.Module, x: Tensor, untouched: Callable) -> None:
    with untouched(course):
        path = strongest_path(course, x, 3)
    kinds = [getattr(step, "layer", type(step).__name__) for step in path.steps]
    blocks = [f"{stage}{block}" for block in (1, 2, 3) for stage in ("conv", "bn", "relu", "pool")]
    assert kinds == ["PixelStep", *blocks, "pool3", "fc1", "relu_fc", "dropout", "fc2", "PredictionStep"]
    check_chain(path)
    assert pickle.loads(pickle.dumps(path)) == path
    with torch.no_grad():
        flat = torch.from_numpy(trace(course, x).maps["pool3"]).flatten()
        hidden = course.fc1(flat).relu()
        unit = int((course.fc2.weight[3] * hidden).argmax())
        index = int((course.fc1.weight[unit] * flat).argmax())
    fc1, fc2 = path.steps[-5], path.steps[-2]
    assert isinstance(fc1, DenseStep)
    assert isinstance(fc2, DenseStep)
    assert (fc2.position, fc2.origin, fc1.position, fc1.origin) == ((3,), (unit,), (unit,), (index,))
    assert fc2.products.sum() + fc2.bias == near(float(trace(course, x).logits[3]), abs=1e-5)


def test_a_convolution_is_followed_to_its_strongest_product(course: nn.Module, x: Tensor) -> None:
    path = strongest_path(course, x, 3)
    for conv, norm in zip(path.steps[1::4], path.steps[2::4], strict=False):
        if not (isinstance(conv, MapStep) and isinstance(conv.arithmetic, ConvStep)):
            continue
        assert isinstance(norm, MapStep)
        assert isinstance(norm.arithmetic, NormStep)
        assert norm.arithmetic.weight > 0  # so that the direction does not turn
        sums = conv.arithmetic.products.sum((1, 2))
        channel = conv.arithmetic.channels.index(conv.origin[0])
        assert sums[channel] == sums.max()
        row = conv.arithmetic.rows.tolist().index(conv.origin[1])
        column = conv.arithmetic.columns.tolist().index(conv.origin[2])
        assert conv.arithmetic.products[channel, row, column] == conv.arithmetic.products[channel].max()


def test_a_negative_scale_turns_the_direction(x: Tensor) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 1, 3),
        nn.BatchNorm2d(1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(1, 2),
    ).eval()
    with torch.no_grad():
        net[1].weight.fill_(-1)
        net[5].weight.fill_(1)
    conv = strongest_path(net, x, 0).steps[1]
    assert isinstance(conv, MapStep)
    assert isinstance(conv.arithmetic, ConvStep)
    sums = conv.arithmetic.products.sum((1, 2))
    assert sums[conv.origin[0]] == sums.min() < 0
    assert conv.value == trace(net, x).maps["0"].min()


def test_a_skip_is_followed_by_its_larger_part(tricky: nn.Module, x: Tensor) -> None:
    path = strongest_path(tricky, x, 1)
    check_chain(path)
    (added,) = [s for s in path.steps if isinstance(s, OperationStep) and len(s.sources) == 2]
    assert set(added.sources) == {"bn2", "down.1"}
    assert added.parts[0].value >= added.parts[1].value
    assert added.value == near(sum(part.value for part in added.parts), abs=1e-5)
    assert added.remainder == near(0, abs=1e-5)


def test_average_pooling_is_followed_by_its_largest_position(gap: nn.Module, x: Tensor) -> None:
    path = strongest_path(gap, x, 1)
    check_chain(path)
    pool = path.steps[-4]
    assert isinstance(pool, MapStep)
    assert isinstance(pool.arithmetic, PoolStep)
    weight = gap[6].weight[1][pool.position[0]].item()
    assert pool.read[pool.origin[1:]] == (pool.read.max() if weight > 0 else pool.read.min())


def test_what_cannot_be_spelled_out_says_so(x: Tensor) -> None:
    path = strongest_path(odd_networks.same_padding().eval(), x, 1)
    check_chain(path)
    (conv,) = [s for s in path.steps if isinstance(s, OperationStep) and s.layer == "conv"]
    assert (conv.kind, conv.sources) == ("SameConv2d", ("",))
    cut = strongest_path(odd_networks.UnderInference().eval(), x, 1)
    assert not cut.complete
    assert isinstance(cut.steps[0], OperationStep)
    assert not cut.steps[0].parts


def hooks_maps() -> nn.Module:
    return need_gradients(odd_networks.HooksMaps())  # as it is when it has been opened


NETWORKS = [
    kind
    for name, kind in vars(odd_networks).items()
    if inspect.isclass(kind) and issubclass(kind, odd_networks.Plain)
    and name not in ("Compiled", "HooksMaps")
    and not [p for p in inspect.signature(kind).parameters.values() if p.default is p.empty]
] + [hooks_maps, odd_networks.Tokens, odd_networks.perceptron, odd_networks.activated_norm]  # fmt: skip


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")  # of Checkpointed
@pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__)
def test_any_network(build: Callable[[], nn.Module], x: Tensor) -> None:
    net = build()
    net.eval()
    path = strongest_path(net, x, 2)
    check_chain(path)
    assert path.steps[-1].value == near(float(trace(net, x).logits[2]), abs=1e-4)


def test_problems(course: nn.Module, x: Tensor) -> None:
    with pytest.raises(Problem, match="no class 10"):
        strongest_path(course, x, 10)
    with pytest.raises(Problem, match="NaN or infinity"):
        strongest_path(course, x * torch.inf, 1)
    with pytest.raises(ValueError, match=r"\(1, C, h, w\)"):
        strongest_path(NETS["course"](), torch.cat([x, x]), 1)
