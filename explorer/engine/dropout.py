"""What Dropout switches off in training, and the predictions for one image over many of its masks."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from explorer.engine.calls import Call
from explorer.engine.outputs import probabilities
from explorer.engine.passes import check_images, layer_module, recorded, recording_calls, to_numpy
from explorer.engine.randomness import SEED
from explorer.engine.values import Floats, Value
from model.nets import check_logits

MASKS = 32
MOST_PIXELS = 16 * 224 * 224  # of all images of a pass together, so that memory stays bounded
BY_VALUE, BY_CHANNEL = (nn.Dropout,), (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


@dataclass(frozen=True)
class DropoutLayer:
    """A Dropout that ran: its name, its own p, and whether it switches whole channels off."""

    layer: str
    p: float
    channels: bool


@dataclass(frozen=True, eq=False)
class Masked(Value):
    """One image under M masks: `probabilities` float32 (M, K), `plain` (K,) those of eval mode.

    At the layer whose masks were wanted, without the batch: `received` is what it gets in eval mode under no
    mask before it, `masks` bool (M, …) tell which of its values each mask keeps.
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

    def note(layer: str, *_: Tensor) -> None:
        module = layer_module(net, layer)
        if isinstance(module, (*BY_VALUE, *BY_CHANNEL)):
            layers.append(DropoutLayer(layer, float(module.p), isinstance(module, BY_CHANNEL)))

    recorded(net, x, None, note)
    return tuple(layers)


def masked(
    net: nn.Module, x: Tensor, layers: tuple[DropoutLayer, ...], wanted: str, p: float | None = None
) -> Masked:
    """One image x, float (1, C, h, w), under MASKS masks of these layers, each with its own p or with `p`.

    As in training, what is kept is divided by 1 − p. All else is in eval mode; the masks are those of a fixed
    seed. Raises Problem if a layer does not run.
    """
    check_images(x, one=True)
    rates = {each.layer: each.p if p is None else p for each in layers}
    drawing = _Drawing(rates, {each.layer for each in layers if each.channels}, wanted)
    plain, received = _plain(net, x, wanted)
    parts = []
    for count in _counts(x):
        view = recording_calls(net, rates, drawing)
        with torch.inference_mode(False), torch.no_grad():
            logits = check_logits(view(x.detach().expand(count, -1, -1, -1).clone()))
        parts.append(to_numpy(probabilities(net, logits)))
    return Masked(plain, np.concatenate(parts), received, np.concatenate(drawing.masks))


def _counts(x: Tensor) -> list[int]:
    """How many masks each pass has."""
    most = max(1, min(MASKS, MOST_PIXELS // (x.shape[-1] * x.shape[-2])))
    return [min(most, MASKS - begun) for begun in range(0, MASKS, most)]


def _plain(net: nn.Module, x: Tensor, wanted: str) -> tuple[Floats, Floats]:
    inputs: list[Tensor] = []
    view = recording_calls(net, [wanted], lambda call: inputs.append(call.received.clone()))
    with torch.inference_mode(False), torch.no_grad():
        logits = check_logits(view(x.detach().clone()))
    return to_numpy(probabilities(net, logits))[0], to_numpy(inputs[0])[0]


class _Drawing:
    """Draws the masks of each call, one after the other, from a generator of its own."""

    def __init__(self, rates: dict[str, float], by_channel: set[str], wanted: str) -> None:
        self.rates, self.by_channel, self.wanted = rates, by_channel, wanted
        self.generator = torch.Generator().manual_seed(SEED)
        self.masks: list[npt.NDArray[np.bool_]] = []

    def __call__(self, call: Call) -> Tensor:
        p, values = self.rates[call.layer], call.received
        whole = call.layer in self.by_channel
        shape = (*values.shape[:2], *(1,) * (values.ndim - 2)) if whole else values.shape
        mask = torch.empty(shape).bernoulli_(1 - p, generator=self.generator)
        if call.layer == self.wanted:
            self.masks.append(mask.expand(values.shape).numpy() > 0)
        scale = 1 / (1 - p) if p < 1 else 0.0  # p = 1 keeps nothing
        return values * mask.to(values) * scale
