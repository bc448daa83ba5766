"""What a network makes of one image."""

from dataclasses import dataclass, replace
from math import prod
from threading import local
from weakref import WeakKeyDictionary, WeakSet

import streamlit as st
import torch
from torch import nn

from explorer.drawing import thumbnails
from explorer.engine import (
    ablation,
    attribution,
    batchnorm,
    norm_axes,
    probe,
    receptive,
    tracing,
    translation,
    weight_uses,
    what_if,
    without_norm,
)
from explorer.engine import drift as drifts
from explorer.engine import dropout as dropout_masks
from explorer.engine import glimpses as glimpses_of
from explorer.engine import strongest_path as paths
from explorer.engine.ablation import Ablations
from explorer.engine.account import Account, account_of
from explorer.engine.arithmetic import Settings
from explorer.engine.attribution import ChannelEvidence, LayerGradients
from explorer.engine.attribution.gradients import NoGradient
from explorer.engine.attribution.kept_pass import KeptPass, keep_pass
from explorer.engine.batchnorm import NormStatistics, NormSummary, TwoPredictions
from explorer.engine.drift import Drift
from explorer.engine.dropout import DropoutLayer, Masked
from explorer.engine.flow import Flow
from explorer.engine.glimpses import Glimpse
from explorer.engine.graph import Graph
from explorer.engine.intervention import Change, altered
from explorer.engine.network import Input, Network
from explorer.engine.norm_axes import NormAxes, Orders
from explorer.engine.probe import PositionProbe
from explorer.engine.receptive import ReceptiveFields
from explorer.engine.strongest_path import StrongestPath
from explorer.engine.timeline import Timeline
from explorer.engine.tracing import Block, Floats, Trace, stages
from explorer.engine.translation import ShiftedPredictions
from explorer.engine.values import Value
from explorer.engine.weight_uses import WeightUses
from explorer.engine.what_if import Chain
from explorer.engine.without_norm import PredictionWithoutNorm
from explorer.ui.cached.images import scene_batch
from explorer.ui.cached.keys import KEYS, announced, data, resource
from model.card import Pixels
from model.problems import Problem
from model.words import N_

MOST_OF_MAPS = 2**24  # bytes of a trace's maps; ResNet-50 has 128 MB at 224 pixels
MOST_OF_A_PASS = 2**28  # bytes of the maps of a pass that a run of a page keeps; it takes twice as much
MOST_OF_FLOW = 2**20  # values that the layers of a kept pass give; it holds each about four times


@data(max_size="300MB")
def trace(network: Network, input: Input) -> Trace:
    """What one pass shows; without its maps where they take more than MOST_OF_MAPS bytes."""
    if network.net in _WITH_MANY_MAPS:
        kept = _keep_pass(network, input)
        return tracing.trace(network.net, input.x, ()) if kept is None else kept.seen
    seen = tracing.trace(network.net, input.x)
    size = sum(maps.nbytes for maps in seen.maps.values())
    if size <= MOST_OF_MAPS:
        return seen
    _WITH_MANY_MAPS[network.net] = tuple(seen.shapes)
    if size > MOST_OF_A_PASS:
        _NOT_KEPT.add(network.net)
    return replace(seen, maps={})


# Networks of which some image has more maps than a trace keeps, and their layers.
_WITH_MANY_MAPS: "WeakKeyDictionary[nn.Module, tuple[str, ...]]" = WeakKeyDictionary()


def is_large(network: Network) -> bool:
    """Whether an image of this network had more maps than a trace keeps; unknown before the first."""
    return network.net in _WITH_MANY_MAPS


def _keep_pass(network: Network, input: Input) -> KeptPass | None:
    """The pass of a large network, which this run of a page keeps: it asks for maps and gradients next.

    None for one whose pass takes too much, or that does not run, or runs other layers, with gradients.
    """
    _last.passed = _last.kept = None  # before the next, which is as large
    if network.net in _NOT_KEPT:
        return None
    try:
        kept = keep_pass(network.net, input.x)
    except Exception:  # whatever a network says of gradients
        kept = None
    if kept is None or tuple(kept.seen.shapes) != _WITH_MANY_MAPS[network.net]:
        _NOT_KEPT.add(network.net)
        return None
    _last.passed, _last.kept = (network.key, input.digest), kept
    return kept


# Large networks whose passes are too large, or are others when gradients are taken.
_NOT_KEPT: "WeakSet[nn.Module]" = WeakSet()


def _kept(network: Network, input: Input) -> KeptPass | None:
    """The pass of an image that this run of a page has kept."""
    kept: KeptPass | None = getattr(_last, "kept", None)
    return kept if kept and _last.passed == (network.key, input.digest) else None


_last = local()  # of a run of a page, which has a thread of its own


@data(max_size="300MB")
def layer_maps(network: Network, input: Input, layers: tuple[str, ...]) -> dict[str, Floats]:
    """The feature maps (C, h, w) of some layers."""
    kept = _kept(network, input)
    maps = None if kept is None else kept.maps(layers)
    return dict(tracing.trace(network.net, input.x, layers).maps) if maps is None else maps


