"""A check-up of a network when it is opened: what its outputs mean, and what could make results wrong.

It costs three forward passes (four with a final activation), of one image or two, and one backward pass:
about as much as a new image on a page.
"""

import inspect
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.modules.batchnorm import _BatchNorm

from explorer.engine import findings
from explorer.engine.calls import Call, Instead, version_of, visit_calls
from explorer.engine.copies import copied
from explorer.engine.findings import WITHOUT_TOKENS, Finding, Tokens
from explorer.engine.input_part import ALL, InputPart, find_part, takes_parts
from explorer.engine.layouts import WrongGrid, grid_of, is_reordering, leave_out_grids, left_out_grids
from explorer.engine.outputs import (
    KINDS,
    LOGITS,
    Outputs,
    choose,
    give_logits,
    hand_on_copies,
    probabilities,
    tensors_in,
)
from explorer.engine.passes import layer_module, layer_path, leaf_paths, private_view
from explorer.engine.randomness import SEED, is_random
from explorer.engine.stage import stage_of
from explorer.engine.token_order import wrong_grids
from model.builders import reason_of
from model.card import Card, Pixels
from model.problems import Problem
from model.words import N_

FINAL = {
    nn.Softmax: "probabilities",
    nn.Softmax2d: "probabilities",
    nn.LogSoftmax: "log-probabilities",
    nn.Sigmoid: "sigmoid",
}
"""Final activations whose input is the logits, and what their output is."""

LINEAR = ("Addmm", "Mm", "Convolution")  # operations whose results are not bounded
BOUNDED = ("Sigmoid", "Hardsigmoid", "Softmax")  # and from 0 to 1
SHAPING = ("View", "Reshape", "Squeeze", "Unsqueeze", "Slice", "Select", "Mean", "AdaptiveAvgPool", "ToCopy",
           "Permute", "Alias", "Clone", "Split", "Expand", "Transpose", "TBackward")  # fmt: skip
TOLERANCE = 1e-4  # of sums of probabilities
SAME_VALUES = 1e-5  # of probabilities made in two ways
SEEDS = 8  # tried where random numbers are drawn: a coin may fall on the same side several times
STRONG = 100.0  # what an input is multiplied by to drive logits out of 0 to 1
OPPOSITE = -10.0  # what the output of the last layer with weights is multiplied by for the same
PERCENT = 100.0
FULL = 0.99  # of the range of percentages, what strong inputs must reach


@dataclass(frozen=True)
class Checkup:
    """What is known of a network from a few forward passes.

    `outputs` says how logits are made of what it returns, `classes` how many there are. No gradient of a
    class reaches the layers `without_gradient`, so that no heat map of them can be computed. `part` is what
    it reads of its input. Tensors on `wrong_grids` hold tokens in another order than that of maps.
    """

    outputs: Outputs = LOGITS
    classes: int = 0
    findings: tuple[Finding, ...] = ()
    without_gradient: tuple[str, ...] = ()
    part: InputPart = ALL
    wrong_grids: frozenset[WrongGrid] = frozenset()


UNCHECKED = Checkup()


def check_up(net: nn.Module, card: Card, kind: str | None = None, name: str | None = None) -> Checkup:
    """The Checkup of a network in eval mode, as its builder made it, for inputs by the card.

    `kind`, one of KINDS, says what its outputs are; `name` which of several. Raises Problem where it cannot
    process an image, or returns no logits.
    """
    one, other = (card.to_input(picture(seed, card.input_size)) for seed in (0, 1))
    first = _watched(net, one, name, len(card.classes))
    wrong = wrong_grids(net, one) if first.tokens.grids or first.channels_last else frozenset()
    if wrong:
        net = leave_out_grids(copied(net, shared=False), wrong)
        first = _watched(net, one, name, len(card.classes))
    findings.check_grid(grid_of(net), first.tokens)
    values = torch.cat([first.values, _values(net, other, first, SEED)])
    outputs = _outputs(net, first, values, kind, one)
    before = replace(outputs, activation="")  # of values that are those after it
    logits = before.logits({outputs.name: values})
    spread, change = _differences(net, torch.cat([one, other]), first, values, before)
    repeats = not spread or torch.equal(_values(net, one, first, SEED), first.values)
    part = find_part(
        net, one, first.values, first.on_image, first.takes_parts, lambda x: _values(net, x, first, SEED)
    )
    made = (
        findings.of_outputs(outputs, kind),
        findings.of_precision(net.parameters()),
        findings.of_form(first.name, first.shape, first.others),
        findings.of_channels(card.channels, first.reads),
        findings.of_part(part, card.input_size),
        findings.of_parts(first.in_parts),
        findings.of_tokens(grid_of(net), first.tokens),
        findings.of_mixing(first.tokens),
        findings.of_randomness(spread, logits, repeats),
        findings.of_batchnorm(first.batch_norms),
        None if spread or first.batch_norms else findings.of_batch(change, logits),
        findings.of_values(logits, first.vanished and not outputs.activation),
        findings.of_gradients(first.layers, first.without_gradient),
    )
    present = tuple(finding for finding in made if finding is not None)
    return Checkup(outputs, logits.shape[1], present, first.without_gradient, part, wrong)


