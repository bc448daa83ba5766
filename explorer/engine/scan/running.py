"""Scans a data set, some hundred images at a time: what is on disk is not computed again."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.engine.batches import MOST_PIXELS, spread
from explorer.engine.calls import Call
from explorer.engine.independence import pieces
from explorer.engine.network import Network, input_settings
from explorer.engine.outputs import outputs_of
from explorer.engine.passes import (
    NotRun,
    in_faster_order,
    layer_module,
    private_view,
    recording_calls,
    to_numpy,
)
from explorer.engine.samples import Sample
from explorer.engine.scan import parts, result
from explorer.engine.scan import shards as files
from explorer.engine.scan.calibration import calibrate
from explorer.engine.scan.images import ScanImages, id_of
from explorer.engine.scan.parts import ScanPart, merge
from explorer.engine.scan.reductions import Affine, Maxima, Numbered, Ranges, Running, maxima_after
from explorer.engine.scan.result import Scan
from explorer.engine.tracing import blocks, stages, trace
from explorer.engine.values import Floats
from model.card import Card
from model.nets import check_logits
from model.problems import Problem
from model.words import N_

BATCH = 128
"""Images of one forward pass, fewer where each is large."""
SHARD = 8
"""Batches that have a file of their own while the scan runs."""
CALIBRATION = 64
"""Images, evenly spread over the set, whose range of values gives the edges of the histograms."""
NOT_FOR_ALL = N_(
    "Layer {layer} does not run for every image, so it has no statistics over a data set: make the network "
    "run it for every image."
)


@dataclass(frozen=True, eq=False)
class Scanning:
    """A network and images, ready to be scanned into files below a folder.

    `layers` are those of the blocks; `classifier` is the layer whose input are the features, None where there
    is none and the logits stand for them. `affine` says which layers follow from another.
    """

    network: Network
    images: ScanImages
    net: nn.Module
    device: torch.device
    layers: tuple[str, ...]
    classifier: str | None
    ranges: dict[str, Ranges]
    affine: dict[str, Affine]
    order: torch.memory_format
    folder: Path

    @cached_property
    def key(self) -> str:
        """Tells this scan from those of other networks, settings and images."""
        return key_of(self.network, self.images)

    @property
    def path(self) -> Path:
        """The file of the result."""
        return files.result_path(self.folder, self.key, self.images.dataset, self.images.split)

    @property
    def batch(self) -> int:
        """How many images run together."""
        return batch_of(self.network.card)

    @property
    def shards(self) -> list[range]:
        """The numbers of the images, shard by shard."""
        count, size = self.images.count, SHARD * self.batch
        return [range(start, min(start + size, count)) for start in range(0, count, size)]

    def shard_path(self, numbers: range) -> Path:
        """The file of a shard."""
        return files.path(self.folder, self.key, numbers)


def batch_of(card: Card) -> int:
    """How many images of a network's size run together."""
    return max(1, min(BATCH, MOST_PIXELS // card.input_size**2))


def key_of(network: Network, images: ScanImages) -> str:
    """What tells a scan from others: network, preprocessing, images and how many of them, as 16 letters."""
    settings = json.dumps(input_settings(network.card), sort_keys=True)
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
    ranges, affine = calibrate(net, x, layers, batch_of(network.card))
    order = _order(net, x[:1])
    return Scanning(network, images, net, device, tuple(ranges), classifier, ranges, affine, order, folder)


def _order(net: nn.Module, x: Tensor) -> torch.memory_format:
    """The order in memory that images run faster in; a network that calls `.view` on maps takes no other."""
    tries: list[Tensor] = []

    def run(some: Tensor) -> Tensor:
        tries.append(some)
        return check_logits(private_view(net)(some))

    with torch.inference_mode(False), torch.no_grad():
        in_faster_order(run, x)
    return torch.channels_last if len(tries) == 1 else torch.contiguous_format


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
            reason=next(iter(reasons), "").removesuffix("."),
        )
    return samples


def layers_of(net: nn.Module, x: Tensor) -> tuple[tuple[str, ...], str | None]:
    """The layers of a network's blocks, in execution order, and the one whose weights give the logits.

    A softmax or a pooling may follow it; where no weights give as many values, the last such layer counts.
    The two logits of a network with one output come from one value.
    """
    calls: list[tuple[str, tuple[int, ...]]] = []
    view = recording_calls(net, None, lambda call: calls.append((call.layer, tuple(call.output.shape))))
    with torch.inference_mode(False), torch.no_grad():
        logits = check_logits(view(x.detach().clone()))
    width = 1 if outputs_of(net).single else logits.shape[1]
    ends = [name for name, shape in calls[::-1] if shape[1:2] == (width,)]
    last = next((name for name in ends if _has_weights(layer_module(net, name))), next(iter(ends), None))
    seen = trace(net, x, ())
    within = {layer for block in blocks(net, seen) for layer in stages(block, seen).values()}
    return tuple(layer for layer in seen.shapes if layer in within), last


def _has_weights(module: nn.Module) -> bool:
    """Whether a layer weighs what it reads, as linear layers and convolutions do."""
    return any(weights.ndim > 1 for weights in module.parameters())


# One shard


def measure(scanning: Scanning, numbers: range, recorder: "Recorder | None" = None) -> ScanPart:
    """What the network gives for the images with these numbers, of those that can be read."""
    recorder = recorder or Recorder(scanning)
    for _ in recorder.batches(numbers):
        pass
    return recorder.part()


def _batches(scanning: Scanning, numbers: range) -> list[range]:
    size = scanning.batch
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


class Recorder:
    """Runs batches on one view of the network and keeps what is reduced of them, until `part` takes it."""

    def __init__(self, scanning: Scanning) -> None:
        self.scanning = scanning
        wanted = [*scanning.layers, *filter(None, [scanning.classifier])]
        self.view = recording_calls(scanning.net, wanted, self._visit)
        self._start()

    def _start(self) -> None:
        self.running = {layer: Running(ranges) for layer, ranges in self.scanning.ranges.items()}
        self.numbers: list[int] = []
        self.ids: list[int] = []
        self.labels: list[int] = []
        self.unreadable: dict[int, str] = {}
        self.logits: list[Floats] = []
        self.features: list[Floats] = []
        self.current = Numbered(torch.zeros(0, dtype=torch.int64))

    def _visit(self, call: Call) -> None:
        if call.layer in self.running:
            self._reduce(call)
        if call.layer == self.scanning.classifier:
            self.features.append(to_numpy(_vectors(call.received)))

    def _reduce(self, call: Call) -> None:
        if len(call.output) != len(self.current.array):
            raise NotRun(NOT_FOR_ALL, layer=repr(call.layer))
        running, affine = self.running[call.layer], self.scanning.affine.get(call.layer)
        if affine is not None and affine.source == call.source:
            source = self.running[affine.source]
            running.add_affine(call.output, self.current, affine, source, self._maxima(call))
        else:
            running.add(call.output, self.current, self._maxima(call))

    def _maxima(self, call: Call) -> Maxima | None:
        """The Maxima of a layer's maps, where they follow from those of the layer that it read."""
        source = self.running.get(call.source or "")
        if source is None or not source.batches:
            return None
        layer = layer_module(self.view, call.layer)
        return maxima_after(layer, call.received, source.batches[-1].maxima)

    def batches(self, numbers: range) -> Iterator[int]:
        """Add the images with these numbers; gives how many there were after each batch."""
        for batch in _batches(self.scanning, numbers):
            samples = self._samples(batch)
            if samples:
                self._note(samples)
                pictures = [sample.pixels for sample in samples.values()]
                x = self.scanning.network.card.to_inputs(pictures).to(self.scanning.device)
                self.run(x, torch.tensor(list(samples), device=x.device))
            yield len(batch)

    def _samples(self, numbers: range) -> dict[int, Sample]:
        """The images that can be read, by their numbers."""
        samples: dict[int, Sample] = {}
        for number in numbers:
            try:
                samples[number] = self.scanning.images.take(number)
            except Problem as problem:
                self.unreadable[number] = str(problem)
        return samples

    def _note(self, samples: dict[int, Sample]) -> None:
        self.numbers += samples
        self.ids += [id_of(sample) for sample in samples.values()]
        self.labels += [-1 if sample.label is None else sample.label for sample in samples.values()]

    def run(self, x: Tensor, numbers: Tensor) -> None:
        """Add images x, float (n, C, h, w), with ascending numbers above those before."""
        for rows in pieces(self.scanning.net, x, len(x)):
            self.current = Numbered(numbers[rows])
            with torch.inference_mode(False), torch.no_grad():
                some = x[rows].clone(memory_format=self.scanning.order)
                self.logits.append(to_numpy(check_logits(self._run(some))))

    def _run(self, x: Tensor) -> object:
        try:
            return self.view(x)
        except NotRun as error:
            raise Problem(NOT_FOR_ALL, **error.fields) from error

    def part(self) -> ScanPart:
        """What is known of all images since the last part."""
        numbers, ids, labels = (np.array(each, np.int64) for each in (self.numbers, self.ids, self.labels))
        logits = np.concatenate(self.logits) if self.logits else np.zeros((0, 0), np.float32)
        features = np.concatenate(self.features) if self.features else logits
        layers = {layer: each.part() for layer, each in self.running.items()} if self.logits else {}
        made = ScanPart(numbers, ids, labels, logits, features, layers, self.unreadable)
        self._start()
        return made


def _vectors(received: Tensor) -> Tensor:
    """What the classifier reads as one vector for each image, (n, D): the mean over positions or tokens."""
    if received.ndim == 4:
        return received.mean((2, 3))
    return received if received.ndim == 2 else received.flatten(1, -2).mean(1)


# All of them


def keep(scanning: Scanning, numbers: range) -> None:
    """Measure one of the shards, unless it is on disk."""
    for _ in run(scanning, [numbers]):
        pass


def run(scanning: Scanning, shards: Sequence[range]) -> Iterator[int]:
    """Measure what is not on disk of some shards; gives the number of images after each batch."""
    recorder = Recorder(scanning)
    for numbers in shards:
        if _is_measured(scanning, numbers):
            yield from map(len, _batches(scanning, numbers))
            continue
        yield from recorder.batches(numbers)
        parts.write(scanning.shard_path(numbers), recorder.part(), card_of(scanning, numbers))


def _is_measured(scanning: Scanning, numbers: range) -> bool:
    """Whether a shard is on disk, with the bins that the other shards get."""
    shard = files.read(scanning.shard_path(numbers))
    if shard is None:
        return False
    ranges = scanning.ranges
    return all(
        name in ranges and np.array_equal(layer.edges, ranges[name].edges)
        for name, layer in shard[0].layers.items()
    )


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
        "card": input_settings(card) | {"count": images.count, "features": scanning.classifier},
    }


def finish(scanning: Scanning) -> Scan:
    """Merge the shards into the result, write it, and remove them. Problem where some are lacking.

    Another process may have written the same result meanwhile, and have removed shards.
    """
    scan = finished(scanning)
    if scan is None:
        try:
            return files.finish([scanning.folder], scanning.key, scanning.folder)[1]
        except Problem:
            if (scan := finished(scanning)) is None:
                raise
    files.remove([scanning.folder], scanning.key)
    return scan


def finished(scanning: Scanning) -> Scan | None:
    """The result, where it is there and can be read."""
    try:
        return result.load(scanning.path)
    except Problem:
        return None


def scan(network: Network, images: ScanImages, device: torch.device | str = "cpu") -> Scan:
    """The Scan of images without any file. Raises Problem where no image can be read."""
    scanning = prepare(network, images, Path(), device)
    recorder = Recorder(scanning)
    made = merge([measure(scanning, numbers, recorder) for numbers in scanning.shards])
    return files.scan_of(made, card_of(scanning, range(images.count)))
