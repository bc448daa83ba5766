"""What the stations of the tour ask of one network and one image, each as numbers in a frozen record.

A function raises Problem, in one sentence, where the question cannot be asked of the network.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from explorer.engine import batchnorm
from explorer.engine.ablation import Ablations
from explorer.engine.attribution import ChannelEvidence, attribute
from explorer.engine.batchnorm import NormStatistics
from explorer.engine.geometry import LayerSize, layer_size
from explorer.engine.network import Network
from explorer.engine.passes import recorded, to_numpy
from explorer.engine.receptive import ReceptiveField, ReceptiveFields
from explorer.engine.runs import RecordedRun
from explorer.engine.samples import Sample
from explorer.engine.scores import Subject
from explorer.engine.scores.randomized import Randomized, randomized
from explorer.engine.tracing import Block, Trace, input_output, last_with_positions, layer_module, trace
from explorer.engine.values import Floats
from model.problems import Problem

MOST = 3  # channels that are named


def explained_layer(blocks: Sequence[Block], seen: Trace) -> str:
    """The layer of the last block with several positions, which heat maps explain at first."""
    if not blocks:
        raise Problem("This network has no layer with feature maps, so there is nothing to ask here.")
    return last_with_positions([block.explained for block in blocks], seen.shapes)


@dataclass(frozen=True)
class FirstMaps:
    """What the first convolution gives: `shape` (C, h, w), with a kernel of `kernel` (channels, rows,
    columns) for each map.
    """

    layer: str
    shape: tuple[int, ...]
    kernel: tuple[int, ...]

    @property
    def weights(self) -> int:
        """The weights of the kernel of one map."""
        return int(np.prod(self.kernel))


def first_maps(net: nn.Module, seen: Trace) -> FirstMaps:
    """The FirstMaps of the first convolution that ran."""
    for layer, shape in seen.shapes.items():
        module = layer_module(net, layer)
        if isinstance(module, nn.Conv2d):
            return FirstMaps(layer, shape, tuple(module.weight.shape[1:]))
    raise Problem("This network has no two-dimensional convolution, so there is no kernel to count.")


@dataclass(frozen=True)
class Shrinking:
    """The arithmetic of the first and of the last layer that give fewer positions than they read."""

    first: LayerSize
    last: LayerSize


def shrinking(net: nn.Module, seen: Trace) -> Shrinking:
    """The layers that make maps smaller by a kernel, its stride and padding."""
    sizes = [layer_size(net, seen, layer) for layer in seen.shapes]
    smaller = [size for size in sizes if size is not None and _shrinks(size)]
    if not smaller:
        raise Problem("No convolution or pooling of this network makes its feature maps smaller.")
    return Shrinking(smaller[0], smaller[-1])


def _shrinks(size: LayerSize) -> bool:
    """Whether a window with a stride, not an adaptive pooling, gives fewer rows or columns."""
    axes = size.rows, size.columns
    return all(axis.stride > 0 for axis in axes) and any(axis.output < axis.input for axis in axes)


@dataclass(frozen=True)
class ChannelMean:
    """The channel of the first BatchNorm whose mean in this image lies farthest from the running mean.

    `distance` is `observed` less `running`, in running standard deviations; `after` is the output's mean.
    """

    layer: str
    channel: int
    observed: float
    running: float
    distance: float
    weight: float
    bias: float
    after: float


def first_norm(net: nn.Module, seen: Trace) -> str:
    """The first BatchNorm of feature maps."""
    layers = batchnorm.batchnorms(net, seen)
    if not layers:
        raise Problem("This network has no BatchNorm of feature maps, so there are no statistics to compare.")
    return layers[0]


def channel_mean(one: NormStatistics) -> ChannelMean:
    """The ChannelMean of a BatchNorm on one image."""
    if not one.tracked:
        raise Problem("The BatchNorm layers of this network keep no running statistics to compare with.")
    channel = int(np.abs(one.distance).argmax())
    values = (one.mean, one.running_mean, one.distance, one.weight, one.bias, one.after.mean((0, 2, 3)))
    return ChannelMean(one.layer, channel, *(float(each[channel]) for each in values))


@dataclass(frozen=True)
class Cut:
    """Of `values` that a ReLU reads for the image, how many are negative."""

    layer: str
    values: int
    negative: int

    @property
    def fraction(self) -> float:
        return self.negative / self.values


def cut(net: nn.Module, seen: Trace, x: Tensor) -> Cut:
    """The Cut of the first ReLU layer for one image x, float (1, C, h, w), and its trace."""
    layer = next((name for name in seen.shapes if isinstance(layer_module(net, name), nn.ReLU)), None)
    if layer is None:
        raise _no_relu(net, seen)
    both = input_output(seen, x, layer)
    received = both[0] if both is not None else _received(net, x, layer)
    return Cut(layer, received.size, int((received < 0).sum()))


def _no_relu(net: nn.Module, seen: Trace) -> Problem:
    """Why there is no ReLU to ask about."""
    for layer in seen.shapes:
        module = layer_module(net, layer)
        if type(module).__module__ == nn.ReLU.__module__:
            kind = type(module).__name__
            return Problem(
                "The first activation of this network, {layer}, is {kind} and not ReLU, so the question does "
                "not apply to it: choose another checkpoint.",
                layer=layer,
                kind=kind,
            )
    return Problem(
        "No module of this network is a ReLU on feature maps; one called as a function is not recorded."
    )


def _received(net: nn.Module, x: Tensor, layer: str) -> Floats:
    """What a layer reads, (1, C, h, w), by another pass."""
    received: list[Floats] = []
    recorded(net, x, [layer], lambda _, read, __: received.append(to_numpy(read)))
    return received[0]


@dataclass(frozen=True)
class Sight:
    """What the position in the middle of a layer's maps can see of an image of `size` (h, w)."""

    layer: str
    position: tuple[int, int]
    field: ReceptiveField
    size: tuple[int, int]

    @property
    def reach_size(self) -> tuple[int, int]:
        """Rows and columns of the image that can change the position."""
        top, bottom, left, right = self.field.reach
        return bottom - top, right - left


