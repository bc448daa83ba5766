"""What training steps say of each image, gathered over an epoch from the logits that they compute anyway."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.datasets import Dataset
from model.example_log import ExampleLog, LogCard, empty_log, load_log, of_epochs, path_of_log, save_log
from model.problems import Problem
from model.processes import all_reduce_sum, rank, shard
from model.recipes import Config, recorded
from model.words import tr


@dataclass(frozen=True, eq=False)
class EpochRecord:
    """Sums over an epoch, float32 (3, N): probabilities of the true class, correct predictions, times seen.

    Logits with NaN, as of a run that has diverged, count as seen with probability 0 and not as correct.
    Of several processes each has those of its own rows until the epoch is over.
    """

    labels: Tensor
    sums: Tensor

    @torch.no_grad()
    def add(self, images: Tensor, logits: Tensor) -> None:
        """Take in a batch: the indices of all its images, int64 (n,), and the logits of the rows here."""
        here = shard(images).to(logits.device)
        labels = self.labels[here]
        confidence = logits.softmax(1).gather(1, labels[:, None])[:, 0]
        correct = (logits.argmax(1) == labels) & confidence.isfinite()
        confidence = confidence.nan_to_num(0.0)
        self.sums.index_add_(1, here, torch.stack([confidence, correct, torch.ones_like(confidence)]))

    def finish(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Each image's probability, NaN where it was not seen, and whether it was right each time."""
        confidence, correct, counts = all_reduce_sum(self.sums).cpu().numpy()
        with np.errstate(invalid="ignore"):
            return confidence / counts, (correct == counts) & (counts > 0)


def record_epoch(labels: npt.NDArray[np.int64], device: torch.device | str) -> EpochRecord:
    """An empty record of an epoch of images with these labels."""
    return EpochRecord(torch.from_numpy(labels).to(device), torch.zeros(3, len(labels), device=device))


def new_log(config: Config, data: Dataset, digest: str, images: str) -> ExampleLog | None:
    """The log that a run begins with; None unless it keeps one."""
    if not config.log_examples:
        return None
    card = LogCard(config.path.name, digest, images, data.classes, recorded(config))
    return empty_log(data, card)


def continued_log(config: Config, log: ExampleLog, epochs: int) -> tuple[ExampleLog, str]:
    """What the file has of a run's first `epochs`, and a sentence if that is not all of them.

    An epoch that is not in it, or not of the same images, is one in which no image was seen.
    """
    path = path_of_log(config.path)
    try:
        saved = load_log(path)
    except Problem:
        saved = log
    same = saved.card.data == log.card.data and np.array_equal(saved.labels, log.labels)
    saved = saved if same else log
    missing = epochs - saved.epochs
    message = "" if missing <= 0 else tr(
        "{path} does not have epochs {first} to {last}; in the log they stay empty.",
        path=path,
        first=saved.epochs + 1,
        last=epochs,
    )  # fmt: skip
    return of_epochs(saved, epochs), message


def keep_log(config: Config, log: ExampleLog | None) -> None:
    """Write a run's log beside its checkpoint, if it keeps one; only the first process does."""
    if log is not None and not rank():
        save_log(path_of_log(config.path), log)
