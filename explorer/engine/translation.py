"""What moving the picture by a few pixels does to predictions."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from explorer.engine.intervals import interval
from explorer.engine.network import Network
from explorer.engine.outputs import probabilities
from explorer.engine.passes import private_view, to_numpy
from explorer.engine.values import Floats, Integers, Value
from model.card import Pixels
from model.nets import check_logits

MOST = 3  # pixels
DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
SEED = 0


def moved(pixels: Pixels, down: int, right: int) -> Pixels:
    """Pictures uint8 (…, h, w, 3) moved by whole pixels; the pixels at the border are repeated.

    >>> moved(np.arange(4, dtype=np.uint8).reshape(1, 4, 1).repeat(3, 2), 0, 1)[0, :, 0].tolist()
    [0, 0, 1, 2]
    """
    height, width = pixels.shape[-3:-1]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return np.ascontiguousarray(pixels[..., rows[:, None], columns[None, :], :])


@dataclass(frozen=True)
class Counted:
    """How many of n images."""

    count: int
    n: int

    @property
    def value(self) -> float:
        return self.count / self.n

    @property
    def ends(self) -> tuple[float, float]:
        """Wilson’s 95% interval."""
        return interval(self.value, self.n)


@dataclass(frozen=True, eq=False)
class ShiftedPredictions(Value):
    """Predictions int64 (MOST + 1, N) for N images moved by 0 … MOST pixels, and their `labels` (N,)."""

    predicted: Integers
    labels: Integers

    def correct(self, pixels: int) -> Counted:
        """How many are predicted correctly when moved by so many pixels."""
        return Counted(int((self.predicted[pixels] == self.labels).sum()), len(self.labels))

    def same(self, pixels: int) -> Counted:
        """How many are predicted as they are when not moved."""
        return Counted(int((self.predicted[pixels] == self.predicted[0]).sum()), len(self.labels))


def shifted_predictions(network: Network, pixels: Pixels, labels: Integers) -> ShiftedPredictions:
    """The predictions for pictures uint8 (N, s, s, 3), each moved in a direction of its own, drawn once.

    The direction is one of eight; by d pixels means d rows, d columns, or both.
    """
    chosen = np.random.default_rng(SEED).integers(len(DIRECTIONS), size=len(pixels))
    predicted = []
    for distance in range(MOST + 1):
        steps = [(distance * down, distance * right) for down, right in (DIRECTIONS[k] for k in chosen)]
        pictures = np.stack([moved(one, *step) for one, step in zip(pixels, steps, strict=True)])
        predicted.append(_probabilities(network, pictures).argmax(1))
    return ShiftedPredictions(np.stack(predicted).astype(np.int64), labels)


def every_shift(network: Network, pixels: Pixels) -> Floats:
    """The probabilities for one picture uint8 (s, s, 3) moved by −MOST … MOST pixels.

    float32 (2·MOST + 1, 2·MOST + 1, K): by rows downward, then by columns to the right.
    """
    reach = range(-MOST, MOST + 1)
    pictures = np.stack([moved(pixels, down, right) for down in reach for right in reach])
    return _probabilities(network, pictures).reshape(len(reach), len(reach), -1)


def _probabilities(network: Network, pictures: Pixels) -> npt.NDArray[np.float32]:
    view, x = private_view(network.net), network.card.to_inputs(pictures)
    with torch.inference_mode(False), torch.no_grad():
        return to_numpy(probabilities(network.net, check_logits(view(x))))
