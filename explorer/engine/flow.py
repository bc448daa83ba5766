"""What flows to a class: what each channel of each layer contributes to its logit, and through what.

One forward pass, in which every step hands on a copy of its output that begins a graph of its own, and one
backward pass from step to step. So each step can be taken apart by itself.
"""

import math
from collections.abc import Callable, Iterable
from threading import Lock

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from explorer.engine.attribution.gradients import score_of, without_gradient
from explorer.engine.dataflow import Dataflow, FlowStep
from explorer.engine.graph import graph_of
from explorer.engine.passes import check_images, to_numpy
from explorer.engine.values import Floats
from model.nets import check_logits
from model.problems import Problem

THROUGH = ("add", "concat", "flatten", "multiply")
"""Kinds of steps that are no source of their own: the lines begin at the layers before them."""
AFFINE = ("add", "conv", "dense")
"""Kinds of functions that are linear in what they read, but for something that they add."""
WEIGHTED, WITH_REST = ("conv", "dense"), ("add", "concat", "norm", "act")
"""Kinds with a bias, which are linear unless their weights depend on the image too; others with a rest."""
TINY = 1e-12
CLOSE = 1e-4  # how far, relative to all of them, parts may be from their sum


def channel_contributions(net: nn.Module, x: Tensor, layers: Iterable[str], target: int) -> dict[str, Floats]:
    """What each channel of these layers contributes to a class's logit for one image x, float (1, C, h, w).

    As `Flow.contributions`; raises Problem for a class or a layer that is not there, and ValueError for
    another shape of x.
    """
    return Flow(net, x, target).contributions(layers)


def inflow(net: nn.Module, x: Tensor, layer: str, channel: int, target: int) -> dict[str, Floats]:
    """Through what one channel of a layer contributes to a class's logit for one image x, float (1, C, h, w).

    As `Flow.inflow`, with its errors and those of `channel_contributions`.
    """
    return Flow(net, x, target).inflow(layer, channel)


