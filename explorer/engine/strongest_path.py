"""From a class back to the pixels: the strongest evidence at every layer, with the arithmetic of each step.

Every layer's output becomes a leaf of its own in one forward pass, so that the graph of any tensor reaches
back to the nearest layers only. What is computed outside of modules (a skip's addition, a concatenation, a
flattening) or cannot be spelled out is followed by its derivatives to these.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from explorer.engine.attribution.gradients import score_of
from explorer.engine.calls import Call, version_of
from explorer.engine.passes import check_images, layer_module, recording_calls, to_numpy
from explorer.engine.prediction import Prediction, prediction
from explorer.engine.probe import (
    ActStep,
    ConvStep,
    NormStep,
    PoolStep,
    agree,
    convolution_step,
    later_step,
    rounding_of,
    window_of,
)
from explorer.engine.stage import stage_of
from explorer.engine.values import Doubles, Floats, Value
from model.nets import check_logits
from model.problems import Problem

Position = tuple[int, ...]
"""(channel, row, column) of feature maps, (unit,) of a vector."""
MOST_PARTS = 6  # of an operation, shown one by one; the others are summed up


@dataclass(frozen=True)
class PixelStep:
    """Where the path begins: one value of the network's input, at `position` (channel, row, column)."""

    position: Position
    value: float


@dataclass(frozen=True, eq=False)
class MapStep(Value):
    """One position of a layer's map: its `arithmetic`, the map `read` of the channel that is followed and the
    map `made` of the position's channel, float32 (h, w), or vectors (U,) where the layer reads one.

    `source` is the layer whose output it read, "" the image, None where something came in between; `origin`
    is the position of what it read that the path comes from.
    """

    layer: str
    position: Position
    origin: Position
    source: str | None
    arithmetic: ConvStep | NormStep | ActStep | PoolStep
    read: Floats
    made: Floats

    @property
    def value(self) -> float:
        """What the network computed."""
        return self.arithmetic.traced


@dataclass(frozen=True, eq=False)
class DenseStep(Value):
    """One unit of a dense layer: value = Σ inputs · weights + bias, both float32 (I,), `origin` followed."""

    layer: str
    position: Position
    origin: Position
    inputs: Floats
    weights: Floats
    bias: float
    traced: float

    @property
    def products(self) -> Doubles:
        """Inputs times weights, (I,)."""
        return self.inputs.astype(np.float64) * self.weights

    @property
    def value(self) -> float:
        """The sum of the products and the bias."""
        return float(self.products.sum()) + self.bias


@dataclass(frozen=True)
class FlattenStep:
    """Maps of `shape` (C, h, w) as one vector: the value at `origin` of `layer` is number `position`."""

    layer: str
    shape: tuple[int, ...]
    origin: Position
    position: Position
    value: float


@dataclass(frozen=True)
class Part:
    """A value of an earlier layer, "" for the image, and the derivative by it of what is computed from it."""

    layer: str
    position: Position
    value: float
    derivative: float

    @property
    def contribution(self) -> float:
        """Derivative times value."""
        return self.derivative * self.value


@dataclass(frozen=True)
class OperationStep:
    """What is not spelled out, by derivatives: value = Σ contributions of the parts + `others` + `remainder`.

    `layer` did it, or "" where it happened outside of modules. The largest parts come first; the path comes
    from the first one. `sources` are the layers that it depends on, `count` values of them. The remainder is
    zero up to rounding for anything linear without a constant.
    """

    layer: str
    kind: str
    position: Position
    value: float
    parts: tuple[Part, ...]
    others: float
    remainder: float
    count: int
    sources: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class PredictionStep(Value):
    """The end of the path: all logits and probabilities, and the class `target` that the path leads to."""

    target: int
    prediction: Prediction

    @property
    def value(self) -> float:
        """The logit of the class."""
        return float(self.prediction.logits[self.target])


PathStep = PixelStep | MapStep | DenseStep | FlattenStep | OperationStep | PredictionStep


