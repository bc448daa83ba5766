"""The check-up of a network when it is opened: small replicas of every kind, with values by hand."""

import re
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint as recomputed

import explorer
from explorer.engine.ablation import ablations
from explorer.engine.attribution import attribute, channel_evidence, method_problems
from explorer.engine.attribution.operations import operations
from explorer.engine.batchnorm import with_batch_statistics
from explorer.engine.checkup import Checkup, check_up
from explorer.engine.flow import Flow
from explorer.engine.graph import graph
from explorer.engine.network import network_of
from explorer.engine.network_source import Source
from explorer.engine.opening import Opening, open_source
from explorer.engine.outputs import outputs_of
from explorer.engine.receptive import receptive_fields
from explorer.engine.tracing import trace
from model import torchvision_repair, words
from model.card import Card
from model.checkpoint import load_checkpoint, save_checkpoint
from model.nets import NETS
from model.problems import Problem
from tests.engine.odd_networks import WeighsChannels

torchvision_repair.repair()
import torchvision.models as models  # noqa: E402  (repaired first)

CARD = Card(input_size=16, classes=("a", "b", "c", "d"))
X = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))


class Plain(nn.Module):
    """A small classifier that returns `returned(logits)`; large logits, so that they leave 0 to 1."""

    def __init__(self, num_classes: int = 4, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.conv, self.bn, self.relu = nn.Conv2d(channels, 8, 3), nn.BatchNorm2d(8), nn.ReLU()
        self.fc = nn.Linear(8, num_classes)
        nn.init.normal_(self.fc.weight, std=3.0)

    def features(self, x: Tensor) -> Tensor:
        return self.relu(self.bn(self.conv(x)))

    def logits(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x).mean((2, 3)))

    def returned(self, logits: Tensor) -> Any:
        return logits

    def forward(self, x: Tensor) -> Any:
        return self.returned(self.logits(x))


class WithModule(Plain):
    def __init__(self, final: nn.Module, num_classes: int = 4) -> None:
        super().__init__(num_classes)
        self.final = final

    def returned(self, logits: Tensor) -> Tensor:
        return self.final(logits)


def of(function: Callable[[Tensor], Any], num_classes: int = 4) -> Plain:
    net = Plain(num_classes)
    net.returned = function
    return net


def softmax(logits: Tensor) -> Tensor:
    return logits.softmax(1)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Opening]:
    """Opens what a function builds, as `--net own:build` does."""
    module = ModuleType("own_checked")
    monkeypatch.setitem(sys.modules, "own_checked", module)

    def open_(build: Callable[[], nn.Module], **options: Any) -> Opening:
        module.build = lambda: build().eval()  # type: ignore[attr-defined]
        return open_source(Source(**{"net": "own_checked:build", "input_size": 16} | options))

    return open_


def finding(checkup: Checkup, name: str) -> str:
    return next((str(each) for each in checkup.findings if each.name == name), "")


# What the outputs are

OWN: dict[str, tuple[Callable[[], nn.Module], str, Callable[[Tensor], Tensor]]] = {
    "logits": (Plain, "logits", softmax),
    "softmax module": (lambda: WithModule(nn.Softmax(1)), "probabilities", softmax),
    "softmax": (lambda: of(softmax), "probabilities", softmax),
    "log-softmax module": (lambda: WithModule(nn.LogSoftmax(1)), "log-probabilities", softmax),
    "log-softmax": (lambda: of(lambda z: z.log_softmax(1)), "log-probabilities", softmax),
    "sigmoid module": (lambda: WithModule(nn.Sigmoid()), "sigmoid", torch.sigmoid),
    "sigmoid": (lambda: of(torch.sigmoid), "sigmoid", torch.sigmoid),
    "hard sigmoid": (lambda: of(functional.hardsigmoid), "sigmoid", functional.hardsigmoid),
}


@pytest.mark.parametrize("kind", OWN)
def test_probabilities_are_the_networks_own(opened: Callable[..., Opening], kind: str) -> None:
    build, name, meaning = OWN[kind]
    opening = opened(build)
    assert opening.checkup.outputs.kind == name
    with torch.no_grad():
        own = meaning(build().eval().logits(X)).numpy()
    net = opening.checkpoint.build()
    seen = trace(net, X)
    np.testing.assert_allclose(seen.probabilities, own, atol=1e-6)
    assert seen.logits.shape == (2, 4)
    both = with_batch_statistics(net, X)
    np.testing.assert_allclose(both.running, own, atol=1e-6)
    assert bool(finding(opening.checkup, "outputs")) is (name != "logits")


@pytest.mark.parametrize("kind", ["softmax module", "log-softmax module", "sigmoid module", "sigmoid"])
def test_grad_cam_is_that_of_the_logits(opened: Callable[..., Opening], kind: str) -> None:
    net, plain = opened(OWN[kind][0]).checkpoint.build(), Plain().eval()
    for method in ("grad_cam", "layer_cam"):
        one, other = (attribute(each, X, method, layer="relu", target=[1, 2]) for each in (net, plain))
        np.testing.assert_allclose(one.values, other.values, atol=1e-5)
    ours, theirs = (channel_evidence(each, X, "bn", 0, 3) for each in (net, plain))
    np.testing.assert_allclose(ours.weights, theirs.weights, atol=1e-5)


def test_without_a_module_grad_cam_is_that_of_the_log_probability(opened: Callable[..., Opening]) -> None:
    opening = opened(lambda: of(softmax))
    net, plain = opening.checkpoint.build(), Plain().eval()
    maps = plain.features(X[:1]).detach().requires_grad_()
    score = plain.fc(maps.mean((2, 3))).log_softmax(1)[0, 2]
    weights = torch.autograd.grad(score, maps)[0].mean((2, 3))
    wanted = (weights[..., None, None] * maps).sum(1)[0].detach()
    np.testing.assert_allclose(
        attribute(net, X[:1], layer="relu", target=2).values, wanted, rtol=1e-4, atol=1e-6
    )
    assert "heat maps explain the log-probability" in finding(opening.checkup, "outputs")


