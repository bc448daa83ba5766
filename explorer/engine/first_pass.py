"""What one forward and one backward pass of a network show, before anything is known of its outputs."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node, get_gradient_edge
from torch.nn.modules.batchnorm import _BatchNorm

from explorer.engine.calls import Call, version_of, visit_calls
from explorer.engine.copies import copied
from explorer.engine.findings import WITHOUT_TOKENS, Tokens
from explorer.engine.gradient_mode import answer_as_in_evaluation, questions
from explorer.engine.input_part import takes_parts
from explorer.engine.layouts import is_reordering, left_out_grids
from explorer.engine.outputs import choose, hand_on_copies, tensors_in
from explorer.engine.passes import (
    is_refused,
    keep_overwritten,
    layer_module,
    layer_path,
    leaf_paths,
    private_view,
)
from explorer.engine.stage import stage_of
from model.builders import reason_of
from model.problems import Problem
from model.words import N_

FINAL = {
    nn.Softmax: "probabilities",
    nn.Softmax2d: "probabilities",
    nn.LogSoftmax: "log-probabilities",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
}
"""Final activations whose input is the logits, and what their output is."""

SHAPING = ("View", "Reshape", "Squeeze", "Unsqueeze", "Slice", "Select", "Mean", "AdaptiveAvgPool", "ToCopy",
           "Permute", "Alias", "Clone", "Split", "Expand", "Transpose", "TBackward")  # fmt: skip


@dataclass(frozen=True, eq=False)
class PassOutcome:
    """What one forward pass showed, of `values` (1, K)."""

    name: str
    values: Tensor
    plain: bool
    operation: str
    dtype: torch.dtype  # of what the network returned
    scale: float  # that a constant factor after the operation gives
    last: str  # the last call of a layer with weights
    shape: tuple[int, ...]
    others: tuple[str, ...]
    activation: str
    final: str
    batch_norms: tuple[str, ...]
    reads: int | None = None  # channels of what the first convolution to run reads
    layers: tuple[str, ...] = ()
    without_gradient: tuple[str, ...] = ()
    vanished: bool = False
    on_image: Tensor | None = None  # the gradient of the largest value, where it reaches the image
    takes_parts: bool = True
    tokens: Tokens = WITHOUT_TOKENS
    in_parts: Mapping[str, int] = field(default_factory=dict)
    channels_last: bool = False
    unrelated: tuple[str, ...] = ()  # layers with maps that nothing is known of to come from the image


class _Call:
    """One call of a module; `with_graph` says whether a gradient of what comes later can get there."""

    def __init__(self, call: Call, view: nn.Module) -> None:
        self.layer, self.output, self.layout = call.layer, call.handed_on, call.layout
        module = layer_module(view, call.layer)
        self.stage, self.mixes = stage_of(module), call.mixes
        self.has_weights = isinstance(module, nn.Linear) or self.stage == "conv"
        self.gives_tokens = isinstance(module, nn.Linear) or self.stage in ("norm", "act")
        self.reorders = bool(call.read) and is_reordering(module, call.read[0], call.handed_on)
        self.in_parts = self.stage == "conv" and self.output.ndim == 4 and len(self.output) > 1
        self.with_graph = self.output.requires_grad
        self.version, self.received = version_of(self.output), call.received.shape


def watch(net: nn.Module, x: Tensor, name: str | None, classes: int) -> PassOutcome:
    """One forward pass with gradients of one image, and one backward pass of its largest output."""
    view = private_view(net)
    running = {path: value.clone() for path, value in view.named_buffers() if path.endswith("running_mean")}
    calls: list[_Call] = []
    by_batch = _watch_batchnorms(view)
    hand_on_copies(view)
    visit_calls(view, leaf_paths(view), lambda call: calls.append(_Call(call, view)))
    image = x.detach().clone().requires_grad_()
    returned = returned_by(view, image, gradients=True)
    name = choose(returned, name, classes)
    tensors = tensors_in(returned)
    values = as_row(tensors[name])
    operation, scale = _operation(values)
    activation = _final_activation(view, calls, tensors[name])
    changed = [path for path, before in running.items() if not torch.equal(view.get_buffer(path), before)]
    watched = PassOutcome(
        name=name,
        values=values,
        plain=tensors[name].shape == values.shape and tensors[name].dtype == values.dtype,
        operation=operation,
        dtype=tensors[name].dtype,
        scale=scale,
        last=next((call.layer for call in reversed(calls) if call.has_weights), ""),
        shape=tuple(tensors[name].shape),
        others=tuple(other for other in tensors if other != name),
        activation=activation,
        final=FINAL[type(view.get_submodule(activation))] if activation else "",
        batch_norms=tuple(dict.fromkeys((*by_batch, *(path.rpartition(".")[0] for path in changed)))),
        reads=_channels_read(calls),
        tokens=replace(_tokens(calls), wrong=tuple(sorted(grid for _, grid in left_out_grids(net)))),
        in_parts={call.layer: len(call.output) for call in calls if call.in_parts},
        unrelated=_unrelated([call for call in calls if call.layout is not None], image),
        channels_last=any(call.layout is not None and call.layout.order == "last" for call in calls),
    )
    return _with_gradients(watched, image, [call for call in calls if call.layout is not None])


def watch_in_evaluation(
    net: nn.Module, x: Tensor, name: str | None, classes: int
) -> tuple[nn.Module, PassOutcome, Tensor | None]:
    """The network and what `watch` gives of it. One that asks whether gradients are computed is told that
    none are; then also the values that it gives otherwise. Of one that writes into what its gradients need,
    copies are kept.
    """
    with questions() as asking:
        try:
            first = watch(net, x, name, classes)
        except Overwritten:
            net = keep_overwritten(copied(net, shared=False))
            first = watch(net, x, name, classes)
    if not asking:
        return net, first, None
    net = answer_as_in_evaluation(copied(net, shared=False))
    return net, watch(net, x, name, classes), first.values


def returned_by(view: nn.Module, x: Tensor, gradients: bool = False) -> object:
    """What a private view returns for images x, float (N, C, h, w); Problem where it cannot process them."""
    try:
        with torch.inference_mode(False), torch.set_grad_enabled(gradients):
            return view((x if gradients else x.detach()).clone())  # it may write on its input
    except Exception as error:  # whatever a network makes of an input it was not meant for
        if isinstance(error, TypeError) and not _takes_images(view):
            raise Problem(OTHER_ARGUMENTS, reason=reason_of(error)) from error
        raise Problem(
            "The network cannot process an image of {size} × {size} pixels (channels: {channels}; {reason}); "
            "give another --input-size, another number of --channels, or another --net.",
            size=x.shape[-1],
            channels=x.shape[1],
            reason=reason_of(error),
        ) from error


OTHER_ARGUMENTS = N_(
    "The network’s forward takes other arguments than a batch of images alone ({reason}): give --net a "
    "builder of a network that takes one."
)


def _takes_images(net: nn.Module) -> bool:
    """Whether the forward of a network can be called with one argument."""
    try:
        inspect.signature(net.forward).bind(None)
    except TypeError:
        return False
    except ValueError:  # some tell nothing
        return True
    return True


def values_of(net: nn.Module, x: Tensor, like: PassOutcome, seed: int) -> Tensor:
    """The values (1, K) of the same output for another input or seed."""
    return as_row(tensors_in(returned_by(private_view(net, seed), x))[like.name])


def as_row(tensor: Tensor) -> Tensor:
    """One image's values as float32 (1, K)."""
    return tensor.float().reshape(1, -1)


