"""What TensorBoard shows of a run, when it is installed: losses and figures as curves, and two pictures.

The loss of every step, counted from 1; every epoch's figures; and after every epoch how the images of its
first batch were augmented and what the filters of the first layer have become.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from model.batches import batches
from model.datasets import Dataset
from model.history import History, row_of
from model.images import Images
from model.problems import Problem
from model.recipes import Config

PICTURES = 64  # of a batch that are shown
WITHOUT_EPOCHS = 1000  # bytes: a file of events that has no epoch yet is smaller
ZOOM = 8  # pixels that each weight of a filter takes


def open_board(folder: str, name: str, new: bool = True) -> Any:
    """A writer of the run `name` into `folder`; None for no folder. Problem without TensorBoard.

    A new run takes the place of a former one of its name, which TensorBoard then no longer shows.
    """
    if not folder:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise Problem(
            "TensorBoard is not installed; run `pip install tensorboard`, or train without --tensorboard."
        ) from error
    return SummaryWriter(str(Path(folder) / name), purge_step=0 if new else None)


def events_of(folder: str, name: str) -> list[Path]:
    """The files in `folder` that hold epochs of a run `name`; a new one of that name would hide them."""
    files = (Path(folder) / name).glob("events.out.tfevents.*") if folder else ()
    return sorted(path for path in files if path.stat().st_size > WITHOUT_EPOCHS)


def show(board: Any, history: History, images: Mapping[str, Images]) -> None:
    """Write the last epoch: its losses by step, its figures and what is `seen` of it by epoch.

    A run that is killed right after this writes the epoch once more when it goes on: the same values again.
    """
    row = history.epochs[-1]
    per_epoch = history.about.steps if history.about else len(history.losses) // len(history.epochs)
    first = (row.epoch - 1) * per_epoch
    for number, loss in enumerate(history.losses[first:], start=first + 1):
        board.add_scalar("step/loss", loss, number)
    for name, value in row_of(row).items():
        if name != "epoch":
            board.add_scalar(f"epoch/{name}", value, row.epoch)
    for name, image in images.items():
        board.add_image(name, image, row.epoch, dataformats="HWC")
    board.flush()


def pictures(net: nn.Module, data: Dataset, config: Config, epoch: int) -> dict[str, Images]:
    """What is to be seen of an epoch, by name: uint8 (H, W, 3); filters only where they take colors."""
    images = {"batch": batch_sheet(data, config, epoch)}
    first = next((each for each in net.modules() if isinstance(each, nn.Conv2d)), None)
    if first is not None and first.weight.shape[1] == 3:
        images["filters"] = filter_sheet(first.weight)
    return images


def batch_sheet(data: Dataset, config: Config, epoch: int) -> Images:
    """The first pictures of an epoch's first batch as the network met them, normalizing undone."""
    x, _ = next(batches(data, config, epoch))
    mean, std = torch.tensor(data.mean), torch.tensor(data.std)
    pixels = x[:PICTURES].permute(0, 2, 3, 1) * std + mean
    return sheet((pixels.clamp(0, 1) * 255).round().byte().numpy())


def filter_sheet(weights: Tensor) -> Images:
    """Filters (C, 3, k, k) as colored tiles on one scale, symmetric about zero, which is mid-gray."""
    values = weights.detach().float().cpu().permute(0, 2, 3, 1)
    largest = values.abs().max().clamp(min=1e-12)
    tiles = ((values / largest + 1) * 127.5).round().byte().numpy()
    return sheet(tiles.repeat(ZOOM, axis=1).repeat(ZOOM, axis=2))


def sheet(tiles: Images) -> Images:
    """Tiles uint8 (N, h, w, 3) as a nearly square sheet, row by row, with white lines between."""
    count, height, width, _ = tiles.shape
    across = int(np.ceil(np.sqrt(count)))
    down = -(-count // across)
    padded = np.pad(tiles, ((0, across * down - count), (0, 1), (0, 1), (0, 0)), constant_values=255)
    grid = padded.reshape(down, across, height + 1, width + 1, 3).transpose(0, 2, 1, 3, 4)
    return grid.reshape(down * (height + 1), across * (width + 1), 3)
