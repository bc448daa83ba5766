"""One image through all snapshots of a run: what the network made of it at every epoch."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from explorer.engine.attribution import attribute
from explorer.engine.batchnorm import NormSummary, summary
from explorer.engine.passes import leaf_paths, to_numpy
from explorer.engine.tracing import stage_of, trace
from explorer.engine.values import Floats, Value
from model.checkpoint import Card, Checkpoint, load_checkpoint
from model.names import shown
from model.problems import Problem
from model.recipes import FREE
from model.snapshots import checkpoint_of, list_snapshots

MOST = 24  # snapshots shown of a run
MOST_BYTES = 256_000_000  # that their networks may take together


class TimelineError(ValueError):
    """Snapshots that cannot be shown; the message says why and what to do, in one sentence."""


@dataclass(frozen=True)
class SnapshotFile:
    """A snapshot on disk as it was when listed: its epoch, `modified` in ns since 1970, `size` in bytes."""

    epoch: int
    path: Path
    modified: int
    size: int


@dataclass(frozen=True, eq=False)
class Timeline:
    """The networks of a run by epoch, ascending, shared by all and hooked by none; `digest` names them all.

    `listed` is how many snapshots there are, `left_out` the reason, in one sentence, for each of those chosen
    that could not be used.
    """

    epochs: tuple[int, ...]
    nets: tuple[nn.Module, ...]
    digest: str
    left_out: tuple[str, ...] = ()
    listed: int = 0


@dataclass(frozen=True, eq=False)
class Course(Value):
    """One image at every epoch: `logits` and `probabilities` float32 (epochs, K)."""

    epochs: tuple[int, ...]
    logits: Floats
    probabilities: Floats


# Which snapshots


def snapshots_of(checkpoint: Path) -> tuple[SnapshotFile, ...]:
    """The snapshots beside a checkpoint by epoch, as they are on disk now."""
    found = []
    for epoch, path in list_snapshots(checkpoint):
        try:
            stamp = path.stat()
        except OSError:  # thinned out between the listing and the look
            continue
        found.append(SnapshotFile(epoch, path, stamp.st_mtime_ns, stamp.st_size))
    return tuple(found)


def chosen(
    files: Sequence[SnapshotFile], most: int = MOST, most_bytes: int = MOST_BYTES
) -> tuple[SnapshotFile, ...]:
    """At most `most` of the snapshots, evenly spread, the first and the last among them.

    Fewer where their networks, about twice the largest file each, would take more than `most_bytes`; two
    at least.
    """
    largest = max([1, *(file.size for file in files)])
    count = min(len(files), most, max(2, most_bytes // (2 * largest)))
    places = np.linspace(0, len(files) - 1, count).round().astype(int)
    return tuple(files[place] for place in places)


def open_timeline(files: Sequence[SnapshotFile], last: Checkpoint) -> Timeline:
    """The networks of a few of these snapshots, and that of the checkpoint `last` if they end before it.

    One that cannot be read, or is of another network than `last`, is left out and named. TimelineError
    where none is left.
    """
    epochs: list[int] = []
    kept: list[Checkpoint] = []
    left_out: list[str] = []
    for file in chosen(files):
        try:
            kept.append(_opened(file.path, last))
            epochs.append(file.epoch)
        except Problem as error:
            left_out.append(str(error))
    if not kept:
        raise TimelineError(
            "None of the snapshots can be used: train again with `--snapshot-every 1`, or copy them anew."
        )
    if last.card.epoch > epochs[-1]:
        kept.append(last)
        epochs.append(last.card.epoch)
    digest = hashlib.sha256("\n".join(f"{e} {c.digest}" for e, c in zip(epochs, kept, strict=True)).encode())
    nets = tuple(checkpoint.build() for checkpoint in kept)
    return Timeline(tuple(epochs), nets, digest.hexdigest(), tuple(left_out), len(files))


def _opened(path: Path, last: Checkpoint) -> Checkpoint:
    found = load_checkpoint(path, last.builder)
    shapes, wanted = ({name: held.shape for name, held in each.state.items()} for each in (found, last))
    if shapes != wanted:
        raise Problem(
            "{path} is a snapshot of another network than its checkpoint; remove it, or train again.",
            path=shown(path),
        )
    return found


# Of one run

RECORDED = ("net", "arguments", "classes", "mean", "std", "input_size", "recipe", "data")


@dataclass(frozen=True)
class CardFile:
    """A checkpoint's or a snapshot's card, and its file if it has one."""

    card: Card
    path: Path | None


def of_one_run(one: CardFile, other: CardFile) -> bool:
    """Whether two files are states of the same network in the same run, so that their channels correspond.

    They lie where one run keeps its checkpoint and its snapshots, and their cards record the same network,
    data and settings with the same seed, apart from settings that may change when a run is resumed. Equal
    cards alone do not show it: images in the data folder may have changed between two runs.
    """
    if one.path is None or other.path is None:
        return False
    placed = checkpoint_of(one.path.resolve()) == checkpoint_of(other.path.resolve())
    return placed and _settings(one.card) == _settings(other.card) and "seed" in one.card.config


def _settings(card: Card) -> dict[str, object]:
    """What a card records of its run that stays the same through the run."""
    fixed = {name: value for name, value in card.config.items() if name not in FREE}
    return {name: getattr(card, name) for name in RECORDED} | {"config": fixed}


# An image through them


def course_of(timeline: Timeline, x: Tensor) -> Course:
    """The answers to one input x, float (1, 3, h, w), at every epoch."""
    seen = [trace(net, x) for net in timeline.nets]
    logits, shares = ([getattr(each, name) for each in seen] for name in ("logits", "probabilities"))
    return Course(timeline.epochs, np.stack(logits), np.stack(shares))


def maps_over_time(timeline: Timeline, x: Tensor, layer: str) -> Floats:
    """What a layer gives for one input x at every epoch, float32 (epochs, C, h, w). ValueError without it."""
    seen = (trace(net, x).maps.get(layer) for net in timeline.nets)
    found = [maps for maps in seen if maps is not None]
    if len(found) < len(timeline.nets):
        raise ValueError(f"Layer {layer!r} did not run at every epoch: choose another layer.")
    return np.stack(found)


def heat_over_time(timeline: Timeline, x: Tensor, layer: str, target: int) -> Floats:
    """Grad-CAM of one class at one layer at every epoch, float32 (epochs, h, w): raw and signed."""
    return np.stack([attribute(net, x, layer=layer, target=target).values for net in timeline.nets])


def norms_over_time(timeline: Timeline, x: Tensor, layer: str) -> tuple[NormSummary, ...]:
    """One BatchNorm at every epoch, against what x, float (N, 3, h, w), brings. ValueError as `summary`."""
    return tuple(summary(net, x, layer) for net in timeline.nets)


def filters_over_time(timeline: Timeline) -> tuple[str, Floats]:
    """The first convolution's path and its kernels at every epoch, float32 (epochs, C, in, h, w).

    ValueError for a network without a two-dimensional convolution.
    """
    layer = first_conv(timeline.nets[0])
    if layer is None:
        raise ValueError("This network has no convolution, so it has no filters to look at.")
    weights = (net.get_submodule(layer).weight for net in timeline.nets)
    return layer, np.stack([to_numpy(weight) for weight in weights if isinstance(weight, Tensor)])


def first_conv(net: nn.Module) -> str | None:
    """The path of the first two-dimensional convolution in the order of definition; None without one."""
    for path in leaf_paths(net):
        module = net.get_submodule(path)
        weight = getattr(module, "weight", None)
        if stage_of(module) == "conv" and isinstance(weight, Tensor) and weight.ndim == 4:
            return path
    return None