@dataclass(frozen=True, eq=False)
class StrongestPath(Value):
    """The steps from the pixels to the class. Not `complete` where the path does not reach the image: there
    it begins with the first step whose origin no derivative tells.
    """

    target: int
    steps: tuple[PathStep, ...]

    @property
    def complete(self) -> bool:
        """Whether it begins with a pixel."""
        return isinstance(self.steps[0], PixelStep)


def strongest_path(net: nn.Module, x: Tensor, target: int) -> StrongestPath:
    """The StrongestPath to a class for one image x, float (1, C, h, w).

    From the logit backward, each step goes on with the value that contributes most to it, in the direction in
    which that value raises the class's logit: the largest product of a dense layer; in a convolution the
    input channel with the largest sum of products, and there the largest product; the position that a
    pooling chose. Raises Problem for an unknown class, and for a network whose logits are not finite.
    """
    check_images(x, one=True)
    recorded = _RecordedPass()
    view = recording_calls(net, None, recorded.visit).requires_grad_(False)
    with torch.inference_mode(False), torch.enable_grad():
        image = x.detach().clone().requires_grad_()
        recorded.leaves[""] = image
        logits = check_logits(view(recorded.handed("", image)))
        score_of(target, None, 1).of(logits)
        if not bool(torch.isfinite(logits).all()):
            raise Problem("The network returns NaN or infinity for this image, so no class can be explained.")
        last = PredictionStep(target, prediction(net, to_numpy(logits)))
        steps = _Walk(view, recorded).back(logits, (target,))
    return StrongestPath(target, (*reversed(steps), last))


@dataclass(eq=False)
class _RecordedPass:
    """The calls of a pass by layer, and the leaf that stands for what each gave, (1, …)."""

    calls: dict[str, Call] = field(default_factory=dict)
    leaves: dict[str, Tensor] = field(default_factory=dict)
    copies: dict[int, tuple[str, Tensor, int]] = field(default_factory=dict)  # kept: no id is used again

    def visit(self, call: Call) -> Tensor | None:
        if not call.output.is_floating_point():
            return None
        self.calls[call.layer] = call
        self.leaves[call.layer] = call.output.detach().clone().requires_grad_()
        return self.handed(call.layer, self.leaves[call.layer])

    def handed(self, layer: str, leaf: Tensor) -> Tensor:
        """A copy of a leaf to go on with, since networks write in place."""
        copy = leaf.clone()
        self.copies[id(copy)] = (layer, copy, version_of(copy))
        return copy

    def layer_of(self, tensor: Tensor) -> str | None:
        """The layer whose output a tensor is, as long as nothing was written to it."""
        layer, copy, version = self.copies.get(id(tensor), ("", None, 0))
        return layer if copy is tensor and version_of(tensor) == version else None


