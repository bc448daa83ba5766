"""What Dropout switches off in training, and the predictions for one image over many of its masks."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from explorer.engine.calls import Call, Instead
from explorer.engine.outputs import probabilities
from explorer.engine.passes import check_images, layer_module, recording_calls, to_numpy
from explorer.engine.randomness import SEED
from explorer.engine.values import Floats, Value
from model.nets import check_logits

MASKS = 32
MOST_PIXELS = 16 * 224 * 224  # of all images of a pass together, so that memory stays bounded
BY_VALUE, BY_CHANNEL = (nn.Dropout,), (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
UNBATCHED: dict[type[nn.Module], int] = {nn.Dropout1d: 2, nn.Dropout3d: 4}
"""With so many dimensions torch takes a batch for the channels of one image."""
Unit = Literal["values", "channels", "tokens", "rows", "images"]


@dataclass(frozen=True)
class DropoutLayer:
    """A Dropout that ran: its name, its own p, and what it switches off at once.

    Dropout1d to Dropout3d switch off all values of one index in the dimension that torch takes for channels:
    not channels of tokens or of maps with channels last.
    """

    layer: str
    p: float
    unit: Unit = "values"


@dataclass(frozen=True, eq=False)
class Masked(Value):
    """One image under M masks: `probabilities` float32 (M, K), `plain` (K,) those of eval mode.

    At the layer whose masks were wanted, without the batch: `received` is what it gets in eval mode under no
    mask before it, as the network holds it, `masks` bool (M, …) tell which of its values each mask keeps.
    """

    plain: Floats
    probabilities: Floats
    received: Floats
    masks: npt.NDArray[np.bool_]

    @cached_property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The class predicted under each mask, (M,)."""
        return np.asarray(self.probabilities.argmax(1), np.int64)

    @property
    def active(self) -> npt.NDArray[np.bool_]:
        """Which values are not zero already before the layer, as after a ReLU; without the batch."""
        return np.asarray(self.received != 0)


def dropouts(net: nn.Module, x: Tensor) -> tuple[DropoutLayer, ...]:
    """Every Dropout that runs for images x and switches values or channels off, in execution order.

    Those of other kinds, which keep mean and variance (AlphaDropout), and functional ones are not among them.
    """
    check_images(x)
    layers: list[DropoutLayer] = []

    def note(call: Call) -> None:
        module = layer_module(net, call.layer)
        if isinstance(module, (*BY_VALUE, *BY_CHANNEL)):
            layers.append(DropoutLayer(call.layer, float(module.p), _unit(module, call)))

    with torch.inference_mode(False), torch.no_grad():
        recording_calls(net, None, note)(x.detach().clone())
    return tuple(layers)


def _unit(module: nn.Module, call: Call) -> Unit:
    """What a Dropout switches off at once of what it reads."""
    if not isinstance(module, BY_CHANNEL):
        return "values"
    if any(isinstance(module, kind) and call.read[0].ndim == ndim for kind, ndim in UNBATCHED.items()):
        return "images"
    units: dict[str, Unit] = {"tokens": "tokens", "last": "rows"}
    return units.get(call.layout.order if call.layout else "", "channels")


def masked(
    net: nn.Module, x: Tensor, layers: tuple[DropoutLayer, ...], wanted: str, p: float | None = None
) -> Masked:
    """One image x, float (1, C, h, w), under MASKS masks of these layers, each with its own p or with `p`.

    As in training, what is kept is divided by 1 − p. All else is in eval mode; the masks are those of a fixed
    seed. Raises Problem if a layer does not run.
    """
    check_images(x, one=True)
    rates = {each.layer: each.p if p is None else p for each in layers}
    drawing, parts = _Drawing(rates, {each.layer: each.unit for each in layers}), []
    plain, received = _plain(net, x, wanted)
    kept = list[npt.NDArray[np.bool_]]()
    for count in _counts(x):
        view = recording_calls(net, rates, drawing)
        with torch.inference_mode(False), torch.no_grad():
            logits = check_logits(view(x.detach().expand(count, -1, -1, -1).clone()))
        parts.append(to_numpy(probabilities(net, logits)))
        kept.append(_by_image(drawing.masks[wanted], count, received.shape).numpy())
    masks = np.concatenate(kept)
    if received.shape[:1] == (1,):  # the batch
        received, masks = received[0], masks[:, 0]
    return Masked(plain, np.concatenate(parts), received, masks)


def _by_image(mask: Tensor, count: int, shape: tuple[int, ...]) -> Tensor:
    """A mask of `count` images as (count, …), where that of one has `shape`; the batch may be any dimension,
    also joined with others, as windows are."""
    axis = next((i for i, size in enumerate(shape) if mask.shape[i] != size), 0)
    return mask.reshape(*mask.shape[:axis], count, shape[axis], *mask.shape[axis + 1 :]).movedim(axis, 0)


def _counts(x: Tensor) -> list[int]:
    """How many masks each pass has."""
    most = max(1, min(MASKS, MOST_PIXELS // (x.shape[-1] * x.shape[-2])))
    return [min(most, MASKS - begun) for begun in range(0, MASKS, most)]


def _plain(net: nn.Module, x: Tensor, wanted: str) -> tuple[Floats, Floats]:
    inputs: list[Tensor] = []
    view = recording_calls(net, [wanted], lambda call: inputs.append(call.read[0].clone()))
    with torch.inference_mode(False), torch.no_grad():
        logits = check_logits(view(x.detach().clone()))
    return to_numpy(probabilities(net, logits))[0], to_numpy(inputs[0])


class _Drawing:
    """Draws the masks of each call, one after the other, from a generator of its own.

    Masks are of the whole tensor as the network holds it: also of tokens without a position.
    """

    def __init__(self, rates: dict[str, float], units: dict[str, Unit]) -> None:
        self.rates, self.units = rates, units
        self.generator = torch.Generator().manual_seed(SEED)
        self.masks: dict[str, Tensor] = {}

    def __call__(self, call: Call) -> Instead:
        p, values = self.rates[call.layer], call.read[0]
        unit = self.units[call.layer]
        shared = values.ndim if unit == "values" else 1 if unit == "images" else 2
        shape = (*values.shape[:shared], *(1,) * (values.ndim - shared))
        mask = torch.empty(shape).bernoulli_(1 - p, generator=self.generator)
        self.masks[call.layer] = mask.expand(values.shape) > 0
        scale = 1 / (1 - p) if p < 1 else 0.0  # p = 1 keeps nothing
        return Instead(values * mask.to(values) * scale)