def _watch_batchnorms(view: nn.Module) -> list[str]:
    """Filled, when the view runs, with every BatchNorm that then normalizes by the batch's statistics."""
    by_batch: list[str] = []

    def note(path: str, module: nn.Module, *_: object) -> None:
        if module.training or module.running_mean is None:
            by_batch.append(path)

    for path, module in view.named_modules():
        if isinstance(module, _BatchNorm):
            module.register_forward_hook(partial(note, path))
    return by_batch


def _final_activation(view: nn.Module, calls: list[_Call], output: Tensor) -> str:
    """The path of the module of FINAL that made the output, if that was its only call; "" otherwise.

    Also "" where the output was written to since, so that it is no longer what the module made.
    """
    for call in reversed(calls):
        made = call.output
        same = made.data_ptr() == output.data_ptr() and made.numel() == output.numel()
        if same and type(layer_module(view, call.layer)) in FINAL:
            changed = call.version != version_of(made)
            return "" if changed or layer_path(view, call.layer) != call.layer else call.layer
    return ""


def _channels_read(calls: list[_Call]) -> int | None:
    """How many channels the first convolution to run reads; None where it reads no images."""
    shapes = (call.received for call in calls if call.stage == "conv")
    first = next(shapes, torch.Size())
    return first[1] if len(first) == 4 else None


