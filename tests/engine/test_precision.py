"""Networks that compute in other kinds of numbers than float32 open, and give what they give alone."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.ablation import ablations
from explorer.engine.attribution import METHODS, attribute
from explorer.engine.batchnorm import statistics
from explorer.engine.flow import Flow
from explorer.engine.network_source import Source
from explorer.engine.opening import Opening, open_source
from explorer.engine.probe import ActStep, ConvStep, NormStep, probe
from explorer.engine.tracing import blocks, trace
from model.problems import Problem

X = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.conv, self.norm, self.act = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.act(self.norm(self.conv(x))).mean((2, 3)))


class Cast(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.double())


class CastBack(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.to(torch.float64)).float()


class OfNumPy(Net):
    """A constant that is no buffer, so that nothing converts it."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = torch.from_numpy(np.array([0.1, 0.2, 0.3])).view(1, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - self.mean)


class LastInDouble(Net):
    def __init__(self) -> None:
        super().__init__()
        self.fc = self.fc.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.act(self.norm(self.conv(x))).mean((2, 3)).double())


class Half(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.bfloat16())


BUILDERS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "cast": (lambda: Cast().double(), "float64"),
    "cast back": (lambda: CastBack().double(), "float64"),
    "of NumPy": (lambda: OfNumPy().double(), "float64"),
    "last in double": (LastInDouble, "float64"),
    "bfloat16": (lambda: Half().bfloat16(), "bfloat16"),
}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Opening]:
    """Opens what a function builds, as `--net own:build` does."""
    module = ModuleType("own_precision")
    monkeypatch.setitem(sys.modules, "own_precision", module)

    def open_(build: Callable[[], nn.Module], **options: object) -> Opening:
        module.build = build  # type: ignore[attr-defined]
        return open_source(Source(**{"net": "own_precision:build", "input_size": 16} | options))

    return open_


@pytest.mark.parametrize("kind", BUILDERS)
def test_it_computes_as_it_was_built(opened: Callable[..., Opening], kind: str) -> None:
    build, dtype = BUILDERS[kind]
    opening = opened(build)
    (finding,) = opening.checkup.findings
    assert f"stay {dtype}, as it was built" in str(finding)
    net, own = opening.checkpoint.build(), build().eval()
    seen, rough = trace(net, X), 1e-2 if kind == "bfloat16" else 1e-6
    maps: list[Tensor] = []
    own.act.register_forward_hook(lambda _, __, output: maps.append(output))
    logits = own(X)
    (gradient,) = torch.autograd.grad(logits[:, 1].sum(), maps)
    wanted = (gradient.mean((2, 3), keepdim=True) * maps[0]).sum(1).detach().float()
    np.testing.assert_allclose(seen.probabilities, logits.softmax(1).detach().float(), atol=rough)
    np.testing.assert_allclose(seen.maps["act"], maps[0].detach().float(), atol=rough)
    heat = attribute(net, X, layer="act", target=1).values
    np.testing.assert_allclose(heat, wanted, atol=10 * rough)
    assert heat.dtype == seen.logits.dtype == seen.maps["act"].dtype == np.float32


@pytest.mark.parametrize("kind", ["cast", "last in double", "bfloat16"])
def test_every_method_and_the_other_results(opened: Callable[..., Opening], kind: str) -> None:
    net, rough = opened(BUILDERS[kind][0]).checkpoint.build(), 0.05 if kind == "bfloat16" else 1e-4
    plain = Net().eval()
    for name, method in METHODS.items():
        layer = "act" if method.heat is not None or name in ("score_cam", "ablation_cam") else None
        own, wanted = (_tried(each, name, layer) for each in (net, plain))
        if isinstance(own, str) or isinstance(wanted, str):
            assert kind != "cast" or str(own) == str(wanted), (name, own, wanted)
        elif rough < 0.01:
            np.testing.assert_allclose(own, wanted, atol=1e-3 * np.abs(wanted).max(), err_msg=name)
    ours, wanted = (ablations(each, X, "act").zeroed for each in (net, plain))
    np.testing.assert_allclose(ours, wanted, atol=rough)
    one, other = (statistics(each, X[:1], "norm") for each in (net, plain))
    np.testing.assert_allclose(one.mean, other.mean, atol=rough)
    assert Flow(net, X[:1], 1).graph.nodes


def _tried(net: nn.Module, method: str, layer: str | None) -> np.ndarray | str:
    try:
        return attribute(net, X, method, layer=layer, target=1).values
    except Problem as problem:
        return problem.template


def test_a_file_of_either_precision_fits(opened: Callable[..., Opening], tmp_path: Path) -> None:
    state = Cast().double().state_dict()
    torch.save(state, tmp_path / "double.pt")
    torch.save(Net().state_dict(), tmp_path / "single.pt")
    digests = []
    for name in ("double.pt", "single.pt"):
        checkpoint = opened(lambda: Cast().double(), path=tmp_path / name).checkpoint
        digests.append(checkpoint.digest)
        assert checkpoint.build().fc.weight.dtype == torch.float64
    assert digests[0] == digests[1]


def test_a_builder_does_not_change_what_everything_is_computed_in(opened: Callable[..., Opening]) -> None:
    def build() -> nn.Module:
        torch.set_default_dtype(torch.float64)
        return Net()

    assert not opened(build).checkup.findings
    assert torch.get_default_dtype() == torch.float32


def test_another_failure_is_still_that_of_the_network_in_float32(opened: Callable[..., Opening]) -> None:
    with pytest.raises(Problem, match="should be the same"):
        opened(Cast)  # float32 weights: it does not run by itself either


class InHalf(Half):
    """In 16 bits throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.bfloat16()


def test_arithmetic_in_16_bits_is_spelled_out() -> None:
    net, x = InHalf().eval(), X[:1]
    seen = trace(net, x)
    (block,) = blocks(net, seen)
    for known in (seen, None):
        steps = probe(net, x, block, 3, 5, 7, known).steps
        assert [type(step) for step in steps] == [ConvStep, NormStep, ActStep]
        for step in steps:
            assert step.value == pytest.approx(step.traced, rel=0.02, abs=0.02)
