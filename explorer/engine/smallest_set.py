"""The smallest set of channels whose removal changes the prediction, found greedily."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from explorer.engine.ablation import without_sets
from explorer.engine.passes import check_images
from explorer.engine.values import Floats, Value


@dataclass(frozen=True, eq=False)
class GreedySearch(Value):
    """How far a greedy search came: the `channels` at zero in the order they were taken, and the logits
    float32 (1 + n, K) before the first and after each.
    """

    layer: str
    channels: tuple[int, ...]
    logits: Floats

    @property
    def changed(self) -> bool:
        """Whether the prediction is another than at first."""
        return int(self.logits[-1].argmax()) != int(self.logits[0].argmax())

    @property
    def margins(self) -> Floats:
        """The logit of the class predicted at first less the largest of the others, (1 + n,)."""
        return margins(self.logits, int(self.logits[0].argmax()))


def margins(logits: Floats, predicted: int) -> Floats:
    """The logit of one class less the largest of the others, (n,), of logits (n, K) with K at least 2."""
    return np.asarray(logits[:, predicted] - np.delete(logits, predicted, 1).max(1), np.float32)


def search(net: nn.Module, x: Tensor, layer: str) -> Iterator[GreedySearch]:
    """The GreedySearch of one image x, float (1, C, h, w), after each channel that it takes.

    It takes the channel whose removal, with those taken before, leaves the smallest margin of the predicted
    class, until another class is predicted or every channel with a value other than zero is taken. A smaller
    set may exist. Errors as `without_sets`.
    """
    check_images(x, one=True)
    alone = without_sets(net, x, layer)
    predicted, logits = int(alone.logits.argmax()), [alone.logits]
    left = [k for k, row in enumerate(alone.zeroed) if not np.array_equal(row, alone.logits)]
    channels: list[int] = []
    zeroed = alone.zeroed[left]
    yield GreedySearch(layer, (), np.stack(logits))
    while left:
        best = int(margins(zeroed, predicted).argmin())
        channels.append(left.pop(best))
        logits.append(zeroed[best])
        state = GreedySearch(layer, tuple(channels), np.stack(logits))
        yield state
        if state.changed or not left:
            return
        zeroed = without_sets(net, x, layer, [(*channels, channel) for channel in left]).zeroed
