"""One image through all snapshots of a run: the network's output at every epoch."""

import hashlib
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Size, Tensor, nn

from explorer.engine.attribution import attribute
from explorer.engine.batchnorm import NormSummary, summary
from explorer.engine.outputs import LOGITS, outputs_of
from explorer.engine.passes import leaf_paths, to_numpy
from explorer.engine.tracing import stage_of, trace
from explorer.engine.values import Floats, Value
from model.card import Card
from model.checkpoint import Checkpoint, load_checkpoint
from model.names import short_path
from model.problems import Problem
from model.recipes import FREE
from model.snapshots import checkpoint_of, list_snapshots
from model.words import N_

MOST = 200  # snapshots shown of a run
MOST_BYTES = 256_000_000  # that their networks may take together


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

    `listed` is how many snapshots there are, `left_out` has a Problem for each of those chosen that could not
    be used.
    """

    epochs: tuple[int, ...]
    nets: tuple[nn.Module, ...]
    digest: str
    left_out: tuple[ValueError, ...] = ()
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
    files = []
    for epoch, path in list_snapshots(checkpoint):
        try:
            stamp = path.stat()
        except OSError:  # removed since it was listed
            continue
        files.append(SnapshotFile(epoch, path, stamp.st_mtime_ns, stamp.st_size))
    return tuple(files)


def chosen(
    files: Sequence[SnapshotFile], most: int | None = None, most_bytes: int = MOST_BYTES
) -> tuple[SnapshotFile, ...]:
    """At most `most` of the snapshots, MOST unless said, evenly spread, the first and the last among them.

    Fewer where their networks, about twice the largest file each, would take more than `most_bytes`; two
    at least.
    """
    largest = max([1, *(file.size for file in files)])
    count = min(len(files), most or MOST, max(2, most_bytes // (2 * largest)))
    indices = np.linspace(0, len(files) - 1, count).round().astype(int)
    return tuple(files[index] for index in indices)


def open_timeline(files: Sequence[SnapshotFile], last: Checkpoint) -> Timeline:
    """The networks of a few of these snapshots, and that of the checkpoint `last` if they end before it.

    One that cannot be read, or is of another network than `last`, is left out and named. Problem where none
    is left.
    """
    epochs: list[int] = []
    checkpoints: list[Checkpoint] = []
    left_out: list[ValueError] = []
    for file in chosen(files):
        try:
            checkpoints.append(_opened(file.path, last))
            epochs.append(file.epoch)
        except Problem as error:
            left_out.append(copy(error))  # without its traceback, which holds the file's bytes
    if not checkpoints:
        raise Problem("No snapshot can be used: train again with `--snapshot-every 1`, or copy them again.")
    if last.card.epoch > epochs[-1]:
        checkpoints.append(last)
        epochs.append(last.card.epoch)
    nets = tuple(checkpoint.build() for checkpoint in checkpoints)
    lines = [f"{e} {c.digest}" for e, c in zip(epochs, checkpoints, strict=True)]
    if (outputs := outputs_of(nets[-1])) != LOGITS:
        lines.append(str(outputs))
    digest = hashlib.sha256("\n".join(lines).encode())
    return Timeline(tuple(epochs), nets, digest.hexdigest(), tuple(left_out), len(files))


def _opened(path: Path, last: Checkpoint) -> Checkpoint:
    snapshot = load_checkpoint(path, last.builder)
    if _shapes(snapshot) != _shapes(last):
        template = N_(
            "{file} is a snapshot of another network than its checkpoint; remove it, or train again."
        )
        raise Problem(template, file=short_path(path))
    return snapshot


def _shapes(checkpoint: Checkpoint) -> dict[str, Size]:
    return {name: tensor.shape for name, tensor in checkpoint.state.items()}


# Of one run

RECORDED = (
    "net",
    "arguments",
    "classes",
    "mean",
    "std",
    "input_size",
    "resize",
    "interpolation",
    "recipe",
    "data",
)


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

OUTPUTS = ("logits", "probabilities")


def course_of(timeline: Timeline, x: Tensor) -> Course:
    """The predictions for one input x, float (1, C, h, w), at every epoch."""
    traces = [trace(net, x, ()) for net in timeline.nets]
    logits, probabilities = (np.stack([getattr(each, name) for each in traces]) for name in OUTPUTS)
    return Course(timeline.epochs, logits, probabilities)


def maps_over_time(timeline: Timeline, x: Tensor, layer: str) -> Floats:
    """A layer's output for one input x at every epoch, float32 (epochs, C, h, w). Problem without it."""
    traces = (trace(net, x, (layer,)) for net in timeline.nets)
    maps = [each.maps[layer] for each in traces if layer in each.maps]
    if len(maps) < len(timeline.nets):
        raise Problem("Layer {layer} did not run at every epoch: choose another layer.", layer=layer)
    return np.stack(maps)


def heat_over_time(timeline: Timeline, x: Tensor, layer: str, target: int) -> Floats:
    """Grad-CAM of one class at one layer at every epoch, float32 (epochs, h, w): raw and signed."""
    return np.stack([attribute(net, x, layer=layer, target=target).values for net in timeline.nets])


def norms_over_time(timeline: Timeline, x: Tensor, layer: str) -> tuple[NormSummary, ...]:
    """One BatchNorm at every epoch: learned, and observed on x, float (N, C, h, w). Errors as `summary`."""
    return tuple(summary(net, x, layer) for net in timeline.nets)


def filters_over_time(timeline: Timeline) -> tuple[str, Floats]:
    """The first convolution's path and its kernels at every epoch, float32 (epochs, C, in, h, w).

    Problem for a network without a two-dimensional convolution.
    """
    layer = first_conv(timeline.nets[0])
    if layer is None:
        raise Problem("This network has no convolution, so it has no kernels to show.")
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
