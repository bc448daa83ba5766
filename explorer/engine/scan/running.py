"""Scans a data set, some hundred images at a time: what is on disk is not computed again."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.engine.batches import spread
from explorer.engine.calls import Call
from explorer.engine.independence import pieces
from explorer.engine.network import Network
from explorer.engine.passes import recording_calls, to_numpy
from explorer.engine.samples import Sample
from explorer.engine.scan import parts, result, shards
from explorer.engine.scan.images import ScanImages, id_of
from explorer.engine.scan.parts import ScanPart, merge
from explorer.engine.scan.reductions import Running, edges_of
from explorer.engine.scan.result import Scan
from explorer.engine.tracing import blocks, stages, trace
from explorer.engine.values import Floats
from model.card import Card
from model.nets import check_logits
from model.problems import Problem

SHARD = 256
"""How many images have a file of their own while the scan runs."""
BATCH = 128
CALIBRATION = 64
"""Images, evenly spread over the set, whose range of values gives the edges of the histograms."""
Tell = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Scanning:
    """A network and images, ready to be scanned into files below a folder.

    `layers` are those of the blocks; `classifier` is the layer whose input are the features, None where there
    is none and the logits stand for them.
    """

    network: Network
    images: ScanImages
    net: nn.Module
    device: torch.device
    layers: tuple[str, ...]
    classifier: str | None
    edges: dict[str, Floats]
    folder: Path

    @cached_property
    def key(self) -> str:
        """Tells this scan from those of other networks, settings and images."""
        return key_of(self.network, self.images)

    @property
    def path(self) -> Path:
        """The file of the result."""
        return shards.result_path(self.folder, self.key, self.images.dataset, self.images.split)

    @property
    def shards(self) -> list[range]:
        """The numbers of the images, shard by shard."""
        count = self.images.count
        return [range(start, min(start + SHARD, count)) for start in range(0, count, SHARD)]


def settings_of(card: Card) -> dict[str, Any]:
    """What a network's input and its classes depend on, as plain values."""
    return {
        "input_size": card.input_size,
        "channels": card.channels,
        "resize": card.resize,
        "interpolation": card.interpolation,
        "mean": list(card.mean),
        "std": list(card.std),
        "classes": list(card.classes),
    }


def key_of(network: Network, images: ScanImages) -> str:
    """What tells a scan from others: network, preprocessing, images and how many of them, as 16 letters."""
    settings = json.dumps(settings_of(network.card), sort_keys=True)
    about = (result.VERSION, parts.VERSION, network.key, settings, images.digest, images.split, images.count)
    return hashlib.sha256(repr(about).encode()).hexdigest()[:16]


def prepare(
    network: Network, images: ScanImages, folder: Path, device: torch.device | str = "cpu"
) -> Scanning:
    """The Scanning of images; Problem where none of the first can be read."""
    device = torch.device(device)
    net = network.net if device.type == "cpu" else deepcopy(network.net).to(device)
    samples = _calibration(images)
    x = network.card.to_inputs([sample.pixels for sample in samples]).to(device)
    layers, classifier = layers_of(net, x[:1])
    edges = _edges(net, x, layers)
    return Scanning(network, images, net, device, layers, classifier, edges, folder)


def _calibration(images: ScanImages) -> list[Sample]:
    samples, reasons = [], []
    for number in spread(images.count, CALIBRATION):
        try:
            samples.append(images.take(number))
        except Problem as problem:
            reasons.append(str(problem))
    if not samples:
        raise Problem(
            "None of {count} images can be read ({reason}): give other images.",
            count=len(reasons),
            reason=next(iter(reasons), ""),
        )
    return samples


def layers_of(net: nn.Module, x: Tensor) -> tuple[tuple[str, ...], str | None]:
    """The layers of a network's blocks, in execution order, and the one that gives the logits."""
    calls: list[tuple[str, tuple[int, ...]]] = []
    view = recording_calls(net, None, lambda call: calls.append((call.layer, tuple(call.output.shape))))
    with torch.inference_mode(False), torch.no_grad():
        logits = check_logits(view(x.detach().clone()))
    last = next((name for name, shape in reversed(calls) if shape[1:2] == logits.shape[1:]), None)
    seen = trace(net, x, ())
    within = {layer for block in blocks(net, seen) for layer in stages(block, seen).values()}
    return tuple(layer for layer in seen.shapes if layer in within), last


def _edges(net: nn.Module, x: Tensor, layers: Sequence[str]) -> dict[str, Floats]:
    """The edges of each layer's histogram, by the range of its values for images x."""
    ranges: dict[str, list[tuple[Floats, Floats]]] = {layer: [] for layer in layers}

    def visit(call: Call) -> None:
        least, most = call.output.amin((0, 2, 3)), call.output.amax((0, 2, 3))
        ranges[call.layer].append((to_numpy(least), to_numpy(most)))

    view = recording_calls(net, layers, visit)
    with torch.inference_mode(False), torch.no_grad():
        for rows in pieces(net, x, len(x)):
            view(x[rows].clone())
    return {
        layer: edges_of(np.min([low for low, _ in each], 0), np.max([high for _, high in each], 0))
        for layer, each in ranges.items()
    }


