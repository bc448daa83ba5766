"""Training runs on disk: their histories, which may still grow, and their checkpoints' cards."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from explorer.engine.values import Value
from model.card import MOST_EPOCHS, Card
from model.checkpoint import look_into
from model.files import beside, contents
from model.history import NOT_A_HISTORY, About, Epoch, history_from
from model.names import by_number, readable, readable_values, short_path
from model.problems import Problem
from model.recipes import command_of, config_from, settled
from model.snapshots import list_snapshots
from model.words import N_

ENDING = ".history.json"
LARGEST = 64_000_000  # bytes of a history; a run of ten million steps has fewer
QUIET_SECONDS = 120.0  # a run writes its history every few seconds; after so long without one it has stalled

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RunFile:
    """A history on disk as it was when looked at: `modified` in ns since 1970, `size` in bytes."""

    path: Path
    modified: int
    size: int

    @property
    def checkpoint(self) -> Path:
        """Where the run's checkpoint is, once there is one."""
        return self.path.with_name(self.path.name.removesuffix(ENDING) + ".safetensors")


@dataclass(frozen=True, eq=False)
class RecordedRun(Value):
    """A run so far: `losses` float64 (steps,) in nats, and one row for each finished epoch.

    `about` describes the run; what the history does not record has its default.
    """

    losses: Doubles
    epochs: tuple[Epoch, ...]
    about: About

    @property
    def steps(self) -> int:
        """Steps of one epoch; 0 while unknown."""
        known = self.about.steps
        return known or (len(self.losses) // len(self.epochs) if self.epochs else 0)

    @property
    def minutes(self) -> Doubles:
        """Training time up to the end of each epoch, without evaluation, float64 (epochs,)."""
        return np.cumsum([row.seconds / 60 for row in self.epochs], dtype=np.float64)


@dataclass(frozen=True)
class Written:
    """The card of a run's checkpoint, and the digest of its weights."""

    card: Card
    digest: str


# Finding


def find_runs(folders: Iterable[Path]) -> dict[str, Path]:
    """Name → history of every run in these folders, as `files_of_runs` gives them."""
    return files_of_runs(folders, ENDING)


def files_of_runs(folders: Iterable[Path], ending: str) -> dict[str, Path]:
    """Name → file of every run that has one with this ending, in the folders' order and by name.

    Each folder is read once. Where two have a run of the same name, the folder's name is put before it.
    """
    paths = [
        path
        for folder in dict.fromkeys(each.resolve() for each in folders)
        for path in _files(folder, ending)
    ]
    names = [readable(path.name.removesuffix(ending)) for path in paths]
    return {
        name if names.count(name) == 1 else f"{readable(path.parent.name)}/{name}": path
        for name, path in zip(names, paths, strict=True)
    }


def _files(folder: Path, ending: str) -> list[Path]:
    try:
        return sorted(folder.glob(f"*{ending}"), key=by_number)
    except OSError:  # a path that is too long, a folder without permission
        return []


def history_of(checkpoint: Path) -> Path:
    """Where the history of a checkpoint's run is, if there is one."""
    return beside(checkpoint, ENDING).resolve()


def look_at(path: Path) -> RunFile:
    """A history as it is on disk now. Problem if it cannot be opened."""
    try:
        stamp = path.stat()
    except OSError as error:
        template = N_("{file} cannot be opened ({reason}): choose another run.")
        raise Problem(template, file=short_path(path), reason=error.strerror) from error
    return RunFile(path, stamp.st_mtime_ns, stamp.st_size)


# Reading


def read_run(path: Path) -> RecordedRun:
    """The run in a history; unknown fields are ignored. Problem if the file is not a history."""
    try:
        values = readable_values(json.loads(contents(path, LARGEST)))
        read = history_from(values | {"about": _of_known_types(values.get("about") or {})})
        if not all(_is_count(row.epoch) for row in read.epochs):
            raise ValueError("an epoch's number is beyond what can be counted")
        return RecordedRun(np.array(read.losses, np.float64), tuple(read.epochs), read.about or About())
    except OSError as error:
        raise Problem(_unreadable(error), file=short_path(path), reason=error.strerror) from error
    except (*NOT_A_HISTORY, ArithmeticError, RecursionError) as error:
        template = N_("{file} is incomplete or is not a training history: train again, or remove the file.")
        raise Problem(template, file=short_path(path)) from error


def _unreadable(error: OSError) -> str:
    """What to tell a person about a file that cannot be read."""
    if isinstance(error, PermissionError):
        return N_("{file} cannot be read ({reason}): change its permissions.")
    return N_("{file} cannot be read ({reason}): choose another run.")


def _of_known_types(about: Mapping[str, Any]) -> dict[str, Any]:
    """The known facts about a run whose values have the expected type."""
    kinds = {name: type(value) for name, value in asdict(About()).items()}
    known = {name: value for name, value in about.items() if kinds.get(name) is type(value)}
    return {name: value for name, value in known.items() if type(value) is not int or _is_count(value)}


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MOST_EPOCHS


def read_card(checkpoint: Path) -> Written:
    """A checkpoint's card and digest, of a network of one's own as well. Raises Problem."""
    return Written(*look_into(checkpoint))


# Its state and its command


def total_epochs(run: RecordedRun, written: Written | None = None) -> int:
    """How many epochs the run is to have, by its history or its checkpoint's card; 0 where neither says."""
    recorded = written.card.config.get("epochs", 0) if written else 0
    return run.about.epochs or (recorded if _is_count(recorded) else 0)


def run_state(run: RecordedRun, quiet: float, total: int = 0) -> str:
    """The state of a run whose history last changed `quiet` seconds ago, of `total` epochs if known.

    “finished”, “stopped”, “running”, or “stalled”: recorded as running, but not written for too long.
    """
    if run.about.state in ("finished", "stopped"):
        return run.about.state
    if total and len(run.epochs) >= total:
        return "finished"
    # Older trainers write once an epoch: three times the longest of the last is long enough to wait.
    patience = max([QUIET_SECONDS, *(3 * row.seconds for row in run.epochs[-3:])])
    return "running" if quiet < patience else "stalled"


def command(run: RecordedRun, written: Written | None) -> tuple[str, bool]:
    """The command that repeats a run, and whether the run recorded it; else it is derived from the card.

    "" where neither has it.
    """
    if run.about.command or written is None:
        return run.about.command, True
    return command_from(written.card), False


def command_from(card: Card) -> str:
    """The command from a card's recorded settings; "" where they are not this trainer's."""
    settings = {**card.config, "recipe": card.recipe or "course", "net": card.net}
    try:
        return command_of(settled(config_from(settings)))
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return ""


def has_snapshots(checkpoint: Path) -> bool:
    """Whether snapshots of the run lie beside its checkpoint."""
    return bool(list_snapshots(checkpoint))


# Curves


def step_positions(run: RecordedRun, x_axis: str) -> Doubles:
    """The x-coordinate of each step, float64 (steps,): its number from 1, or “epochs” or “minutes” trained.

    In an unfinished epoch, minutes assume the speed of the last finished one. ValueError for other names.
    """
    steps = np.arange(1, len(run.losses) + 1, dtype=np.float64)
    if x_axis == "steps":
        return steps
    if x_axis not in ("epochs", "minutes"):
        raise ValueError(f"The x-axis is steps, epochs or minutes, not {x_axis!r}.")
    epochs = steps / max(run.steps, 1)
    if x_axis == "epochs":
        return epochs
    ends = np.concatenate([[0.0], run.minutes])
    beyond = np.maximum(epochs - len(run.epochs), 0) * (run.epochs[-1].seconds / 60 if run.epochs else 0)
    return np.asarray(np.interp(epochs, np.arange(len(ends)), ends) + beyond)


def epoch_positions(run: RecordedRun, x_axis: str) -> Doubles:
    """The x-coordinate of each epoch's end, float64 (epochs,): its last step, its number, or in minutes."""
    if x_axis == "minutes":
        return run.minutes
    return np.array([row.epoch for row in run.epochs], np.float64) * (run.steps if x_axis == "steps" else 1)


def columns(count: int, most: int) -> npt.NDArray[np.int64]:
    """Where each of at most `most` columns of `count` values begins, int64, ascending, none empty.

    >>> columns(7, 3)
    array([0, 2, 4])
    """
    width = min(count, most)
    return np.arange(width, dtype=np.int64) * count // max(width, 1)


def extremes(values: Doubles, starts: npt.NDArray[np.int64]) -> tuple[Doubles, Doubles]:
    """The least and the largest value of each column, float64 (columns,) both."""
    if not len(starts):
        return np.zeros(0), np.zeros(0)
    return np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)


def last_of(starts: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """The index of each column's last value, int64 (columns,)."""
    return np.append(starts[1:], count) - 1 if count else starts
