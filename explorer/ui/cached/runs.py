"""Training runs, their logs of the training images, and what the trainer's parts do by themselves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from explorer.drawing.pictures import data_uri
from explorer.engine import data_map as data_maps
from explorer.engine import descent, schedules
from explorer.engine import training_images as training_images_of
from explorer.engine.data_map import DataMap
from explorer.engine.optimizer_runs import OptimizerRun, read_runs
from explorer.engine.runs import RecordedRun, RunFile, Written, read_card, read_run
from explorer.engine.schedules import Schedule
from explorer.engine.training_images import LoggedImages
from explorer.engine.values import Integers
from explorer.ui.cached.keys import announced, data, resource, stamp_of
from model.example_log import ExampleLog, load_log
from model.problems import Problem
from model.words import N_


@data(max_size="60MB")
def _run(path: Path, stamp: tuple[int, int]) -> RecordedRun:
    return read_run(path)


def run(file: RunFile) -> RecordedRun:
    """A run's history, read again only once its file has changed. Raises Problem."""
    return _run(file.path, (file.modified, file.size))


def written(checkpoint: Path) -> Written | None:
    """What a run's checkpoint says of itself, None before there is one. Raises Problem."""
    try:
        checkpoint.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:  # reading it says what is wrong
        pass
    return _written(checkpoint, stamp_of(checkpoint))


@data(max_entries=32)
def _written(path: Path, stamp: tuple[int, int]) -> Written:
    return read_card(path)


def example_log(path: Path) -> ExampleLog:
    """The log in a file, read again once it has changed. Raises Problem."""
    return _example_log(path, stamp_of(path))


@resource(max_entries=4)
@announced(N_("Reading the log of the training images …"))
def _example_log(path: Path, stamp: tuple[int, int]) -> ExampleLog:
    return load_log(path)


def data_map(path: Path) -> DataMap:
    """The data map of the log in a file. Raises Problem."""
    return _data_map(path, stamp_of(path))


@resource(max_entries=4)
def _data_map(path: Path, stamp: tuple[int, int]) -> DataMap:
    return data_maps.data_map(example_log(path))


def logged_images(path: Path, data_dir: Path) -> LoggedImages:
    """The training images of the log in a file, looked for again after ten minutes. Raises Problem."""
    return _logged_images(path, stamp_of(path), data_dir)


@resource(max_entries=2, ttl=600)
@announced(N_("Looking for the training images …"))
def _logged_images(path: Path, stamp: tuple[int, int], data_dir: Path) -> LoggedImages:
    return training_images_of.logged_images(example_log(path), data_dir)


def logged_pictures(path: Path, data_dir: Path, images: Integers) -> list[str | None]:
    """Training images of the log in a file as `data:` addresses; None for one that cannot be read, or is not
    the one of the run. Raises Problem as `logged_images`.
    """
    return _logged_pictures(path, stamp_of(path), data_dir, images)


@data(max_entries=16, ttl=600)
def _logged_pictures(
    path: Path, stamp: tuple[int, int], data_dir: Path, images: Integers
) -> list[str | None]:
    on_hand = _logged_images(path, stamp, data_dir)
    return [_picture(on_hand, index) for index in images.tolist()]


def _picture(images: LoggedImages, index: int) -> str | None:
    try:
        return data_uri(images.sample(index).pixels)
    except Problem:
        return None


@data(max_entries=4)
def _optimizer_runs(folder: Path, stamps: tuple[tuple[int, int], ...]) -> tuple[OptimizerRun, ...]:
    return read_runs(folder)


def optimizer_runs(folder: Path) -> tuple[OptimizerRun, ...]:
    """The short runs of every optimizer in a folder, as its files are now. Raises Problem."""
    return _optimizer_runs(folder, tuple(map(stamp_of, sorted(folder.glob("*.history.json")))))


@data(max_entries=64)
def schedule(
    name: str,
    lr: float,
    epochs: int,
    steps: int,
    settings: Mapping[str, Any],
    losses: Sequence[float],
) -> Schedule:
    """The rate of every step by a scheduler. Raises Problem."""
    return schedules.schedule(name, lr, epochs, steps, settings, losses)


@data(max_entries=64)
def descent_path(variant: str, surface: str, lr: float, steps: int) -> descent.Path:
    """The steps of an optimizer on a surface of two numbers."""
    return descent.path(variant, surface, lr, steps)