@dataclass(eq=False)
class _Walk:
    """Walks back through a pass; `sign` is the direction in which a value raises the class's logit."""

    view: nn.Module
    recorded: _RecordedPass
    sign: float = 1.0
    steps: list[PathStep] = field(default_factory=list)

    def back(self, tensor: Tensor, position: Position) -> list[PathStep]:
        """The steps from a position of a tensor (1, …) of the pass to the image, the last one first."""
        origin = self._origin(tensor, position)
        while origin is not None and origin[0]:
            call = self.recorded.calls[origin[0]]
            origin = self._through(call, origin[1])
        if origin is not None:
            self.steps.append(PixelStep(origin[1], self.recorded.leaves[""][0][origin[1]].item()))
        return self.steps

    def _through(self, call: Call, position: Position) -> tuple[str, Position] | None:
        """Back through one layer: its step, and the layer and the position before it."""
        try:
            step = self._spelled_out(call, position)
        except Problem:  # it computes more than its kind says
            step = None
        if step is None:
            return self._operation(call.output, position, call.layer)
        self.steps.append(step)
        return self._origin(call.received, step.origin)

    def _spelled_out(self, call: Call, position: Position) -> MapStep | DenseStep | None:
        """The step of a layer of a known kind; None for another. Raises Problem where it computes more."""
        module = layer_module(self.view, call.layer)
        if isinstance(module, nn.Linear) and call.received.ndim == call.output.ndim == 2:
            return self._dense(module, call, position)
        if call.layout is not None and call.layout.order == "first" and call.received.ndim == 4:
            stage = stage_of(module)
            if stage == "conv":
                return self._convolution(module, call, position)
            if stage == "pool":
                return self._pooling(module, call, position)
        return self._alike(module, call, position) if call.received.shape == call.output.shape else None

    def _dense(self, module: nn.Linear, call: Call, position: Position) -> DenseStep | None:
        inputs, weights = to_numpy(call.received[0]), to_numpy(module.weight[position[0]])
        bias = 0.0 if module.bias is None else module.bias[position[0]].item()
        traced = call.output[0][position].item()
        followed = int((self.sign * inputs.astype(np.float64) * weights).argmax())
        step = DenseStep(call.layer, position, (followed,), inputs, weights, bias, traced)
        terms = float(np.abs(step.products).sum())
        if not agree(step.value, traced, terms, rounding_of(module, call.output)):
            return None
        self._turn(float(weights[followed]))
        return step

    def _convolution(self, module: nn.Module, call: Call, position: Position) -> MapStep:
        read, made = call.received[0].detach(), call.output[0].detach()
        step = convolution_step(module, call.layer, read, made, _three(position))
        products = np.where(step.padding, -np.inf, self.sign * step.products)
        inner = int((self.sign * step.products).sum((1, 2)).argmax())
        i, j = _strongest(products[inner])
        origin = (step.channels[inner], int(step.rows[i]), int(step.columns[j]))
        self._turn(float(step.kernel[inner, i, j]))
        return self._map_step(call, position, origin, step)

    def _pooling(self, module: nn.Module, call: Call, position: Position) -> MapStep | None:
        read, made = call.received[0].detach(), call.output[0].detach()
        step = window_of(module, call.layer, read, made, _three(position))
        if step is None:
            return None
        window = step.followed
        i, j = _strongest(np.where(window.padding, -np.inf, self.sign * window.values))
        row_column = window.winner or (int(window.rows[i]), int(window.columns[j]))
        return self._map_step(call, position, (position[0], *row_column), step)

    def _alike(self, module: nn.Module, call: Call, position: Position) -> MapStep | None:
        """A normalization, an activation, or a layer that hands on every value."""
        kind, stage = type(module).__name__, stage_of(module)
        if isinstance(module, nn.Softmax | nn.LogSoftmax | nn.Softmax2d):
            return None
        if stage == "norm" and call.output.ndim == 4:
            step = later_step(
                module, call.layer, call.received[0].detach(), call.output[0].detach(), _three(position)
            )
            if not isinstance(step, NormStep):
                return None
            self._turn(step.weight)
            return self._map_step(call, position, position, step)
        if stage == "act" or torch.equal(call.received, call.output):
            before, after = call.received[0][position].item(), call.output[0][position].item()
            return self._map_step(call, position, position, ActStep(call.layer, kind, before, after, after))
        return None

    def _map_step(
        self, call: Call, position: Position, origin: Position, step: ConvStep | NormStep | ActStep | PoolStep
    ) -> MapStep:
        read, made = call.received[0], call.output[0]
        pair = (read[origin[0]], made[position[0]]) if made.ndim == 3 else (read, made)
        return MapStep(call.layer, position, origin, call.source, step, *map(to_numpy, pair))

    def _turn(self, weight: float) -> None:
        self.sign *= -1.0 if weight < 0 else 1.0

    def _origin(self, tensor: Tensor, position: Position) -> tuple[str, Position] | None:
        """The layer and the position that a position of a tensor between layers comes from, with a step if
        any.
        """
        layer = self.recorded.layer_of(tensor)
        return self._operation(tensor, position, "") if layer is None else (layer, position)

    def _operation(self, tensor: Tensor, position: Position, layer: str) -> tuple[str, Position] | None:
        """Back by derivatives from a position to the nearest layers; None where there are none."""
        value = tensor[0][position]
        parts = self._parts(value) if value.requires_grad else {}
        every = np.concatenate([one.ravel() for one in parts.values()]) if parts else np.zeros(0)
        kind = type(layer_module(self.view, layer)).__name__ if layer else ""
        moved = self._moved(value, parts)
        if moved is not None and not layer and moved[1] == position:
            return moved  # handed on as it was
        if moved is not None and len(position) == 1 and len(moved[1]) == 3:
            shape = tuple(self.recorded.leaves[moved[0]].shape[1:])
            self.steps.append(FlattenStep(moved[0], shape, moved[1], position, value.item()))
            return moved
        largest = self._largest(parts)
        rest = float(every.sum()) - sum(part.contribution for part in largest)
        left = value.item() - float(every.sum())
        count = int(np.count_nonzero(every))
        self.steps.append(
            OperationStep(layer, kind, position, value.item(), largest, rest, left, count, tuple(parts))
        )
        if not largest:
            return None
        self._turn(largest[0].derivative)
        return largest[0].layer, largest[0].position

    def _parts(self, value: Tensor) -> dict[str, Doubles]:
        """Layer → derivative times value, of each of its values that a value depends on."""
        leaves = self.recorded.leaves
        given: tuple[Tensor | None, ...]
        try:
            given = torch.autograd.grad(value, list(leaves.values()), allow_unused=True, retain_graph=True)
        except RuntimeError:  # reentrant checkpointing refuses to give any
            given = (None,) * len(leaves)
        self.derivatives = {
            name: gradient[0].double().cpu().numpy()
            for name, gradient in zip(leaves, given, strict=True)
            if gradient is not None and bool(gradient.any())
        }
        return {
            name: gradient * leaves[name][0].detach().double().cpu().numpy()
            for name, gradient in self.derivatives.items()
        }

    def _moved(self, value: Tensor, parts: dict[str, Doubles]) -> tuple[str, Position] | None:
        """The layer and position whose value a value is, by its derivative of 1; None of anything else."""
        if len(parts) != 1:
            return None
        ((name, gradient),) = self.derivatives.items()
        if np.count_nonzero(gradient) != 1 or gradient.sum() != 1:
            return None
        position = tuple(int(index) for index in np.unravel_index(gradient.argmax(), gradient.shape))
        return (name, position) if self.recorded.leaves[name][0][position].item() == value.item() else None

    def _largest(self, parts: dict[str, Doubles]) -> tuple[Part, ...]:
        """The parts that contribute most in the direction of the class, the largest first."""
        terms: list[Part] = []
        for name, contributions in parts.items():
            derivatives = self.derivatives[name]
            indices = np.argwhere(derivatives)
            order = np.argsort(-self.sign * contributions[derivatives != 0], kind="stable")[:MOST_PARTS]
            for index in indices[order].tolist():
                value = self.recorded.leaves[name][0][tuple(index)].item()
                terms.append(Part(name, tuple(index), value, float(derivatives[tuple(index)])))
        terms.sort(key=lambda part: -self.sign * part.contribution)
        return tuple(terms[:MOST_PARTS])


def _strongest(values: Sequence[Doubles] | Doubles) -> tuple[int, int]:
    """The row and column of the largest value, of equal ones that nearest to the middle."""
    array = np.asarray(values)
    rows, columns = np.nonzero(array == array.max())
    middle = (np.array(array.shape) - 1) / 2
    nearest = int(((rows - middle[0]) ** 2 + (columns - middle[1]) ** 2).argmin())
    return int(rows[nearest]), int(columns[nearest])


def _three(position: Position) -> tuple[int, int, int]:
    channel, row, column = position
    return channel, row, column
