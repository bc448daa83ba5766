"""A network with what is known of it, and what it is given, as values that name themselves."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor, nn

from explorer.engine.checkup import UNCHECKED, Checkup
from explorer.engine.layouts import grid_of
from explorer.engine.outputs import LOGITS, outputs_of
from model.card import Card
from model.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False)
class Network:
    """A network, which nobody hooks or changes, with its card: what it is fed and what its logits mean.

    `key` names it: networks with the same key have the same modules and weights and give the same results.
    `checkup` is what was found when it was opened.
    """

    net: nn.Module
    card: Card
    key: str
    checkup: Checkup = UNCHECKED

    @property
    def digest(self) -> str:
        """SHA-256 of the weights, as the checkpoint has it."""
        return self.key.removeprefix(f"{self.card.net} ").partition(" ")[0]

    @property
    def identity(self) -> str:
        """16 letters for the network with its weights, its classes and how images are prepared for it."""
        settings = json.dumps(input_settings(self.card), sort_keys=True)
        return hashlib.sha256(repr((self.key, settings)).encode()).hexdigest()[:16]


def input_settings(card: Card) -> dict[str, Any]:
    """What a network's input and its classes depend on, as plain values."""
    return {
        "input_size": card.input_size,
        "channels": card.channels,
        "resize": card.resize,
        "interpolation": card.interpolation,
        "mean": list(card.mean),
        "std": list(card.std),
        "classes": list(card.classes),
    }


@dataclass(frozen=True, eq=False)
class Input:
    """Images as a network gets them: x, float32 (N, 3, h, w), which nobody writes to."""

    x: Tensor

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the shape and the values: what results depend on besides the network."""
        return hashlib.sha256(f"{tuple(self.x.shape)}\n".encode() + self.x.numpy().tobytes()).hexdigest()


def network_of(checkpoint: Checkpoint, checkup: Checkup | None = None) -> Network:
    """The Network of a checkpoint, built anew."""
    net = checkpoint.build()
    outputs = outputs_of(net)
    grid = grid_of(net)
    meaning = ("" if outputs == LOGITS else f" {outputs}") + (f" {grid}" if grid else "")
    key = f"{checkpoint.card.net} {checkpoint.digest}{meaning}"
    return Network(net, checkpoint.card, key, checkup or Checkup(outputs))
