"""One piece of a scoreboard: every row's scores on a few images."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.engine.attribution import Heatmap, attribute
from explorer.engine.network import Network
from explorer.engine.redrawing import Redrawing, redraw
from explorer.engine.samples import FromScene, Sample
from explorer.engine.scoreboard.entries import Entry
from explorer.engine.scoreboard.image_sets import ImageSet
from explorer.engine.scores import SCORES, Score, Subject
from explorer.engine.scores.forward import logits
from explorer.engine.scores.references import REFERENCES
from explorer.engine.scores.score import Masks
from explorer.engine.values import Integers
from model.card import Card
from model.problems import Problem
from model.words import tr

Clock = Callable[[], float]
Cell = dict[str, list[float]]
"""Of each image the score, the mean of what chance gives, and the fraction of chance below the score."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Images x, float (n, C, h, w), from a numbered place on; `target` (n,) is the predicted class of each.

    `left_out` has a sentence for each image that could not be read.
    """

    start: int
    samples: tuple[Sample, ...]
    x: Tensor
    target: Integers
    masks: Masks | None
    left_out: tuple[str, ...]

    @property
    def correct(self) -> int:
        """How many predictions are the label."""
        labels = [sample.label for sample in self.samples]
        return sum(int(label == of) for label, of in zip(labels, self.target.tolist(), strict=True))

    @property
    def size(self) -> tuple[int, int]:
        return self.x.shape[2], self.x.shape[3]

    def one(self, index: int) -> "Piece":
        """The piece with one image only."""
        rows = slice(index, index + 1)
        masks = None if self.masks is None else self.masks[rows]
        return replace(
            self, samples=self.samples[rows], x=self.x[rows], target=self.target[rows], masks=masks
        )


def piece(net: nn.Module, card: Card, images: ImageSet, numbers: range, device: torch.device) -> Piece:
    """The Piece of the images with these numbers, of those that can be read."""
    samples, left_out = [], []
    for number in numbers:
        try:
            samples.append(images.take(number))
        except Problem as problem:
            left_out.append(str(problem))
    if not samples:
        x = torch.zeros(0, card.channels, card.input_size, card.input_size)
        return Piece(numbers.start, (), x, np.zeros(0, np.int64), None, tuple(left_out))
    x = card.to_inputs([sample.pixels for sample in samples]).to(device)
    target = logits(net, x).argmax(1).cpu().numpy()
    return Piece(numbers.start, tuple(samples), x, target, _masks(card, samples), tuple(left_out))


def _masks(card: Card, samples: Sequence[Sample]) -> Masks | None:
    """Where the object is in each input, bool (n, h, w), where all samples say it."""
    planes = [sample.mask for sample in samples if sample.mask is not None]
    if len(planes) < len(samples):
        return None
    return np.stack([card.framed_mask(plane) for plane in planes])


@dataclass(frozen=True, eq=False)
class Judge:
    """Judges maps of the images of one Piece, with what all of them share computed once.

    `net` is the network's on the device of the images.
    """

    network: Network
    net: nn.Module
    random_nets: tuple[nn.Module, ...]
    piece: Piece
    seed: int
    clock: Clock = time.process_time

    @cached_property
    def known(self) -> dict[tuple[Any, ...], Any]:
        """What scores have measured of these images, whatever the map."""
        return {}

    @cached_property
    def redrawings(self) -> tuple[Redrawing, ...]:
        """The scenes without each of their parts; none where an image is not a scene."""
        origins = [sample.origin for sample in self.piece.samples]
        scenes = [origin for origin in origins if isinstance(origin, FromScene)]
        if len(scenes) < len(origins):
            return ()
        return tuple(
            redraw(self.network, each.label, each.seed, sample.pixels.shape[0])
            for each, sample in zip(scenes, self.piece.samples, strict=True)
        )

    @cached_property
    def singles(self) -> tuple["Judge", ...]:
        """The judge of each image alone, with its redrawing."""
        judges = tuple(replace(self, piece=self.piece.one(index)) for index in range(len(self.piece.x)))
        for index, judge in enumerate(judges):
            vars(judge)["redrawings"] = self.redrawings[index : index + 1]
        return judges

    def without_map(self) -> Subject:
        """The images and classes with a map of one position, for what does not depend on the map."""
        values = np.zeros((len(self.piece.x), 1, 1), np.float32)
        return self._subject(Heatmap("", None, self.piece.target, values))

    def _subject(self, heat: Heatmap, **known: Any) -> Subject:
        piece = self.piece
        return Subject(
            self.net,
            piece.x,
            heat,
            mask=piece.masks,
            random_nets=self.random_nets,
            redrawings=self.redrawings,
            seed=self.seed + piece.start,
            known=self.known,
            **known,
        )

    def row(self, entry: Entry, scores: Sequence[str]) -> tuple[float, dict[str, Cell]]:
        """The CPU's seconds for an image's map, NaN on another device; the cell of each score."""
        started = self.clock()
        if entry.is_reference:
            return 0.0, self._of_reference(entry, scores)
        subject = self.subject_of(entry)
        x = self.piece.x
        seconds = (self.clock() - started) / len(x) if x.device.type == "cpu" else math.nan
        return seconds, self._cells(subject, scores)

    def subject_of(self, entry: Entry) -> Subject:
        """The maps of a method for all images, to be judged."""
        target = torch.tensor(self.piece.target)
        return self._subject(attribute(self.net, self.piece.x, entry.name, layer=entry.layer, target=target))

    def _of_reference(self, entry: Entry, scores: Sequence[str]) -> dict[str, Cell]:
        """Image by image: whoever asks for the map again gets that of the image."""
        cells: dict[str, Cell] = {}
        for index, judge in enumerate(self.singles):
            subject = judge._reference_subject(entry, index)
            for score, cell in self._cells(subject, scores).items():
                whole = cells.setdefault(score, {name: [] for name in cell})
                for name, numbers in cell.items():
                    whole[name].extend(numbers)
        return cells

    def _reference_subject(self, entry: Entry, index: int) -> Subject:
        piece = self.piece
        mask = None if piece.masks is None else piece.masks[0]
        values = REFERENCES[entry.name].make(piece.size, mask, self.seed + piece.start + index)

        def explain(net: nn.Module, x: Tensor, classes: Integers) -> Heatmap:
            return Heatmap(entry.name, None, classes, np.repeat(values[None], len(x), 0).astype(np.float32))

        return self._subject(explain(self.net, piece.x, piece.target), explain=explain)

    def _cells(self, subject: Subject, scores: Sequence[str]) -> dict[str, Cell]:
        return {name: _cell(SCORES[name], subject) for name in scores}


def _cell(score: Score, subject: Subject) -> Cell:
    """A score's cell; without numbers where it cannot be computed for these images."""
    if score.unmet(subject) is not None:
        return {name: [np.nan] * len(subject.x) for name in ("value", "chance", "above")}
    result = (score.measure_many or score.measure)(subject)
    numbers = {"value": result.value, "chance": result.chance_mean, "above": result.above_chance}
    return {name: np.atleast_1d(np.asarray(each, np.float64)).tolist() for name, each in numbers.items()}


def unmet(judge: Judge, scores: Sequence[str]) -> dict[str, str]:
    """Score → the reason why it cannot be computed for these images."""
    subject = judge.without_map()
    reasons = {name: SCORES[name].unmet(subject) for name in scores}
    return {name: tr(reason) for name, reason in reasons.items() if reason is not None}