def picture(seed: int, size: int) -> Pixels:
    """A colored picture of smooth noise, uint8 (s, s, 3): it differs between seeds in all its parts."""
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(noise).resize((size, size), Image.Resampling.BILINEAR))


# The passes


@dataclass(frozen=True, eq=False)
class _PassOutcome:
    """What one forward pass showed, of `values` (1, K)."""

    name: str
    values: Tensor
    plain: bool
    operation: str
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


def _watched(net: nn.Module, x: Tensor, name: str | None, classes: int) -> _PassOutcome:
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
    values = _row(tensors[name])
    operation, scale = _operation(values)
    activation = _final_activation(view, calls, tensors[name])
    changed = [path for path, before in running.items() if not torch.equal(view.get_buffer(path), before)]
    watched = _PassOutcome(
        name=name,
        values=values,
        plain=tensors[name].shape == values.shape and tensors[name].dtype == values.dtype,
        operation=operation,
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
        channels_last=any(call.layout is not None and call.layout.order == "last" for call in calls),
    )
    return _with_gradients(watched, image, [call for call in calls if call.layout is not None])


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
    "The network's forward takes other arguments than a batch of images alone ({reason}): give --net a "
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


def _values(net: nn.Module, x: Tensor, like: _PassOutcome, seed: int) -> Tensor:
    """The values (1, K) of the same output for another input or seed."""
    return _row(tensors_in(returned_by(private_view(net, seed), x))[like.name])


def _differences(
    net: nn.Module, x: Tensor, like: _PassOutcome, alone: Tensor, outputs: Outputs
) -> tuple[float, float]:
    """The largest difference that another seed makes to logits, and that two images together make.

    One pass tells both where there is none. `alone` are the values of each of the two images x.
    """
    logits = outputs.logits({outputs.name: alone})
    rounding = findings.SAME * max(1.0, float(logits.abs().max()))

    def difference(values: Tensor, rows: slice = slice(None)) -> float:
        return float((outputs.logits({outputs.name: values}) - logits[rows]).abs().max())

    both = _together(net, x, like, alone, SEED + 1)
    if both is not None and (change := difference(both)) <= rounding and not is_random(net):
        return 0.0, change
    seeds = range(SEED + 1, SEED + (SEEDS if is_random(net) else 1) + 1)
    spreads = (difference(_values(net, x[:1], like, seed), slice(1)) for seed in seeds)
    spread = next((each for each in spreads if each > rounding), 0.0)
    same_seed = _together(net, x, like, alone, SEED)
    return spread, 0.0 if same_seed is None else difference(same_seed)


def _together(net: nn.Module, x: Tensor, like: _PassOutcome, alone: Tensor, seed: int) -> Tensor | None:
    """The values (2, K) of two images in one pass; None where it gives no such values.

    Raises Problem if they are clearly (K, 2), with those of each image alone as its columns.
    """
    try:
        values = tensors_in(returned_by(private_view(net, seed), x)).get(like.name, x[:0]).detach().float()
    except Problem:  # it processes one image at a time
        return None
    if values.numel() != alone.numel():
        return None
    rows = values.reshape(alone.shape)
    if values.shape == alone.T.shape and _alike(values.T, alone) and not _alike(rows, alone):
        raise Problem(
            "The network returns a column for each image, {classes} × {images}: make it return a row for "
            "each image.",
            classes=len(values),
            images=len(x),
        )
    return rows


def _alike(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-3, atol=TOLERANCE)


def _row(tensor: Tensor) -> Tensor:
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


