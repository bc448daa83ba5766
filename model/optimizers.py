"""Optimizers by name, each with its settings."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class OptimizerRecord:
    """`build(parameter groups, lr=…, **settings)`; `settings` holds their names and default values.

    `pytorch` is PyTorch's name of it.
    """

    pytorch: str
    build: Callable[..., Optimizer]
    settings: Settings


OPTIMIZERS: dict[str, OptimizerRecord] = {
    "adam": OptimizerRecord("Adam", partial(Adam, fused=True), {"weight_decay": 0.0}),
    "adamw": OptimizerRecord("AdamW", partial(AdamW, fused=True), {"weight_decay": 0.01}),
    "sgd": OptimizerRecord(
        "SGD", partial(SGD, fused=True), {"momentum": 0.9, "nesterov": False, "weight_decay": 0.0}
    ),
    "rmsprop": OptimizerRecord("RMSprop", RMSprop, {"momentum": 0.0, "weight_decay": 0.0}),
}


def build_optimizer(
    name: str, net: nn.Module, lr: float, decay_vectors: bool, settings: Settings
) -> Optimizer:
    """The optimizer `name` of a net's weights; without `decay_vectors` only matrices and filters decay."""
    parameters = list(net.parameters())
    groups: list[dict[str, Any]] = [{"params": parameters}]
    if not decay_vectors and settings["weight_decay"]:
        vectors = [each for each in parameters if each.ndim < 2]  # biases, and all of BatchNorm
        groups = [{"params": [each for each in parameters if each.ndim >= 2]}]
        groups += [{"params": vectors, "weight_decay": 0.0}] if vectors else []
    return OPTIMIZERS[name].build(groups, lr=lr, **settings)


# The average of the weights along the way (EMA)


def averaged(net: nn.Module) -> nn.Module:
    """A copy of `net`, in eval mode, that is to follow it."""
    return copy.deepcopy(net).eval().requires_grad_(False)


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, decay: float, steps: int) -> None:
    """Move the average towards `net` after step `steps`, counted from 1: average ← d·average + (1-d)·net.

    d is `decay`, but smaller in the first steps, so that the random start is soon forgotten.
    """
    weight = 1 - min(decay, (1 + steps) / (10 + steps))
    now = net.state_dict()
    for name, mean in average.state_dict().items():
        if mean.is_floating_point():
            mean.lerp_(now[name], weight)
        else:
            mean.copy_(now[name])
