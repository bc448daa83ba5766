"""Most first against least first: the probability as the image is removed in the map's order."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import torch

from explorer.engine.outputs import probabilities
from explorer.engine.scores.forward import logits
from explorer.engine.scores.ranks import moved
from explorer.engine.scores.regions import positions
from explorer.engine.scores.removal import REMOVALS, Fill
from explorer.engine.scores.score import Score, Scored, Subject
from explorer.engine.values import Doubles, Integers, one_or_many
from model.words import N_

STEPS = 8
ORDERS, DRAWS = 2, 8
DRAWS_OF_MANY = 2


@dataclass(frozen=True, eq=False)
class Orderings(Scored):
    """The area between two curves: the probability of the class with least first, less that with most first.

    float64: `most_first` and `least_first` (S + 1,) over `removed`, the fraction of the map's positions that
    are removed, 0 to 1; `random` (2 ORDERS, S + 1), the same for random orders and their reverses. All start
    at the full image and end at the mean color.

    The chance of the area is that of the map in the wrong place. Random orders would be too easy to beat:
    they leave a fine pattern of pixels to interpolate from, where a smooth map removes whole regions.
    """

    removed: Doubles
    most_first: Doubles
    least_first: Doubles
    random: Doubles

    ROW: ClassVar[Mapping[str, int]] = {
        "chance": 1, "value": 0, "removed": 1, "most_first": 1, "least_first": 1, "random": 2
    }  # fmt: skip

    @property
    def band(self) -> Doubles:
        """The lowest and highest of the random curves at every step, (2, S + 1)."""
        return np.stack([self.random.min(-2), self.random.max(-2)], axis=-2)


def orderings(
    subject: Subject, steps: int = STEPS, removal: str = "infilled", draws: int = DRAWS
) -> Orderings:
    """The Orderings of the map at its own resolution, its equal values in random order.

    `draws` is how many maps in the wrong place are compared with it.
    """
    images = [_orderings(subject, index, steps, removal, draws) for index in range(len(subject.x))]
    names = ("chance", "value", "removed", "most_first", "least_first", "random")
    return one_or_many(Orderings(**{name: np.stack([one[name] for one in images]) for name in names}))


def _orderings(subject: Subject, index: int, steps: int, removal: str, draws: int) -> dict[str, Doubles]:
    heat = subject.values[index]
    counts, fill = steps_of(heat.size, steps), REMOVALS[removal].fill
    curves = curves_of(subject, index, orders_of(heat, subject.seed, draws), counts, fill)
    key = ("random orders", index, int(subject.target[index]), heat.shape, steps, removal)
    random = _random_orders(heat.size, subject.seed)
    fractions = counts / heat.size
    areas = np.trapezoid(curves[1::2] - curves[::2], fractions, axis=1)
    return {
        "chance": areas[1:],
        "value": areas[0],
        "removed": fractions,
        "most_first": curves[0],
        "least_first": curves[1],
        "random": subject.once(key, lambda: curves_of(subject, index, random, counts, fill)),
    }


def steps_of(size: int, steps: int) -> Integers:
    """How many of so many positions are removed at each step, (steps + 1,), none to all."""
    return np.round(np.linspace(0, size, steps + 1)).astype(np.int64)


def orders_of(heat: Doubles, seed: int, draws: int = DRAWS) -> Integers:
    """When each position goes, (2 + 2 draws, h·w): by the map, and by the map moved; each with its reverse.

    Equal values go in random order: sorted stably they would begin at the top left.
    """
    random = np.random.default_rng(seed)

    def turns(values: Doubles) -> Integers:
        return np.argsort(np.lexsort((random.random(values.size), -values.reshape(-1))))

    return _with_reverses([turns(each) for each in (heat, *moved(heat, seed, draws))])


def _random_orders(size: int, seed: int) -> Integers:
    """Random orders of so many positions, (2 ORDERS, size), each with its reverse."""
    random = np.random.default_rng((seed, size))
    return _with_reverses([random.permutation(size) for _ in range(ORDERS)])


def _with_reverses(orders: list[Integers]) -> Integers:
    """Each order, and after it its reverse."""
    return np.stack([each for one in orders for each in (one, one.size - 1 - one)])


def curves_of(subject: Subject, index: int, orders: Integers, counts: Integers, fill: Fill) -> Doubles:
    """The probability of the class, (orders, counts), all from one pass; the ends are the same for all."""
    x, shape = subject.x[index], subject.values.shape[1:]
    position = positions((x.shape[1], x.shape[2]), (shape[0], shape[1]))
    some = orders[:, None] < counts[1:-1, None]
    every = np.concatenate([np.ones((1, orders.shape[1]), bool), some.reshape(-1, orders.shape[1])])
    removed = torch.from_numpy(every[:, position]).to(x.device)
    images = torch.cat([x[None], fill(x, removed, subject.seed)])
    means = probabilities(subject.net, logits(subject.net, images))
    probability = means[:, subject.target[index]].cpu().numpy()
    curves = np.empty((len(orders), len(counts)))
    curves[:, 0], curves[:, -1] = probability[:2]
    curves[:, 1:-1] = probability[2:].reshape(len(orders), -1)
    return curves


ORDERING = Score(
    title=N_("Most first against least first"),
    summary=N_(
        "Most first against least first removes the image in the map’s order and in the reverse order and "
        "takes the area between the two curves of the probability."
    ),
    direction="higher",
    chance=N_("Chance is the area for the same map, mirrored and shifted at random."),
    pitfall=N_(
        "It tests the order of the values only, not the values, and a network may give any prediction for an "
        "image that is half interpolated."
    ),
    paper="arXiv:2401.06654",
    measure=orderings,
    below=N_("Removing what the map marks first lowers the probability less than by chance."),
    within=N_("The map in the wrong place ranks the positions equally well."),
    above=N_("Removing what the map marks first lowers the probability more than by chance."),
    measure_many=partial(orderings, draws=DRAWS_OF_MANY),
)
