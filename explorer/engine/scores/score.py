"""What a score of a heat map is: one record with everything about it; its value, beside chance."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from explorer.engine.attribution import Heatmap, attribute
from explorer.engine.passes import check_images
from explorer.engine.places import on_image, place_of
from explorer.engine.redrawing import Redrawing
from explorer.engine.values import Doubles, Integers, Rows
from model.words import N_

Explain = Callable[[nn.Module, Tensor, Integers], Heatmap]
Masks = npt.NDArray[np.bool_]
T = TypeVar("T")
Direction = Literal["higher", "lower", "none"]

TIED = N_("The map in the wrong place always has this same value: the score says nothing here.")
FEWEST_FOR_QUANTILES = 39  # so that a further draw is outside of the lowest and the highest in 5% of cases
STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    2.040, 2.037, 2.035, 2.032, 2.030, 2.028, 2.026,
)  # fmt: skip
"""The 97.5% quantile of Student's t with 1, 2, … degrees of freedom."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What is judged: the heat map of images x, float (N, 3, h, w), and how it was made.

    `explain(net, x, classes)` makes such a map anew, by default with `attribute` as `heat` says. `mask`, bool
    (h, w) or (N, h, w), is True on the object. `random_nets` are what `randomized.random_nets` makes of the
    network, and `redrawings`, one per image, what `redraw` gives for drawn scenes. All that is drawn at
    random follows from `seed`. `known` keeps what scores have measured of the network and the images alone:
    subjects that differ only in the map may share it. Raises ValueError for shapes that do not fit one
    another.
    """

    net: nn.Module
    x: Tensor
    heat: Heatmap
    explain: Explain | None = None
    mask: Masks | None = None
    random_nets: tuple[nn.Module, ...] = ()
    redrawings: tuple[Redrawing, ...] = ()
    seed: int = 0
    known: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_images(self.x)
        count, size = len(self.x), tuple(self.x.shape[2:])
        if len(self.values) != count:
            raise ValueError(f"There must be one heat map per image, not {len(self.values)} for {count}.")
        if self.mask is not None and self.mask.shape not in (size, (count, *size)):
            raise ValueError(f"mask must be bool {size} or {(count, *size)}, not {self.mask.shape}.")

    def once(self, key: tuple[Any, ...], measure: Callable[[], T]) -> T:
        """What `measure` gives, which follows from `key`, the network, the images and the seed."""
        if key not in self.known:
            self.known[key] = measure()
        return cast(T, self.known[key])

    @property
    def values(self) -> Doubles:
        """The heat maps, (N, h, w), signed."""
        return self._on_image(self.heat)

    @property
    def target(self) -> Integers:
        """The class that each map explains, (N,)."""
        return np.broadcast_to(np.asarray(self.heat.target, np.int64), len(self.x))

    @property
    def against(self) -> Integers | None:
        """The class whose logit is subtracted, (N,); None where there is none."""
        if self.heat.against is None:
            return None
        return np.broadcast_to(np.asarray(self.heat.against, np.int64), len(self.x))

    @property
    def masks(self) -> Masks:
        """The mask of each image, (N, h, w); ValueError where there is none."""
        if self.mask is None:
            raise ValueError("This score needs a mask of the object.")
        return np.broadcast_to(self.mask, (len(self.x), *self.x.shape[2:]))

    def explained(self, net: nn.Module, x: Tensor, target: Integers, of: Integers) -> Doubles:
        """Maps (n, h, w) made like this one, of images x (n, 3, h, w) for classes (n,).

        `of` (n,) says which of the N images each of them is made from, for the class that it is `against`.
        """
        if self.explain is not None:
            return self._on_image(self.explain(net, x, target))
        against = self.against
        heat = attribute(
            net,
            x,
            self.heat.method,
            layer=self.heat.layer,
            target=torch.tensor(target),
            against=None if against is None else torch.tensor(against[of]),
        )
        return self._on_image(heat)

    def _on_image(self, heat: Heatmap) -> Doubles:
        """A map's values (n, h, w) over the whole image."""
        values = np.asarray(heat.values, np.float64)
        size = self.x.shape[2], self.x.shape[3]
        place = place_of(self.net, heat.layer, size)
        return on_image(values if values.ndim == 3 else values[None], place, size)