class Flow:
    """One forward and backward pass of one image x, float (1, C, h, w), toward a class's logit, to ask often.

    It holds every step of the pass, each with its output as a graph that begins at the leaves of its sources:
    too much to be kept of a large network. Layers and functions are named as in `graph`, the Graph of the
    pass; "" is the image. Several threads may ask at once.
    """

    def __init__(self, net: nn.Module, x: Tensor, target: int) -> None:
        check_images(x, one=True)
        self.outputs: dict[int, Tensor] = {}
        self.leaves: dict[int, Tensor] = {}
        self.reads: dict[int, tuple[Tensor, ...]] = {}
        self.counts: dict[int, tuple[int, ...]] = {}
        self.rounding = torch.finfo(torch.float32).eps
        self._one_at_a_time = Lock()
        flow = Dataflow(net, self._cut)
        self.steps, self.modules = flow.steps, flow.modules
        with torch.inference_mode(False), torch.enable_grad():
            score = score_of(target, None, 1).of(check_logits(_run(flow, x)))
            self.target, self.logit = target, float(score.detach().double())
            if score.requires_grad:
                score.sum().backward()  # type: ignore[no-untyped-call]
            for index in reversed(self.outputs):
                output, gradient = self.outputs[index], self.leaves[index].grad
                if gradient is not None and output.requires_grad:
                    # A copy: the next gradients may be added up in the memory of this one.
                    output.backward(gradient.clone(), retain_graph=True)  # type: ignore[no-untyped-call]
        self.graph = graph_of(net, flow)
        flow.on_step = _nothing  # it no longer holds this, which so ends with its last use

    @property
    def close(self) -> float:
        """CLOSE, or the rounding of the least exact numbers of the pass."""
        return max(CLOSE, self.rounding)

    def _cut(self, index: int, step: FlowStep) -> Tensor | None:
        if step.output is None or not step.output.is_floating_point():
            return None
        self.outputs[index] = step.output
        # As they were read: the network may write into them later.
        read = step.read or tuple(self.leaves[source] for source in step.sources if source in self.leaves)
        self.reads[index] = tuple(tensor.clone() for tensor in read)
        self.counts[index] = tuple(map(_count, read))
        self.rounding = max(self.rounding, torch.finfo(step.output.dtype).eps)
        self.leaves[index] = step.output.detach().requires_grad_()  # the network goes on with a copy
        return self.leaves[index].clone()

    def contributions(self, layers: Iterable[str]) -> dict[str, Floats]:
        """Layer → what each of its channels contributes, float32 (C,), signed, in units of the logit.

        It is gradient × activation, summed over positions; where there are no positions C are the values.
        Where everything behind a layer is linear apart from ReLU and max pooling, the sum over C is the logit
        minus the part that the biases behind the layer cause; elsewhere it is that of the linear function
        that touches the network here. Layers that no gradient reaches and those whose values have no channels
        are left out. Raises Problem for a layer that is not there.
        """
        by_layer = {layer: self._contributions(self._index_of(layer)) for layer in layers}
        return {layer: to_numpy(values) for layer, values in by_layer.items() if values is not None}

    def _contributions(self, index: int) -> Tensor | None:
        leaf = self.leaves.get(index)
        if leaf is None or leaf.grad is None or not self._has_channels(index):
            return None
        return self._by_channel(index, self.contributed(index))

    def contributed(self, index: int) -> Tensor:
        """Gradient × value of a step's output, of its shape; 0 where the logit does not depend on it."""
        leaf = self.leaves[index]
        return torch.zeros_like(leaf) if leaf.grad is None else _weighed(leaf.detach(), leaf.grad)

    def constant(self, index: int) -> float:
        """What a step of an AFFINE kind adds to the logit by itself, as a bias does; else 0."""
        step, gradient, output = self.steps[index], self.leaves[index].grad, self.outputs[index]
        known = bool(step.sources) and all(source in self.leaves for source in step.sources)
        affine = step.kind == "add" or len(step.sources) == 1  # else its weights depend on the image too
        if step.kind not in AFFINE or not (known and affine):
            return 0.0
        if gradient is None or not output.requires_grad:
            return 0.0
        leaves = [self.leaves[source] for source in step.sources]
        with self._one_at_a_time, torch.inference_mode(False):
            given = torch.autograd.grad(output, leaves, gradient, retain_graph=True, allow_unused=True)
        held = {source for source, part in zip(step.sources, given, strict=True) if part is None}
        if len(held) < sum(not tensor.requires_grad for tensor in self.reads[index]):
            held = set(step.sources)  # one of them is read detached and otherwise
        if held & self.of_image():  # what it adds is no constant
            return 0.0
        pairs = zip(leaves, given, strict=True)
        through = [(leaf.detach() * part).double().sum() for leaf, part in pairs if part is not None]
        return float(self.contributed(index).double().sum() - sum(through))

    def passed(self, index: int) -> bool:
        """Whether a part of the logit comes past a step, by a way from the image that it is not on."""
        relevant = {at for at, leaf in self.leaves.items() if leaf.grad is not None and bool(leaf.grad.any())}
        sources = {at: relevant & self._sources(at) for at in relevant}
        read = {source for each in sources.values() for source in each}
        beside = set[int]()  # steps with such a way to them
        for at in sorted(relevant - {index}):
            if not sources[at] or sources[at] & beside:
                beside.add(at)
        return bool(beside - read)

    def of_image(self) -> set[int]:
        """The image and the steps that are computed from it."""
        reached = {0}
        for index, step in enumerate(self.steps):
            if reached.intersection(step.sources):
                reached.add(index)
        return reached

    def _sources(self, index: int) -> set[int]:
        """The steps with values of their own that a step read, also through one that gave several tensors."""
        sources = set[int]()
        for source in self.steps[index].sources:
            sources |= {source} if source in self.leaves else self._sources(source)
        return sources

    def inflow(self, layer: str, channel: int) -> dict[str, Floats]:
        """Source layer → what each of its channels, float32 (C,), contributes through a channel of a layer.

        The sources are the layers or functions that the layer reads, none for the image. Additions,
        concatenations, flattening, and multiplications by a constant or by a gate, which is held, are looked
        through to what they read. All values of all sources, plus the part of the bias, add up to the
        channel's value in `contributions`:

        - a convolution, linear layer, batch normalization or addition: input × weight × the gradient here;
          the rest is the bias (β − γμ/σ of a batch normalization) × that gradient, summed over positions, and
          what an addition reads detached from the gradient;
        - a layer, group or instance normalization: the same, with its statistics held;
        - an activation, another function of each value by itself, or another norm: everything, as output ÷
          input at each position is held; nothing is left for a bias, except where the input is 0 and the
          output is not;
        - pooling, dropout and other layers: input × gradient, where that adds up to everything.

        Raises Problem for a layer or channel that is not there, and for a layer that cannot be split: one
        that mixes channels in another way, as attention and softmax do, or a product of two layers.
        """
        start = self._index_of(layer)
        with self._one_at_a_time, torch.inference_mode(False):
            lines = self._lines(start, self._only(start, self._gradient(start), channel))
        return {self.steps[index].name: to_numpy(values) for index, values in sorted(lines.items())}

    def _lines(self, start: int, multiplier: Tensor) -> dict[int, Tensor]:
        """Source → its part by channel, from what the values of the first step are multiplied by."""
        pending, lines = {start: multiplier}, dict[int, Tensor]()
        while pending:
            at = max(pending)
            multiplier = pending.pop(at)
            if at != start and not self._is_looked_through(at):
                lines[at] = self._by_channel(at, _weighed(self.leaves[at].detach(), multiplier))
                continue
            for source, part in self._back(at, multiplier).items():
                pending[source] = pending[source] + part if source in pending else part
        return lines

    def _index_of(self, layer: str) -> int:
        for index, step in enumerate(self.steps):
            if step.name == layer:
                return index
        raise Problem("Layer {layer} did not run on this input: choose another layer.", layer=repr(layer))

    def _gradient(self, index: int) -> Tensor:
        if index not in self.leaves:
            raise _no_real_tensor(self.steps[index])
        gradient = self.leaves[index].grad
        if gradient is None:
            raise without_gradient(self.steps[index].name)
        return gradient

    # By channel

    def _has_channels(self, index: int) -> bool:
        step, leaf = self.steps[index], self.leaves[index]
        return len(leaf) == 1 and (step.layout is not None or leaf.ndim == 2)

    def _by_channel(self, index: int, values: Tensor) -> Tensor:
        """Values like a step's output, summed over positions: (C,)."""
        if not self._has_channels(index):
            raise Problem(
                "Layer {layer} gives values of shape {shape}, which are not feature maps: choose another "
                "layer.",
                layer=repr(self.steps[index].name),
                shape=tuple(values.shape),
            )
        layout = self.steps[index].layout
        maps = layout.maps(values) if layout else values
        return maps[0].flatten(1).sum(1) if maps.ndim > 2 else maps[0]

    def _only(self, index: int, values: Tensor, channel: int) -> Tensor:
        """Values like a step's output, with 0 for whatever is not of this channel."""
        last = len(self._by_channel(index, values)) - 1
        if not 0 <= channel <= last:
            raise Problem(
                "There is no channel {number}: choose one from 0 to {last}.", number=channel, last=last
            )
        layout, mask = self.steps[index].layout, torch.zeros_like(values)
        if layout is None or layout.order == "first":
            mask[:, channel] = 1
        elif layout.order == "last":
            mask[..., channel] = 1
        else:
            ones = torch.zeros_like(layout.maps(values))
            ones[:, channel] = 1
            mask = layout.filled(mask, ones)
        return values * mask

    # From a step to those before it

    def _is_looked_through(self, index: int) -> bool:
        step = self.steps[index]
        if step.kind != "multiply" or index not in self.reads:
            return step.kind in THROUGH
        return len(self.reads[index]) == 1 or self.gated(index) is not None

    def gated(self, index: int) -> Tensor | None:
        """Of the two tensors that are multiplied the one that the other, which has fewer values, weighs."""
        reads, counts, output = self.reads[index], self.counts[index], self.outputs[index]
        for one, other in ((0, 1), (1, 0)) if len(reads) == 2 else ():
            if reads[one].shape == output.shape and counts[other] < counts[one]:
                return reads[one]
        return None

    def _back(self, index: int, multiplier: Tensor) -> dict[int, Tensor]:
        """What the values of each source are multiplied by, of what a step's values are multiplied by."""
        step = self.steps[index]
        if not step.sources:
            return {}
        for at in (index, *step.sources):
            if at not in self.leaves:
                raise _no_real_tensor(self.steps[at])
        tensor, weights = SPLITS.get(step.kind, _linear)(self, index, multiplier)
        leaves = [self.leaves[source] for source in step.sources]
        if not tensor.requires_grad:
            raise without_gradient(step.name)
        given = torch.autograd.grad(tensor, leaves, weights, retain_graph=True, allow_unused=True)
        parts = {source: part for source, part in zip(step.sources, given, strict=True) if part is not None}
        weighted = step.kind in WEIGHTED and len(self.reads[index]) > 1
        if weighted or step.kind not in (*WEIGHTED, *WITH_REST):
            self._check_sum(index, multiplier, parts)
        return parts

    def _check_sum(self, index: int, multiplier: Tensor, parts: dict[int, Tensor]) -> None:
        whole = (self.outputs[index].detach() * multiplier).double().sum()
        lines = [(self.leaves[source].detach() * part).double() for source, part in parts.items()]
        size = sum(float(values.abs().sum()) for values in lines)
        if abs(sum(float(values.sum()) for values in lines) - float(whole)) > self.close * max(size, TINY):
            raise _cannot(self.steps[index])


