"""Whatever a network's forward writes, the network that is shared keeps every value."""

import importlib
import inspect
import pkgutil
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer import engine
from explorer.engine import (
    ablation,
    account,
    arithmetic,
    attribution,
    batchnorm,
    channel_effects,
    checkup,
    class_evidence,
    copies,
    dropout,
    effects,
    flow,
    glimpses,
    graph,
    independence,
    input_part,
    intervention,
    norm_axes,
    norm_inputs,
    normalization,
    opening,
    passes,
    probe,
    pruning,
    recalibration,
    receptive,
    shift,
    smallest_set,
    strongest_path,
    timeline,
    token_order,
    tour,
    tracing,
    weight_uses,
    what_if,
    without_norm,
)
from explorer.engine.attribution import gradients, kept_pass, operations, perturbation, propagation, reach
from explorer.engine.scan import calibration
from explorer.engine.scan import running as scanning
from explorer.engine.scoreboard import entries, running
from explorer.engine.scores import forward, randomized
from explorer.engine.timeline import Timeline
from explorer.engine.tracing import private_view, trace
from model.card import Card

CARD = Card(input_size=8, classes=("a", "b", "c"))
X = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
MANY = torch.cat([X, X.flip(3)])


class Plain(nn.Module):
    """One block, and what the networks below do before it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(4, 3)
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.register_buffer("mask", torch.ones(8, 8), persistent=False)
        self.seen = torch.zeros(2)

    def write(self, x: Tensor) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        self.write(x)
        logits: Tensor = self.fc(self.relu(self.bn(self.conv(x * self.mask))).mean((2, 3)))
        return logits


class TrainsBatchNorm(Plain):
    def write(self, x: Tensor) -> None:
        self.bn.train()


class Counts(Plain):
    def write(self, x: Tensor) -> None:
        self.calls += 1
        self.mask.mul_(0.5)
        self.seen[0] += 1
        self.seen.data[1] = 7.0


class WritesRunningStatistics(Plain):
    def write(self, x: Tensor) -> None:
        if self.bn.running_mean is not None:
            self.bn.running_mean.lerp_(x.detach().mean().expand(4), 0.1)


class LimitsItsWeights(Plain):
    """As EEGNet does: a weight of limited norm is put in the parameter's place."""

    def write(self, x: Tensor) -> None:
        self.fc.weight.data = torch.renorm(self.fc.weight.data, 2, 0, 0.1)


class ScalesItsWeights(Plain):
    def write(self, x: Tensor) -> None:
        self.conv.weight.data.mul_(0.9)
        self.fc.bias.detach().add_(1.0)