def block_maps(network: Network, input: Input, layer: str) -> dict[str, Floats]:
    """The feature maps (C, h, w) of a layer, of the others of its block, and of the layers that these read:
    a page asks for them next.
    """
    seen = trace(network, input)
    layers = [tuple(stages(block, seen).values()) for block in tracing.blocks(network.net, seen)]
    names = next((names for names in layers if layer in names), (layer,))
    read = (seen.inputs[name].source for name in names)
    return layer_maps(network, input, tuple(dict.fromkeys((*names, *(name for name in read if name)))))


def _with_maps(network: Network, input: Input, layer: str) -> Trace:
    """The trace with the maps of this layer and of the others of its block at least."""
    seen = trace(network, input)
    return seen if seen.maps else replace(seen, maps=block_maps(network, input, layer))


@data(max_size="300MB")
def gradients(
    network: Network, input: Input, layers: tuple[str, ...], classes: tuple[int, ...]
) -> dict[str, tuple[LayerGradients, ...]]:
    """layer → for each class what every heat map and the channel evidence come from, for one forward pass."""
    return attribution.class_gradients(network.net, input.x, layers, classes, _kept(network, input))


def evidence(network: Network, input: Input, layer: str, target: int) -> ChannelEvidence:
    """Grad-CAM's channel evidence for one class at one layer."""
    return attribution.evidence_from(gradients(network, input, (layer,), (target,))[layer][0])


@data(max_size="10MB")
@announced(N_("Looking for methods that this network allows …"))
def method_problems(network: Network, input: Input, layer: str | None) -> dict[str, Problem]:
    """Method → why it cannot explain the network, or this layer; those that can are left out."""
    maps = None if layer is None else _with_maps(network, input, layer).maps.get(layer)
    known = None if maps is None else torch.from_numpy(maps)[None]
    return attribution.method_problems(network.net, input.x, layer, known)


@data(max_size="100MB")
def norm_statistics(network: Network, input: Input, layer: str) -> NormStatistics:
    known = batchnorm.statistics_of_trace(network.net, _with_maps(network, input, layer), input.x, layer)
    return batchnorm.statistics(network.net, input.x, layer) if known is None else known


@data(max_size="50MB")
@announced(N_("Computing the statistics …"))
def norm_summary(network: Network, input: Input, layer: str) -> NormSummary:
    return batchnorm.summary(network.net, input.x, layer)


@data(max_size="20MB")
@announced(N_("Predicting with both statistics …"))
def two_predictions(network: Network, input: Input) -> TwoPredictions:
    return batchnorm.with_batch_statistics(network.net, input.x)


@data(max_size="20MB")
def predicted_without(network: Network, input: Input, layers: tuple[str, ...]) -> PredictionWithoutNorm:
    """The predictions with each of these layers replaced by the identity."""
    return without_norm.predicted_without(network.net, input.x, layers)


@data(max_size="20MB")
def axes_of_norm(network: Network, input: Input, layer: str) -> NormAxes:
    return norm_axes.norm_axes(network.net, input.x, layer)


@data(max_size="20MB")
def norm_orders(network: Network, input: Input, layer: str, channel: int, beside: tuple[str, str]) -> Orders:
    """A BatchNorm and the pooling `beside` it, in both orders. Raises Problem."""
    return norm_axes.orders(network.net, input.x, layer, channel, beside)


@data(max_size="10MB")
def drift(timeline: Timeline, input: Input, layer: str) -> Drift:
    """What a layer receives and gives at every snapshot. Raises Problem."""
    return drifts.drift(timeline.nets, timeline.epochs, input.x, layer)


@data(max_entries=64)
def dropouts(network: Network, input: Input) -> tuple[DropoutLayer, ...]:
    return dropout_masks.dropouts(network.net, input.x)


@data(max_size="100MB")
@announced(N_("Predicting under many masks …"))
def masked(
    network: Network, input: Input, layers: tuple[DropoutLayer, ...], wanted: str, p: float | None
) -> Masked:
    return dropout_masks.masked(network.net, input.x, layers, wanted, p)


@data(max_entries=16)
@announced(N_("Predicting the shifted scenes …"))
def shifted_predictions(network: Network, count: int) -> ShiftedPredictions:
    """The predictions for so many drawn scenes, each moved by 0 to 3 pixels."""
    batch = scene_batch(count, network.card)
    return translation.shifted_predictions(network, batch.pixels, batch.labels)


@data(max_entries=64)
def every_shift(network: Network, pixels: Pixels) -> Floats:
    return translation.every_shift(network, pixels)


@data(max_entries=64)
def uses_of_weights(network: Network, input: Input) -> tuple[WeightUses, ...]:
    return weight_uses.weight_uses(network.net, input.x)


