"""Measures a scoreboard, chunk by chunk: what is on disk is not measured again."""

import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from explorer.engine.attribution import METHODS
from explorer.engine.attribution.gradients import LogitScore, NoGradient, maps_and_gradients, score_of
from explorer.engine.network import Network
from explorer.engine.scoreboard.board import Board, numbers, rows_of
from explorer.engine.scoreboard.chunks import Chunk, Store, finite, pieces, pieces_of, store
from explorer.engine.scoreboard.entries import Entries, Entry, entries
from explorer.engine.scoreboard.estimates import mean_of
from explorer.engine.scoreboard.image_sets import ImageSet
from explorer.engine.scoreboard.judging import TRUTH, Judged, Judgement, judgeable, judged
from explorer.engine.scoreboard.measuring import Clock, Judge, Piece, piece, unmet
from explorer.engine.scores import SCORES, random_nets
from explorer.engine.tracing import blocks, last_with_positions, trace
from explorer.engine.values import Doubles
from model.problems import Problem

RECALIBRATION = 60
"""Images that the networks with random weights take their BatchNorm statistics from."""
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class MeasurementPlan:
    """What to measure: `methods` of METHODS, `scores` of SCORES, on how many images.

    Scores that make the map again are measured on the first `images_again` only. A `layer` of None is the
    one that `last_activation` chooses.
    """

    images: int
    methods: tuple[str, ...] = tuple(METHODS)
    scores: tuple[str, ...] = tuple(SCORES)
    images_again: int | None = None
    layer: str | None = None
    seed: int = 0

    def scores_for(self, numbers: range) -> list[str]:
        """The scores that images with these numbers get."""
        few = self.images if self.images_again is None else self.images_again
        return [name for name in self.scores if numbers.start < few or not SCORES[name].remakes]


@dataclass(frozen=True, eq=False)
class Measurement:
    """A network and images, ready to be measured: rows and scores are those that are possible."""

    net: nn.Module
    network: Network
    images: ImageSet
    wanted: MeasurementPlan
    layer: str
    entries: Entries
    scores_left_out: dict[str, str]
    random_nets: tuple[nn.Module, ...]
    device: torch.device
    clock: Clock
    store: Store

    @property
    def pieces(self) -> list[range]:
        return pieces(self.wanted.images)


def prepare(
    network: Network,
    images: ImageSet,
    wanted: MeasurementPlan,
    out: Path,
    device: torch.device | str = "cpu",
    clock: Clock = time.process_time,
) -> Measurement:
    """The Measurement of what is wanted that can be had; Problem where no image can be read."""
    device, wanted = torch.device(device), replace(wanted, images=min(wanted.images, images.count))
    net = network.net if device.type == "cpu" else deepcopy(network.net).to(device)
    first = _first_images(net, network, images, device)
    layer = wanted.layer or last_activation(net, first.x[:1])
    check_layer(net, first.x[:1], layer)
    possible = entries(net, first.x[:1], wanted.methods, layer, first.masks is not None)
    again = any(SCORES[name].remakes for name in wanted.scores)
    nets = random_nets(net, first.x) if again and len(first.x) > 1 else ()
    judge = Judge(network, net, nets, first.one(0), wanted.seed, clock)
    left_out = unmet(judge, wanted.scores)
    wanted = replace(wanted, scores=tuple(name for name in wanted.scores if name not in left_out))
    chunk_store = store(out, network.key, network.card, images.digest, layer, wanted.seed, torch.__version__)
    return Measurement(
        net, network, images, wanted, layer, possible, left_out, nets, device, clock, chunk_store
    )


def _first_images(net: nn.Module, network: Network, images: ImageSet, device: torch.device) -> Piece:
    first = piece(net, network.card, images, range(min(RECALIBRATION, images.count)), device)
    if not len(first.x):
        raise Problem(
            "None of the first {count} images can be read ({reason}): give other images.",
            count=len(first.left_out),
            reason=next(iter(first.left_out), ""),
        )
    return first


