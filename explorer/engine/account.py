"""From the last feature maps to the answer: what each position of each map adds to a class's logit.

What follows the last maps is mostly piecewise linear: pooling, flattening, dense layers, ReLU. With every
ReLU and every maximum as it is for this image it is linear, and the logit is a sum: of each value times its
derivative, and of what the biases add. For anything else the same sum is a first-order approximation. Where
branches run side by side to the end, as in an ensemble, the rest of the logit comes past these maps.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from explorer.engine.flow import WEIGHTED, Flow
from explorer.engine.layouts import FIRST
from explorer.engine.passes import to_numpy
from explorer.engine.values import Floats, Value
from model.problems import Problem

EXACT = 1e-4  # of the logit, at least of 1: a smaller residual is float32's rounding
NONE = Problem(
    "The network has no feature maps with positions that a gradient of the class reaches, so its logit "
    "cannot be divided among them: choose another network."
)


@dataclass(frozen=True, eq=False)
class Account(Value):
    """A class's logit for one image as a sum: logit = contributions.sum() + constant + residual.

    `maps` float32 (C, h, w) are the last feature maps, which `layer` gives or, if `read`, reads; if `after`,
    what follows the layer computes them. `contributions` (C, h, w) are each of their values times the
    derivative of the logit by it. `constant` is what the biases behind the maps add, with every ReLU and
    maximum as it is for this image. `residual` is what this leaves over: rounding where the network is
    piecewise linear behind the maps, else what a first-order approximation misses; if `passed`, also the part
    of the logit that comes past these maps, through other branches. `units` float32 (U,), None without a
    hidden layer, are what the last dense layer reads, the outputs that follow `hidden`; their contributions
    and `unit_constant` add up to the same logit.
    """

    layer: str
    read: bool
    target: int
    logit: float
    maps: Floats
    contributions: Floats
    constant: float
    residual: float
    hidden: str = ""
    units: Floats | None = None
    unit_contributions: Floats | None = None
    unit_constant: float | None = None
    after: bool = False
    passed: bool = False
    rounding: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether the sum is the logit, to EXACT or the rounding of the network's least exact numbers."""
        return abs(self.residual) <= max(EXACT, self.rounding) * max(1.0, abs(self.logit))

    @property
    def channels(self) -> Floats:
        """What each channel adds, over all positions, (C,)."""
        return np.asarray(self.contributions.sum((-2, -1)))

    @property
    def positions(self) -> Floats:
        """What each position adds, over all channels, (h, w)."""
        return np.asarray(self.contributions.sum(-3))


def account(net: nn.Module, x: Tensor, target: int) -> Account:
    """The Account of one image x, float (1, C, h, w), for one class.

    Raises Problem for an unknown class, and where no maps with positions reach the logit.
    """
    return account_of(Flow(net, x, target))


def account_of(flow: Flow) -> Account:
    """The Account of a pass; raises Problem where no maps with positions reach the logit.

    Of the last maps; but of earlier ones where only these have all of the logit and add up to it.
    """
    divided = [index for index in reversed(flow.leaves) if _is_divided(flow, index)]
    if not divided:
        raise NONE
    last = _account_at(flow, divided[0])
    whole = next((index for index in divided if not flow.passed(index)), None) if last.passed else None
    earlier = None if whole is None else _account_at(flow, whole)
    return earlier if earlier and earlier.exact else last


def _account_at(flow: Flow, last: int) -> Account:
    maps = _maps(flow, last, flow.leaves[last])
    contributions = _maps(flow, last, flow.contributed(last))
    constant = sum(_added(flow, index) for index in flow.leaves if index > last)
    residual = flow.logit - float(contributions.double().sum()) - constant
    layer, read, after = _name_of(flow, last)
    hidden, units, of_units, rest = _units(flow, last)
    return Account(
        layer, read, flow.target, flow.logit, to_numpy(maps), to_numpy(contributions), constant, residual,
        hidden, units, of_units, rest, after, flow.passed(last), flow.rounding,
    )  # fmt: skip


