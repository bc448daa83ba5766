"""The learning rate of every step of a run by each scheduler, made by the trainer's own schedulers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from explorer.engine.values import Doubles, Value
from model.optimizers import OPTIMIZERS
from model.problems import Problem
from model.schedulers import SCHEDULERS, after_epoch, after_step

MOST_STEPS = 20_000  # of a curve; a step costs some microseconds


@dataclass(frozen=True, eq=False)
class Schedule(Value):
    """The `rates` of all steps, float64 (steps of the run,), and the epochs after which the rate was reduced,
    ascending, from 1, of a scheduler that is stepped after every epoch; `final` is the rate after the last.
    """

    scheduler: str
    rates: Doubles
    reduced: tuple[int, ...]
    final: float


def schedule(
    name: str,
    lr: float,
    epochs: int,
    steps: int,
    settings: Mapping[str, Any],
    losses: Sequence[float] = (),
) -> Schedule:
    """The Schedule of `epochs` of `steps` each by the scheduler `name`, with other `settings` than usual.

    `losses` are the test losses of the epochs, for “plateau”, which follows them: it ends with the last of
    them. Raises Problem for more than MOST_STEPS steps.
    """
    if name == "plateau":
        epochs = min(epochs, len(losses))
    if epochs * steps > MOST_STEPS:
        raise Problem(
            "{count} steps are too many for a curve: choose fewer epochs or steps per epoch, at most {most} "
            "together.",
            count=epochs * steps,
            most=MOST_STEPS,
        )
    record, total = SCHEDULERS[name], epochs * steps
    optimizer = OPTIMIZERS["sgd"].build([nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)
    scheduler = record.build(optimizer, max(total, 1), **{**record.settings, **settings})
    optimizer.step()  # without a gradient it changes nothing; PyTorch warns of a scheduler stepped before
    rates, reduced = np.zeros(total), list[int]()
    for epoch in range(1, epochs + 1):
        for step in range((epoch - 1) * steps, epoch * steps):
            rates[step] = optimizer.param_groups[0]["lr"]
            after_step(name, scheduler, step + 1, total)
        before = optimizer.param_groups[0]["lr"]
        after_epoch(name, scheduler, losses[epoch - 1] if name == "plateau" else 0.0)
        if record.after == "epoch" and optimizer.param_groups[0]["lr"] < before:
            reduced.append(epoch)
    return Schedule(name, rates, tuple(reduced), optimizer.param_groups[0]["lr"])
