"""What an attribution method is: one record with everything about it, for pages, command line and tests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from explorer.engine.attribution.gradients import LogitScore
from explorer.engine.attribution.operations import Operations, operations
from explorer.engine.passes import layer_path
from model.problems import Problem


@dataclass(frozen=True)
class Parameter:
    """A number that a method can be given, from `low` to `high`, both included."""

    title: str
    default: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Question:
    """What a method is asked: the score of images x, float (N, C, h, w), in a network that is not its own.

    `layer` is set for a method that works at one. Images are compared with a `baseline` each, (N, C, h, w),
    or all with the same `references`, (M, C, h, w); None stands for the method's default.
    """

    net: nn.Module
    x: Tensor
    score: LogitScore
    layer: str = ""
    baseline: Tensor | None = None
    references: Tensor | None = None
    settings: Mapping[str, float] = field(default_factory=dict)

    def rows(self, rows: slice) -> "Question":
        """The same of some of the images."""
        own = None if self.baseline is None else self.baseline[rows]
        return replace(self, x=self.x[rows], score=self.score.rows(rows), baseline=own)

    @property
    def start(self) -> Tensor:
        """The baseline of each image, (N, C, h, w): by default zero, the color that is normalized to it."""
        return torch.zeros_like(self.x) if self.baseline is None else self.baseline


def any_network(net: nn.Module, layer: str | None, values: Tensor) -> None:
    """For a method that requires nothing: no network and no layer gives a reason."""


Floats = npt.NDArray[np.floating[Any]]
ROUNDING = 1e-6  # of the largest value of a float32 map


@dataclass(frozen=True)
class Method:
    """An attribution method.

    `summary`, a whole sentence, is what it computes; `pitfall`, a whole sentence, how it can mislead;
    `units`, whole sentences, what its values measure: all are marked with `N_`, and `tr` translates them.
    `paper` is an arXiv number or a DOI. Its heat map lies on the positions of a layer or on the pixels of the
    input (`space`), where the color channels are added up, and can be negative where it is `signed`; where it
    is `signed_as_maps`, only if the layer's maps are negative somewhere.

    `heat(maps, gradients)` computes it, (N, h, w), from a layer's maps and the gradients of the explained
    score on them, both (N, C, h, w). A method that needs passes of its own has `compute(question)` instead.
    It is asked about a layer if `needs_layer`, and compares with a `baseline`, one image for each, or with
    the same references for all images, if it has one. Where it `adds_up`, its values together are the score
    minus that of the baseline, up to the error that `completeness_gap` measures. Unless it `uses_class`,
    its map is the same for every class.

    `requires(net, layer, values)` and `rules(ran)` are the Problem, one sentence, why the method cannot
    explain this network or this layer; None where it can. The values are the layer's maps, or the images for
    a method in input space; `ran` is what the network computes for these. `unmet` asks both.
    """

    title: str
    summary: str
    pitfall: str
    units: str
    paper: str
    space: Literal["layer", "input"]
    signed: bool
    heat: Callable[[Tensor, Tensor], Tensor] | None = None
    compute: Callable[[Question], Tensor] | None = None
    requires: Callable[[nn.Module, str | None, Tensor], Problem | None] = any_network
    rules: Callable[[Operations], Problem | None] | None = None
    needs_layer: bool = True
    baseline: Literal["image", "references"] | None = None
    adds_up: bool = False
    uses_class: bool = True
    signed_as_maps: bool = False
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    def unmet(self, net: nn.Module, layer: str | None, values: Tensor) -> Problem | None:
        """Why the method cannot explain a network or a layer."""
        if problem := self.misfit(net, layer, values):
            return problem
        return self.rules(operations(net, values)) if self.rules else None

    def misfit(self, net: nn.Module, layer: str | None, values: Tensor) -> Problem | None:
        """The same without looking at what runs, which takes a pass."""
        if layer is not None:
            layer_path(net, layer)
        return self.requires(net, layer, values)

    def is_signed(self, values: Floats) -> bool:
        """Whether a map's values, of any shape, are drawn about zero, not from zero up."""
        if not self.signed_as_maps:
            return self.signed
        return bool(values.min() < -ROUNDING * np.abs(values).max())
