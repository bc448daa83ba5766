"""What a layer's channels are worth: the accuracy over many images with some of them removed, measured.

A channel is removed by giving it the same value at every position of every image: zero, as in a network built
without it, or its mean over the images, as in one whose next layer has that in its bias.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from explorer.engine.ablation import check_channels
from explorer.engine.independence import mixes_rows
from explorer.engine.intervals import interval
from explorer.engine.passes import check_images, recorded
from explorer.engine.values import Floats, Integers, Value
from model.nets import check_logits

BATCH = 64  # images that run together up to the layer
MOST_VALUES = 2**24  # of the layer's maps, over images and sets, that go on together
POINTS = 8  # of a curve beside that without a change
Sets = Sequence[Sequence[int]]


@dataclass(frozen=True, eq=False)
class PrunedPredictions(Value):
    """Classes of n images, int64: `labels` (n,), `whole` (n,) predicted by the network as it is, and `pruned`
    (S, n) with the channels of each of S sets removed.
    """

    labels: Integers
    whole: Integers
    pruned: Integers

    def cost(self, index: int) -> "PruningCost":
        """What removing set number `index` costs."""
        before, after = self.whole == self.labels, self.pruned[index] == self.labels
        return PruningCost(
            n=len(self.labels),
            correct=int(after.sum()),
            before=int(before.sum()),
            changed=int((self.whole != self.pruned[index]).sum()),
            lost=int((before & ~after).sum()),
            gained=int((after & ~before).sum()),
        )


@dataclass(frozen=True)
class PruningCost:
    """Of n images how many are predicted correctly without some channels, and were `before`; of how many the
    prediction changes; and how many of these were correct (`lost`), or are now (`gained`).
    """

    n: int
    correct: int
    before: int
    changed: int
    lost: int
    gained: int

    @property
    def accuracy(self) -> float:
        return self.correct / self.n

    @property
    def difference(self) -> float:
        """The accuracy less that of the network as it is; negative for a loss."""
        return (self.correct - self.before) / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval of the accuracy."""
        return interval(self.accuracy, self.n)


def joined(parts: Sequence[PrunedPredictions]) -> PrunedPredictions:
    """The predictions of several batches as those of one; of the same sets, at least one batch."""
    return PrunedPredictions(
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.whole for part in parts]),
        np.concatenate([part.pruned for part in parts], axis=1),
    )


def pruned_predictions(
    net: nn.Module, x: Tensor, labels: Integers, layer: str, sets: Sets, fill: Floats
) -> PrunedPredictions:
    """The PrunedPredictions of images x, float (N, C, h, w), with labels (N,): channel k of the layer, if it
    is in the set, is `fill[k]` everywhere, float (C,).

    The layers up to this one run once for many sets. Raises Problem for an unknown layer or channel.
    """
    check_images(x)
    check_channels(layer, [channel for one in sets for channel in one], len(fill))
    masks = torch.zeros(1 + len(sets), len(fill), dtype=torch.bool)
    for mask, one in zip(masks[1:], sets, strict=True):
        mask[list(one)] = True
    classes = _classes(net, x, layer, masks.to(x.device), torch.from_numpy(fill))
    return PrunedPredictions(labels, classes[0], classes[1:])


def pruning(
    net: nn.Module,
    batches: Iterable[tuple[Callable[[], Tensor], Integers]],
    layer: str,
    sets: Sets,
    fill: Floats,
) -> Iterator[PrunedPredictions]:
    """`pruned_predictions` for one batch after another, each given as what makes x, and its labels."""
    for make, labels in batches:
        yield pruned_predictions(net, make(), labels, layer, sets, fill)


def _classes(net: nn.Module, x: Tensor, layer: str, masks: Tensor, fill: Tensor) -> Integers:
    """The most probable classes, int64 (S, N), each row without the channels of its mask."""
    if mixes_rows(net, x):  # each image and each set by itself
        rows = [[_run(net, one[None], layer, mask[None], fill) for one in x] for mask in masks]
        return torch.stack([torch.cat(row, 1)[0] for row in rows]).cpu().numpy()
    few = [_few(net, images, layer, masks, fill) for images in torch.split(x, BATCH)]
    return torch.cat(few, 1).cpu().numpy()


def _few(net: nn.Module, x: Tensor, layer: str, masks: Tensor, fill: Tensor) -> Tensor:
    """`_classes` of a few images, with as many sets at once as memory allows."""
    size = [0]

    def measure(_: str, __: Tensor, output: Tensor) -> None:
        size[0] = output.numel()

    recorded(net, x[:1], [layer], measure)
    step = max(1, MOST_VALUES // max(1, size[0] * len(x)))
    return torch.cat([_run(net, x, layer, part, fill) for part in torch.split(masks, step)])


def _run(net: nn.Module, x: Tensor, layer: str, masks: Tensor, fill: Tensor) -> Tensor:
    """Classes (S, N): the images run once and become S times as many at the layer.

    A net that cannot go on so, such as one that later adds the values before the layer, gets all of them.
    """
    sets, images = len(masks), len(x)

    def remove(_: str, __: Tensor, output: Tensor) -> Tensor:
        many = output if len(output) != images else output.repeat(sets, 1, 1, 1)
        chosen = masks.repeat_interleave(images, 0)[:, :, None, None]
        return torch.where(chosen, fill.to(output)[:, None, None], many)

    try:
        logits = check_logits(recorded(net, x, [layer], remove))
    except Exception:  # whatever a network makes of another number of images from the layer on
        logits = check_logits(recorded(net, x.repeat(sets, 1, 1, 1), [layer], remove))
    if len(logits) != sets * images:
        logits = check_logits(recorded(net, x.repeat(sets, 1, 1, 1), [layer], remove))
    return logits.argmax(1).reshape(sets, images)


# Which channels


def random_order(channels: int, seed: int) -> tuple[int, ...]:
    """All channels of a layer in a random order, always the same for a seed."""
    return tuple(np.random.default_rng(seed).permutation(channels).tolist())


def counts(channels: int, points: int = POINTS) -> tuple[int, ...]:
    """How many channels are removed at each point of a curve, ascending and evenly spread, all at last.

    >>> counts(64), counts(3)
    ((8, 16, 24, 32, 40, 48, 56, 64), (1, 2, 3))
    """
    points = min(points, channels)
    return tuple(channels * (point + 1) // points for point in range(points))


def first_of(order: Sequence[int], each: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """The sets of the first so many channels of an order, for `each` count."""
    return tuple(tuple(sorted(order[:count])) for count in each)
