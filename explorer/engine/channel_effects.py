"""What one channel does to classes, over many images: what it contributes, and what is lost without it."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from explorer.engine.ablation import without_sets
from explorer.engine.attribution import channel_evidence
from explorer.engine.scoreboard.estimates import Estimate, mean_of
from explorer.engine.values import Floats, Integers, Value


@dataclass(frozen=True, eq=False)
class Contribution(Value):
    """A channel's contribution to a class in N images: `values` float32 (N,), Grad-CAM's weight × the mean of
    the map; `positions` int64 (N, 2), where weight × map is largest; `weights` float32 (N,).
    """

    values: Floats
    positions: Integers
    weights: Floats


def contribution(net: nn.Module, x: Tensor, layer: str, channel: int, target: int) -> Contribution:
    """The Contribution to class `target` for images x, float (N, C, h, w); errors as `channel_evidence`."""
    evidence = channel_evidence(net, x, layer, target)
    many = len(x) > 1
    weights = np.atleast_1d(evidence.weights[..., channel])
    maps = evidence.maps[:, channel] if many else evidence.maps[channel][None]
    values = np.atleast_1d(evidence.contributions[..., channel])
    flat = (weights[:, None, None] * maps).reshape(len(x), -1).argmax(1)
    positions = np.stack(np.unravel_index(flat, maps.shape[1:]), 1).astype(np.int64)
    return Contribution(values, positions, weights)


@dataclass(frozen=True)
class ClassEffect:
    """A channel switched off in images of class `label`: the `fall` of that class's logit, a mean with its
    interval, and how many of the predictions are `changed`.
    """

    label: int
    fall: Estimate
    changed: int


def class_effect(net: nn.Module, x: Tensor, layer: str, channel: int, label: int) -> ClassEffect:
    """The ClassEffect of a channel for images x, float (N, C, h, w), of class `label`; errors as
    `without_sets`.
    """
    rows = without_sets(net, x, layer, [(channel,)]).rows()
    falls = [float(row.logits[label] - row.zeroed[0, label]) for row in rows]
    changed = sum(int(row.logits.argmax()) != int(row.zeroed[0].argmax()) for row in rows)
    return ClassEffect(label, mean_of(falls), changed)