@pytest.mark.parametrize(
    "final", [torch.sigmoid, lambda z: z, lambda z: z.sigmoid()[:, 0], lambda z: z[:, 0]]
)
def test_one_value_is_the_probability_of_the_second_class(
    opened: Callable[..., Opening], final: Callable[[Tensor], Tensor]
) -> None:
    opening = opened(lambda: of(final, 1), classes="healthy,ill")
    with torch.no_grad():
        own = Plain(1).eval().logits(X)[:, 0].sigmoid().numpy()
    net = opening.checkpoint.build()
    np.testing.assert_allclose(trace(net, X).probabilities, np.stack([1 - own, own], 1), atol=1e-6)
    ill, healthy = (attribute(net, X, layer="relu", target=target).values for target in (1, 0))
    wanted = attribute(Plain(1).eval(), X, layer="relu", target=0).values
    np.testing.assert_allclose(ill, wanted, atol=1e-5)
    np.testing.assert_allclose(healthy, -wanted, atol=1e-5)
    assert opened(lambda: of(final, 1)).checkpoint.card.classes == ("class 0", "class 1")


TANH = {
    "function": lambda: of(torch.tanh, 1),
    "module": lambda: WithModule(nn.Tanh(), 1),
    "one axis": lambda: of(lambda z: z.tanh()[:, 0], 1),
}


@pytest.mark.parametrize("form", TANH)
def test_a_tanh_is_a_score_with_its_threshold_at_zero(opened: Callable[..., Opening], form: str) -> None:
    opening = opened(TANH[form], classes="healthy,ill")
    assert opening.checkup.outputs.kind == "tanh"
    said = finding(opening.checkup, "outputs")
    assert "one score from −1 to 1 (tanh), not a probability" in said
    assert "twice the value before the tanh" in said
    with torch.no_grad():
        own = (1 + Plain(1).eval().logits(X)[:, 0].tanh().numpy()) / 2
    net = opening.checkpoint.build()
    np.testing.assert_allclose(trace(net, X).probabilities, np.stack([1 - own, own], 1), atol=1e-6)
    ill = attribute(net, X, layer="relu", target=1).values
    wanted = 2 * attribute(Plain(1).eval(), X, layer="relu", target=0).values
    np.testing.assert_allclose(ill, wanted, rtol=1e-3, atol=1e-4)


def test_several_scores_of_a_tanh_are_no_probabilities(opened: Callable[..., Opening]) -> None:
    opening = opened(lambda: of(torch.tanh))
    assert opening.checkup.outputs.kind == "logits"
    assert "scores from −1 to 1 (tanh), one for each class" in finding(opening.checkup, "outputs")
    opening = opened(lambda: of(torch.tanh), output="tanh")
    with torch.no_grad():
        own = (1 + Plain().eval().logits(X).tanh().numpy()) / 2
    np.testing.assert_allclose(trace(opening.checkpoint.build(), X).probabilities, own, atol=1e-6)
    with pytest.raises(Problem, match="are not scores from −1 to 1"):
        opened(Plain, output="tanh")


def test_an_embedding_is_no_label(opened: Callable[..., Opening]) -> None:
    for values in (lambda z: functional.normalize(z.relu() + 0.1), functional.normalize):
        opening = opened(lambda values=values: of(values))
        assert opening.checkup.outputs.kind == "logits"
        assert "vectors of length 1" in finding(opening.checkup, "outputs")


class InHalf(WithModule):
    """Computed in 16 bits, so that the sum of its probabilities is not quite 1."""

    def __init__(self, dtype: torch.dtype, final: nn.Module, single: bool) -> None:
        super().__init__(final)
        self.single = single
        self.to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        made = super().forward(x.to(self.fc.weight.dtype))
        return made.float() if self.single else made


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("final", [nn.Softmax(1), nn.LogSoftmax(1)])
def test_a_softmax_in_16_bits_gives_probabilities(
    opened: Callable[..., Opening], final: nn.Module, dtype: torch.dtype, single: bool
) -> None:
    opening = opened(lambda: InHalf(dtype, final, single))
    kind = "probabilities" if isinstance(final, nn.Softmax) else "log-probabilities"
    assert opening.checkup.outputs.kind == kind
    with torch.no_grad():
        own = Plain().eval().logits(X).softmax(1)
    np.testing.assert_allclose(trace(opening.checkpoint.build(), X).probabilities, own, atol=0.05)


def test_of_probabilities_and_their_logits_the_logits_are_taken(opened: Callable[..., Opening]) -> None:
    for meaning in (softmax, torch.sigmoid, lambda z: z.log_softmax(1)):
        opening = opened(lambda meaning=meaning: of(lambda z: (meaning(z), z)))
        assert (opening.checkup.outputs.kind, opening.checkup.outputs.name) == ("logits", "1")
        with torch.no_grad():
            own = Plain().eval().logits(X)
        np.testing.assert_allclose(trace(opening.checkpoint.build(), X).logits, own, atol=1e-6)
    with pytest.raises(Problem, match="returns several outputs"):
        opened(lambda: of(lambda z: (z.flip(1), z)))


@pytest.mark.parametrize("meaning", ["sigmoid", "tanh", "softmax"])
def test_a_method_that_is_refused_names_what_the_network_calls(
    opened: Callable[..., Opening], meaning: str
) -> None:
    function = softmax if meaning == "softmax" else getattr(torch, meaning)
    net = opened(lambda: of(function, 4 if meaning == "softmax" else 1)).checkpoint.build()
    reasons = method_problems(net, X[:1], "relu")
    assert f"this network calls {meaning} as a function" in str(reasons["deep_lift"])
    assert "guided_backprop" not in reasons
    one = opened(lambda: of(lambda z: z, 1)).checkpoint.build()
    assert operations(one, X[:1]).functions == ("mean",)


MASKED = torch.tensor([0.0, 0.0, -1e9, 0.0])


def test_a_masked_class_hides_nothing(opened: Callable[..., Opening]) -> None:
    assert not opened(lambda: of(lambda z: z + MASKED)).checkup.findings

    def mixed(logits: Tensor) -> Tensor:
        return logits - 0.5 * logits.mean(0, keepdim=True) + MASKED

    opening = opened(lambda: of(mixed))
    assert "depends on the other images" in finding(opening.checkup, "batch")
    net = opening.checkpoint.build()
    rows = [trace(net, X[k : k + 1]).logits for k in (0, 1)]
    np.testing.assert_allclose(trace(net, X).logits, rows, rtol=1e-5)


