"""What a network does with a shortcut: marked scenes, how much of a heat map is on the mark, who carries it.

Scenes are given at the network's input size, uint8 (N, s, s, 3), with their classes int64 (N,), which are
those that marks are numbered by (`model.shortcut`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from explorer.engine.attribution import attribute
from explorer.engine.network import Network
from explorer.engine.passes import recorded
from explorer.engine.scores.regions import means
from explorer.engine.tracing import trace
from explorer.engine.values import Doubles, Floats, Integers, Value
from model import scenes
from model.images import Images, Labels
from model.nets import check_logits
from model.shortcut import mark_mask, with_marks, wrong_marks
from model.words import N_

CONDITIONS = {"own": N_("Mark of its class"), "wrong": N_("Mark of another class"), "none": N_("No mark")}
AT_ONCE = 250  # images


@dataclass(frozen=True, eq=False)
class MarkedScenes(Value):
    """The same N scenes in every one of CONDITIONS, uint8 (N, s, s, 3), with `labels` int64 (N,).

    `wrong` int64 (N,) are the classes whose marks the scenes of “wrong” have.
    """

    images: Mapping[str, Images]
    labels: Labels
    wrong: Labels


@dataclass(frozen=True, eq=False)
class ShortcutAccuracy(Value):
    """How many of n scenes are predicted correctly in each of CONDITIONS.

    `followed` is how many scenes with the mark of another class are predicted as that class.
    """

    n: int
    correct: Mapping[str, int]
    followed: int


@dataclass(frozen=True)
class OnMark:
    """The fractions of a heat map's positive and absolute values at positions that the mark touches.

    `area` is the fraction of these positions: what an even map has. NaN for a map without such values.
    """

    positive: float
    absolute: float
    area: float


def marked_scenes(images: Images, labels: Labels) -> MarkedScenes:
    """The scenes with the mark of their class, with that of another class, and without one."""
    wrong = wrong_marks(labels)
    conditions = {"own": with_marks(images, labels), "wrong": with_marks(images, wrong), "none": images}
    return MarkedScenes(conditions, labels, wrong)


def draw_marked(count: int, seed: int, size: int) -> MarkedScenes:
    """`count` drawn scenes of all classes by `seed`, of `size` pixels (16 or more), in every condition."""
    return marked_scenes(*scenes.dataset(count, seed, size))


def predictions(network: Network, images: Images, layer: str = "", off: Sequence[int] = ()) -> Integers:
    """The predicted class of each image, int64 (N,), with the channels `off` of a layer at zero.

    Raises Problem for an unknown layer, IndexError for an unknown channel.
    """
    channels = list(off)

    def switch(_: str, __: Tensor, maps: Tensor) -> Tensor:
        maps = maps.clone()
        maps[:, channels] = 0
        return maps

    parts = [network.card.to_inputs(images[at : at + AT_ONCE]) for at in range(0, len(images), AT_ONCE)]
    layers = [layer] if channels else []
    logits = [check_logits(recorded(network.net, x, layers, switch)) for x in parts]
    return np.asarray(torch.cat(logits).argmax(1).numpy())


def accuracy(
    network: Network, marked: MarkedScenes, layer: str = "", off: Sequence[int] = ()
) -> ShortcutAccuracy:
    """The ShortcutAccuracy of a network, with channels `off` as `predictions` says; errors as there."""
    predicted = {
        condition: predictions(network, images, layer, off) for condition, images in marked.images.items()
    }
    correct = {name: int((each == marked.labels).sum()) for name, each in predicted.items()}
    return ShortcutAccuracy(len(marked.labels), correct, int((predicted["wrong"] == marked.wrong).sum()))


def on_mark(heat: Floats, mark: int, size: int) -> OnMark:
    """How much of a heat map (h, w) is on a mark of an input of `size` pixels.

    A position counts where the mark covers any part of its area.
    """
    touched = touched_positions(mark, size, (heat.shape[0], heat.shape[1]))
    values = heat.astype(np.float64)
    positive, absolute = np.maximum(values, 0), np.abs(values)
    return OnMark(_fraction(positive, touched), _fraction(absolute, touched), float(touched.mean()))


def touched_positions(mark: int, size: int, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The positions of a map of `shape` that a mark touches, bool (h, w)."""
    return np.asarray(means(mark_mask(mark, size).astype(np.float64), shape) > 1e-9)


def mean_on_mark(network: Network, marked: MarkedScenes, layer: str) -> OnMark:
    """The mean OnMark of Grad-CAM of the scenes' classes at a layer, over all scenes with their own mark.

    Maps without positive or without any values are left out of their mean.
    """
    images, labels = marked.images["own"], marked.labels
    x = network.card.to_inputs(images)
    heats = attribute(network.net, x, "grad_cam", layer=layer, target=labels.tolist()).values
    each = [on_mark(heat, int(mark), x.shape[-1]) for heat, mark in zip(heats, labels, strict=True)]
    return OnMark(*(_mean([getattr(one, name) for one in each]) for name in ("positive", "absolute", "area")))


def mark_shifts(network: Network, marked: MarkedScenes, layer: str) -> Floats:
    """How far the mark of its class moves the mean of each channel's map at a layer, float32 (C,).

    The mean over all scenes of the absolute difference with and without the mark, in standard deviations of
    the channel's means over both; 0 for a channel that never changes.
    """
    with_mark, plain = (
        trace(network.net, network.card.to_inputs(marked.images[name]), [layer]).maps[layer].mean((2, 3))
        for name in ("own", "none")
    )
    spread = np.concatenate([with_mark, plain]).std(0)
    moved = np.abs(with_mark - plain).mean(0)
    return np.where(spread > 0, moved / np.where(spread > 0, spread, 1), 0).astype(np.float32)


def _fraction(values: Doubles, touched: npt.NDArray[np.bool_]) -> float:
    total = float(values.sum())
    return float(values[touched].sum()) / total if total > 0 else float("nan")


def _mean(values: Sequence[float]) -> float:
    finite = np.asarray(values)[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")
