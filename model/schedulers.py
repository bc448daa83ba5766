"""Schedulers by name: how the learning rate changes, after every step or after every epoch."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)


@dataclass(frozen=True)
class Scheduler:
    """`build(optimizer, steps of the whole run, **settings)`; `settings` holds names and default values.

    `pytorch` is PyTorch's name of the class that does the same or nearly so. `after` says when it is stepped.
    `needs_end`: the schedule depends on how long the run is.
    """

    pytorch: str
    build: Callable[..., LRScheduler]
    after: Literal["step", "epoch"]
    needs_end: bool
    settings: Mapping[str, Any]


def plateau(optimizer: Optimizer, steps: int, patience: int, factor: float) -> LRScheduler:
    """Times `factor` when the test loss has not fallen for more than `patience` epochs."""
    return ReduceLROnPlateau(optimizer, "min", factor=factor, patience=patience)


def step(optimizer: Optimizer, steps: int, step_size: int, gamma: float) -> LRScheduler:
    """Times `gamma` every `step_size` epochs."""
    return StepLR(optimizer, step_size, gamma)


def exponential(optimizer: Optimizer, steps: int, gamma: float) -> LRScheduler:
    """Times `gamma` every epoch."""
    return ExponentialLR(optimizer, gamma)


def cosine(optimizer: Optimizer, steps: int, warmup: float) -> LRScheduler:
    """Up in a line over the fraction `warmup` of the run, then down half a cosine to 0 (arXiv:1608.03983)."""
    rising = warmup * steps

    def fraction(done: int) -> float:
        if done < rising:
            return (done + 1) / (rising + 1)
        return 0.5 + 0.5 * math.cos(math.pi * (done - rising) / (steps - rising))

    return LambdaLR(optimizer, fraction)


def onecycle(
    optimizer: Optimizer, steps: int, warmup: float, anneal: str, cycle_momentum: bool
) -> LRScheduler:
    """From a 25th up over the fraction `warmup` of the run, then down to nearly 0 (arXiv:1708.07120)."""
    highest = [group["lr"] for group in optimizer.param_groups]
    if warmup * steps == 1:  # torch would divide by the rise's length, which is one step less
        warmup *= 1 + 1e-9
    return OneCycleLR(
        optimizer,
        highest,
        steps,
        pct_start=warmup,
        anneal_strategy=anneal,  # type: ignore[arg-type]
        cycle_momentum=cycle_momentum,
    )


def constant(optimizer: Optimizer, steps: int) -> LRScheduler:
    return ConstantLR(optimizer, 1.0)


ONE_CYCLE = {"warmup": 0.3, "anneal": "cos", "cycle_momentum": False}

SCHEDULERS: dict[str, Scheduler] = {
    "plateau": Scheduler("ReduceLROnPlateau", plateau, "epoch", False, {"patience": 3, "factor": 0.5}),
    "step": Scheduler("StepLR", step, "epoch", False, {"step_size": 10, "gamma": 0.1}),
    "exponential": Scheduler("ExponentialLR", exponential, "epoch", False, {"gamma": 0.9}),
    "cosine": Scheduler("CosineAnnealingLR", cosine, "step", True, {"warmup": 0.05}),
    "onecycle": Scheduler("OneCycleLR", onecycle, "step", True, ONE_CYCLE),
    "none": Scheduler("ConstantLR", constant, "epoch", False, {}),
}


def after_step(name: str, scheduler: LRScheduler, done: int, steps: int) -> None:
    """Tell a scheduler that `done` of `steps` updates of the weights are made."""
    if SCHEDULERS[name].after == "step" and done < steps:  # after the last there is no rate to set
        scheduler.step()


def after_epoch(name: str, scheduler: LRScheduler, test_loss: float) -> None:
    """Tell a scheduler that an epoch ended with this test loss."""
    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(test_loss)
    elif SCHEDULERS[name].after == "epoch":
        scheduler.step()
