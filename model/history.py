"""A training run as it went: the loss of every step, a row for every epoch, and the two pictures of them."""

import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model.files import replacing
from model.problems import Problem
from model.words import N_, tr

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to. Losses are mean cross-entropies in nats, accuracies shares from 0 to 1.

    Training figures are those of the augmented batches, with Dropout and label smoothing, while the weights
    changed. Where the augmentation mixes images, the train accuracy counts the label with the largest part.
    `lr` is the learning rate of the epoch's first step. `seconds` are those of its steps with augmentation,
    `images_per_second` is their speed: measuring and saving come on top. `flip_accuracy` is the test accuracy
    when an image and its mirror image are averaged: of the last epoch, where that was asked for, else None.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    lr: float
    images_per_second: float
    seconds: float
    flip_accuracy: float | None = None


@dataclass(frozen=True)
class About:
    """What run a history is of: enough to show it while it goes on, and to run it again.

    `epochs` in all and `steps` of each, the checkpoint's file name, the command that reproduces the run,
    when it started (ISO 8601, UTC), and `state`: “running” (also of a run that was killed; then the file no
    longer changes: it is written every few seconds), “stopped” or “finished”.
    """

    epochs: int = 0
    steps: int = 0
    recipe: str = ""
    checkpoint: str = ""
    command: str = ""
    started: str = ""
    state: str = "running"


@dataclass
class History:
    """`losses` of all steps so far in order, and the finished epochs' rows; grows while a run goes on.

    `about` is None in histories that were written before it was known.
    """

    losses: list[float] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    about: About | None = None


def save_history(path: Path, history: History) -> None:
    """Write `history` as JSON, whole or not at all; losses keep five significant digits."""
    losses = [float(f"{loss:.5g}") for loss in history.losses]
    values: dict[str, Any] = {"epochs": [row_of(epoch) for epoch in history.epochs], "losses": losses}
    if history.about is not None:
        values = {"about": asdict(history.about)} | values
    with replacing(path) as file:
        file.write(json.dumps(values).encode())


def row_of(epoch: Epoch) -> dict[str, float]:
    """An epoch's figures by name, without those that were not measured."""
    return {name: value for name, value in asdict(epoch).items() if value is not None}


def load_history(path: Path) -> History:
    """Read what `save_history` wrote. Raises Problem if the file is something else."""
    try:
        return history_from(json.loads(path.read_text()))
    except (*NOT_A_HISTORY, RecursionError) as error:
        raise Problem("{path} is not a training history; train again to write one.", path=path) from error


def history_from(values: Any) -> History:
    """The history in a mapping as `save_history` writes it; unknown names are passed over.

    Raises one of NOT_A_HISTORY for anything else, such as a loss that is not a finite number.
    """
    losses = [_finite(loss) for loss in values["losses"]]
    return History(losses, [_epoch(row) for row in values["epochs"]], _about(values.get("about")))


FIGURES = {"accuracy": N_("Accuracy"), "loss": N_("Loss")}
SPLITS = {"train": N_("train"), "test": N_("test")}

NOT_A_HISTORY = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError)


def _finite(value: Any) -> float:
    """A finite number; JSON's true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)


def _epoch(row: Mapping[str, Any]) -> Epoch:
    values = {each.name: row[each.name] for each in fields(Epoch) if row.get(each.name) is not None}
    numbers: dict[str, Any] = {name: _finite(value) for name, value in values.items()}
    return Epoch(**numbers | {"epoch": int(numbers["epoch"])})


def _about(values: Any) -> About | None:
    if values is None:
        return None
    names = {each.name for each in fields(About)}
    settings = {name: value for name, value in dict(values).items() if name in names}
    if not all(type(value) is type(getattr(About(), name)) for name, value in settings.items()):
        raise TypeError("a run's facts are whole numbers and texts")
    return About(**settings)


def smoothed(losses: list[float], window: int = 100) -> np.ndarray:
    """The running mean of the last `window` values (fewer at the start): float64, one value a step."""
    total = np.concatenate([[0.0], np.cumsum(losses)])
    stop = np.arange(1, len(losses) + 1)
    start = np.maximum(stop - window, 0)
    return np.asarray((total[stop] - total[start]) / (stop - start))


def loss_figure(history: History) -> "Figure":
    """The course's first picture: training loss per iteration, raw and smoothed."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(history.losses, linewidth=0.5, alpha=0.35, label=tr("every step"))
    axes.plot(smoothed(history.losses), linewidth=1.8, color="C0", label=tr("mean of the last 100 steps"))
    axes.set(xlabel=tr("Iteration"), ylabel=tr("Training loss (cross-entropy)"), ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    return figure


def epochs_figure(history: History) -> "Figure":
    """The course's second picture: accuracy and loss per epoch, training against test."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(10, 4.5), layout="constrained")
    for axes, (name, title) in zip(figure.subplots(1, 2), FIGURES.items(), strict=True):
        for split in SPLITS:
            values = [getattr(row, f"{split}_{name}") for row in history.epochs]
            axes.plot([row.epoch for row in history.epochs], values, marker=".", label=tr(SPLITS[split]))
        axes.set(xlabel=tr("Epoch"), ylabel=tr(title))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False)
    return figure


def save_figure(path: Path, figure: "Figure") -> None:
    """Write a figure as PNG, whole or not at all."""
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=120)
    with replacing(path) as file:
        file.write(png.getvalue())
