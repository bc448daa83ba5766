"""Which cells of which feature maps speak for a class: heat maps and the channel evidence behind them.

Everything is raw and signed, at the layer's own resolution; in units of the logit but for Grad-CAM++, and not
adding up to it in general. ReLU, normalizing and upsampling are drawing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from explorer.engine.tracing import Floats, check_images, tapped, to_numpy
from explorer.engine.values import Value
from model.nets import check_logits

Score = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Heatmap(Value):
    """One attribution, float32 (h, w): raw, signed (positive speaks for `target`), at the layer's resolution.

    With `against`, what is explained is logit `target` minus logit `against`.
    """

    method: str
    layer: str
    target: int
    values: Floats
    against: int | None = None


@dataclass(frozen=True, eq=False)
class ChannelEvidence(Value):
    """What each feature map gives to Grad-CAM: weights (C,), signed, and maps (C, h, w), both float32.

    A weight is the spatial mean of the logit's gradient on that map; (weights · maps).sum(0) is the heat map.
    """

    layer: str
    target: int
    weights: Floats
    maps: Floats
    against: int | None = None

    @property
    def contributions(self) -> Floats:
        """Each channel's part (C,) of the heat map's mean: weight times the map's mean. Signed."""
        return np.asarray(self.weights * self.maps.mean((1, 2)), np.float32)

    @property
    def values(self) -> Floats:
        """The heat map (h, w) the channels add up to."""
        return np.asarray(np.einsum("c,chw->hw", self.weights, self.maps), np.float32)


def grad_cam(score: Score, point: nn.Module, x: Tensor) -> Tensor:
    """Grad-CAM by Captum, (h, w): maps weighted by the spatial mean of their gradient, arXiv:1610.02391."""
    from captum.attr import LayerGradCam  # imports matplotlib: only when it is used

    heat: Tensor = LayerGradCam(score, point).attribute(
        x, relu_attributions=False, grad_kwargs={"materialize_grads": True}
    )
    return heat[0, 0]


def hires_cam(score: Score, point: nn.Module, x: Tensor) -> Tensor:
    """HiResCAM, (h, w): each cell by its own gradient, summed over channels, arXiv:2011.08891."""
    maps, gradients = _met(score, point, x)
    return (gradients * maps).sum(0)


def layer_cam(score: Score, point: nn.Module, x: Tensor) -> Tensor:
    """LayerCAM, (h, w): each cell by its own gradient if that is positive, doi:10.1109/TIP.2021.3089943."""
    maps, gradients = _met(score, point, x)
    return (gradients.relu() * maps).sum(0)


def grad_cam_pp(score: Score, point: nn.Module, x: Tensor) -> Tensor:
    """Grad-CAM++, (h, w), arXiv:1710.11063; ValueError for maps with negative values: it is not for those.

    Its weights Σ α·relu(G) with α = G² / (2G² + ΣA·G³) are Σ relu(G) / (2 + G·ΣA), without a zero divisor.
    """
    maps, gradients = _met(score, point, x)
    if maps.min() < 0:
        raise ValueError(
            "Grad-CAM++ needs maps without negative values: choose an activation or pooling layer."
        )
    positive = gradients.relu()
    weights = (positive / (2 + positive * maps.sum((1, 2), keepdim=True))).sum((1, 2), keepdim=True)
    return (weights * maps).sum(0)


METHODS: dict[str, Callable[[Score, nn.Module, Tensor], Tensor]] = {
    "grad_cam": grad_cam,
    "hires_cam": hires_cam,
    "layer_cam": layer_cam,
    "grad_cam_pp": grad_cam_pp,
}


def attribute(
    net: nn.Module,
    x: Tensor,
    method: str = "grad_cam",
    *,
    layer: str,
    target: int,
    against: int | None = None,
) -> Heatmap:
    """The Heatmap of one input x, float (1, 3, h, w), by a method of METHODS.

    Raises ValueError for an unknown method, layer or class and for another shape of x.
    """
    check_images(x, one=True)
    if method not in METHODS:
        raise ValueError(f"There is no method {method!r}: choose one of {', '.join(METHODS)}.")
    view, points = tapped(net, [layer])
    with torch.inference_mode(False), torch.enable_grad():
        heat = METHODS[method](partial(_score, view, target, against), points[layer], x.detach().clone())
    return Heatmap(method, layer, target, to_numpy(heat), against)


def channel_evidence(
    net: nn.Module, x: Tensor, layer: str, target: int, against: int | None = None
) -> ChannelEvidence:
    """The ChannelEvidence behind Grad-CAM for one input x, float (1, 3, h, w); errors as `attribute`."""
    return evidence_many(net, x, [layer], target, against)[layer]


def evidence_many(
    net: nn.Module, x: Tensor, layers: Iterable[str], target: int, against: int | None = None
) -> dict[str, ChannelEvidence]:
    """`channel_evidence` at many layers for the price of one forward and one backward pass."""
    found = maps_and_gradients(net, x, layers, target, against)
    return {
        layer: ChannelEvidence(layer, target, to_numpy(grads.mean((1, 2))), to_numpy(maps), against)
        for layer, (maps, grads) in found.items()
    }


def attribute_many(
    net: nn.Module, x: Tensor, layers: Iterable[str], target: int, against: int | None = None
) -> dict[str, Heatmap]:
    """Grad-CAM at many layers for the price of one forward and one backward pass; equals `attribute`."""
    found = evidence_many(net, x, layers, target, against)
    return {layer: Heatmap("grad_cam", layer, target, e.values, against) for layer, e in found.items()}


def maps_and_gradients(
    net: nn.Module, x: Tensor, layers: Iterable[str], target: int, against: int | None = None
) -> dict[str, tuple[Tensor, Tensor]]:
    """Per layer the maps (C, h, w) and the gradient of the score on them, same shape, both detached."""
    check_images(x, one=True)
    view, points = tapped(net, layers)
    with torch.inference_mode(False), torch.enable_grad():
        return _maps_and_gradients(partial(_score, view, target, against), points, x.detach().clone())


def _met(score: Score, point: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    return _maps_and_gradients(score, {"": point}, x)[""]


def _maps_and_gradients(
    score: Score, points: dict[str, nn.Module], x: Tensor
) -> dict[str, tuple[Tensor, Tensor]]:
    kept: dict[str, Tensor] = {}
    for layer, point in points.items():
        point.register_forward_hook(lambda _, __, output, layer=layer: kept.update({layer: output}))
    scored = score(x.requires_grad_())
    gradients = torch.autograd.grad(scored.sum(), list(kept.values()), materialize_grads=True)
    return {layer: (kept[layer][0].detach(), g[0]) for layer, g in zip(kept, gradients, strict=True)}


def _score(view: nn.Module, target: int, against: int | None, x: Tensor) -> Tensor:
    """Logit `target`, less logit `against` if there is one, for each row of x."""
    logits = check_logits(view(x))
    classes = logits.shape[1]
    for chosen in (target, against):
        if chosen is not None and not 0 <= chosen < classes:
            raise ValueError(f"There is no class {chosen}: choose one from 0 to {classes - 1}.")
    return logits[:, target] if against is None else logits[:, target] - logits[:, against]