def _run(flow: Dataflow, x: Tensor) -> object:
    """What the network returns; Problem where its forward asks for gradients between steps that are cut."""
    try:
        return flow.run(x.detach().clone())
    except RuntimeError as error:
        if "used in the graph" not in str(error) and "require grad" not in str(error):
            raise
        raise Problem(
            "This network computes gradients in its forward, so its layers cannot be followed one by one: "
            "open another page."
        ) from error


def _count(tensor: Tensor) -> int:
    """How many values a tensor has, each that is repeated in memory once."""
    if tensor.layout is not torch.strided:
        return tensor.numel()
    sizes = zip(tensor.shape, tensor.stride(), strict=True)
    return math.prod(size for size, step in sizes if step)


def _weighed(values: Tensor, weights: Tensor) -> Tensor:
    """The product; 0 where the weight is, also of infinity, as the value of a masked class is."""
    return (values * weights).masked_fill(weights == 0, 0)


def _nothing(_: int, __: FlowStep) -> None:
    """What is to be done with a step of a pass that is over."""


# How a step is split: a tensor, and weights of it, whose gradients are the multipliers of the sources.
Split = Callable[[Flow, int, Tensor], tuple[Tensor, Tensor]]


def _linear(flow: Flow, index: int, multiplier: Tensor) -> tuple[Tensor, Tensor]:
    """For a linear step, with a bias or without, and one that hands on some of its values, as max pooling."""
    return flow.outputs[index], multiplier