def last_activation(net: nn.Module, x: Tensor) -> str:
    """The activation (or norm, or convolution) of the last block whose maps have several positions.

    Later ones that the class does not depend on, such as a ViT's last norm at its patches, are passed over.
    Problem where there is no block.
    """
    seen = trace(net, x[:1])
    layers = [block.explained for block in blocks(net, seen)]
    if not layers:
        raise Problem("The network has no convolution to explain: choose a layer with --layer.")
    target = score_of(int(seen.logits.argmax()), None, 1)
    candidates = list(layers)
    while candidates:
        layer = last_with_positions(candidates, seen.shapes)
        if _matters(net, x[:1], layer, target):
            return layer
        candidates.remove(layer)
    return last_with_positions(layers, seen.shapes)


def _matters(net: nn.Module, x: Tensor, layer: str, score: LogitScore) -> bool:
    """Whether the score depends on the layer's maps, by a way that gradients take."""
    try:
        ((_, gradient),) = (pair[layer] for pair in maps_and_gradients(net, x, [layer], score))
    except NoGradient:
        return False
    return bool(gradient.any())


def check_layer(net: nn.Module, x: Tensor, layer: str) -> None:
    """Problem unless the network has feature maps at the layer."""
    shapes = trace(net, x).shapes
    if layer not in shapes:
        raise Problem(
            "There is no layer {layer} with feature maps: choose one of {layers} with --layer.",
            layer=repr(layer),
            layers=", ".join(shapes),
        )


def run(measurement: Measurement, tell: Tell, index: int = 0, count: int = 1) -> None:
    """Measure what is lacking of every `count`th chunk; `tell` gets the number of chunks done, and of all.

    The first number told is that of the chunks which were complete before.
    """
    mine = pieces_of(measurement.pieces, index, count)
    incomplete = [numbers_ for numbers_ in mine if _complete(measurement, numbers_) is None]
    for done, numbers_ in enumerate(incomplete, len(mine) - len(incomplete)):
        tell(done, len(mine))
        _measure(measurement, numbers_)
    tell(len(mine), len(mine))


def _measure(measurement: Measurement, numbers_: range) -> None:
    """Measure and store what is lacking of a chunk, row by row."""
    chunk = measurement.store.read(numbers_)
    scores = measurement.wanted.scores_for(numbers_)
    lacking = _lacking(measurement, chunk, scores)
    if chunk is not None and not lacking:
        return
    images = piece(
        measurement.net, measurement.network.card, measurement.images, numbers_, measurement.device
    )
    if chunk is None:
        count = len(images.samples)
        chunk = Chunk(numbers_.start, numbers_.stop, count, images.correct, images.left_out)
        measurement.store.write(chunk)
    if not images.samples:
        return
    judge = Judge(
        measurement.network,
        measurement.net,
        measurement.random_nets,
        images,
        measurement.wanted.seed,
        measurement.clock,
    )
    for entry, names in lacking:
        seconds, cells = judge.row(entry, names)
        before = chunk.rows.get(entry.key, {"cells": {}})
        row = {"seconds": finite(seconds), "cells": before["cells"] | cells}
        chunk = replace(chunk, rows=chunk.rows | {entry.key: row})
        measurement.store.write(chunk)


def _lacking(
    measurement: Measurement, chunk: Chunk | None, scores: Sequence[str]
) -> list[tuple[Entry, list[str]]]:
    """Each row with the scores that are not measured yet; none of a chunk without an image."""
    if chunk is None:
        return [(entry, list(scores)) for entry in measurement.entries.rows]
    if not chunk.images:
        return []
    rows = [(entry, chunk.lacking(entry, scores)) for entry in measurement.entries.rows]
    return [(entry, names) for entry, names in rows if names]


def _complete(measurement: Measurement, numbers_: range) -> Chunk | None:
    """The chunk of these images, if nothing is lacking in it."""
    chunk = measurement.store.read(numbers_)
    return None if _lacking(measurement, chunk, measurement.wanted.scores_for(numbers_)) else chunk


def chunks_of(measurement: Measurement) -> tuple[list[Chunk], int]:
    """The chunks that are complete, and how many are not."""
    chunks = [_complete(measurement, numbers_) for numbers_ in measurement.pieces]
    complete = [chunk for chunk in chunks if chunk is not None]
    return complete, len(chunks) - len(complete)


