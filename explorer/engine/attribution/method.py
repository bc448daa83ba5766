"""What an attribution method is: one record with everything about it, for pages, command line and tests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn


@dataclass(frozen=True)
class Parameter:
    """A number that a method can be given, from `low` to `high`, both included."""

    title: str
    default: float
    low: float
    high: float


def any_layer(net: nn.Module, layer: str, maps: Tensor) -> None:
    """For a method that requires nothing: no layer gives a reason."""


@dataclass(frozen=True)
class Method:
    """An attribution method.

    `summary`, a whole sentence, is what it computes; `pitfall`, a whole sentence, how it can mislead;
    `units`, whole sentences, what its values measure: all are marked with `N_`, and `tr` translates them.
    `paper` is an arXiv number or a DOI. Its heat map lies on the positions of a layer or on the pixels of the
    input (`space`), and can be negative where it is `signed`.

    `heat(maps, gradients)` computes it, (N, h, w), from a layer's maps and the gradients of the explained
    score on them, both (N, C, h, w). `unmet(net, layer, maps)` is the reason, a whole sentence marked with
    `N_` that says what to do, why the method cannot explain this layer; None where it can.
    """

    title: str
    summary: str
    pitfall: str
    units: str
    paper: str
    space: Literal["layer", "input"]
    signed: bool
    heat: Callable[[Tensor, Tensor], Tensor]
    unmet: Callable[[nn.Module, str, Tensor], str | None] = any_layer
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
