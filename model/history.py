"""A training run as it went: the loss of every step, a row for every epoch, and the two pictures of them."""

import io
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to. Losses are mean cross-entropies in nats, accuracies shares from 0 to 1.

    Training figures are those of the augmented batches, with Dropout, while the weights changed.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    lr: float
    images_per_second: float
    seconds: float


@dataclass
class History:
    """`losses` of all steps so far in order, and the finished epochs' rows; grows while a run goes on."""

    losses: list[float] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)

    @property
    def best_accuracy(self) -> float:
        return max((row.test_accuracy for row in self.epochs), default=0.0)


def save_history(path: Path, history: History) -> None:
    """Write `history` as JSON, whole or not at all; losses keep five significant digits."""
    losses = [float(f"{loss:.5g}") for loss in history.losses]
    text = json.dumps({"epochs": [asdict(row) for row in history.epochs], "losses": losses})
    with replacing(path) as file:
        file.write(text.encode())


def load_history(path: Path) -> History:
    """Read what `save_history` wrote. Raises ValueError if the file is something else."""
    try:
        values = json.loads(path.read_text())
        return History([float(v) for v in values["losses"]], [Epoch(**row) for row in values["epochs"]])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a training history; train again to write one.") from error


def smoothed(losses: list[float], window: int = 100) -> np.ndarray:
    """The running mean of the last `window` values (fewer at the start): float64, one value a step."""
    total = np.concatenate([[0.0], np.cumsum(losses)])
    stop = np.arange(1, len(losses) + 1)
    start = np.maximum(stop - window, 0)
    return np.asarray((total[stop] - total[start]) / (stop - start))


def loss_figure(history: History) -> "Figure":
    """The course's first picture: training loss per iteration, raw and smoothed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(history.losses, linewidth=0.5, alpha=0.35, label="every step")
    axes.plot(smoothed(history.losses), linewidth=1.8, color="C0", label="mean of the last 100")
    axes.set(xlabel="Iteration", ylabel="Training loss (cross-entropy)", ylim=(0, None))
    axes.legend(frameon=False)
    return figure


def epochs_figure(history: History) -> "Figure":
    """The course's second picture: accuracy and loss per epoch, training against test."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.5), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        for split in ("train", "test"):
            values = [getattr(row, f"{split}_{name}") for row in history.epochs]
            axes.plot([row.epoch for row in history.epochs], values, marker=".", label=split)
        axes.set(xlabel="Epoch", ylabel=name.capitalize())
        axes.legend(frameon=False)
    return figure


def save_figure(path: Path, figure: "Figure") -> None:
    """Write a figure as PNG, whole or not at all."""
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=120)
    with replacing(path) as file:
        file.write(png.getvalue())
