"""What switching each channel of a layer off really does, beside what Grad-CAM says that it contributes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from explorer.engine.ablation import BATCH, WithoutSets, unchanged, without_sets
from explorer.engine.attribution import ChannelEvidence
from explorer.engine.scores.ranks import spearman
from explorer.engine.values import Floats, Value

FIRST = 3  # channels whose order is compared in words


@dataclass(frozen=True, eq=False)
class Effects(Value):
    """Of each of C channels, float32 (C,): its contribution to Grad-CAM, and how much the logit of the class
    falls when its map is set to zero, in units of the logit; a negative fall is a rise.

    Contributions have another unit, so only the order of the two is compared. `silent` channels have a map
    of zeros, which neither contributes nor changes anything.
    """

    layer: str
    contributions: Floats
    falls: Floats
    silent: int

    @property
    def correlation(self) -> float:
        """Spearman's rank correlation over all channels; NaN where all values of one are equal."""
        return spearman(self.contributions.astype(np.float64), self.falls.astype(np.float64))

    @property
    def common(self) -> int:
        """How many of the FIRST channels by contribution are among the FIRST by fall."""
        return len(set(_first(self.contributions)) & set(_first(self.falls)))

    @property
    def rank_of_largest_fall(self) -> int:
        """The place, from 1, by contribution of the channel whose removal lowers the logit most."""
        best = float(self.contributions[int(self.falls.argmax())])
        return 1 + int((self.contributions > best).sum())


def _first(values: Floats) -> list[int]:
    order: list[int] = np.argsort(-values, kind="stable")[:FIRST].tolist()
    return order


def channel_steps(channels: int) -> int:
    """How many parts `channel_effects` gives for a layer with so many channels."""
    return -(-channels // BATCH)


def channel_effects(net: nn.Module, x: Tensor, layer: str, channels: int) -> Iterator[WithoutSets]:
    """WithoutSets with every channel of the layer alone, BATCH channels after another; errors as there."""
    known = unchanged(net, x, layer)
    for start in range(0, channels, BATCH):
        part = range(start, min(start + BATCH, channels))
        yield without_sets(net, x, layer, [(channel,) for channel in part], known=known)


def effects_of(evidence: ChannelEvidence, parts: Sequence[WithoutSets], target: int) -> Effects:
    """The Effects for one image, of Grad-CAM's evidence for the class and of what `channel_effects` gives."""
    falls = np.concatenate([part.falls(target) for part in parts])
    silent = int((~evidence.maps.any((1, 2))).sum())
    return Effects(evidence.layer, evidence.contributions, falls, silent)
