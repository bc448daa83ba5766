"""The work behind the page: each map, and its trust strip, as background jobs."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.engine.attribution import Heatmap, attribute, completeness_gap
from explorer.engine.attribution.baseline import BASELINES
from explorer.engine.network import Input, Network
from explorer.engine.redrawing import redraw
from explorer.engine.samples import FromScene, scene
from explorer.engine.scores import STRIP, Scored, Subject, random_nets
from explorer.engine.scores.classic import classic
from explorer.engine.scores.score import Masks
from explorer.engine.values import Integers
from explorer.ui.jobs import JOBS, Progress, Work
from explorer.ui.selection import Selection
from explorer.views.attributions.map_choice import MapChoice
from model import cifar10
from model.words import N_

SCENE = 64  # pixels of the scenes that random networks see
ZERO = N_("The map is zero at every position, so it marks none, and no score says anything about it.")
EQUAL = N_(
    "The map has the same value at every position, so it marks none, and no score says anything about it."
)


@dataclass(frozen=True, eq=False)
class Explained:
    """What the maps explain: a class of a network's prediction for one input.

    `mask`, bool (h, w), is where the object is in the input; None where that is not known. `drawing` is how a
    drawn scene is drawn again: label, seed, size, and how it is made square; None for any other picture.
    """

    network: Network
    input: Input
    target: int
    mask: Masks | None
    drawing: tuple[int, int, int, str] | None

    @property
    def values(self) -> tuple[object, ...]:
        return (self.network, self.input, self.target, self.mask, self.drawing)


@dataclass(frozen=True, eq=False)
class TimedMap:
    """A map, and the seconds of computing time that it took.

    `gap` is how much more its values add up to than they should; None where the method promises nothing.
    """

    heat: Heatmap
    seconds: float
    gap: float | None


@dataclass(frozen=True, eq=False)
class MeasuredScore:
    """A score of SCORES, by name, of one map; without a value the `reason`, a template."""

    name: str
    scored: Scored | None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Attribution:
    """How far one map and its strip are."""

    choice: MapChoice
    maps: Progress[TimedMap]
    strip: Progress[MeasuredScore]

    @property
    def map(self) -> TimedMap | None:
        return self.maps.results[0] if self.maps.results else None

    @cached_property
    def scores(self) -> dict[str, MeasuredScore]:
        return {each.name: each for each in self.strip.results}

    def scored(self, name: str) -> Scored | None:
        """A score's value; None where it is not there, or not yet."""
        return self.scores[name].scored if name in self.scores else None


def explained(selection: Selection) -> Explained:
    """What the visitor looks at."""
    origin, drawing = selection.sample.origin, None
    if isinstance(origin, FromScene):
        drawing = (origin.label, origin.seed, len(selection.sample.pixels), selection.fit)
    return Explained(selection.network, selection.input, selection.target, mask_of(selection), drawing)


def mask_of(selection: Selection) -> Masks | None:
    """Where the object is in the network's input, bool (h, w); None where that is not known."""
    mask = selection.sample.mask
    return None if mask is None else selection.card.framed_mask(mask, selection.fit)


def works(explained: Explained, choices: Sequence[MapChoice]) -> tuple[Work[TimedMap | MeasuredScore], ...]:
    """All maps first, then all strips, in the order of the choices."""
    maps = [map_work(explained, choice) for choice in choices]
    return (*maps, *(strip_work(explained, choice) for choice in choices))


def attributions(
    choices: Sequence[MapChoice], progress: Sequence[Progress[TimedMap | MeasuredScore]]
) -> list[Attribution]:
    """What there is, from the progress of `works`."""
    maps, strips = progress[: len(choices)], progress[len(choices) :]
    return [Attribution(*each) for each in zip(choices, maps, strips, strict=True)]  # type: ignore[arg-type]


def map_work(explained: Explained, choice: MapChoice) -> Work[TimedMap | MeasuredScore]:
    return Work("attribution", (*explained.values, choice.value), 1, partial(iter_map, explained, choice))


def strip_work(explained: Explained, choice: MapChoice) -> Work[TimedMap | MeasuredScore]:
    run = partial(iter_strip, explained, choice)
    return Work("trust strip", (*explained.values, choice.value), len(STRIP), run)


