"""What the values that a network returns are: logits, probabilities, those of independent labels …

Read off two images' values and the operation that made them; where that leaves it open, the network is driven
with strong inputs.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from explorer.engine.calls import Call, Instead, visit_calls
from explorer.engine.findings import has_length_1
from explorer.engine.first_pass import PassOutcome, as_row, returned_by, values_of
from explorer.engine.outputs import (
    KINDS,
    Outputs,
    give_logits,
    masked_classes,
    probabilities,
    tensors_in,
)
from explorer.engine.passes import layer_path, private_view
from explorer.engine.randomness import SEED
from model.problems import Problem
from model.words import N_

LINEAR = ("Addmm", "Mm", "Convolution")  # operations whose results are not bounded
BOUNDED = ("Sigmoid", "Hardsigmoid", "Softmax")  # and from 0 to 1
TOLERANCE = 1e-4  # of sums of probabilities
COARSE = 1e-2  # of those that a softmax gave, perhaps in 16 bits
SAME_VALUES = 1e-5  # of probabilities made in two ways
STRONG = 100.0  # what an input is multiplied by to drive logits out of 0 to 1
OPPOSITE = -10.0  # what the output of the last layer with weights is multiplied by for the same
PERCENT = 100.0
DECIMALS = (2, 3, 4)  # places that a network may round its probabilities to
WHOLE = 1e-3  # from a whole number of steps, what float32 leaves of a rounded value
FULL = 0.99  # of the range of percentages, what strong inputs must reach


def outputs_by(net: nn.Module, first: PassOutcome, values: Tensor, kind: str | None, x: Tensor) -> Outputs:
    """How logits are made of `values` (2, K) of two images, of which x, float (1, C, h, w), is the first.

    `first` is the pass of x; `kind` overrules what is seen. Raises Problem where it does not fit the values.
    """
    single = values.shape[1] == 1
    observed, scale = _kind(net, first, values, x)
    if kind is not None:
        kind = _OF_ONE_VALUE.get(kind, kind) if single else kind
        scale = scale if kind in ("probabilities", "sigmoid") else 1.0
        _check_kind(kind, values / scale, _tolerance(first))
    activation = first.activation if first.final == observed == (kind or observed) else ""
    kind = kind or (_OF_ONE_VALUE.get(observed, observed) if single else observed)
    columns = 0 if first.plain else values.shape[1]
    masked = bool(masked_classes(values).any())
    outputs = Outputs(kind, first.name, activation, columns, single, scale, masked)
    return outputs if _agree(net, outputs, first, x) else replace(outputs, activation="")


def _agree(net: nn.Module, outputs: Outputs, first: PassOutcome, x: Tensor) -> bool:
    """Whether the logits before a final activation mean the values that the network itself returns."""
    if not outputs.activation:
        return True
    view = give_logits(private_view(net), outputs)
    returned = returned_by(view, x)
    assert isinstance(returned, Tensor)
    meant = probabilities(view, returned)[:, -1:] if outputs.single else probabilities(view, returned)
    own = {"log-probabilities": first.values.exp(), "tanh": (1 + first.values) / 2}
    atol = max(SAME_VALUES, torch.finfo(first.dtype).eps)
    return torch.allclose(meant, own.get(outputs.kind, first.values), rtol=0, atol=atol, equal_nan=True)


_OF_ONE_VALUE = {
    "logits": "sigmoid-logits",
    "probabilities": "sigmoid",
    "log-probabilities": "sigmoid-logits",
}


def _check_kind(kind: str, values: Tensor, tolerance: float) -> None:
    """Problem for values (2, K) that cannot be what `kind` says, as probabilities whose sum is not 1."""
    fits = {
        "probabilities": bool((values >= 0).all()) and _close(values.sum(1), 1, tolerance),
        "log-probabilities": bool((values <= TOLERANCE).all()) and _close(values.logsumexp(1), 0, tolerance),
        "sigmoid": bool(((values >= 0) & (values <= 1 + TOLERANCE)).all()),
        "tanh": bool((values.abs() <= 1 + TOLERANCE).all()),
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
    "tanh": N_(
        "The network returns values from {low:.3g} to {high:.3g}, which are not scores from −1 to 1: "
        "give one of {kinds}."
    ),
}


def _kind(net: nn.Module, first: PassOutcome, values: Tensor, x: Tensor) -> tuple[str, float]:
    """What values (2, K) of two images are, of KINDS, and what probabilities are multiplied by in them."""
    several = values.shape[1] > 1
    if not bool((values.isfinite() | masked_classes(values)).all()):
        return "logits", 1.0
    tolerance = _tolerance(first)
    for scale in (1.0, PERCENT):
        rounded = max(tolerance, _rounding(values / scale))
        if several and bool((values >= 0).all()) and _close(values.sum(1) / scale, 1, rounded):
            return "probabilities", scale
    if several and bool((values <= 0).all()) and _close(values.logsumexp(1), 0, tolerance):
        return "log-probabilities", 1.0
    if not several and first.operation.startswith("Tanh") and first.scale == 1:
        return "tanh", 1.0
    if not _within(values, PERCENT) or first.operation.startswith(LINEAR) or has_length_1(values):
        return "logits", 1.0
    bounded = first.final == "sigmoid" or first.operation.startswith(BOUNDED)
    if bounded and first.scale in (1.0, PERCENT) and _within(values, first.scale):
        return "sigmoid", first.scale
    if bounded or torch.equal(values[0], values[1]):
        return "logits", 1.0
    return _by_driving(net, first, values, x)


def _by_driving(net: nn.Module, first: PassOutcome, values: Tensor, x: Tensor) -> tuple[str, float]:
    """Values (2, K) from 0 to 1 or to 100 are a sigmoid's if they stay there whatever the network reads.

    Of percentages also the whole range must be reached. The tanh of small logits does not stay there.
    """
    driven = [values_of(net, x * STRONG, first, SEED), values_of(net, x * -STRONG, first, SEED)]
    if first.last:
        driven.append(_opposite(net, x, first))
    reached = torch.cat(driven)
    if _within(values) and _within(reached):
        return "sigmoid", 1.0
    if _within(reached, PERCENT) and float(reached.max()) >= FULL * PERCENT:
        return "sigmoid", PERCENT
    return "logits", 1.0


def _opposite(net: nn.Module, x: Tensor, first: PassOutcome) -> Tensor:
    """The values (1, K) where the last layer with weights gives much of the opposite."""
    view = private_view(net, SEED)

    def turn(call: Call) -> Instead | None:
        return Instead(OPPOSITE * call.handed_on) if call.layer == first.last else None

    visit_calls(view, [layer_path(view, first.last)], turn)
    return as_row(tensors_in(returned_by(view, x))[first.name])


def _tolerance(first: PassOutcome) -> float:
    """Of sums of probabilities: a softmax in 16 bits gives coarse ones."""
    softmax = first.operation.startswith(("Softmax", "LogSoftmax"))
    return COARSE if softmax else max(TOLERANCE, torch.finfo(first.dtype).eps)


def _rounding(values: Tensor) -> float:
    """By how much sums of probabilities (2, K) differ from 1 at most if each is rounded; 0 if none is."""
    for places in DECIMALS:
        steps = values.double() * 10**places
        if bool(values.any()) and bool((steps - steps.round()).abs().max() < WHOLE):
            return 0.5 * values.shape[1] * 0.1**places + TOLERANCE
    return 0.0


def _close(sums: Tensor, wanted: float, tolerance: float) -> bool:
    return bool((sums - wanted).abs().max() < tolerance)


def _within(values: Tensor, most: float = 1.0) -> bool:
    return bool(((values >= 0) & (values <= most)).all())
