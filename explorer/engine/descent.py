"""The paths of the optimizers on surfaces of two dimensions, stepped by torch.optim itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.engine.values import Doubles, Value
from model.optimizers import OPTIMIZERS
from model.words import N_

FAR = 1e6  # a coordinate from which on a path has left for good


@dataclass(frozen=True)
class Surface:
    """A loss of two numbers: `x_part(x) + y_part(y)`; where a path starts and what of it is drawn."""

    title: str
    formula: str
    about: str
    x_part: Callable[[Tensor], Tensor]
    y_part: Callable[[Tensor], Tensor]
    start: tuple[float, float]
    across: tuple[float, float]
    up: tuple[float, float]

    def loss(self, point: Tensor) -> Tensor:
        """The loss at points (…, 2)."""
        return self.x_part(point[..., 0]) + self.y_part(point[..., 1])


SURFACES = {
    "bowl": Surface(
        N_("Elongated bowl"),
        "x²/2 + 20·y²/2",
        N_("One minimum, at (0, 0). The surface is 20 times as curved along y as along x, so that no "
           "rate suits both: gradient descent diverges above a rate of 2/20 = 0.1."),
        lambda x: x**2 / 2,
        lambda y: 10 * y**2,
        (-4.0, 1.0),
        (-5.0, 5.0),
        (-1.6, 1.6),
    ),
    "saddle": Surface(
        N_("Saddle"),
        "x²/2 − y²/2 + y⁴/4",
        N_("Two minima, at (0, −1) and (0, 1). Between them, at (0, 0), lies a saddle: a minimum along x, a "
           "maximum along y. A path that comes along x finds almost no gradient there."),
        lambda x: x**2 / 2,
        lambda y: y**4 / 4 - y**2 / 2,
        (-1.8, 0.01),
        (-2.2, 2.2),
        (-1.6, 1.6),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """An optimizer as it is compared here: its name in OPTIMIZERS, the settings that differ from those there,
    and how it makes a step of the gradient g with rate η."""

    title: str
    optimizer: str
    settings: Mapping[str, Any]
    step: str


VARIANTS = {
    "sgd": Variant("SGD", "sgd", {"momentum": 0.0}, "w ← w − η·g"),
    "momentum": Variant(N_("SGD with momentum"), "sgd", {"momentum": 0.9}, "v ← 0.9·v + g, w ← w − η·v"),
    "rmsprop": Variant("RMSprop", "rmsprop", {}, "s ← 0.99·s + 0.01·g², w ← w − η·g / (√s + ε)"),
    "adam": Variant("Adam", "adam", {}, "m ← 0.9·m + 0.1·g, s ← 0.999·s + 0.001·g², w ← w − η·m̂ / (√ŝ + ε)"),
    "adamw": Variant("AdamW", "adamw", {}, N_("w ← w − η·0.01·w, then as Adam")),
}  # fmt: skip
"""The optimizers that are compared; m̂ and ŝ are m and s divided by 1 − 0.9ᵗ and 1 − 0.999ᵗ in step t."""


@dataclass(frozen=True, eq=False)
class Path(Value):
    """The points of a path, float64 (steps + 1, 2), from the start, and the loss at each (steps + 1,).

    Fewer points where it left for good.
    """

    points: Doubles
    losses: Doubles

    @property
    def steps(self) -> int:
        return len(self.losses) - 1


def path(variant: str, surface: str, lr: float, steps: int) -> Path:
    """The Path of an optimizer of VARIANTS on a surface of SURFACES, in float64."""
    ground, chosen = SURFACES[surface], VARIANTS[variant]
    point = torch.tensor(ground.start, dtype=torch.float64, requires_grad=True)
    record = OPTIMIZERS[chosen.optimizer]
    optimizer = record.build([point], lr=lr, **{**record.settings, **chosen.settings})
    points = [point.detach().clone()]
    for _ in range(steps):
        (point.grad,) = torch.autograd.grad(ground.loss(point), point)
        optimizer.step()
        if not bool((point.detach().abs() < FAR).all()):
            break
        points.append(point.detach().clone())
    every = torch.stack(points)
    return Path(every.numpy(), np.asarray(ground.loss(every).numpy(), np.float64))