def _product(flow: Flow, index: int, multiplier: Tensor) -> tuple[Tensor, Tensor]:
    output, reads = flow.outputs[index], flow.reads[index]
    if len(reads) == 1:
        return output, multiplier
    if (gated := flow.gated(index)) is None:
        raise _no_weights(flow.steps[index])
    return gated, _ratio(output, gated) * multiplier


def _act(flow: Flow, index: int, multiplier: Tensor) -> tuple[Tensor, Tensor]:
    step, reads, output = flow.steps[index], flow.reads[index], flow.outputs[index]
    kind = step.name if step.path is None else type(flow.modules[step.path]).__name__
    mixes = any(part in kind.lower() for part in ("softmax", "softmin", "glu"))
    if mixes or len(reads) != 1 or reads[0].shape != output.shape:
        raise _cannot(step)
    return reads[0], _ratio(output, reads[0]) * multiplier


def _other(flow: Flow, index: int, multiplier: Tensor) -> tuple[Tensor, Tensor]:
    """As an activation where each value is made of the one at its place, as by `pow`; else as linear."""
    sources, reads, output = flow.steps[index].sources, flow.reads[index], flow.outputs[index]
    if len(sources) != 1 or len(reads) != 1 or reads[0].shape != output.shape:
        return output, multiplier
    if not _is_elementwise(output, flow.leaves[sources[0]]):
        return output, multiplier
    return reads[0], _ratio(output, reads[0]) * multiplier