def _unrelated(calls: list[_Call], image: Tensor) -> tuple[str, ...]:
    """The layers whose graph does not lead back to the image."""
    of_image: dict[Node | None, bool] = {None: False, get_gradient_edge(image).node: True}
    for call in calls:
        waiting = [call.output.grad_fn]
        while waiting:
            node = waiting[-1]
            before = [] if node in of_image or node is None else [each for each, _ in node.next_functions]
            if unknown := [each for each in before if each not in of_image]:
                waiting += unknown
                continue
            of_image.setdefault(node, any(of_image[each] for each in before))
            waiting.pop()
    return tuple(call.layer for call in calls if not of_image[call.output.grad_fn])


def _tokens(calls: list[_Call]) -> Tokens:
    """What is known of the tokens of one image, (1, count, C), and whether maps before have their grid."""
    map_sizes: set[tuple[int, int]] = set()
    grids: dict[tuple[int, int], bool] = {}
    unknown: dict[int, None] = {}
    signals: set[torch.Size] = set()  # of 1-D convolutions: their axes are channels and positions in a row
    for call in calls:
        shape = call.output.shape
        if call.stage == "conv" and len(shape) == 3:
            signals.add(shape)
        if call.layout is None:
            tokens = call.gives_tokens and shape not in signals and not call.mixes
            if len(shape) == 3 and shape[0] == 1 and min(shape[1:]) > 1 and tokens:
                unknown[shape[1]] = None
        elif call.layout.order == "tokens":
            grids.setdefault(call.layout.grid, call.layout.grid in map_sizes)
        else:
            rows, columns = call.layout.maps(call.output).shape[2:]
            map_sizes.add((rows, columns))
    reordered = next((call.layer for call in calls if call.reorders), "")
    return Tokens(grids, tuple(unknown), reordered, mixing=tuple(call.layer for call in calls if call.mixes))


def _operation(values: Tensor) -> tuple[str, float]:
    """The name of the operation that made the values, such as `SoftmaxBackward0`, and the constant factor
    that they were multiplied by since; "" without a graph.
    """
    node, scale = values.grad_fn, 1.0
    while node is not None:
        factor = 1.0 if node.name().startswith(SHAPING) else _factor(node)
        if factor is None:
            return node.name(), scale
        node, scale = node.next_functions[0][0], scale * factor
    return "", scale


def _factor(node: Node) -> float | None:
    """What an operation multiplies its one input by, where that is a plain number."""
    inputs = [each for each, _ in node.next_functions]
    other = getattr(node, "_saved_other", None)
    if len(inputs) != 2 or inputs[0] is None or inputs[1] is not None or not isinstance(other, Tensor):
        return None
    if other.numel() != 1 or not node.name().startswith(("MulBackward", "DivBackward")) or not other.item():
        return None
    return float(other) if node.name().startswith("Mul") else 1 / float(other)


def _with_gradients(watched: PassOutcome, image: Tensor, calls: list[_Call]) -> PassOutcome:
    """The pass with the layers that no gradient of its largest value reaches, and that on the image."""
    reached = [call for call in calls if call.with_graph]
    outputs = [call.output for call in reached]
    on_image, *on_layers = _gradients(watched.values, [image, *outputs]) or [
        None,
        *(_gradients(watched.values, outputs) or [None] * len(outputs)),
    ]
    pairs = zip(reached, on_layers, strict=True)
    arrived = {call.layer: gradient for call, gradient in pairs if gradient is not None}
    vanished = bool(arrived) and not any(bool(gradient.any()) for gradient in arrived.values())
    layers = tuple(call.layer for call in calls)
    cut = tuple(layer for layer in layers if layer not in arrived)
    return replace(
        watched,
        values=watched.values.detach(),  # the graph keeps every map
        layers=layers,
        without_gradient=cut,
        vanished=vanished,
        on_image=on_image,
        takes_parts=takes_parts(watched.values),
    )


def _gradients(values: Tensor, tensors: list[Tensor]) -> list[Tensor | None]:
    """Those of the largest value on tensors; none where they cannot be taken.

    Reentrant checkpointing refuses those on what is before it. Raises Overwritten.
    """
    if not values.requires_grad or not tensors:
        return []
    try:
        return list(torch.autograd.grad(values.max(), tensors, allow_unused=True, retain_graph=True))
    except RuntimeError as error:
        if is_refused(error):
            raise Overwritten from error
    return []


class Overwritten(Exception):
    """The network wrote into what its gradients need."""