def _is_divided(flow: Flow, index: int) -> bool:
    """Whether a step gives feature maps of the image with positions, which the class's gradient reaches.

    Maps of several parts or copies of the image, which run as one batch, are not those of the image; nor is
    what was made of it before any layer or function with weights, or of something else, as by the other
    branch of a Siamese network.
    """
    step, gradient = flow.steps[index], flow.leaves[index].grad
    has_positions = step.layout is not None and step.shape[-2] * step.shape[-1] > 1
    weighted = any(each.kind in WEIGHTED for each in flow.steps[: index + 1])
    if not weighted or not has_positions or gradient is None or not bool(gradient.any()):
        return False
    of_image = flow.of_image()
    if index not in of_image and len(flow.steps) - 1 in of_image:
        return False
    return len((step.layout or FIRST).maps(flow.leaves[index])) == 1


def _maps(flow: Flow, index: int, values: Tensor) -> Tensor:
    """Values like a step's output as one image's maps (C, h, w)."""
    return (flow.steps[index].layout or FIRST).maps(values)[0]


def _name_of(flow: Flow, index: int) -> tuple[str, bool, bool]:
    """The layer that gives a step's output; else one that reads it, with True; else the nearest before, with
    True as the last.
    """
    steps = flow.steps
    if steps[index].path is not None:
        return steps[index].name, False, False
    for step in steps[index + 1 :]:
        if step.path is not None and index in step.sources:
            return step.name, True, False
    before = (step.name for step in reversed(steps[:index]) if step.path is not None or not step.sources)
    return next(before), False, True


def _added(flow: Flow, index: int) -> float:
    """What the bias of a layer behind the maps adds to the logit, or what a function does."""
    if flow.steps[index].path is None:
        return flow.constant(index)
    step, gradient = flow.steps[index], flow.leaves[index].grad
    module = flow.modules[step.path or ""]
    offset = _offset(module)
    if offset is None or gradient is None:
        return flow.constant(index)
    if step.layout is not None:
        gradient = step.layout.maps(gradient)
    elif isinstance(module, nn.Linear):
        gradient = gradient.movedim(-1, 1)
    return float((gradient * offset.reshape(-1, *(1,) * (gradient.ndim - 2))).double().sum())


def _units(flow: Flow, last: int) -> tuple[str, Floats | None, Floats | None, float | None]:
    """The dense layer before the last one, what the last one reads (U,), what each adds and what is left.

    Nothing where there is one dense layer only.
    """
    steps = flow.steps
    dense = [index for index in flow.leaves if index > last and _is_dense(flow, index)]
    if len(dense) < 2 or len(steps[dense[-1]].sources) != 1:
        return "", None, None, None
    source = steps[dense[-1]].sources[0]
    if source not in flow.leaves or flow.leaves[source].grad is None:
        return steps[dense[-2]].name, None, None, None
    units, added = flow.leaves[source].flatten(), flow.contributed(source).flatten()
    rest = flow.logit - float(added.double().sum())
    return steps[dense[-2]].name, to_numpy(units), to_numpy(added), rest


def _is_dense(flow: Flow, index: int) -> bool:
    """Whether a step is a layer that makes one row of values into another of another length."""
    step, read = flow.steps[index], flow.reads[index]
    rows = flow.leaves[index].ndim == 2 and bool(read) and read[0].ndim == 2
    return step.path is not None and rows and read[0].shape != flow.leaves[index].shape


def _offset(module: nn.Module) -> Tensor | None:
    """What an affine layer gives of zeros, by unit or channel; None for a layer that is none."""
    if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
        return module.bias
    if isinstance(module, _BatchNorm) and module.running_mean is not None and module.running_var is not None:
        scale = (module.running_var + module.eps).rsqrt() * (1 if module.weight is None else module.weight)
        shift = -module.running_mean * scale
        return shift if module.bias is None else shift + module.bias
    return None