@data(max_size="20MB")
def map_thumbnails(network: Network, input: Input, layer: str) -> list[str]:
    """The feature maps of a layer as data addresses, by channel."""
    return thumbnails.thumbnails(layer_maps(network, input, (layer,))[layer])


@data(max_size="20MB")
def ablation_of(network: Network, input: Input, layer: str, channel: int) -> Ablations:
    """The logits with one channel of a layer switched off."""
    seen = _with_maps(network, input, layer)
    return ablation.ablation(network.net, input.x, layer, channel, seen)


@dataclass(frozen=True, eq=False)
class Outcome(Value):
    """What a network makes of an image: logits and probabilities (K,), and Grad-CAM (h, w) of a class at a
    layer, None where no gradient of the class reaches that.
    """

    logits: Floats
    probabilities: Floats
    heat: Floats | None


@data(max_size="50MB")
def outcome(network: Network, input: Input, changes: tuple[Change, ...], layer: str, target: int) -> Outcome:
    """The outcome with changes of feature maps made. Raises Problem as `altered`."""
    net = altered(network.net, changes) if changes else network.net
    seen = tracing.trace(net, input.x, ())
    try:
        gradients = attribution.class_gradients(net, input.x, (layer,), (target,))[layer][0]
        heat = attribution.heat_from(net, gradients, "grad_cam").values
    except NoGradient:
        heat = None
    return Outcome(seen.logits, seen.probabilities, heat)


@data(max_size="50MB")
def position_probe(
    network: Network, input: Input, block: Block, channel: int, row: int, column: int
) -> PositionProbe:
    """How one position of a block's convolution comes about. ValueError as the engine's."""
    return probe.probe(
        network.net, input.x, block, channel, row, column, _with_maps(network, input, block.name)
    )


@data(max_size="50MB")
@announced(N_("Following the strongest evidence …"))
def strongest_path(network: Network, input: Input, target: int) -> StrongestPath:
    """The strongest evidence for a class, from the pixels on. Raises Problem."""
    return paths.strongest_path(network.net, input.x, target)


def _shape(input: Input) -> tuple[int, ...]:
    return tuple(input.x.shape)


# What a position depends on is the same for every input of one shape.
@st.cache_data(max_entries=16, show_spinner=False, hash_funcs=KEYS | {Input: _shape})
def receptive_fields(network: Network, input: Input) -> dict[str, ReceptiveFields]:
    """What every layer’s positions look at, by layer."""
    return receptive.receptive_fields(network.net, input.x)


def _new_flow(network: Network, input: Input, target: int) -> Flow:
    return Flow(network.net, input.x, target)


_kept_flow = resource(max_entries=8)(_new_flow)


def has_long_passes(network: Network, input: Input) -> bool:
    """Whether the layers give so many values that a pass takes long and is not kept."""
    return sum(map(prod, trace(network, input).shapes.values())) > MOST_OF_FLOW


def _flow(network: Network, input: Input, target: int) -> Flow:
    """The one pass that all of a run comes from; a small network's is kept for the next runs."""
    key = network.key, input.digest, target
    if getattr(_last, "key", None) != key:
        _last.key = _last.flow = _last.passed = _last.kept = None  # before the next, which may be as large
        _last.flow = (_new_flow if has_long_passes(network, input) else _kept_flow)(network, input, target)
        _last.key = key
    flow: Flow = _last.flow
    return flow


@data(max_size="20MB")
def graph(network: Network, input: Input, target: int) -> Graph:
    """What ran, and what flowed where; it is the same for every class."""
    return _flow(network, input, target).graph


@data(max_size="50MB")
def account(network: Network, input: Input, target: int) -> Account:
    """What each position of the last feature maps adds to a class's logit. Raises Problem."""
    return account_of(_flow(network, input, target))


@data(max_size="50MB")
def contributions(network: Network, input: Input, layers: tuple[str, ...], target: int) -> dict[str, Floats]:
    """layer → what each of its channels contributes to a class. Raises NoGradient."""
    return _flow(network, input, target).contributions(layers)


@data(max_size="20MB")
def inflow(network: Network, input: Input, layer: str, channel: int, target: int) -> dict[str, Floats]:
    """Layer that a channel reads → what each channel of it gives to that channel's contribution."""
    return _flow(network, input, target).inflow(layer, channel)


@data(max_size="50MB")
def glimpses(
    network: Network, input: Input, channels: tuple[tuple[str, tuple[int, ...]], ...], target: int
) -> dict[str, Glimpse]:
    """layer → small pictures of some of its channels."""
    made = glimpses_of.glimpses_of(_flow(network, input, target), dict(channels))
    if missing := {layer: wanted for layer, wanted in channels if layer not in made}:
        made |= glimpses_of.glimpses(network.net, input.x, missing)
    return made


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs=KEYS | {Input: _shape})
def chain(network: Network, input: Input, layer: str, settings: Settings | None) -> Chain:
    """The sizes and receptive fields of the layers with a window, with other settings of one of them."""
    return what_if.chain(network.net, input.x, layer, settings)