def _with_gradients(watched: _PassOutcome, image: Tensor, calls: list[_Call]) -> _PassOutcome:
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

    Reentrant checkpointing refuses those on what is before it, and so do values that were written to.
    """
    if not values.requires_grad or not tensors:
        return []
    with suppress(RuntimeError):
        return list(torch.autograd.grad(values.max(), tensors, allow_unused=True, retain_graph=True))
    return []


# What the outputs are


def _outputs(net: nn.Module, first: _PassOutcome, values: Tensor, kind: str | None, x: Tensor) -> Outputs:
    single = values.shape[1] == 1
    observed, scale = _kind(net, first, values, x)
    if kind is not None:
        kind = _OF_ONE_VALUE.get(kind, kind) if single else kind
        scale = scale if kind in ("probabilities", "sigmoid") else 1.0
        _check_kind(kind, values / scale)
    activation = first.activation if first.final == observed == (kind or observed) else ""
    kind = kind or (_OF_ONE_VALUE.get(observed, observed) if single else observed)
    columns = 0 if first.plain else values.shape[1]
    outputs = Outputs(kind, first.name, activation, columns, single, scale)
    return outputs if _agree(net, outputs, first, x) else replace(outputs, activation="")


def _agree(net: nn.Module, outputs: Outputs, first: _PassOutcome, x: Tensor) -> bool:
    """Whether the logits before a final activation mean the values that the network itself returns."""
    if not outputs.activation:
        return True
    view = give_logits(private_view(net), outputs)
    returned = returned_by(view, x)
    assert isinstance(returned, Tensor)
    meant = probabilities(view, returned)[:, -1:] if outputs.single else probabilities(view, returned)
    own = first.values.exp() if outputs.kind == "log-probabilities" else first.values
    return torch.allclose(meant, own, rtol=0, atol=SAME_VALUES, equal_nan=True)


_OF_ONE_VALUE = {
    "logits": "sigmoid-logits",
    "probabilities": "sigmoid",
    "log-probabilities": "sigmoid-logits",
}


def _check_kind(kind: str, values: Tensor) -> None:
    """Problem for values (2, K) that cannot be what `kind` says, as probabilities whose sum is not 1."""
    fits = {
        "probabilities": bool((values >= 0).all()) and _close(values.sum(1), 1),
        "log-probabilities": bool((values <= TOLERANCE).all()) and _close(values.logsumexp(1), 0),
        "sigmoid": bool(((values >= 0) & (values <= 1 + TOLERANCE)).all()),
    }
    if not fits.get(kind, True):
        low, high = (float(end) for end in values.aminmax())
        kinds = ", ".join(f"--output {each}" for each in KINDS if fits.get(each, True))
        raise Problem(_NOT_OF_KIND[kind], low=low, high=high, kinds=kinds)


_NOT_OF_KIND = {
    "probabilities": N_(
        "The network returns values from {low:.3g} to {high:.3g}, which are not probabilities with a sum "
        "of 1: give one of {kinds}."
    ),
    "log-probabilities": N_(
        "The network returns values from {low:.3g} to {high:.3g}, which are not logarithms of probabilities "
        "with a sum of 1: give one of {kinds}."
    ),
    "sigmoid": N_(
        "The network returns values from {low:.3g} to {high:.3g}, which are not probabilities from 0 to 1: "
        "give one of {kinds}."
    ),
}


def _kind(net: nn.Module, first: _PassOutcome, values: Tensor, x: Tensor) -> tuple[str, float]:
    """What values (2, K) of two images are, of KINDS, and what probabilities are multiplied by in them."""
    several = values.shape[1] > 1
    if not bool(values.isfinite().all()):
        return "logits", 1.0
    for scale in (1.0, PERCENT):
        if several and bool((values >= 0).all()) and _close(values.sum(1) / scale, 1):
            return "probabilities", scale
    if several and bool((values <= 0).all()) and _close(values.logsumexp(1), 0):
        return "log-probabilities", 1.0
    if not _within(values, PERCENT) or first.operation.startswith(LINEAR):
        return "logits", 1.0
    bounded = first.final == "sigmoid" or first.operation.startswith(BOUNDED)
    if bounded and first.scale in (1.0, PERCENT) and _within(values, first.scale):
        return "sigmoid", first.scale
    if bounded or torch.equal(values[0], values[1]):
        return "logits", 1.0
    return _by_driving(net, first, values, x)


def _by_driving(net: nn.Module, first: _PassOutcome, values: Tensor, x: Tensor) -> tuple[str, float]:
    """Values (2, K) from 0 to 1 or to 100 are a sigmoid's if they stay there whatever the network reads.

    Of percentages also the whole range must be reached. The tanh of small logits does not stay there.
    """
    driven = [_values(net, x * STRONG, first, SEED), _values(net, x * -STRONG, first, SEED)]
    if first.last:
        driven.append(_opposite(net, x, first))
    reached = torch.cat(driven)
    if _within(values) and _within(reached):
        return "sigmoid", 1.0
    if _within(reached, PERCENT) and float(reached.max()) >= FULL * PERCENT:
        return "sigmoid", PERCENT
    return "logits", 1.0


def _opposite(net: nn.Module, x: Tensor, first: _PassOutcome) -> Tensor:
    """The values (1, K) where the last layer with weights gives much of the opposite."""
    view = private_view(net, SEED)

    def turn(call: Call) -> Instead | None:
        return Instead(OPPOSITE * call.handed_on) if call.layer == first.last else None

    visit_calls(view, [layer_path(view, first.last)], turn)
    return _row(tensors_in(returned_by(view, x))[first.name])


def _close(sums: Tensor, wanted: float) -> bool:
    return bool((sums - wanted).abs().max() < TOLERANCE)


def _within(values: Tensor, most: float = 1.0) -> bool:
    return bool(((values >= 0) & (values <= most)).all())