def sight(fields: ReceptiveFields, size: tuple[int, int]) -> Sight:
    """The Sight of a layer by its receptive fields in an image of that size."""
    position = len(fields.rows) // 2, len(fields.columns) // 2
    return Sight(fields.layer, position, fields.at(*position), size)


@dataclass(frozen=True)
class Carriers:
    """The channels of a layer by their contribution to the class, from the largest to the smallest.

    A contribution is in units of the logit per position: an average over the map's positions, `size` (h, w).
    """

    layer: str
    order: tuple[int, ...]
    contributions: tuple[float, ...]
    size: tuple[int, int]

    @property
    def first(self) -> tuple[int, ...]:
        return self.order[:MOST]


def carriers(evidence: ChannelEvidence) -> Carriers:
    """The Carriers by the channel evidence for one image."""
    contributions = evidence.contributions
    order = np.argsort(-contributions, kind="stable")
    height, width = evidence.maps.shape[-2:]
    return Carriers(
        evidence.layer, tuple(order.tolist()), tuple(contributions[order].tolist()), (height, width)
    )


@dataclass(frozen=True)
class ChannelRemoval:
    """The logit of the class and the most probable class, as they are and with one channel at zero."""

    layer: str
    channel: int
    before: float
    after: float
    predicted: int
    predicted_after: int

    @property
    def change(self) -> float:
        return self.after - self.before


def removal(off: Ablations, target: int) -> ChannelRemoval:
    """The ChannelRemoval of the one channel that is switched off."""
    before, after = off.logits, off.zeroed[0]
    return ChannelRemoval(
        off.layer,
        off.channels[0],
        float(before[target]),
        float(after[target]),
        int(before.argmax()),
        int(after.argmax()),
    )


def trust(
    net: nn.Module, x: Tensor, layer: str, target: int, random_nets: tuple[nn.Module, ...]
) -> Randomized:
    """How alike Grad-CAM's map of one image and those of networks with random weights are."""
    heat = attribute(net, x, "grad_cam", layer=layer, target=target)
    return randomized(Subject(net, x, heat, random_nets=random_nets))


@dataclass(frozen=True)
class Drawn:
    """The labels of pictures whose class the network has, and what it predicts for each."""

    labels: tuple[int, ...]
    predicted: tuple[int, ...]

    @property
    def wrong(self) -> tuple[tuple[int, int], ...]:
        """(label, predicted) of each wrong prediction."""
        pairs = zip(self.labels, self.predicted, strict=True)
        return tuple((label, predicted) for label, predicted in pairs if label != predicted)


def drawn(network: Network, samples: Iterable[Sample]) -> Drawn:
    """The Drawn of some samples, whose labels are the network's classes or None."""
    labeled = [(sample.label, sample.pixels) for sample in samples if sample.label is not None]
    if not labeled:
        raise Problem("This network has none of the classes of the drawn scenes, so no error can be counted.")
    x = torch.cat([network.card.to_input(pixels) for _, pixels in labeled])
    predicted = np.atleast_2d(trace(network.net, x, ()).logits).argmax(1)
    return Drawn(tuple(label for label, _ in labeled), tuple(predicted.tolist()))


@dataclass(frozen=True)
class Learned:
    """A run's test accuracy after the first epoch, after the first with half of the whole gain, and after
    the last; epochs are counted from 1.
    """

    epochs: int
    half: int
    first: float
    at_half: float
    last: float


def learned(run: RecordedRun) -> Learned:
    """The Learned of a run. Raises Problem where the test accuracy has not risen."""
    accuracies: Sequence[float] = [row.test_accuracy for row in run.epochs]
    if len(accuracies) < 2 or not accuracies[-1] > accuracies[0]:
        raise Problem("The test accuracy of this run has not risen since its first epoch.")
    goal = (accuracies[0] + accuracies[-1]) / 2
    half = next(index for index, accuracy in enumerate(accuracies) if accuracy >= goal)
    return Learned(len(accuracies), half + 1, accuracies[0], accuracies[half], accuracies[-1])