NEVER = torch.tensor([0.0, 0.0, -torch.inf, 0.0])


@pytest.mark.parametrize("kind", ["logits", "log-probabilities"])
def test_a_class_at_minus_infinity_is_never_predicted(opened: Callable[..., Opening], kind: str) -> None:
    def returned(logits: Tensor) -> Tensor:
        logits = logits + NEVER
        return logits if kind == "logits" else functional.log_softmax(logits, 1)

    opening = opened(lambda: of(returned), classes="a,b,c,d")
    assert opening.checkup.outputs.kind == kind
    assert finding(opening.checkup, "masked") == (
        "The network returns minus infinity for some classes (c), so it never predicts them. They are shown "
        "with the probability 0 and with −10,000 as their logit."
    )
    assert not finding(opening.checkup, "dead")
    net, plain = opening.checkpoint.build(), Plain().eval()
    seen = trace(net, X[:1])
    with torch.no_grad():
        expected = (plain(X[:1]) + NEVER).softmax(1)[0]
    np.testing.assert_allclose(seen.probabilities, expected, rtol=1e-4, atol=1e-7)
    assert (seen.logits[2], seen.probabilities[2]) == (-10_000, 0)
    assert np.isfinite(attribute(net, X[:1], layer="conv", target=1).values).all()
    flow = Flow(net, X[:1], 1)
    names = [step.name for step in flow.steps]
    assert ("isneginf" in names, "masked_fill" in names) == (False, True), "one step makes finite logits"
    contributions = flow.contributions([name for name in names if name])
    assert all(np.isfinite(each).all() for each in contributions.values())


@pytest.mark.parametrize("places", [2, 3, 4])
@pytest.mark.parametrize("scale", [1, 100])
def test_rounded_probabilities_are_those_of_classes(
    opened: Callable[..., Opening], places: int, scale: int
) -> None:
    def rounded(logits: Tensor) -> Tensor:
        return scale * ((0.1 * logits).softmax(1) * 10**places).round() / 10**places

    outputs = opened(lambda: of(rounded, 40)).checkup.outputs
    assert (outputs.kind, outputs.scale) == ("probabilities", scale)


def test_rounded_labels_stay_independent(opened: Callable[..., Opening]) -> None:
    outputs = opened(lambda: of(lambda logits: (logits.sigmoid() * 1000).round() / 1000)).checkup.outputs
    assert outputs.kind == "sigmoid"


class ChannelsLast(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 3, 1, 2))


def test_a_network_for_images_with_channels_last_is_named(opened: Callable[..., Opening]) -> None:
    with pytest.raises(Problem, match="takes images with channels last"):
        opened(ChannelsLast)


def test_a_softmax_over_one_value_is_no_sigmoid(opened: Callable[..., Opening]) -> None:
    opening = opened(lambda: WithModule(nn.Softmax(1), 1))
    assert opening.checkup.outputs.activation == ""
    assert "the same logits for two different pictures" in finding(opening.checkup, "dead")


def test_a_small_logit_is_no_probability(opened: Callable[..., Opening]) -> None:
    def small() -> Plain:
        net = Plain(1)
        nn.init.zeros_(net.fc.weight)
        nn.init.constant_(net.fc.bias, 0.3)
        net.fc.weight.data[0, 0] = 1e-3
        return net

    outputs = opened(small).checkup.outputs
    assert (outputs.kind, outputs.single) == ("sigmoid-logits", True)


PERCENT: dict[str, tuple[Callable[[Tensor], Tensor], str, Callable[[Tensor], Tensor]]] = {
    "softmax": (lambda z: 100 * softmax(z), "probabilities", softmax),
    "by a tensor": (lambda z: torch.tensor(100.0) * softmax(z), "probabilities", softmax),
    "divided": (lambda z: softmax(z) / 0.01, "probabilities", softmax),
    "in place": (lambda z: softmax(z).mul_(100), "probabilities", softmax),
    "sigmoid": (lambda z: z.sigmoid() * 100, "sigmoid", torch.sigmoid),
    "sigmoid by a tensor": (lambda z: torch.tensor(100.0) * z.sigmoid(), "sigmoid", torch.sigmoid),
}


@pytest.mark.parametrize("form", PERCENT)
@pytest.mark.parametrize("asked", [False, True])
def test_percentages_are_probabilities(opened: Callable[..., Opening], form: str, asked: bool) -> None:
    returned, kind, meaning = PERCENT[form]
    opening = opened(lambda: of(returned), **({"output": kind} if asked else {}))
    outputs = opening.checkup.outputs
    assert (outputs.kind, outputs.scale, outputs.activation) == (kind, 100, "")
    assert "percent" in finding(opening.checkup, "outputs")
    with torch.no_grad():
        own = meaning(Plain().eval().logits(X)).numpy()
    net = opening.checkpoint.build()
    np.testing.assert_allclose(trace(net, X).probabilities, own, atol=1e-6)
    assert opened(lambda: of(returned), output="logits").checkup.outputs.scale == 1


def test_one_percentage_is_the_probability_of_the_second_class(opened: Callable[..., Opening]) -> None:
    opening = opened(lambda: of(lambda z: z.sigmoid()[:, 0] * 100, 1))
    assert (opening.checkup.outputs.kind, opening.checkup.outputs.single) == ("sigmoid", True)
    assert "one percentage" in finding(opening.checkup, "outputs")
    with torch.no_grad():
        own = Plain(1).eval().logits(X).sigmoid()
    seen = trace(opening.checkpoint.build(), X).probabilities
    np.testing.assert_allclose(seen, torch.cat([1 - own, own], 1), atol=1e-6)


def in_range(returned: Callable[[Tensor], Tensor]) -> Plain:
    """A network whose logits lie from 0.2 to 0.8 for pictures."""
    net = of(returned)
    nn.init.uniform_(net.fc.weight, 0, 0.02)
    nn.init.uniform_(net.fc.bias, 0.25, 0.7)
    return net