# One shard


def measure(scanning: Scanning, numbers: range) -> ScanPart:
    """What the network gives for the images with these numbers, of those that can be read."""
    recorder = _Recorder(scanning)
    unreadable: dict[int, str] = {}
    for start in range(numbers.start, numbers.stop, BATCH):
        samples: dict[int, Sample] = {}
        for number in range(start, min(start + BATCH, numbers.stop)):
            try:
                samples[number] = scanning.images.take(number)
            except Problem as problem:
                unreadable[number] = str(problem)
        if samples:
            recorder.run(samples)
    return recorder.part(unreadable)


class _Recorder:
    """Runs batches on one view of the network and keeps what is reduced of them."""

    def __init__(self, scanning: Scanning) -> None:
        self.scanning = scanning
        self.running = {layer: Running(edges) for layer, edges in scanning.edges.items()}
        self.numbers: list[int] = []
        self.ids: list[int] = []
        self.labels: list[int] = []
        self.logits: list[Floats] = []
        self.features: list[Floats] = []
        self.batch = np.zeros(0, np.int64)
        wanted = [*scanning.layers, *filter(None, [scanning.classifier])]
        self.view = recording_calls(scanning.net, wanted, self._visit)

    def _visit(self, call: Call) -> None:
        if call.layer in self.running:
            self.running[call.layer].add(call.output, self.batch)
        if call.layer == self.scanning.classifier:
            self.features.append(to_numpy(_vectors(call.received)))

    def run(self, samples: dict[int, Sample]) -> None:
        """Add the images, by their numbers, ascending and above those before."""
        card = self.scanning.network.card
        x = card.to_inputs([sample.pixels for sample in samples.values()]).to(self.scanning.device)
        numbers = np.array(list(samples), np.int64)
        for rows in pieces(self.scanning.net, x, len(x)):
            self.batch = numbers[rows]
            with torch.inference_mode(False), torch.no_grad():
                self.logits.append(to_numpy(check_logits(self.view(x[rows].clone()))))
        self.numbers += samples
        self.ids += [id_of(sample) for sample in samples.values()]
        self.labels += [-1 if sample.label is None else sample.label for sample in samples.values()]

    def part(self, unreadable: dict[int, str]) -> ScanPart:
        """What is known of all images."""
        numbers, ids, labels = (np.array(each, np.int64) for each in (self.numbers, self.ids, self.labels))
        none = np.zeros((0, 0), np.float32)
        logits = np.concatenate(self.logits) if self.logits else none
        features = np.concatenate(self.features) if self.features else logits
        layers = {layer: each.part() for layer, each in self.running.items()} if self.logits else {}
        return ScanPart(numbers, ids, labels, logits, features, layers, unreadable)


def _vectors(received: Tensor) -> Tensor:
    """What the classifier reads as one vector for each image, (n, D): the mean over positions or tokens."""
    if received.ndim == 4:
        return received.mean((2, 3))
    return received if received.ndim == 2 else received.flatten(1, -2).mean(1)


# All of them


def run(scanning: Scanning, shards: Sequence[range]) -> Iterator[int]:
    """Measure what is not on disk of some shards; gives the number of images after each of them."""
    for numbers in shards:
        keep(scanning, numbers)
        yield len(numbers)


def keep(scanning: Scanning, numbers: range) -> Path:
    """Measure the images with these numbers, unless they are on disk; the file."""
    path = shards.path(scanning.folder, scanning.key, numbers)
    if shards.read(path) is None:
        parts.write(path, measure(scanning, numbers), card_of(scanning, numbers))
    return path


def card_of(scanning: Scanning, numbers: range) -> dict[str, Any]:
    """What some images of a scan are of, as their file says it."""
    images, card = scanning.images, scanning.network.card
    return {
        "start": numbers.start,
        "stop": numbers.stop,
        "network": scanning.network.key,
        "images": images.digest,
        "dataset": images.dataset,
        "split": images.split,
        "classes": list(card.classes),
        "card": settings_of(card) | {"count": images.count, "features": scanning.classifier},
    }


def finish(scanning: Scanning) -> Scan:
    """Merge the shards into the result, write it, and remove them. Problem where some are lacking."""
    path, scan = shards.finish([scanning.folder], scanning.key, scanning.folder)
    assert path == scanning.path
    return scan


def scan(network: Network, images: ScanImages, device: torch.device | str = "cpu") -> Scan:
    """The Scan of images without any file. Raises Problem where no image can be read."""
    scanning = prepare(network, images, Path(), device)
    made = merge([measure(scanning, numbers) for numbers in scanning.shards])
    return shards.scan_of(made, card_of(scanning, range(images.count)))