@dataclass(frozen=True, eq=False)
class Scored(Rows):
    """A score, one number per image, and what chance gives on the same image, float64 (draws,).

    NaN is a score that says nothing on this image, such as a correlation with a map of equal values.
    """

    chance: Doubles
    value: float | Doubles

    ROW: ClassVar[Mapping[str, int]] = {"chance": 1, "value": 0}

    @property
    def chance_mean(self) -> float | Doubles:
        """The mean of what chance gives."""
        return _one_or_rows(self.chance.mean(-1))

    @property
    def chance_band(self) -> Doubles:
        """The ends of the band where 95% of what chance gives lies, (2,); NaN for a single draw.

        They are the quantiles of the draws. Of few draws, whose lowest and highest hold less than 95%, they
        are the prediction interval for one more draw, if draws are normally distributed.
        """
        if self.draws < FEWEST_FOR_QUANTILES:
            return self._prediction_interval
        return np.moveaxis(np.quantile(self.chance, (0.025, 0.975), axis=-1), 0, -1)

    @property
    def draws(self) -> int:
        """How many draws of chance there are for each image."""
        return int(self.chance.shape[-1])

    @property
    def no_verdict(self) -> str | None:
        """Why the value for one image says nothing beside chance, a whole sentence; None where it may."""
        return TIED if (self.chance == self.value).all() else None

    @property
    def _prediction_interval(self) -> Doubles:
        if self.draws < 2:
            return np.full((*self.chance.shape[:-1], 2), np.nan)
        spread = self.chance.std(-1, ddof=1) * np.sqrt(1 + 1 / self.draws)
        reach = STUDENT[self.draws - 2] * spread
        mean = self.chance.mean(-1)
        return np.stack([mean - reach, mean + reach], axis=-1)

    @property
    def above_chance(self) -> float | Doubles:
        """The fraction of chance below the score, half of what equals it included; NaN for a score of NaN."""
        value = np.asarray(self.value)[..., None]
        below = (self.chance < value).mean(-1) + (self.chance == value).mean(-1) / 2
        return _one_or_rows(np.where(np.isnan(value[..., 0]), np.nan, below))


def _one_or_rows(values: Doubles) -> float | Doubles:
    return values if values.ndim else float(values)


def reading(score: "Score", one: Scored) -> str | None:
    """What the value for one image says beside chance: `below`, `within` or `above`; None for NaN.

    Where it can say nothing, it is the reason, its `no_verdict`.
    """
    low, high = one.chance_band
    if np.isnan(one.value) or np.isnan(low):
        return None
    if one.no_verdict is not None:
        return one.no_verdict
    return score.below if one.value < low else score.above if one.value > high else score.within


def nothing_missing(subject: Subject) -> None:
    """For a score that needs no more than a heat map: no subject gives a reason."""


@dataclass(frozen=True)
class Score:
    """A score of heat maps.

    `summary`, a whole sentence, is what it measures; `chance`, a whole sentence, what it is compared with;
    `pitfall`, a whole sentence, how it can mislead: all are marked with `N_`, and `tr` translates them.
    `direction` says which values are better. `paper` is an arXiv number or a DOI. `below`, `within` and
    `above`, whole sentences, are what a value below, within or above the band of chance says.

    `measure(subject)` computes it for every image, and `measure_many(subject)`, where it is there, the same
    with fewer draws of chance, for a mean over many images. `unmet(subject)` is the reason, a whole sentence
    marked with `N_`, why it cannot be computed here; None where it can. One that `remakes` the map computes
    it several times anew, so that its cost is a multiple of the map's. One that is no better than a coin at
    preferring the truly better of two maps, on any network measured (docs/scores.md), is not `in_strip`.
    """

    title: str
    summary: str
    direction: Direction
    chance: str
    pitfall: str
    paper: str
    measure: Callable[[Subject], Scored]
    below: str
    within: str
    above: str
    unmet: Callable[[Subject], str | None] = nothing_missing
    measure_many: Callable[[Subject], Scored] | None = None
    remakes: bool = False
    in_strip: bool = True
