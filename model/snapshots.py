"""Snapshots of a run: one compact checkpoint every few epochs, in a folder beside the run's checkpoint.

A snapshot is an ordinary checkpoint, opened with `load_checkpoint`; its card says the epoch. Epoch 0 is the
untrained network. Matrices and filters are stored in float16, which halves the size.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from torch import Tensor

from model.card import Card
from model.checkpoint import compact, save_checkpoint
from model.files import beside, sweep
from model.problems import Problem
from model.words import tr

NAME = re.compile(r"epoch-(\d{4,})\.safetensors")


def folder_of(checkpoint_path: str | Path) -> Path:
    """Where the snapshots of a checkpoint are: `a/b.safetensors` → `a/b.snapshots`."""
    return beside(Path(checkpoint_path), ".snapshots")


def list_snapshots(checkpoint_path: str | Path) -> tuple[tuple[int, Path], ...]:
    """The snapshots beside a checkpoint as (epoch, path), by epoch; none where there is no folder."""
    matches = ((NAME.fullmatch(path.name), path) for path in folder_of(checkpoint_path).glob("*.safetensors"))
    return tuple(sorted((int(match[1]), path) for match, path in matches if match))


def checkpoint_of(path: str | Path) -> Path:
    """The checkpoint of a file's run: of `a/b.snapshots/epoch-0003.safetensors` it is `a/b.safetensors`.

    A file that is no snapshot is its own.
    """
    path = Path(path)
    run, ending, rest = path.parent.name.rpartition(".snapshots")
    if NAME.fullmatch(path.name) and run and ending and not rest:
        return path.parent.with_name(f"{run}.safetensors")
    return path


def save_snapshot(checkpoint_path: str | Path, card: Card, state: Mapping[str, Tensor]) -> Path:
    """Write `state` as the snapshot of `card.epoch`, whole or not at all; return its path."""
    path = folder_of(checkpoint_path) / f"epoch-{card.epoch:04}.safetensors"
    sweep(path)
    save_checkpoint(path, card, state, half=True)
    return path


def keep_snapshot(
    checkpoint_path: str | Path, card: Card, state: Mapping[str, Tensor], every: int, limit: int
) -> str:
    """Save a snapshot if `card.epoch` is due: every `every` epochs (0: never), or as rarely as thinning left.

    Before all snapshots together exceed `limit` bytes, every second one goes. Returns a sentence to print if
    that happened, otherwise nothing. Problem if the limit does not hold two.
    """
    if not is_due(checkpoint_path, card.epoch, every):
        return ""
    size = sum(tensor.nbytes for tensor in compact(state).values())
    if 2 * size > limit:
        raise _too_little(size, limit)
    thinned = thin(checkpoint_path, size, limit)
    if is_due(checkpoint_path, card.epoch, every):
        save_snapshot(checkpoint_path, card, state)
    if not thinned:
        return ""
    return tr(
        "The snapshots reached --snapshot-limit ({limit:g} MB), so every second one was removed; "
        "from now on one is kept every {epochs} epochs.",
        limit=limit / 1e6,
        epochs=thinned,
    )


def is_due(checkpoint_path: str | Path, epoch: int, every: int) -> bool:
    """Whether the snapshot of `epoch` is to be kept: a multiple of `every` and of what thinning left."""
    return every > 0 and epoch % max(every, _step(checkpoint_path)) == 0


def thin(checkpoint_path: str | Path, needed: int, limit: int) -> int:
    """Remove every second snapshot until `needed` more bytes stay within `limit`.

    Returns how many epochs apart they are from here on, 0 if none had to go. Epoch 0 always stays.
    """
    step = 0
    while used(checkpoint_path) + needed > limit:
        snapshots = list_snapshots(checkpoint_path)
        step = 2 * _step(checkpoint_path)
        if not step:
            raise _too_little(needed, limit)
        for epoch, path in snapshots:
            if epoch % step:
                path.unlink(missing_ok=True)
    return step


def _too_little(size: int, limit: int) -> Problem:
    return Problem(
        "A snapshot takes {size:.1f} MB, and --snapshot-limit is {limit:g} MB; "
        "increase the limit to at least the size of two snapshots.",
        size=size / 1e6,
        limit=limit / 1e6,
    )


def used(checkpoint_path: str | Path) -> int:
    """Bytes that the snapshots of a checkpoint take."""
    return sum(path.stat().st_size for _, path in list_snapshots(checkpoint_path))


def clear(checkpoint_path: str | Path) -> None:
    """Remove a former run's snapshots: those of two runs would look like one run."""
    for _, path in list_snapshots(checkpoint_path):
        path.unlink(missing_ok=True)


def _step(checkpoint_path: str | Path) -> int:
    """The smallest distance between two snapshots, in epochs; 0 with fewer than two."""
    epochs = [epoch for epoch, _ in list_snapshots(checkpoint_path)]
    return min((after - before for before, after in pairwise(epochs)), default=0)
