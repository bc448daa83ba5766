"""From the last feature maps to the answer: what each position of each map adds to a class's logit.

What follows the last maps is mostly piecewise linear: pooling, flattening, dense layers, ReLU. With every
ReLU and every maximum as it is for this image it is linear, and the logit is a sum: of each value times its
derivative, and of what the biases add. For anything else the same sum is a first-order approximation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from explorer.engine.attribution.gradients import LogitScore, Target, score_of
from explorer.engine.calls import Call
from explorer.engine.independence import pieces
from explorer.engine.passes import check_images, layer_module, recording_calls, to_numpy
from explorer.engine.values import Doubles, Floats, Integers, Rows, one_or_many
from model.nets import check_logits
from model.problems import Problem

EXACT = 1e-4  # of the logit, at least of 1: a smaller residual is float32's rounding
CHUNK = 64  # images at a time
NONE = Problem(
    "No gradient of the class reaches the network's last feature maps with positions, or it has none, so its "
    "logit cannot be divided among them: choose another network."
)


@dataclass(frozen=True, eq=False)
class Account(Rows):
    """A class's logit as a sum: logit = contributions.sum() + constant + residual.

    `maps` float32 (C, h, w) are the last feature maps, which `layer` gives or, if `read`, reads;
    `contributions` (C, h, w) are each of their values times the derivative of the logit by it. `constant` is
    what the biases behind the maps add, with every ReLU and maximum as it is for this image. `residual` is
    what this leaves over: rounding where the network is piecewise linear behind the maps, else what a
    first-order approximation misses. `units` float32 (U,), None without a hidden layer, are what the last
    dense layer reads, the outputs that follow `hidden`; their contributions and `unit_constant` add up to the
    same logit, but for `unit_residual`.
    """

    layer: str
    read: bool
    target: Integers
    logit: Doubles
    maps: Floats
    contributions: Floats
    constant: Doubles
    residual: Doubles
    hidden: str = ""
    units: Floats | None = None
    unit_contributions: Floats | None = None
    unit_constant: Doubles | None = None

    ROW: ClassVar[dict[str, int]] = {
        "maps": 3, "contributions": 3, "target": 0, "logit": 0, "constant": 0, "residual": 0,
        "units": 1, "unit_contributions": 1, "unit_constant": 0,
    }  # fmt: skip

    @property
    def exact(self) -> bool:
        """Whether the sum is the logit of every image, to EXACT."""
        return bool(np.all(np.abs(self.residual) <= EXACT * np.maximum(1, np.abs(self.logit))))

    @property
    def channels(self) -> Floats:
        """What each channel adds, over all positions, (C,)."""
        return np.asarray(self.contributions.sum((-2, -1)))

    @property
    def positions(self) -> Floats:
        """What each position adds, over all channels, (h, w)."""
        return np.asarray(self.contributions.sum(-3))


def account(net: nn.Module, x: Tensor, target: Target) -> Account:
    """The Account of images x, float (N, C, h, w), for one class or one each.

    Raises Problem for an unknown class, and where no maps with positions reach the logit.
    """
    check_images(x)
    score = score_of(target, None, len(x))
    parts = [_of_part(net, x[rows], score.rows(rows)) for rows in pieces(net, x, CHUNK)]
    first = parts[0]
    joined: dict[str, Any] = {
        name: None
        if getattr(first, name) is None
        else np.concatenate([getattr(part, name) for part in parts])
        for name in Account.ROW
    }
    return one_or_many(Account(layer=first.layer, read=first.read, hidden=first.hidden, **joined))


def _of_part(net: nn.Module, x: Tensor, score: LogitScore) -> Account:
    """The Account of images that may run together, its arrays with a leading N."""
    tail = _Tail()
    view = recording_calls(net, None, tail.visit).requires_grad_(False)
    with torch.inference_mode(False), torch.enable_grad():
        images = x.detach().clone().requires_grad_()
        with _Functions(tail):
            logits = check_logits(view(images.clone()))
        logit = score.of(logits)
        behind, hidden = list(tail.behind), tail.hidden()
        at = tail.tensors()
        wanted = [*at, *(call.output for call in behind), *([hidden[1]] if hidden else [])]
        reached = bool(wanted) and logit.requires_grad
        given = torch.autograd.grad(logit.sum(), wanted, allow_unused=True) if reached else ()
    gradients = dict(zip(map(id, wanted), given, strict=False))
    maps = next((one for one in at if _reached(gradients.get(id(one)))), None)
    if maps is None:
        raise NONE
    contributions = (maps * gradients[id(maps)]).detach()
    added = (_added(view, call, gradients[id(call.output)], len(x)) for call in behind)
    constant = sum(added, torch.zeros(len(x)))
    values = logit.detach().double().cpu()
    residual = values - contributions.double().sum((1, 2, 3)).cpu() - constant
    parts = _units(hidden, gradients, values)
    layer, read = tail.name_of(maps)
    return Account(
        layer, read, score.target.numpy(), values.numpy(), to_numpy(maps), to_numpy(contributions),
        constant.double().numpy(), residual.numpy(), hidden[0] if hidden else "", *parts,
    )  # fmt: skip


def _reached(gradient: Tensor | None) -> bool:
    return gradient is not None and bool(gradient.any())


def _units(
    hidden: tuple[str, Tensor] | None, gradients: Mapping[int, Tensor | None], logit: Tensor
) -> tuple[Floats | None, Floats | None, Doubles | None]:
    """What the last dense layer reads (N, U), what each adds, and what is added besides (N,)."""
    gradient = gradients.get(id(hidden[1])) if hidden else None
    if hidden is None or gradient is None:
        return None, None, None
    added = (hidden[1] * gradient).detach()
    return to_numpy(hidden[1]), to_numpy(added), (logit - added.double().sum(1).cpu()).numpy()


def _added(view: nn.Module, call: Call, gradient: Tensor | None, images: int) -> Tensor:
    """What the biases of a layer behind the maps add to the logits, float64 (N,) of N `images`.

    Some layers get the tokens of all images as rows of one tensor.
    """
    module = layer_module(view, call.layer)
    offset = _offset(module)
    if offset is None or gradient is None or len(gradient) % images:
        return torch.zeros(images, dtype=torch.float64)
    last = isinstance(module, nn.Linear) and call.layout is None
    across = offset if last else offset.reshape(-1, *(1,) * (gradient.ndim - 2))
    return (gradient * across).detach().double().reshape(images, -1).sum(1).cpu()


def _offset(module: nn.Module) -> Tensor | None:
    """What an affine layer gives of zeros, by unit or channel; None for a layer that is none."""
    if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
        return module.bias
    if isinstance(module, _BatchNorm) and module.running_mean is not None and module.running_var is not None:
        scale = (module.running_var + module.eps).rsqrt() * (1 if module.weight is None else module.weight)
        shift = -module.running_mean * scale
        return shift if module.bias is None else shift + module.bias
    return None


@dataclass(eq=False)
class _Tail:
    """What one pass leaves: the last tensor with feature maps, and the layers that ran after it."""

    size: tuple[int, ...] = ()  # (N, C, h, w) of the last maps with channels first
    maps: Tensor | None = None
    gives: dict[int, Call] = field(default_factory=dict)  # by the id of the maps that a layer gives
    reads: dict[int, Call] = field(default_factory=dict)
    others: list[Tensor] = field(default_factory=list)  # maps held otherwise: channels last, tokens
    behind: list[Call] = field(default_factory=list)

    def visit(self, call: Call) -> Tensor | None:
        if call.layout is None:
            self.behind.append(call)
            return call.output.clone() if call.output.is_floating_point() else None
        if _has_positions(call.output):
            return self._maps(call)
        if _has_positions(call.received):
            self.reads[id(call.received)] = call
            self.saw(call.received)
        self.behind.append(call)
        return None

    def _maps(self, call: Call) -> Tensor | None:
        """Note maps that a layer gives; those not held with channels first are handed on as a copy."""
        self.gives[id(call.output)] = call
        if call.layout is not None and call.layout.order == "first":
            self.saw(call.output)
            return None
        self.others.append(call.output)
        self.maps = None
        self.size = ()
        self.behind.clear()
        return call.output.clone()

    def saw(self, maps: Tensor) -> None:
        """Maps with channels first, later than all before."""
        self.maps, self.size = maps, tuple(maps.shape)
        self.behind.clear()

    def tensors(self) -> list[Tensor]:
        """The tensors that may be the last maps, the latest first, of those that have a gradient."""
        every = [*([] if self.maps is None else [self.maps]), *reversed(self.others)]
        return [maps for maps in every if maps.requires_grad]

    def name_of(self, maps: Tensor) -> tuple[str, bool]:
        """The layer that gives these maps, or else one that reads them; the nearest before if none does."""
        if id(maps) in self.gives:
            return self.gives[id(maps)].layer, False
        if id(maps) in self.reads:
            return self.reads[id(maps)].layer, True
        return next(reversed(self.gives.values())).layer if self.gives else "", False

    def hidden(self) -> tuple[str, Tensor] | None:
        """The dense layer before the last one, and what the last one reads (N, U); None with one only."""
        dense = [call for call in self.behind if call.output.ndim == 2 and call.received.ndim == 2]
        dense = [call for call in dense if call.output.shape != call.received.shape]
        return (dense[-2].layer, dense[-1].received) if len(dense) > 1 else None


def _has_positions(maps: Tensor) -> bool:
    return maps.ndim == 4 and maps.shape[2] * maps.shape[3] > 1


class _Functions(TorchFunctionMode):
    """Shows a tail what functions outside of modules make of its maps, such as a sum with a skip."""

    def __init__(self, tail: _Tail) -> None:
        super().__init__()
        self.tail = tail

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        size = self.tail.size
        if size and type(result) is Tensor and result.ndim == 4 and result.requires_grad:
            count, _, *sides = result.shape
            if (count, *sides) == (size[0], *size[2:]):
                self.tail.saw(result)
        return result