def board_of(measurement: Measurement, chunks: Sequence[Chunk], checkpoint: str, command: str) -> Board:
    """The Board of complete chunks."""
    wanted, images = measurement.wanted, sum(chunk.images for chunk in chunks)
    sound = sound_methods(measurement, chunks)
    return Board(
        checkpoint=checkpoint,
        digest=measurement.network.digest,
        dataset=measurement.images.name,
        provenance=measurement.images.provenance,
        layer=measurement.layer,
        seed=wanted.seed,
        images=images,
        accuracy=sum(chunk.correct for chunk in chunks) / images if images else float("nan"),
        command=command,
        rows=rows_of(chunks, measurement.entries.rows, wanted.scores),
        methods_left_out=measurement.entries.left_out,
        scores_left_out=measurement.scores_left_out,
        images_left_out=tuple(sentence for chunk in chunks for sentence in chunk.left_out),
        judged=judgements(measurement, chunks, sound),
        unsound=tuple(key for key in _methods(measurement) if sound and key not in sound),
        network=measurement.network.identity,
        images_digest=measurement.images.digest,
    )


def is_of(measurement: Measurement, board: Board) -> bool:
    """Whether a board has the same network, data set, layer and seed: more images or rows may be added."""
    name, identity = measurement.images.name, measurement.network.identity
    mine = (identity, name, measurement.layer, measurement.wanted.seed)
    theirs = (board.network, board.dataset, board.layer, board.seed)
    return mine == theirs and not has_other_images(measurement, board)


def has_other_images(measurement: Measurement, board: Board) -> bool:
    """Whether a board, by the same seed, has other images of a data set with the same name."""
    alike = (measurement.images.name, measurement.wanted.seed) == (board.dataset, board.seed)
    return alike and board.images_digest not in ("", measurement.images.digest)


def covers(measurement: Measurement, board: Board) -> bool:
    """Whether a measurement has all that a board of its network has: images, rows and scores, of the same
    data, layer and seed.
    """
    wanted = measurement.wanted
    again = wanted.images if wanted.images_again is None else wanted.images_again
    cells = [(score, cell) for row in board.rows for score, cell in row.cells.items()]
    return (
        is_of(measurement, board)
        and measurement.images.provenance == board.provenance
        and wanted.images >= board.images
        and {row.key for row in board.rows} <= {entry.key for entry in measurement.entries.rows}
        and {score for score, _ in cells} <= {*wanted.scores}
        and all(cell.value.n <= again for score, cell in cells if SCORES[score].remakes)
    )


def _methods(measurement: Measurement) -> list[str]:
    return [entry.key for entry in measurement.entries.rows if not entry.is_reference]


def sound_methods(measurement: Measurement, chunks: Sequence[Chunk]) -> list[str]:
    """The methods that are better than the random map by redrawing, by intervals that do not overlap."""
    if TRUTH not in measurement.wanted.scores:
        return []
    random = mean_of(numbers(chunks, "random", TRUTH))
    truth = {key: mean_of(numbers(chunks, key, TRUTH)) for key in _methods(measurement)}
    return [key for key, each in truth.items() if each.low > random.high]


def judgements(measurement: Measurement, chunks: Sequence[Chunk], sound: Sequence[str]) -> dict[str, Judged]:
    """Score → how it is Judged, where the truth by redrawing is among the scores."""
    methods = _methods(measurement)
    if TRUTH not in measurement.wanted.scores or len(methods) < 2:
        return {}
    made = {}
    for score in judgeable(measurement.wanted.scores):
        known = [chunk for chunk in chunks if chunk.images and score in chunk.rows[methods[0]]["cells"]]
        if known:
            values, truth = ({key: numbers(known, key, name) for key in methods} for name in (score, TRUTH))
            direction = SCORES[score].direction
            made[score] = Judged(*(_judged(values, truth, keys, direction) for keys in (methods, sound)))
    return made


def _judged(
    values: Mapping[str, Doubles], truth: Mapping[str, Doubles], keys: Sequence[str], direction: str
) -> Judgement:
    one, other = (np.array([of[key] for key in keys]) for of in (values, truth))
    return judged(one, other, direction)