BY_CHANCE = {
    "tanh": torch.tanh,
    "relu6": functional.relu6,
    "hardtanh": functional.hardtanh,
    "softsign": functional.softsign,
    "tanh, scaled": lambda z: z.tanh() * 2.5,
    "sine": torch.sin,
    "temperature": lambda z: z * 0.5,
    "bounded to ten": lambda z: z.sigmoid() * 10,
}
BOUNDED = {
    "tanh from 0 to 1": lambda z: (z.tanh() + 1) / 2,
    "clamp": lambda z: z.clamp(0, 1),
    "hard sigmoid": functional.hardsigmoid,
    "by exp": lambda z: 1 / (1 + torch.exp(-z)),
    "double sigmoid": lambda z: 2 * (0.5 * z.sigmoid()),
}


@pytest.mark.parametrize("form", BY_CHANCE)
def test_values_from_0_to_1_by_chance_are_logits(opened: Callable[..., Opening], form: str) -> None:
    opening = opened(lambda: in_range(BY_CHANCE[form]))
    assert opening.checkup.outputs.kind == "logits"
    with torch.no_grad():
        returned = in_range(BY_CHANCE[form]).eval()(X)
    assert form in ("bounded to ten", "tanh, scaled") or ((returned >= 0) & (returned <= 1)).all()
    seen = trace(opening.checkpoint.build(), X).probabilities
    np.testing.assert_allclose(seen, softmax(returned), atol=1e-6)


@pytest.mark.parametrize("form", BOUNDED)
def test_values_that_never_leave_0_to_1_are_probabilities(opened: Callable[..., Opening], form: str) -> None:
    opening = opened(lambda: in_range(BOUNDED[form]))
    assert (opening.checkup.outputs.kind, opening.checkup.outputs.scale) == ("sigmoid", 1)
    with torch.no_grad():
        returned = in_range(BOUNDED[form]).eval()(X)
    np.testing.assert_allclose(trace(opening.checkpoint.build(), X).probabilities, returned, atol=1e-6)


def test_a_tanh_after_a_prototype_layer_is_no_probability(opened: Callable[..., Opening]) -> None:
    class Prototypes(Plain):
        """Its last product is a function with a parameter, not a layer."""

        def __init__(self) -> None:
            super().__init__()
            self.prototypes = nn.Parameter(torch.rand(8, 4) * 0.1)

        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh((self.bn(self.conv(x)).mean((2, 3)) + 0.5) @ self.prototypes)

    assert opened(Prototypes).checkup.outputs.kind == "logits"


def test_the_option_overrules(opened: Callable[..., Opening]) -> None:
    with torch.no_grad():
        logits = Plain().eval().logits(X)
    twice = opened(lambda: of(softmax), output="logits").checkpoint.build()
    np.testing.assert_allclose(trace(twice, X).probabilities, logits.softmax(1).softmax(1), atol=1e-6)
    labels = opened(Plain, output="sigmoid-logits").checkpoint.build()
    np.testing.assert_allclose(trace(labels, X).probabilities, logits.sigmoid(), atol=1e-6)


@pytest.mark.parametrize(
    ("final", "kind", "message"),
    [
        (lambda z: z, "probabilities", "not probabilities with .* --output logits, --output sigmoid-logits"),
        (lambda z: z, "log-probabilities", "not logarithms .* --output logits, --output sigmoid-logits"),
        (lambda z: z, "sigmoid", "not probabilities from 0 .* --output logits, --output sigmoid-logits"),
        (torch.sigmoid, "probabilities", "not probabilities with .* --output sigmoid, --output sigmoid-logi"),
        (softmax, "log-probabilities", "not logarithms .* --output probabilities, --output sigmoid,"),
        (lambda z: z.log_softmax(1), "probabilities", "sum of 1: .* --output log-probabilities"),
    ],
)
def test_a_kind_that_the_values_cannot_be_is_refused(
    opened: Callable[..., Opening], final: Callable[[Tensor], Tensor], kind: str, message: str
) -> None:
    with pytest.raises(Problem, match=message):
        opened(lambda: of(final), output=kind)


@pytest.mark.parametrize("kind", ["probabilities", "sigmoid", "sigmoid-logits", "logits"])
def test_a_kind_that_the_values_can_be_is_taken(opened: Callable[..., Opening], kind: str) -> None:
    assert opened(lambda: of(softmax), output=kind).checkup.outputs.kind == kind


def test_a_file_with_a_card_obeys_the_option_and_so_do_its_snapshots(tmp_path: Any) -> None:
    card = Card(arguments={"widths": [4], "hidden": 8}, input_size=16)
    save_checkpoint(
        tmp_path / "a.safetensors", card, NETS["course"](**card.arguments, input_size=16).state_dict()
    )
    opening = open_source(Source(tmp_path / "a.safetensors", output="sigmoid-logits"))
    again = load_checkpoint(tmp_path / "a.safetensors", opening.checkpoint.builder)
    seen = trace(again.build(), X)
    np.testing.assert_allclose(seen.probabilities, 1 / (1 + np.exp(-seen.logits)), rtol=1e-5)
    plain = open_source(Source(tmp_path / "a.safetensors"))
    assert network_of(plain.checkpoint).key != network_of(opening.checkpoint).key
    assert plain.checkpoint.builder is None
    assert plain.checkup.findings == ()


def test_a_gate_that_is_also_the_final_activation_stays_a_gate(opened: Callable[..., Opening]) -> None:
    class Gated(WithModule):
        def features(self, x: Tensor) -> Tensor:
            maps = super().features(x)
            return maps * self.final(maps.mean((2, 3), keepdim=True))

    opening = opened(lambda: Gated(nn.Sigmoid()))
    assert opening.checkup.outputs.activation == ""
    with torch.no_grad():
        own = Gated(nn.Sigmoid()).eval()(X)
    np.testing.assert_allclose(trace(opening.checkpoint.build(), X).probabilities, own, atol=1e-6)


def clamped(values: Tensor) -> Tensor:
    return values.clamp_(0.2, 0.6)


def rescaled(values: Tensor) -> Tensor:
    values.clamp_(min=0.1)
    values /= values.sum(1, keepdim=True)
    return values


def untold(values: Tensor) -> Tensor:
    values.data.clamp_(0.2, 0.6)  # not counted as a new version
    return values


