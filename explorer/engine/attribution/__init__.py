"""Which positions of which feature maps, and which pixels, support a class: heat maps, and channel evidence.

Everything is raw and signed, at the layer's own resolution, or at the input's with the color channels added
up. ReLU, normalizing and upsampling are drawing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from explorer.engine.attribution import cam, input_gradient, operations, perturbation, propagation
from explorer.engine.attribution.gradients import (
    CHUNK,
    LogitScore,
    Pairs,
    Target,
    maps_and_class_gradients,
    maps_and_gradients,
    score_of,
)
from explorer.engine.attribution.heatmap import ChannelEvidence, Heatmap, LayerGradients
from explorer.engine.attribution.kept_pass import KeptPass
from explorer.engine.attribution.method import Method, Parameter, Question
from explorer.engine.attribution.scored import ScoredNetwork, classes_of
from explorer.engine.independence import pieces
from explorer.engine.passes import check_images, to_numpy
from explorer.engine.values import Floats, one_or_many
from model.problems import Problem
from model.words import N_, tr

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
    "completeness_gap",
    "evidence_from",
    "evidence_many",
    "heat_from",
    "method_problems",
]

METHODS: dict[str, Method] = {
    "grad_cam": cam.GRAD_CAM,
    "hires_cam": cam.HIRES_CAM,
    "layer_cam": cam.LAYER_CAM,
    "grad_cam_pp": cam.GRAD_CAM_PP,
    "xgrad_cam": cam.XGRAD_CAM,
    "eigen_cam": cam.EIGEN_CAM,
    "ablation_cam": perturbation.ABLATION_CAM,
    "score_cam": perturbation.SCORE_CAM,
    "saliency": input_gradient.SALIENCY,
    "input_x_gradient": input_gradient.INPUT_X_GRADIENT,
    "integrated_gradients": input_gradient.INTEGRATED_GRADIENTS,
    "expected_gradients": input_gradient.EXPECTED_GRADIENTS,
    "smooth_grad": input_gradient.SMOOTH_GRAD,
    "guided_backprop": propagation.GUIDED_BACKPROP,
    "guided_grad_cam": propagation.GUIDED_GRAD_CAM,
    "deep_lift": propagation.DEEP_LIFT,
    "lrp": propagation.LRP,
    "occlusion": perturbation.OCCLUSION,
}


def attribute(
    net: nn.Module,
    x: Tensor,
    method: str = "grad_cam",
    *,
    layer: str | None = None,
    target: Target,
    against: Target | None = None,
    baseline: Tensor | None = None,
    **settings: float,
) -> Heatmap:
    """The Heatmap of images x, float (N, C, h, w), by a method of METHODS; classes are one int or (N,).

    A layer, a baseline, float (C, h, w) or a number of them, and settings are given to the methods whose
    record asks for them. Raises Problem for an unknown method, class or setting and where the method cannot
    explain the network or the layer; ValueError for an unknown layer and another shape of x.
    """
    record, score = _record(method), _score(x, target, against)
    _check_asked(record, layer, baseline, settings)
    if record.compute is None:
        return attribute_many(net, x, [method], [layer or ""], target, against)[method][layer or ""]
    with torch.inference_mode(False), torch.enable_grad():
        question = _question(record, net, x, score, layer, baseline, settings)
        if problem := record.unmet(net, layer, question.x[:1]):
            raise problem
        parts = [record.compute(question.rows(rows)).detach() for rows in pieces(net, x, CHUNK)]
    if not all(bool(part.isfinite().all()) for part in parts):
        raise Problem(NOT_FINITE, title=tr(record.title))
    return _heatmap(method, layer, score, parts)


def method_problems(
    net: nn.Module, x: Tensor, layer: str | None, maps: Tensor | None = None
) -> dict[str, Problem]:
    """Method → the Problem why it cannot explain images x, float (N, C, h, w), or this layer of the network.

    Those of METHODS that can are left out; without a layer, all that need one can not. The layer's `maps`,
    (N, C, h, w), save the pass that gives them.
    """
    check_images(x)
    if layer is not None and maps is None:
        maps = perturbation.maps_of(net, x, layer)
    problems: dict[str, Problem] = {}
    by_rules = _problems_by_rules(net, x)
    with torch.inference_mode(False), torch.enable_grad():
        for name, record in METHODS.items():
            if record.needs_layer and maps is None:
                problem: Problem | None = Problem(NO_MAPS)
            else:
                values = x if maps is None or not record.needs_layer or record.compute else maps
                own_layer = layer if record.needs_layer else None
                problem = record.misfit(net, own_layer, values.detach().clone()) or by_rules.get(name)
            if problem is not None:
                problems[name] = problem
    return problems


_BY_RULES: "WeakKeyDictionary[nn.Module, dict[tuple[int, ...], dict[str, Problem]]]" = WeakKeyDictionary()


def _problems_by_rules(net: nn.Module, x: Tensor) -> dict[str, Problem]:
    """Method → why it has no rule for what the network runs, found once for each size of images.

    A network may run something else for another image: `attribute` looks again.
    """
    known = _BY_RULES.setdefault(net, {})
    size = tuple(x.shape)
    if size not in known:
        ran = operations.operations(net, x)
        with torch.inference_mode(False), torch.enable_grad():
            reasons = {name: record.rules(ran) for name, record in METHODS.items() if record.rules}
        known[size] = {name: reason for name, reason in reasons.items() if reason is not None}
    return known[size]


NOT_FINITE = N_(
    "{title} gives NaN or infinity for this image, as it can with weights of 16 bits: choose another method."
)
NO_MAPS = N_("It explains a layer with feature maps, and this network has none.")


def completeness_gap(net: nn.Module, x: Tensor, heat: Heatmap, baseline: Tensor | None = None) -> Floats:
    """How far the values of a method that `adds_up` are from the difference of scores: float32 (N,).

    The images and the baseline, float (C, h, w) or (N, C, h, w), are those that the heat map was made with.
    """
    score = _score(x, heat.target, heat.against)
    start = torch.zeros_like(x) if baseline is None else baseline.expand(x.shape)
    with torch.inference_mode(False), torch.no_grad():
        scored, classes = ScoredNetwork(net), classes_of(score)
        whole, rest = (scored(images.detach().clone(), *classes) for images in (x, start))
    return np.asarray(heat.values.reshape(len(x), -1).sum(1) - to_numpy(whole - rest), np.float32)


def attribute_many(
    net: nn.Module,
    x: Tensor,
    methods: Iterable[str],
    layers: Iterable[str],
    target: Target,
    against: Target | None = None,
) -> dict[str, dict[str, Heatmap]]:
    """method → layer → Heatmap, for the price of one forward and one backward pass; errors as `attribute`.

    The methods are those that have `heat`: ValueError for others.
    """
    methods, layers, score = tuple(methods), tuple(layers), _score(x, target, against)
    if others := [method for method in methods if _record(method).heat is None]:
        raise ValueError(f"{others[0]} needs passes of its own: use attribute.")
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
    net: nn.Module, x: Tensor, layers: Iterable[str], classes: Sequence[int], kept: KeptPass | None = None
) -> dict[str, tuple[LayerGradients, ...]]:
    """layer → the LayerGradients of one image x, float (1, C, h, w), for each class in turn.

    All of them come from one forward pass of the image, and every method and the channel evidence from them:
    see `heat_from` and `evidence_from`. The classes share the array of the maps. Errors as `attribute`.
    A pass of the image that was `kept` saves the forward pass, if it has the layers.
    """
    check_images(x, one=True)
    layers, score = tuple(dict.fromkeys(layers)), score_of(list(classes), None, len(classes))
    if not layers:
        return {}
    pairs = None if kept is None else kept.pairs(layers, score)
    if pairs is None and len(classes) == 1:
        (pairs,) = maps_and_gradients(net, x, layers, score)
    pairs = maps_and_class_gradients(net, x, layers, score) if pairs is None else pairs
    return {layer: _of_classes(layer, score.target.tolist(), *pairs[layer]) for layer in layers}


def heat_from(net: nn.Module, one: LayerGradients, method: str) -> Heatmap:
    """The Heatmap of one image by a method of METHODS that has `heat`; errors as `attribute_many`."""
    maps, gradients = (torch.from_numpy(array)[None] for array in (one.maps, one.gradients))
    values = to_numpy(_heat(net, method, one.layer, {one.layer: (maps, gradients)})[0])
    return Heatmap(method, one.layer, one.target, values, one.against)


def evidence_from(one: LayerGradients) -> ChannelEvidence:
    """The ChannelEvidence behind Grad-CAM for one image."""
    weights = to_numpy(cam.grad_cam_weights(torch.from_numpy(one.gradients)[None])[0])
    return ChannelEvidence(one.layer, one.target, weights, one.maps, one.against)


def _record(method: str) -> Method:
    if method not in METHODS:
        raise Problem(
            "There is no method “{method}”: choose one of {methods}.",
            method=method,
            methods=", ".join(METHODS),
        )
    return METHODS[method]


def _check_asked(
    record: Method, layer: str | None, baseline: Tensor | None, settings: Mapping[str, float]
) -> None:
    """Problem unless a method is given what its record asks for, and nothing else."""
    title = tr(record.title)
    if record.needs_layer and layer is None:
        raise Problem("{title} explains a layer: choose one.", title=title)
    if not record.needs_layer and layer is not None:
        raise Problem("{title} explains the input and needs no layer: leave it out.", title=title)
    if baseline is not None and record.baseline is None:
        raise Problem("{title} does not compare with a baseline: leave it out.", title=title)
    for name, number in settings.items():
        if name not in record.parameters:
            raise Problem("{title} has no setting “{name}”: leave it out.", title=title, name=name)
        known = record.parameters[name]
        if not known.low <= number <= known.high:
            raise Problem(
                "“{name}” of {title} is {number}: choose a number from {low} to {high}.",
                name=name,
                title=title,
                number=number,
                low=known.low,
                high=known.high,
            )


def _question(
    record: Method,
    net: nn.Module,
    x: Tensor,
    score: LogitScore,
    layer: str | None,
    baseline: Tensor | None,
    settings: Mapping[str, float],
) -> Question:
    values = {name: settings.get(name, each.default) for name, each in record.parameters.items()}
    question = Question(net, x.detach().clone(), score, layer or "", settings=values)
    if baseline is None:
        return question
    if baseline.shape[-3:] != x.shape[1:]:
        raise ValueError(
            f"A baseline must be {tuple(x.shape[1:])} like an image, not {tuple(baseline.shape)}."
        )
    own = baseline.detach().to(x.dtype, copy=True).reshape(-1, *x.shape[1:])
    if record.baseline == "references":
        return replace(question, references=own)
    return replace(question, baseline=own.expand(x.shape))


def _heat(net: nn.Module, method: str, layer: str, pairs: Pairs) -> Tensor:
    (maps, gradients), record = pairs[layer], _record(method)
    if problem := record.unmet(net, layer, maps):
        raise problem
    if record.heat is None:
        raise ValueError(f"{method} needs passes of its own: use attribute.")
    return record.heat(maps, gradients)


def _heatmap(method: str, layer: str | None, score: LogitScore, parts: list[Tensor]) -> Heatmap:
    return one_or_many(Heatmap(method, layer, values=to_numpy(torch.cat(parts)), **_classes(score)))


def _of_classes(
    layer: str, classes: list[int], maps: Tensor, gradients: Tensor
) -> tuple[LayerGradients, ...]:
    own = to_numpy(maps[0])
    pairs = zip(classes, to_numpy(gradients), strict=True)
    return tuple(LayerGradients(layer, target, own, gradient) for target, gradient in pairs)


def _evidence(layer: str, score: LogitScore, parts: list[tuple[Tensor, Tensor]]) -> ChannelEvidence:
    maps, weights = (to_numpy(torch.cat(tensors)) for tensors in zip(*parts, strict=True))
    return ChannelEvidence(layer, weights=weights, maps=maps, **_classes(score))


def _score(x: Tensor, target: Target, against: Target | None) -> LogitScore:
    check_images(x)
    return score_of(target, against, len(x))


def _classes(score: LogitScore) -> dict[str, Any]:
    against = None if score.against is None else score.against.numpy().copy()
    return {"target": score.target.numpy().copy(), "against": against}