def _is_elementwise(output: Tensor, leaf: Tensor) -> bool:
    """Whether each value depends on the one at its place only: then v · Jᵀv is the same for any signs v."""
    if output.shape != leaf.shape or not output.requires_grad:
        return False
    random = torch.Generator().manual_seed(0)
    diagonals = []
    for _ in range(2):
        signs = torch.randint(2, output.shape, generator=random).to(output) * 2 - 1
        (gradient,) = torch.autograd.grad(output, [leaf], signs, retain_graph=True, allow_unused=True)
        diagonals.append(None if gradient is None else gradient * signs)
    one, other = diagonals
    return one is not None and other is not None and torch.equal(one, other)


def _ratio(output: Tensor, read: Tensor) -> Tensor:
    """Output ÷ input at each place, 0 where the input is 0."""
    output, read = output.detach(), read.detach()
    none = read.abs() < TINY
    return torch.where(none, 0, output / torch.where(none, 1, read))


def _norm(flow: Flow, index: int, multiplier: Tensor) -> tuple[Tensor, Tensor]:
    step = flow.steps[index]
    module = flow.modules[step.path] if step.path is not None else None
    if getattr(module, "running_mean", None) is not None or step.name.startswith("batch_norm"):
        return _linear(flow, index, multiplier)
    read = flow.reads[index][0]
    scale = None if module is None else _scale(module, read.detach())
    return _act(flow, index, multiplier) if scale is None else (read, scale * multiplier)


def _scale(module: nn.Module, read: Tensor) -> Tensor | None:
    """γ ÷ σ at each place of what a norm reads, by the statistics of this; None for an unknown norm."""
    if isinstance(module, nn.LayerNorm):
        dims = tuple(range(-len(module.normalized_shape), 0))
        if type(module).forward is not nn.LayerNorm.forward:
            return None
        scale = (read.var(dims, unbiased=False, keepdim=True) + module.eps).rsqrt()
        return (scale * (1 if module.weight is None else module.weight)).expand_as(read)
    if not isinstance(module, nn.GroupNorm | _BatchNorm | _InstanceNorm):
        return None
    count = module.num_groups if isinstance(module, nn.GroupNorm) else read.shape[1]
    groups = read.reshape(len(read), count, -1)
    scale = (groups.var(2, unbiased=False, keepdim=True) + module.eps).rsqrt().expand_as(groups)
    weight = 1 if module.weight is None else module.weight.reshape(-1, *[1] * (read.ndim - 2))
    return scale.reshape(read.shape) * weight


SPLITS: dict[str, Split] = {"multiply": _product, "act": _act, "norm": _norm, "other": _other}
"""By kind; others are linear, which is checked."""


def _cannot(step: FlowStep) -> Problem:
    return Problem(
        "What flows through layer {layer} cannot be split by channel, because it is not linear and does not "
        "work on each value by itself: choose another layer.",
        layer=repr(step.name),
    )


def _no_weights(step: FlowStep) -> Problem:
    return Problem(
        "What flows through layer {layer} cannot be split by channel, because it is a product of tensors of "
        "which none can be taken as the weights of the other: choose another layer.",
        layer=repr(step.name),
    )


def _no_real_tensor(step: FlowStep) -> Problem:
    return Problem(
        "What flows through layer {layer} cannot be split by channel, because it does not give one tensor of "
        "real numbers: choose another layer.",
        layer=repr(step.name),
    )