class Written(WithModule):
    """What the final activation gave is written to, in inference mode or not."""

    def __init__(self, final: nn.Module, write: Callable[[Tensor], Tensor], inference: bool) -> None:
        super().__init__(final)
        self.write, self.inference = write, inference

    def forward(self, x: Tensor) -> Tensor:
        with torch.inference_mode() if self.inference else nullcontext():
            return self.write(super().forward(x))


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize(
    ("final", "write"), [(nn.Sigmoid(), clamped), (nn.Sigmoid(), untold), (nn.Softmax(1), rescaled)]
)
def test_a_final_activation_that_is_written_to_is_not_left_out(
    opened: Callable[..., Opening], final: nn.Module, write: Callable[[Tensor], Tensor], inference: bool
) -> None:
    opening = opened(lambda: Written(final, write, inference))
    assert opening.checkup.outputs.activation == ""
    if not inference:
        assert opening.checkup.without_gradient == ()
        attribute(opening.checkpoint.build(), X, layer="relu", target=1)
    with torch.no_grad():
        own = write(final(Plain().eval().logits(X)))
    np.testing.assert_allclose(trace(opening.checkpoint.build(), X).probabilities, own, atol=1e-6)


def test_a_softmax_module_that_runs_twice_is_not_called_missing(opened: Callable[..., Opening]) -> None:
    class Attends(WithModule):
        def features(self, x: Tensor) -> Tensor:
            maps = super().features(x)
            return maps * self.final(maps)

    message = finding(opened(lambda: Attends(nn.Softmax(1))).checkup, "outputs")
    assert "not just what a softmax module gives in its only call" in message


# How they come


class Heads(NamedTuple):
    logits: Tensor
    aux_logits: Tensor


@dataclass
class OutputRecord:
    loss: None
    logits: Tensor
    features: Tensor


class Slotted:
    __slots__ = ("logits",)

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits


FORMS: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "(N, K, 1, 1)": (lambda z: z[..., None, None], ""),
    "float64": (lambda z: z.double(), ""),
    "squeezed": (lambda z: z.squeeze(), ""),
    "tuple with None": (lambda z: (z, None), "0"),
    "tuple with maps": (lambda z: (z.new_zeros(len(z), 5, 7, 7), z), "1"),
    "out and aux": (lambda z: {"out": z, "aux": z + 1}, "out"),
    "named tuple": (lambda z: Heads(z, z + 1), "logits"),
    "dataclass": (lambda z: OutputRecord(None, z, z[:, :2]), "logits"),
    "object": (lambda z: SimpleNamespace(logits=z, hidden=[z[:, :3]]), "logits"),
    "slots": (Slotted, "logits"),
    "nested": (lambda z: {"heads": [z], "aux_head": z + 1}, "heads.0"),
}


@pytest.mark.parametrize("form", FORMS)
def test_any_form_of_outputs_gives_the_logits(opened: Callable[..., Opening], form: str) -> None:
    function, name = FORMS[form]
    opening = opened(lambda: of(function))
    assert opening.checkup.outputs.name == name
    net, plain = opening.checkpoint.build(), Plain().eval()
    for x in (X, X[:1]):
        seen, wanted = trace(net, x), trace(plain, x)
        np.testing.assert_allclose(seen.logits, wanted.logits, atol=1e-6)
        assert list(seen.maps) == list(wanted.maps) == ["conv", "bn", "relu"]
    heat = attribute(net, X, layer="relu", target=1).values
    np.testing.assert_allclose(heat, attribute(plain, X, layer="relu", target=1).values, atol=1e-6)


@pytest.mark.parametrize("form", ["(N, K, 1, 1)", "squeezed", "out and aux"])
def test_channels_are_switched_off_as_in_the_plain_network(opened: Callable[..., Opening], form: str) -> None:
    net = opened(lambda: of(FORMS[form][0])).checkpoint.build()
    one, other = (ablations(each, X[:1], "relu") for each in (net, Plain().eval()))
    np.testing.assert_allclose(one.zeroed, other.zeroed, atol=1e-5)
    np.testing.assert_allclose(one.averaged, other.averaged, atol=1e-5)


def test_channels_are_switched_off_in_a_network_of_one_value(opened: Callable[..., Opening]) -> None:
    net = opened(lambda: of(lambda z: z[:, 0], 1)).checkpoint.build()
    one, other = (ablations(each, X[:1], "relu") for each in (net, Plain(1).eval()))
    np.testing.assert_allclose(one.zeroed[:, 1:], other.zeroed, atol=1e-5)
    np.testing.assert_allclose(one.zeroed[:, :1], -other.zeroed, atol=1e-5)


def test_the_other_outputs_are_named(opened: Callable[..., Opening]) -> None:
    text = finding(opened(lambda: of(FORMS["out and aux"][0])).checkup, "form")
    assert "“out” (1 × 4) is used" in text
    assert "“aux” not" in text


def test_several_outputs_are_chosen_by_name_or_number_of_classes(
    opened: Callable[..., Opening],
) -> None:
    def two() -> Plain:
        return of(lambda z: (z + 1, z[:, :3]))

    with pytest.raises(Problem, match=r"“0” \(1, 4\), “1” \(1, 3\).*--output-name 0"):
        opened(two)
    assert opened(two, output_name="1").checkpoint.card.classes == ("class 0", "class 1", "class 2")
    assert opened(two, classes="a,b,c,d").checkup.outputs.name == "0"


# Channels


def test_a_gray_network_gets_the_luminance(opened: Callable[..., Opening]) -> None:
    opening = opened(lambda: Plain(channels=1), mean=(0.13,) * 3, std=(0.31,) * 3)
    card = opening.checkpoint.card
    assert (card.channels, card.mean, card.std) == (1, (0.13,), (0.31,))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    square = Image.fromarray(pixels[5:35]).resize((16, 16), Image.Resampling.BILINEAR).convert("L")
    wanted = (np.asarray(square) / 255 - 0.13) / 0.31
    np.testing.assert_allclose(card.to_input(pixels)[0, 0], wanted, atol=1e-5)
    assert card.to_input(pixels).shape == (1, 1, 16, 16)
    np.testing.assert_array_equal(card.framed(pixels), np.asarray(square)[..., None].repeat(3, 2))
    assert trace(opening.checkpoint.build(), card.to_input(pixels)).maps["conv"].shape == (8, 14, 14)
    assert "converted to gray" in finding(opening.checkup, "channels")


