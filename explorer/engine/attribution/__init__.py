"""Which positions of which feature maps support a class: heat maps and the channel evidence behind them.

Everything is raw and signed, at the layer's own resolution. ReLU, normalizing and upsampling are drawing.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from explorer.engine.attribution import cam
from explorer.engine.attribution.gradients import Pairs, Score, Target, maps_and_gradients, score_of
from explorer.engine.attribution.heatmap import ChannelEvidence, Heatmap, LayerGradients
from explorer.engine.attribution.method import Method, Parameter
from explorer.engine.passes import check_images, to_numpy
from explorer.engine.values import one_or_many
from model.problems import Problem

__all__ = [
    "METHODS",
    "ChannelEvidence",
    "Heatmap",
    "LayerGradients",
    "Method",
    "Parameter",
    "attribute",
    "attribute_many",
    "channel_evidence",
    "class_gradients",
    "evidence_from",
    "evidence_many",
    "heat_from",
]

METHODS: dict[str, Method] = {
    "grad_cam": cam.GRAD_CAM,
    "hires_cam": cam.HIRES_CAM,
    "layer_cam": cam.LAYER_CAM,
    "grad_cam_pp": cam.GRAD_CAM_PP,
}


def attribute(
    net: nn.Module,
    x: Tensor,
    method: str = "grad_cam",
    *,
    layer: str,
    target: Target,
    against: Target | None = None,
) -> Heatmap:
    """The Heatmap of images x, float (N, C, h, w), by a method of METHODS; classes are one int or (N,).

    Raises Problem for an unknown method or class and where the method cannot explain a layer; ValueError for
    an unknown layer and another shape of x.
    """
    return attribute_many(net, x, [method], [layer], target, against)[method][layer]


def attribute_many(
    net: nn.Module,
    x: Tensor,
    methods: Iterable[str],
    layers: Iterable[str],
    target: Target,
    against: Target | None = None,
) -> dict[str, dict[str, Heatmap]]:
    """method → layer → Heatmap, for the price of one forward and one backward pass; errors as `attribute`."""
    methods, layers, score = tuple(methods), tuple(layers), _score(x, target, against)
    for method in methods:
        if method not in METHODS:
            raise Problem(
                "There is no method “{method}”: choose one of {methods}.",
                method=method,
                methods=", ".join(METHODS),
            )
    parts: dict[tuple[str, str], list[Tensor]] = {(m, layer): [] for m in methods for layer in layers}
    for pairs in maps_and_gradients(net, x, layers, score):
        for method, layer in parts:
            parts[method, layer].append(_heat(net, method, layer, pairs))
    return {
        method: {layer: _heatmap(method, layer, score, parts[method, layer]) for layer in layers}
        for method in methods
    }


def channel_evidence(
    net: nn.Module, x: Tensor, layer: str, target: Target, against: Target | None = None
) -> ChannelEvidence:
    """The ChannelEvidence behind Grad-CAM for images x, float (N, C, h, w); errors as `attribute`."""
    return evidence_many(net, x, [layer], target, against)[layer]


def evidence_many(
    net: nn.Module, x: Tensor, layers: Iterable[str], target: Target, against: Target | None = None
) -> dict[str, ChannelEvidence]:
    """`channel_evidence` at many layers for the price of one forward and one backward pass."""
    layers, score = tuple(layers), _score(x, target, against)
    parts: dict[str, list[tuple[Tensor, Tensor]]] = {layer: [] for layer in layers}
    for pairs in maps_and_gradients(net, x, layers, score):
        for layer, (maps, gradients) in pairs.items():
            parts[layer].append((maps, cam.grad_cam_weights(gradients)))
    return {layer: one_or_many(_evidence(layer, score, parts[layer])) for layer in layers}


def class_gradients(
    net: nn.Module, x: Tensor, layers: Iterable[str], classes: Sequence[int]
) -> dict[str, tuple[LayerGradients, ...]]:
    """layer → the LayerGradients of one image x, float (1, 3, h, w), for each class in turn.

    All of them come from one forward and one backward pass, and every method and the channel evidence from
    them: see `heat_from` and `evidence_from`. Errors as `attribute`.
    """
    check_images(x, one=True)
    layers, score = tuple(layers), score_of(list(classes), None, len(classes))
    parts: dict[str, list[tuple[Tensor, Tensor]]] = {layer: [] for layer in layers}
    for pairs in maps_and_gradients(net, x.expand(len(classes), -1, -1, -1), layers, score):
        for layer, pair in pairs.items():
            parts[layer].append(pair)
    return {layer: _gradients(layer, score, parts[layer]).rows() for layer in layers}


def heat_from(net: nn.Module, one: LayerGradients, method: str) -> Heatmap:
    """The Heatmap of one image by a method of METHODS. Raises Problem where it cannot explain the layer."""
    maps, gradients = (torch.from_numpy(array)[None] for array in (one.maps, one.gradients))
    values = to_numpy(_heat(net, method, one.layer, {one.layer: (maps, gradients)})[0])
    return Heatmap(method, one.layer, one.target, values, one.against)


def evidence_from(one: LayerGradients) -> ChannelEvidence:
    """The ChannelEvidence behind Grad-CAM for one image."""
    weights = to_numpy(cam.grad_cam_weights(torch.from_numpy(one.gradients)[None])[0])
    return ChannelEvidence(one.layer, one.target, weights, one.maps, one.against)


def _heat(net: nn.Module, method: str, layer: str, pairs: Pairs) -> Tensor:
    maps, gradients = pairs[layer]
    if reason := METHODS[method].unmet(net, layer, maps):
        raise Problem(reason)
    return METHODS[method].heat(maps, gradients)


def _heatmap(method: str, layer: str, score: Score, parts: list[Tensor]) -> Heatmap:
    return one_or_many(Heatmap(method, layer, values=to_numpy(torch.cat(parts)), **_classes(score)))


def _gradients(layer: str, score: Score, parts: list[tuple[Tensor, Tensor]]) -> LayerGradients:
    maps, gradients = (to_numpy(torch.cat(tensors)) for tensors in zip(*parts, strict=True))
    return LayerGradients(layer, maps=maps, gradients=gradients, **_classes(score))


def _evidence(layer: str, score: Score, parts: list[tuple[Tensor, Tensor]]) -> ChannelEvidence:
    maps, weights = (to_numpy(torch.cat(tensors)) for tensors in zip(*parts, strict=True))
    return ChannelEvidence(layer, weights=weights, maps=maps, **_classes(score))


def _score(x: Tensor, target: Target, against: Target | None) -> Score:
    check_images(x)
    return score_of(target, against, len(x))


def _classes(score: Score) -> dict[str, Any]:
    against = None if score.against is None else score.against.numpy().copy()
    return {"target": score.target.numpy().copy(), "against": against}