class WritesThroughAnAlias(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("alias", self.conv.weight.detach()[0])

    def write(self, x: Tensor) -> None:
        self.alias.add_(0.5)


NETS = (TrainsBatchNorm, Counts, WritesRunningStatistics, LimitsItsWeights, ScalesItsWeights,
        WritesThroughAnAlias)  # fmt: skip


def _over_time(function: Callable[..., Any], *details: Any) -> Callable[[nn.Module], Any]:
    return lambda net: function(Timeline((1, 2), (net, net), "digest"), *details)


def _probe(net: nn.Module) -> object:
    return probe.probe(net, X, tracing.Block("conv", "bn", "relu"), 1, 2, 3)


def _tapped(net: nn.Module) -> object:
    return passes.tapped(net, ["relu"])[0](X.clone())


LABELS, FILL = np.array([0, 2]), np.zeros(4, np.float32)
WINDOW = arithmetic.window(8, 3, 2, (1, 1), 1)
CONV = arithmetic.Settings("conv", WINDOW, WINDOW, (3, 4), bias=True)
STATISTICS = {"bn": (torch.zeros(4), torch.ones(4))}
TAKES: dict[str, Callable[[nn.Module], Any]] = {
    "channel_effects.class_effect": lambda net: channel_effects.class_effect(net, MANY, "relu", 1, 2),
    "channel_effects.contribution": lambda net: channel_effects.contribution(net, MANY, "relu", 1, 2),
    "class_evidence.evidence": lambda net: class_evidence.evidence(net, MANY, LABELS, "relu", LABELS),
    "class_evidence.evidence_of_batches": lambda net: list(
        class_evidence.evidence_of_batches(net, [(lambda: MANY, LABELS, LABELS)], "relu")
    ),
    "pruning.pruned_predictions": lambda net: pruning.pruned_predictions(
        net, MANY, LABELS, "relu", [(0,), (1, 2)], FILL
    ),
    "pruning.pruning": lambda net: list(
        pruning.pruning(net, [(lambda: MANY, LABELS)], "relu", [(0,), (1, 2)], FILL)
    ),
    "scan.calibration.calibrate": lambda net: calibration.calibrate(net, MANY, ["conv", "bn", "relu"], 2),
    "scan.running.layers_of": lambda net: scanning.layers_of(net, X),
    "shift.drift": lambda net: shift.drift(
        net, norm_inputs.observe(net, MANY), norm_inputs.observe(net, MANY), True
    ),
    "norm_inputs.logits_of": lambda net: norm_inputs.logits_of(net, MANY),
    "dropout.dropouts": lambda net: dropout.dropouts(net, X),
    "dropout.masked": lambda net: dropout.masked(net, X, (dropout.DropoutLayer("relu", 0.5),), "relu"),
    "norm_axes.norm_axes": lambda net: norm_axes.norm_axes(net, MANY, "bn"),
    "norm_axes.orders": lambda net: norm_axes.orders(net, MANY, "bn", 1, ("", "")),
    "norm_axes.received": lambda net: norm_axes.received(net, MANY, "bn"),
    "weight_uses.weight_uses": lambda net: weight_uses.weight_uses(net, X),
    "without_norm.predicted_without": lambda net: without_norm.predicted_without(net, MANY, ["bn"]),
    "norm_inputs.observe": lambda net: norm_inputs.observe(net, MANY),
    "recalibration.recalibrated": lambda net: recalibration.recalibrated(net, MANY)(MANY),
    "recalibration.with_statistics": lambda net: recalibration.with_statistics(net, STATISTICS)(MANY),
    "glimpses.glimpses": lambda net: glimpses.glimpses(net, X, {"conv": (0, 1), "fc": (2,)}),
    "flow.channel_contributions": lambda net: flow.channel_contributions(net, X, ["conv", "relu"], 1),
    "flow.inflow": lambda net: flow.inflow(net, X, "fc", 1, 1),
    "tour.trust": lambda net: tour.trust(net, X, "relu", 1, randomized.random_nets(net, MANY)),
    "normalization.probabilities_of": lambda net: normalization.probabilities_of(
        net, CARD, np.zeros((2, 8, 8, 3), np.uint8)
    ),
    "tour.cut": lambda net: tour.cut(net, trace(net, X), X),
    "what_if.chain": lambda net: what_if.chain(net, X, "conv", CONV),
    "what_if.with_settings": lambda net: private_view(what_if.with_settings(net, "conv", CONV))(X),
    "graph.graph": lambda net: graph.graph(net, X),
    "account.account": lambda net: account.account(net, X, 1),
    "strongest_path.strongest_path": lambda net: strongest_path.strongest_path(net, X, 1),
    "ablation.ablation": lambda net: ablation.ablation(net, X, "relu", 1),
    "ablation.ablations": lambda net: ablation.ablations(net, X, "relu"),
    "ablation.unchanged": lambda net: ablation.unchanged(net, X, "relu"),
    "ablation.without_sets": lambda net: ablation.without_sets(net, X, "relu", [(0, 1), (2,)]),
    "intervention.altered": lambda net: intervention.altered(net, [intervention.Change("relu", (1,))])(X),
    "intervention.intervene": lambda net: intervention.intervene(
        net, X, [intervention.Change("relu", (0, 2), "mean"), intervention.Change("bn", (1,), "scale", 2.0)]
    ),
    "smallest_set.search": lambda net: list(smallest_set.search(net, X, "relu")),
    "attribution.attribute_many": lambda net: attribution.attribute_many(
        net, X, [name for name, record in attribution.METHODS.items() if record.heat], ["relu"], 1
    ),
    "attribution.class_gradients": lambda net: attribution.class_gradients(net, X, ["conv", "relu"], (0, 1)),
    "attribution.heat_from": lambda net: attribution.heat_from(
        net, attribution.class_gradients(net, X, ["relu"], (1,))["relu"][0], "grad_cam_pp"
    ),
    "attribution.channel_evidence": lambda net: attribution.channel_evidence(net, X, "relu", 1, 0),
    "attribution.completeness_gap": lambda net: attribution.completeness_gap(
        net, X, attribution.attribute(net, X, "integrated_gradients", target=1)
    ),
    "attribution.operations.operations": lambda net: operations.operations(net, X),
    "attribution.propagation.not_beside_its_baseline": lambda net: propagation.not_beside_its_baseline(
        net, None, X
    ),
    "attribution.reach.no_gradient_on_pixels": lambda net: reach.no_gradient_on_pixels(net, None, X),
    "attribution.method_problems": lambda net: attribution.method_problems(net, X, "relu"),
    "attribution.perturbation.maps_of": lambda net: perturbation.maps_of(net, X, "relu"),
    "effects.channel_effects": lambda net: list(effects.channel_effects(net, X, "relu", 4)),
    "scoreboard.entries.entries": lambda net: entries.entries(
        net, X, ["grad_cam", "saliency"], "relu", False
    ),
    "scoreboard.running.check_layer": lambda net: running.check_layer(net, X, "relu"),
    "scoreboard.running.last_activation": lambda net: running.last_activation(net, X),
    "attribution.evidence_many": lambda net: attribution.evidence_many(net, X, ["conv", "relu"], 1),
    "attribution.gradients.maps_and_class_gradients": lambda net: gradients.maps_and_class_gradients(
        net, X, ["bn"], gradients.score_of((0, 1), None, 2)
    ),
    "attribution.gradients.maps_and_gradients": lambda net: list(
        gradients.maps_and_gradients(net, MANY, ["bn"], gradients.score_of(1, None, 2))
    ),
    "attribution.kept_pass.keep_pass": lambda net: kept_pass.keep_pass(net, X),
    "batchnorm.statistics": lambda net: batchnorm.statistics(net, MANY, "bn"),
    "batchnorm.statistics_many": lambda net: batchnorm.statistics_many(net, MANY, ["bn"]),
    "batchnorm.summary": lambda net: batchnorm.summary(net, MANY, "bn"),
    "batchnorm.with_batch_statistics": lambda net: batchnorm.with_batch_statistics(net, MANY),
    "checkup.check_up": lambda net: checkup.check_up(net, CARD),
    "opening.logits_of": lambda net: opening.logits_of(net, 8),
    "probe.probe": _probe,
    "input_part.find_part": lambda net: input_part.find_part(net, X, X, None, True, lambda x: x),
    "receptive.receptive_fields": lambda net: receptive.receptive_fields(net, X),
    "receptive.wraps_around": receptive.wraps_around,
    "copies.copied": lambda net: copies.copied(net, shared=False)(X.clone()),
    "timeline.course_of": _over_time(timeline.course_of, X),
    "timeline.filters_over_time": _over_time(timeline.filters_over_time),
    "timeline.heat_over_time": _over_time(timeline.heat_over_time, X, "relu", 1),
    "timeline.maps_over_time": _over_time(timeline.maps_over_time, X, "relu"),
    "timeline.norms_over_time": _over_time(timeline.norms_over_time, MANY, "bn"),
    "independence.mixes_rows": lambda net: independence.mixes_rows(net, X),
    "independence.pieces": lambda net: independence.pieces(net, MANY, 2),
    "passes.private_view": lambda net: private_view(net)(X.clone()),
    "passes.recorded": lambda net: passes.recorded(net, X, None, lambda *_: None),
    "passes.recording_calls": lambda net: passes.recording_calls(net, None, lambda _: None)(X.clone()),
    "passes.recording": lambda net: passes.recording(net, None, lambda *_: None)(X.clone()),
    "passes.tapped": _tapped,
    "scores.forward.logits": lambda net: forward.logits(net, MANY),
    "scores.randomized.random_nets": lambda net: randomized.random_nets(net, MANY),
    "scores.randomized.with_random_weights": lambda net: randomized.with_random_weights(net, 0, MANY)(X),
    "token_order.wrong_grids": lambda net: token_order.wrong_grids(net, X),
    "tracing.trace": lambda net: trace(net, X),
}


def _attribute(method: str, net: nn.Module) -> object:
    """The heat map, or the reason why there is none: LRP has no rule for what these networks multiply."""
    record = attribution.METHODS[method]
    layer = "relu" if record.needs_layer else None
    if record.space == "input" and (problem := record.unmet(net, layer, X)):
        return problem
    return attribution.attribute(net, X, method, layer=layer, target=1)


METHODS = {f"attribution.attribute, {method}": partial(_attribute, method) for method in attribution.METHODS}
# They only look at modules.
LOOK = {"batchnorm.batchnorms", "batchnorm.is_batchnorm", "batchnorm.relu_behind", "geometry.layer_size"}
LOOK |= {"timeline.first_conv", "tracing.blocks", "attribution.method.any_network"}
LOOK |= {"arithmetic.settings_of", "tour.first_maps", "tour.first_norm", "tour.shrinking"}
LOOK |= {
    "attribution.cam.no_negative_maps",
    "opening.channels_of",
    "outputs.outputs_of",
    "prediction.prediction",
}
LOOK |= {
    "layouts.across_tokens",
    "layouts.grid_of",
    "layouts.left_out_grids",
    "layouts.left_out_layers",
    "notes.note_of",
    "places.place_of",
    "places.places_of",
    "batchnorm.statistics_of_trace",
    "passes.is_calm",
    "outputs.probabilities",
    "randomness.seed_passes",
}
LOOK |= {"norm_axes.pool_beside", "channel_survey.scaling_before", "norm_inputs.check_norms"}
LOOK |= {"norm_inputs.norm_layers", "norm_inputs.norm_of"}
BEFORE_IT_IS_SHARED = {
    "layouts.give_grid",
    "gradient_mode.answer_as_in_evaluation",
    "layouts.leave_out_layers",
    "layouts.leave_out_grids",
    "notes.write_note",
    "outputs.give_logits",
    "outputs.hand_on_copies",
    "passes.keep_overwritten",
    "passes.need_gradients",
    "places.give_places",
}
LOOK |= {"gradient_mode.answer", "gradient_mode.is_answered", "passes.overwrites"}
LOOK |= {"copies.check_kind", "graph.graph_of", "randomness.is_random", "tracing.trace_of"}
LOOK |= {"scoreboard.measuring.piece"}  # by `forward.logits`
LOOK |= {"first_pass.watch", "first_pass.watch_in_evaluation"}  # by `checkup.check_up`, as these:
LOOK |= {"first_pass.values_of", "output_kind.outputs_by"}
LOOK |= {f"passes.{name}" for name in ("layer_module", "layer_path", "leaf_paths")}


def _values(net: nn.Module) -> dict[str, Tensor]:
    """A copy of every tensor that a module of the network holds, by its path."""
    return {
        f"{path}.{name}": value.detach().clone()
        for path, module in net.named_modules()
        for members in (module._parameters, module._buffers, vars(module))
        for name, value in members.items()
        if isinstance(value, Tensor)
    }


def _functions() -> Iterator[str]:
    for info in pkgutil.walk_packages(engine.__path__, "explorer.engine."):
        module = importlib.import_module(info.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            takes = {"net", "timeline"} & inspect.signature(function).parameters.keys()
            if takes and function.__module__ == module.__name__ and not name.startswith("_"):
                yield f"{info.name}.{name}".removeprefix("explorer.engine.")


def test_every_function_of_the_engine_that_takes_a_network_is_tried() -> None:
    methods = {name.partition(",")[0] for name in METHODS}
    assert set(_functions()) == TAKES.keys() | methods | LOOK | BEFORE_IT_IS_SHARED


@pytest.mark.parametrize("name", [*TAKES, *METHODS])
@pytest.mark.parametrize("kind", NETS)
def test_the_shared_network_is_never_written(kind: type[Plain], name: str) -> None:
    torch.manual_seed(0)
    net = kind().eval()
    before = _values(net)
    for _ in range(2):
        (TAKES | METHODS)[name](net)
        after = _values(net)
        assert before.keys() == after.keys()
        assert not [key for key in before if not torch.equal(before[key], after[key])]
    assert not any(module.training for module in net.modules())
    assert not any(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize("kind", NETS)
def test_a_view_computes_what_the_network_would(kind: type[Plain]) -> None:
    torch.manual_seed(0)
    net = kind().eval()
    with torch.no_grad():
        torch.manual_seed(0)
        wanted = kind().eval()(X)[0].numpy()
    for _ in range(3):
        assert abs(trace(net, X).logits - wanted).max() < 1e-6


def test_parameters_are_shared_once_a_forward_left_them_alone() -> None:
    for kind, shared in ((Counts, True), (ScalesItsWeights, False), (LimitsItsWeights, False)):
        net = kind().eval()
        assert private_view(net).conv.weight.data_ptr() != net.conv.weight.data_ptr()
        trace(net, X)
        view = private_view(net)
        assert (view.conv.weight.data_ptr() == net.conv.weight.data_ptr()) is shared
        assert view.mask.data_ptr() != net.mask.data_ptr()
        assert view.conv.weight is not net.conv.weight


def test_a_view_is_freed_without_the_garbage_collector() -> None:
    view = private_view(Plain())
    view(X)
    alive = weakref.ref(view)
    del view
    assert alive() is None


@pytest.mark.parametrize("forwards", [0, 1])
def test_tied_tensors_stay_tied(forwards: int) -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    net[1].weight = net[0].weight
    net.register_buffer("whole", torch.arange(6.0))
    net.register_buffer("part", net.get_buffer("whole")[2:4])
    net.register_buffer("flat", net[0].weight.detach().reshape(-1))
    for _ in range(forwards):
        trace(net, X)
    view = private_view(net)
    assert view[0].weight is view[1].weight
    with torch.no_grad():
        view.whole.zero_()
        assert not view.part.any()
        assert net.part.tolist() == [2.0, 3.0]
        assert view.flat.data_ptr() == view[0].weight.data_ptr()
        assert view.part.storage_offset() == 2


def test_a_buffer_over_a_parameters_memory_is_a_copy_also_once_parameters_are_shared() -> None:
    net = Plain().eval()
    net.register_buffer("alias", net.conv.weight.detach())
    trace(net, X)
    before = net.conv.weight.detach().clone()
    view = private_view(net)
    with torch.no_grad():
        view.alias.add_(1.0)
    assert torch.equal(net.conv.weight, before)
    assert torch.equal(view.conv.weight, view.alias)