def test_imagenets_mean_becomes_that_of_the_luminance(opened: Callable[..., Opening]) -> None:
    card = opened(lambda: Plain(channels=1)).checkpoint.card
    assert card.mean == pytest.approx((0.299 * 0.485 + 0.587 * 0.456 + 0.114 * 0.406,), abs=1e-4)


@pytest.mark.parametrize("channels", [2, 4, 7])
def test_any_number_of_channels(opened: Callable[..., Opening], channels: int) -> None:
    for given in (None, channels):
        card = opened(lambda: Plain(channels=channels), channels=given).checkpoint.card
        assert card.channels == len(card.mean) == len(card.std) == channels
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    unscaled = (card.to_input(pixels)[0] * torch.tensor(card.std)[:, None, None]
                + torch.tensor(card.mean)[:, None, None]) * 255  # fmt: skip
    gray = np.asarray(Image.fromarray(pixels).convert("L"))
    np.testing.assert_allclose(unscaled[-1], gray, atol=0.01)
    if channels > 3:
        np.testing.assert_allclose(unscaled[:3], pixels.transpose(2, 0, 1), atol=0.01)


class Grays(Plain):
    """Makes one channel of color itself: their mean, or green."""

    def __init__(self, way: str) -> None:
        super().__init__(channels=1)
        self.way = way

    def logits(self, x: Tensor) -> Tensor:
        return super().logits(x.mean(1, keepdim=True) if self.way == "mean" else x[:, -2:][:, :1])


@pytest.mark.parametrize("way", ["mean", "green"])
def test_a_network_that_makes_gray_of_color_itself_gets_color(
    opened: Callable[..., Opening], way: str
) -> None:
    opening = opened(lambda: Grays(way))
    assert opening.checkpoint.card.channels == 3
    assert "its first convolution reads fewer (1)" in finding(opening.checkup, "channels")
    with torch.no_grad():
        own = Plain(channels=1).eval().logits(X.mean(1, keepdim=True) if way == "mean" else X[:, 1:2])
    np.testing.assert_allclose(trace(opening.checkpoint.build(), X).logits, own, atol=1e-5)
    assert opened(lambda: Grays(way), channels=1).checkpoint.card.channels == 1


def test_a_network_that_takes_channels_for_images_stays_gray(opened: Callable[..., Opening]) -> None:
    class Views(Plain):
        def logits(self, x: Tensor) -> Tensor:
            return super().logits(x.view(-1, 1, 16, 16))

    assert opened(lambda: Views(1, channels=1)).checkpoint.card.channels == 1


def test_a_network_without_convolution_tells_its_channels(opened: Callable[..., Opening]) -> None:
    opening = opened(lambda: nn.Sequential(nn.Flatten(), nn.Linear(256, 3)))
    assert opening.checkpoint.card.channels == 1


def test_a_first_module_that_is_not_the_first_to_run_does_not_mislead(opened: Callable[..., Opening]) -> None:
    class Later(Plain):
        def __init__(self) -> None:
            nn.Module.__init__(self)
            self.extra = nn.Conv2d(8, 8, 1)
            stem = Plain()
            self.conv, self.bn, self.relu, self.fc = stem.conv, stem.bn, stem.relu, stem.fc

    assert opened(Later).checkpoint.card.channels == 3


def test_a_card_without_channels_has_three_and_one_with_them_keeps_them(tmp_path: Any) -> None:
    for channels in (1, 3):
        own = Card(input_size=16, channels=channels, mean=(0.5,) * channels, std=(0.5,) * channels)
        file = tmp_path / f"{channels}.safetensors"
        save_checkpoint(file, own, Plain(10, channels).state_dict())
        assert load_checkpoint(file, lambda n=channels: Plain(10, n)).card.channels == channels
    assert Card().channels == 3


# What can make results wrong


class Drops(Plain):
    def logits(self, x: Tensor) -> Tensor:
        return self.fc(functional.dropout(self.features(x), 0.5, training=True).mean((2, 3)))


def test_randomness_is_measured_and_fixed(opened: Callable[..., Opening]) -> None:
    opening = opened(Drops)
    randomness = next(each for each in opening.checkup.findings if each.name == "randomness")
    net, one = opening.checkpoint.build(), X[:1]
    torch.manual_seed(7)
    undisturbed = torch.rand(1)
    torch.manual_seed(7)
    assert trace(net, one) == trace(net, one)
    assert attribute(net, one, layer="relu", target=1) == attribute(net, one, layer="relu", target=1)
    assert torch.equal(torch.rand(1), undisturbed)
    with torch.no_grad():
        torch.manual_seed(0)
        wanted = Drops().eval()
        torch.manual_seed(0)
        np.testing.assert_allclose(trace(net, one).logits, wanted(one)[0], atol=1e-6)
    assert 0 < randomness.sizes["spread"] < 20
    assert "same seed" in str(randomness)


