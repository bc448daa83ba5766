"""What TensorBoard shows of a run, when it is installed: the loss of every step, each epoch's figures."""

from pathlib import Path
from typing import Any

from model.history import History, row_of
from model.recipes import TrainingError


def open_board(folder: str, name: str) -> Any:
    """A writer of the run `name` into `folder`; None for no folder. TrainingError without TensorBoard."""
    if not folder:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainingError(
            "TensorBoard is not installed; run `pip install tensorboard`, or leave --tensorboard out."
        ) from error
    return SummaryWriter(str(Path(folder) / name))


def show(board: Any, history: History) -> None:
    """Write the last epoch: its losses by step, counted from 1, and its figures by epoch."""
    row = history.epochs[-1]
    per_epoch = history.about.steps if history.about else len(history.losses) // len(history.epochs)
    first = (row.epoch - 1) * per_epoch
    for number, loss in enumerate(history.losses[first:], start=first + 1):
        board.add_scalar("step/loss", loss, number)
    for name, value in row_of(row).items():
        if name != "epoch":
            board.add_scalar(f"epoch/{name}", value, row.epoch)
    board.flush()