def iter_map(explained: Explained, choice: MapChoice) -> Iterator[TimedMap]:
    begin = time.thread_time()
    heat = heat_of(choice, explained.network, explained.network.net, explained.input.x, explained.target)
    yield TimedMap(heat, time.thread_time() - begin, gap_of(explained, choice, heat))


def gap_of(explained: Explained, choice: MapChoice, heat: Heatmap) -> float | None:
    """How much more the values add up to than the score minus that of the baseline."""
    if not choice.record.adds_up:
        return None
    x = explained.input.x
    baseline = baseline_of(choice, explained.network, x)
    return float(completeness_gap(explained.network.net, x, heat, baseline)[0])


def baseline_of(choice: MapChoice, network: Network, x: Tensor) -> Tensor | None:
    """What each of the images is compared with, (N, C, h, w)."""
    return None if choice.baseline is None else BASELINES[choice.baseline].images(network.card, x)


def heat_of(
    choice: MapChoice, network: Network, net: nn.Module, x: Tensor, target: int | Integers
) -> Heatmap:
    """The map of images x, float (N, C, h, w), by a network like the one that is explained."""
    settings: dict[str, Any] = dict(choice.settings)
    classes = target if isinstance(target, int) else torch.from_numpy(np.array(target))
    return attribute(
        net,
        x,
        choice.method,
        layer=choice.layer,
        target=classes,
        baseline=baseline_of(choice, network, x),
        **settings,
    )


def iter_strip(explained: Explained, choice: MapChoice) -> Iterator[MeasuredScore]:
    """Each score of STRIP in turn, cheap ones first; none of a map that is the same everywhere."""
    subject = subject_of(explained, choice)
    for name, score in STRIP.items():
        reason = marks_nothing(subject.heat) or score.unmet(subject)
        yield MeasuredScore(name, None, reason) if reason else MeasuredScore(name, score.measure(subject))


def marks_nothing(heat: Heatmap) -> str | None:
    """The reason, a template, why no score says anything about a map of equal values; None for others."""
    if np.ptp(heat.values) > 0:
        return None
    return EQUAL if heat.values.any() else ZERO


def classic_work(explained: Explained, choice: MapChoice) -> Work[dict[str, Scored]]:
    """The classic scores of a map, with each of BASELINES in turn."""
    run = partial(iter_classic, explained, choice)
    return Work("classic scores", (*explained.values, choice.value), len(BASELINES), run)


def iter_classic(explained: Explained, choice: MapChoice) -> Iterator[dict[str, Scored]]:
    subject = subject_of(explained, choice)
    for baseline in BASELINES.values():
        yield classic(subject, baseline.images(explained.network.card, subject.x))


def subject_of(explained: Explained, choice: MapChoice) -> Subject:
    """What the scores judge: the map, which is there already if its own job has made it."""
    (made,) = JOBS.look(map_work(explained, choice))
    network, x = explained.network, explained.input.x
    first = next(iter(made.results), None)
    heat = (
        first.heat
        if isinstance(first, TimedMap)
        else heat_of(choice, network, network.net, x, explained.target)
    )
    return Subject(
        network.net,
        x,
        heat,
        explain=lambda net, images, classes: heat_of(choice, network, net, images, classes),
        mask=explained.mask,
        random_nets=random_nets_of(network),
        redrawings=() if explained.drawing is None else (redrawing_of(network, *explained.drawing),),
        known=known_of(network.key, explained.input.digest),
    )


redrawing_of = lru_cache(maxsize=16)(redraw)
"""A scene drawn again without each of its parts, and what a network makes of it; made once for all maps."""


@lru_cache(maxsize=8)
def known_of(network: str, input: str) -> dict[tuple[Any, ...], Any]:
    """What scores have measured of a network and an input alone, by their keys, for all maps together."""
    return {}


@lru_cache(maxsize=2)
def random_nets_of(network: Network) -> tuple[nn.Module, ...]:
    """The network with random weights, three times, made once; drawn scenes give its BatchNorm statistics."""
    scenes = [network.card.to_input(scene(label, SCENE).pixels) for label in range(len(cifar10.CLASSES))]
    return random_nets(network.net, torch.cat(scenes))