def test_the_size_of_the_noise_is_the_change_of_the_logits() -> None:
    class Noisy(Plain):
        def returned(self, logits: Tensor) -> Tensor:
            return logits + torch.rand(())

    tossed = [torch.rand((), generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    randomness = next(each for each in check_up(Noisy().eval(), CARD).findings if each.name == "randomness")
    assert randomness.sizes["spread"] == pytest.approx(abs(float(tossed[0] - tossed[1])), abs=1e-5)


def test_randomness_that_no_seed_fixes_is_said() -> None:
    generator = np.random.default_rng()
    checkup = check_up(of(lambda z: z + float(generator.normal())).eval(), CARD)
    assert "results for the same image can differ" in finding(checkup, "randomness")


class Trains(Plain):
    def features(self, x: Tensor) -> Tensor:
        self.bn.train()
        return super().features(x)


class Functional(Plain):
    def features(self, x: Tensor) -> Tensor:
        bn = self.bn
        maps = functional.batch_norm(self.conv(x), bn.running_mean, bn.running_var, bn.weight, bn.bias, True)
        return self.relu(maps)


class Untracked(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(8, track_running_stats=False)


@pytest.mark.parametrize("kind", [Trains, Functional, Untracked])
def test_batchnorm_by_the_batchs_statistics_is_said(kind: type[Plain]) -> None:
    assert "even in eval mode: bn." in finding(check_up(kind().eval(), CARD), "batchnorm")


def test_dead_networks_are_said() -> None:
    nan = check_up(of(lambda z: z * float("nan")).eval(), CARD)
    assert "NaN or infinity" in finding(nan, "dead")
    constant = check_up(of(lambda z: z * 0 + 1).eval(), CARD)
    assert "the same logits for two different pictures" in finding(constant, "dead")
    assert constant.outputs.kind == "logits"
    flat = check_up(of(lambda z: z.detach() + z * 0).eval(), CARD)
    assert "gradient of the predicted class was zero" in finding(flat, "dead")


class Cut(Plain):
    """The features run without gradients, each time in another way; `conv2` behind them has gradients."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way, self.conv2 = way, nn.Conv2d(8, 8, 3)

    def features(self, x: Tensor) -> Tensor:
        if self.way == "reentrant":
            return self.conv2(recomputed(super().features, x, use_reentrant=True))
        if self.way == "detach":
            return self.conv2(super().features(x).detach())
        with torch.no_grad() if self.way == "no_grad" else torch.inference_mode():
            maps = super().features(x)
        return self.conv2(maps.clone())


@pytest.mark.parametrize("way", ["no_grad", "inference_mode", "reentrant", "detach"])
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_layers_without_gradients_are_named_and_have_no_heat_map(
    opened: Callable[..., Opening], way: str
) -> None:
    opening = opened(lambda: Cut(way))
    assert opening.checkup.without_gradient == ("conv", "bn", "relu")
    assert "reaches 3 of 4 layers with feature maps (conv, bn, relu)" in finding(opening.checkup, "gradients")
    net = opening.checkpoint.build()
    assert attribute(net, X, layer="conv2", target=1).values.any()
    for layer in opening.checkup.without_gradient:
        with pytest.raises(Problem, match=f"No gradient of the class reaches layer '{layer}'"):
            attribute(net, X, layer=layer, target=1)


def test_a_network_in_inference_mode_is_one_sentence(opened: Callable[..., Opening]) -> None:
    class Whole(Plain):
        def forward(self, x: Tensor) -> Tensor:
            with torch.inference_mode():
                return super().forward(x)

    opening = opened(Whole)
    assert opening.checkup.without_gradient == ("conv", "bn", "relu")
    with pytest.raises(Problem, match="No gradient of the class reaches"):
        attribute(opening.checkpoint.build(), X, layer="conv", target=1)


TORCHVISION = {"convnext_tiny": 154, "swin_t": 120, "vit_b_16": 99}  # layers with feature maps


@cache
def of_torchvision(name: str) -> nn.Module:
    torch.manual_seed(0)
    size = {"image_size": 32} if name == "vit_b_16" else {}
    net = getattr(models, name)(weights=None, num_classes=4, **size).eval()
    if name == "vit_b_16":
        nn.init.normal_(net.heads.head.weight)
    return net


@pytest.mark.parametrize("name", TORCHVISION)
def test_gradients_reach_maps_with_channels_last_and_tokens(name: str) -> None:
    net, card = of_torchvision(name), Card(input_size=32, classes=CARD.classes)
    checkup = check_up(net, card)
    assert (checkup.without_gradient, finding(checkup, "gradients")) == ((), "")
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    layers = list(trace(net, x).maps)
    assert attribute(net, x, layer=layers[len(layers) // 2], target=1).values.any()
    assert len(layers) == TORCHVISION[name]
    assert finding(checkup, "grid") == ""


@pytest.mark.parametrize("name", TORCHVISION)
def test_layers_of_a_backbone_without_gradients_are_named(name: str) -> None:
    class Frozen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.head = of_torchvision(name), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                seen = self.backbone(x)
            return self.head(seen)

    checkup = check_up(Frozen().eval(), Card(input_size=32, classes=CARD.classes))
    assert len(checkup.without_gradient) == TORCHVISION[name]
    assert f"reaches {TORCHVISION[name]} of {TORCHVISION[name]} layers" in finding(checkup, "gradients")


def test_only_layers_of_the_images_are_counted() -> None:
    class Flips(Plain):
        """A layer that sees every image twice, in a batch of its own, is no layer with the image's maps."""

        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                both = self.bn(self.conv(torch.cat([x, x.flip(3)])))
            return self.fc(self.relu(both[: len(x)] + both[len(x) :]).mean((2, 3)))

    net = Flips().eval()
    checkup = check_up(net, CARD)
    assert list(trace(net, X[:1]).maps) == ["relu"]
    assert checkup.without_gradient == ("relu",)
    assert "reaches 1 of 1 layers with feature maps (relu)" in finding(checkup, "gradients")


# Tokens


class Patches(nn.Module):
    """Patches without a convolution, so that nothing says where they are."""

    def __init__(self, patch: tuple[int, int]) -> None:
        super().__init__()
        self.cut, self.embed = nn.Unfold(patch, stride=patch), nn.Linear(3 * patch[0] * patch[1], 6)
        self.norm, self.fc = nn.LayerNorm(6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.norm(self.embed(self.cut(x).transpose(1, 2))).mean(1))


def test_a_guessed_grid_is_said_and_can_be_given(opened: Callable[..., Opening]) -> None:
    guessed = opened(lambda: Patches((2, 8)))
    assert "a grid of 4 × 4. --grid ROWSxCOLUMNS" in finding(guessed.checkup, "grid")
    given = opened(lambda: Patches((2, 8)), grid=(8, 2))
    assert finding(given.checkup, "grid") == ""
    net = given.checkpoint.build()
    maps = trace(net, X[:1]).maps["norm"]
    with torch.no_grad():
        at = X[:1, :, 6:8, 8:16].reshape(1, 1, -1)  # row 3, column 1
        np.testing.assert_allclose(maps[:, 3, 1], net.norm(net.embed(at))[0, 0], atol=1e-6)
    assert attribute(net, X, layer="norm", target=1).values.shape == (2, 8, 2)
    keys = [network_of(each.checkpoint).key for each in (guessed, given)]
    assert keys[0] != keys[1]


class Registers(Patches):
    """Four tokens without a position join the patches."""

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(self.cut(x).transpose(1, 2))
        return self.fc(self.norm(torch.cat([tokens[:, :4] * 2, tokens], 1)).mean(1))


def test_a_guessed_grid_holds_for_the_tokens_that_registers_join(opened: Callable[..., Opening]) -> None:
    opening = opened(lambda: Registers((4, 4)))
    assert "a grid of 4 × 4. --grid ROWSxCOLUMNS" in finding(opening.checkup, "grid")
    net = opening.checkpoint.build()
    seen = trace(net, X[:1])
    expected = net.norm(torch.as_tensor(seen.maps["embed"]).permute(1, 2, 0)).detach()
    np.testing.assert_allclose(seen.maps["norm"].transpose(1, 2, 0), expected, atol=1e-6)


class Unroll(nn.Module):
    """Rows become columns, as Hiera's layer puts the tokens of one mask unit together."""

    def forward(self, tokens: Tensor) -> Tensor:
        side = round(tokens.shape[1] ** 0.5)
        return tokens.unflatten(1, (side, side)).transpose(1, 2).flatten(1, 2)


class Reordered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.unroll = nn.Conv2d(3, 6, 4, 4), Unroll()
        self.act, self.norm, self.fc = nn.GELU(), nn.LayerNorm(6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.unroll(self.conv(x).flatten(2).transpose(1, 2))
        return self.fc(self.norm(self.act(tokens)).mean(1))


def test_tokens_in_another_order_are_no_maps(opened: Callable[..., Opening]) -> None:
    opening = opened(Reordered)
    assert "“unroll” puts the tokens in another order" in finding(opening.checkup, "grid")
    net = opening.checkpoint.build()
    assert list(trace(net, X[:1]).maps) == list(receptive_fields(net, X[:1])) == ["conv"]
    assert [node.name for node in graph(net, X[:1]).nodes if node.kind == "norm"] == ["norm"]
    with pytest.raises(Problem, match="so no grid gives their positions"):
        opened(Reordered, grid=(2, 8))


def test_tokens_of_no_known_grid_are_said(opened: Callable[..., Opening]) -> None:
    opening = opened(lambda: Patches((2, 4)))
    assert "not known (numbers of tokens: 32). Their layers" in finding(opening.checkup, "grid")
    assert not trace(opening.checkpoint.build(), X[:1]).maps
    given = opened(lambda: Patches((2, 4)), grid=(8, 4))
    assert trace(given.checkpoint.build(), X[:1]).maps["norm"].shape == (6, 8, 4)


@pytest.mark.parametrize("last", [False, True])
def test_weights_of_channels_are_no_tokens(opened: Callable[..., Opening], last: bool) -> None:
    assert opened(lambda: WeighsChannels(last)).checkup.findings == ()


def test_a_grid_that_does_not_fit_is_one_sentence(opened: Callable[..., Opening]) -> None:
    with pytest.raises(Problem, match=r"fit a grid of 3 × 5 \(numbers of tokens: 32\): give --grid"):
        opened(lambda: Patches((2, 4)), grid=(3, 5))
    with pytest.raises(Problem, match="has no tokens on a grid: leave --grid out"):
        opened(Plain, grid=(4, 4))


# Of ordinary networks


@pytest.mark.parametrize("name", NETS)
def test_nothing_is_found_in_the_networks_of_the_project(name: str) -> None:
    torch.manual_seed(0)
    small = {"course": {"widths": [4, 8]}, "resnet9": {"width": 4}, "mlp": {"hidden": 4}}
    net = NETS[name](classes=4, input_size=16, **small[name])
    checkup = check_up(net.eval(), CARD)
    assert checkup == Checkup(classes=4)
    assert outputs_of(net) == checkup.outputs


def test_the_check_up_takes_three_forward_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []
    net = of(lambda z: passes.append(len(z)) or z).eval()
    check_up(net, CARD)
    assert passes == [1, 1, 2]


def test_probabilities_are_made_in_one_place() -> None:
    folder = Path(explorer.__file__).parent
    makers = [
        path.name for path in folder.rglob("*.py") if re.search(r"softmax\(1|\.sigmoid\(", path.read_text())
    ]
    assert makers == ["outputs.py"]


# Visitors of other languages


class Stacked(nn.Module):
    """Layers without gradient that normalize by the batch, then several heads: more than a sentence names."""

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, affine=True)) for _ in range(6)]
        self.body, self.heads = nn.Sequential(*layers), nn.ModuleList(nn.Linear(3, k) for k in range(2, 9))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        self.body.train()
        with torch.no_grad():
            x = self.body(x).mean((2, 3))
        return {f"head{k}": head(x) for k, head in enumerate(self.heads)}


def test_a_shared_network_holds_no_word_of_the_first_visitors_language(
    opened: Callable[..., Opening],
) -> None:
    words.use(words.PSEUDO)
    try:
        several = opened(Stacked, classes="5").checkup
        single = opened(lambda: nn.Sequential(nn.Flatten(), nn.Linear(768, 1)), classes="dog").checkpoint
    finally:
        words.use(words.ENGLISH)
    for name, text in (("form", "“head0”, “head1”, “head2” and 3 more not;"), ("gradients", " and 9 more"),
                       ("batchnorm", "body.0.1, body.1.1, body.2.1 and 3 more.")):  # fmt: skip
        assert text in finding(several, name)
        assert "⟦" not in finding(several, name)
    assert single.card.classes == ("not dog", "dog")


def test_layers_that_read_a_kept_picture_have_no_maps() -> None:
    source = Source(net="tests.engine.test_account:Compares", classes="5", input_size=32)
    opening = open_source(source)
    assert opening.checkup.unrelated == {"body.0#2", "body.1#2"}
    (finding,) = (each for each in opening.checkup.findings if each.name == "source")
    assert "2 layers with feature maps (body.0#2, body.1#2) are computed from something else" in str(finding)
    net = opening.checkpoint.build()
    assert [*trace(net, torch.randn(1, 3, 32, 32)).maps] == ["body.0", "body.1"]


def test_layers_without_gradients_are_not_said_to_read_something_else() -> None:
    source = Source(net="tests.engine.odd_networks:UnderInference", classes="5", input_size=32)
    checkup = open_source(source).checkup
    assert checkup.without_gradient
    assert not checkup.unrelated
