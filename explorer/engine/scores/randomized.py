"""Randomized network: whether the map changes when nothing that the network has learned is left."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from explorer.engine.passes import private_view
from explorer.engine.randomness import drawing
from explorer.engine.scores.ranks import correlations_by_chance, spearman
from explorer.engine.scores.score import Score, Scored, Subject
from explorer.engine.values import Doubles, one_or_many
from model.nets import in_evaluation
from model.words import N_

SEEDS = (0, 1, 2)
FEWEST_BINS, MOST_BINS = 10, 200


@dataclass(frozen=True, eq=False)
class Randomized(Scored):
    """The mean rank correlation of the map with `maps`, float64 (SEEDS, h, w), those of random networks.

    `correlations` (SEEDS,) are the single ones. `rise` is how much higher the entropy of the random maps'
    values is, on average, relative to that of the map's, arXiv:2401.06465: 0 for a map that is insensitive.
    """

    maps: Doubles
    correlations: Doubles
    rise: float | Doubles

    ROW: ClassVar[Mapping[str, int]] = {"chance": 1, "value": 0, "maps": 3, "correlations": 1, "rise": 0}


def random_nets(net: nn.Module, images: Tensor | None = None) -> tuple[nn.Module, ...]:
    """Networks `with_random_weights`, one for each of SEEDS; they serve for all maps and images."""
    return tuple(with_random_weights(net, seed, images) for seed in SEEDS)


def randomized(subject: Subject) -> Randomized:
    """The Randomized of the map, over its `random_nets`; ValueError where there are none."""
    target, of = subject.target, np.arange(len(subject.x))
    maps = np.stack([subject.explained(net, subject.x, target, of) for net in subject.random_nets], axis=1)
    pairs = list(zip(subject.values, maps, strict=True))
    correlations = np.array([[spearman(heat, each) for each in random] for heat, random in pairs])
    chance = np.array([_chance(heat, random, subject.seed) for heat, random in pairs])
    rise = np.array([_rise(heat, random) for heat, random in pairs])
    return one_or_many(Randomized(chance, _mean(correlations), maps, correlations, rise))


def _chance(heat: Doubles, random: Doubles, seed: int) -> Doubles:
    """The mean correlations of the moved map with the random networks' maps (SEEDS, h, w)."""
    draws = np.array([correlations_by_chance(heat, each, seed) for each in random])
    return _mean(draws.T)


def _mean(values: Doubles) -> Doubles:
    """The mean along the last axis of what is not NaN; NaN where all is."""
    known = ~np.isnan(values)
    count = known.sum(-1)
    return np.asarray(np.where(known, values, 0).sum(-1) / np.where(count > 0, count, np.nan))


def _rise(heat: Doubles, random: Doubles) -> float:
    before = entropy(heat)
    after = float(np.mean([entropy(each) for each in random]))
    return (after - before) / before if before else np.nan


def entropy(values: Doubles) -> float:
    """The entropy of a map's values in equal bins, in nats; the number of bins by Freedman and Diaconis."""
    low, high = values.min(), values.max()
    if low == high:
        return 0.0
    width = 2 * np.subtract(*np.quantile(values, (0.75, 0.25))) / np.cbrt(values.size)
    bins = MOST_BINS if width == 0 else int(np.clip(np.ceil((high - low) / width), FEWEST_BINS, MOST_BINS))
    counts = np.histogram(values, bins, (low, high))[0]
    fractions = counts[counts > 0] / values.size
    return float(-(fractions * np.log(fractions)).sum())


def with_random_weights(net: nn.Module, seed: int, images: Tensor | None = None) -> nn.Module:
    """A network like `net`, which keeps its own, with weights drawn anew as its modules first drew them.

    Where that leaves a parameter as it was, it is drawn from a normal distribution with the same mean and
    standard deviation. BatchNorm gets the statistics of `images`, float (M, 3, h, w), several of them, or the
    maps of the random network may vanish; without images it keeps mean 0 and variance 1.
    """
    view = private_view(net)
    copies = {id(each): nn.Parameter(each.detach().clone(), each.requires_grad) for each in view.parameters()}
    with drawing(seed), torch.inference_mode(False), torch.no_grad():
        for module in view.modules():
            parameters = {name: each for name, each in module._parameters.items() if each is not None}
            module._parameters.update({name: copies[id(each)] for name, each in parameters.items()})
            _draw(module)
        if images is not None:
            _recalibrate(view, images.detach().clone())
    return view


def _draw(module: nn.Module) -> None:
    """Random parameters for one module's own."""
    own = [each for each in module._parameters.values() if each is not None]
    before = [each.clone() for each in own]
    reset: Callable[[], None] | None = getattr(module, "reset_parameters", None)
    if reset is not None:
        reset()
    for parameter, trained in zip(own, before, strict=True):
        if torch.equal(parameter, trained):
            spread = trained.std(correction=0) * torch.randn_like(trained)
            parameter.copy_(trained.mean() + spread)


def _recalibrate(view: nn.Module, images: Tensor) -> None:
    """BatchNorm statistics of a private network over all images together, or one by one if it must be."""
    norms = [module for module in view.modules() if isinstance(module, _BatchNorm)]
    _restart(norms)
    try:
        if norms:
            view(images.clone())  # which the network may write on
    except Exception:  # whatever a network says of several images
        _restart(norms)
        for one in torch.split(images, 1):
            view(one.clone())
    in_evaluation(view)


def _restart(norms: Sequence[_BatchNorm]) -> None:
    """Let them average the statistics of what they read from now on."""
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()


def needs_random_nets(subject: Subject) -> str | None:
    """There must be networks to compare with."""
    return None if subject.random_nets else NEEDS_RANDOM_NETS


NEEDS_RANDOM_NETS = N_(
    "Randomized network needs copies of the network with random weights: choose images to make them with."
)

RANDOMIZED = Score(
    title=N_("Randomized network"),
    summary=N_(
        "Randomized network is the rank correlation of the map with the maps of three networks with random "
        "weights, beside the rise in entropy of their values."
    ),
    direction="lower",
    chance=N_("Chance is the correlation of those maps with this one, mirrored and shifted at random."),
    pitfall=N_(
        "It shows that a method is insensitive to what the network has learned; a low correlation does not "
        "prove a map right (arXiv:2405.02383)."
    ),
    paper="arXiv:2401.06465",
    measure=randomized,
    below=N_("The map is less like those of random networks than a map in the wrong place is."),
    within=N_("No similarity to the maps of random networks can be measured."),
    above=N_(
        "The map is more like those of random networks than a map in the wrong place is: part of it does not "
        "depend on what was learned."
    ),
    unmet=needs_random_nets,
    remakes=True,
)
