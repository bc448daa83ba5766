"""Everything the explorer keeps between reruns, and nothing else.

Callers pass the values themselves; what stands for each of them in a key is in KEYS, and only there.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from operator import attrgetter
from pathlib import Path, PosixPath, WindowsPath
from typing import Any, ParamSpec, TypeVar

import numpy as np
import streamlit as st

from explorer.drawing import thumbnails
from explorer.drawing.pictures import data_uri, icon_uri, reduced
from explorer.engine import (
    ablation,
    attribution,
    augmented,
    batches,
    batchnorm,
    dissection,
    flow,
    metrics,
    norm_axes,
    normalization,
    probe,
    receptive,
    samples,
    selectivity,
    tracing,
    translation,
    weight_uses,
    what_if,
    without_norm,
)
from explorer.engine import account as accounts
from explorer.engine import data_map as data_maps
from explorer.engine import drift as drifts
from explorer.engine import dropout as dropout_masks
from explorer.engine import glimpses as glimpses_of
from explorer.engine import graph as graphs
from explorer.engine import shortcut as shortcuts
from explorer.engine import strongest_path as paths
from explorer.engine import timeline as timelines
from explorer.engine import training_images as training_images_of
from explorer.engine.ablation import Ablations
from explorer.engine.account import Account
from explorer.engine.arithmetic import Settings
from explorer.engine.attribution import ChannelEvidence, LayerGradients
from explorer.engine.attribution.gradients import NoGradient
from explorer.engine.augmented import Draws, TrainingBatch, TrainingImages
from explorer.engine.batches import Batch
from explorer.engine.batchnorm import NormStatistics, NormSummary, TwoPredictions
from explorer.engine.channel_survey import ChannelSurvey, Scaling, survey
from explorer.engine.checkup import Checkup
from explorer.engine.data_map import DataMap
from explorer.engine.dissection import Dissection, Masks
from explorer.engine.drift import Drift
from explorer.engine.dropout import DropoutLayer, Masked
from explorer.engine.glimpses import Glimpse
from explorer.engine.graph import Graph
from explorer.engine.intervention import Change, altered
from explorer.engine.metrics import CalibratedError, Predictions
from explorer.engine.network import Input, Network, network_of
from explorer.engine.norm_axes import NormAxes, Orders
from explorer.engine.normalization import Estimate
from explorer.engine.opening import Source, open_source
from explorer.engine.optimizer_runs import OptimizerRun, read_runs
from explorer.engine.probe import CellProbe
from explorer.engine.receptive import ReceptiveFields
from explorer.engine.runs import Run, RunFile, Written, read_card, read_run
from explorer.engine.samples import ArrayTestSet, FolderTestSet, Sample, TestSet
from explorer.engine.scan import finding
from explorer.engine.scan import images as scan_images
from explorer.engine.scan import result as scans
from explorer.engine.scan.result import Scan
from explorer.engine.selectivity import Selectivity
from explorer.engine.shortcut import MarkedScenes, ShortcutAccuracy
from explorer.engine.shortcut_curve import ShortcutCurve, read_curve
from explorer.engine.strongest_path import StrongestPath
from explorer.engine.timeline import Course, SnapshotFile, Timeline
from explorer.engine.tracing import Block, Floats, Trace, stages
from explorer.engine.training_images import LoggedImages
from explorer.engine.translation import ShiftedPredictions
from explorer.engine.values import Doubles, Integers, Value
from explorer.engine.weight_uses import WeightUses
from explorer.engine.what_if import Chain
from explorer.engine.without_norm import Prediction
from explorer.ui.pictures import Picture
from model import cifar10
from model.card import Card, Pixels
from model.checkpoint import Checkpoint
from model.example_log import ExampleLog, load_log
from model.problems import Problem
from model.recipes import Config
from model.words import N_, tr

P = ParamSpec("P")
R = TypeVar("R")


def _array(array: np.ndarray[Any, Any]) -> str:
    """SHA-256 of type, shape and all values; Streamlit itself looks at a sample of a large array."""
    about = f"{array.dtype} {array.shape}\n".encode()
    return hashlib.sha256(about + np.ascontiguousarray(array).tobytes()).hexdigest()


KEYS: dict[str | type, Callable[[Any], Any]] = {
    Network: attrgetter("key"),
    Input: attrgetter("digest"),
    Block: repr,
    Change: repr,
    DropoutLayer: repr,
    Settings: repr,
    # What a network's input and its labels depend on.
    Card: lambda card: repr(
        (card.input_size, card.channels, card.resize, card.interpolation, card.mean, card.std, card.classes)
    ),
    Checkpoint: lambda checkpoint: f"{checkpoint.card.net} {checkpoint.digest}",
    Config: repr,
    Timeline: attrgetter("digest"),
    SnapshotFile: repr,
    Source: repr,
    FolderTestSet: lambda images: (os.fsencode(images.root), images.digest),
    ArrayTestSet: attrgetter("digest"),
    TrainingImages: attrgetter("digest"),
    Picture: lambda picture: (picture.name, picture.digest),
    Scan: lambda scan: (
        scan.network,
        scan.images,
        scan.dataset,
        scan.split,
        repr(scan.card),
        _array(scan.ids),
    ),
    Scaling: lambda scaling: (scaling.layer, _array(scaling.gamma), _array(scaling.beta)),
    np.ndarray: _array,
    # The name of a file need not be valid Unicode.
    str: lambda text: text.encode("utf-8", "surrogatepass"),
    PosixPath: os.fsencode,
    WindowsPath: os.fsencode,
}
"""Type → what stands for a value of it in the key of a result."""


def key_of(value: Any) -> Any:
    """What stands for a value in a key, also within a tuple; ValueError for a type that KEYS lacks."""
    if isinstance(value, tuple):
        return tuple(map(key_of, value))
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) not in KEYS:
        raise ValueError(f"KEYS does not say what stands for a {type(value).__name__}.")
    return KEYS[type(value)](value)


def _data(**bounds: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep what a function returns, within bounds; each caller gets a copy of its own."""
    return st.cache_data(show_spinner=False, hash_funcs=KEYS, **bounds)


def _resource(**bounds: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep what a function returns, within bounds; all callers share it."""
    return st.cache_resource(show_spinner=False, hash_funcs=KEYS, **bounds)


def _announced(template: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Say on the page what takes so long, in the language in use, while a function runs."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def announced(*args: P.args, **kwargs: P.kwargs) -> R:
            with st.spinner(tr(template)):
                return function(*args, **kwargs)

        return announced

    return decorate


# A checkpoint

MOST_OF_MAPS = 2**24  # bytes of a trace's maps; ResNet-50 has 128 MB at 224 pixels


@dataclass(frozen=True, eq=False)
class Opened:
    """A checkpoint with its one network, which all visitors share and nobody hooks."""

    name: str
    source: Source
    checkpoint: Checkpoint
    network: Network

    @property
    def card(self) -> Card:
        return self.network.card

    @property
    def checkup(self) -> Checkup:
        return self.network.checkup


def opened(name: str, source: Source) -> Opened:
    """The network of a source, its file as it is now on disk. Raises Problem."""
    return _opened(name, source, _stamp(source.path))


@_resource(max_entries=6)
@_announced(N_("Loading the checkpoint …"))
def _opened(name: str, source: Source, stamp: tuple[int, int]) -> Opened:
    opening = open_source(source)
    network = network_of(opening.checkpoint, opening.checkup)
    return Opened(name, source, opening.checkpoint, network)


def _stamp(path: Path | None) -> tuple[int, int]:
    """When a file was changed, and its size: it is read again once they differ."""
    try:
        stamp = path.stat() if path else None
    except (OSError, ValueError):  # opening it says what is wrong
        stamp = None
    return (stamp.st_mtime_ns, stamp.st_size) if stamp else (0, 0)


# One network and its input


@_data(max_size="300MB")
def trace(network: Network, input: Input) -> Trace:
    """What one pass shows; without its maps where they take more than MOST_OF_MAPS bytes."""
    seen = tracing.trace(network.net, input.x)
    size = sum(maps.nbytes for maps in seen.maps.values())
    return seen if size <= MOST_OF_MAPS else replace(seen, maps={})


@_data(max_size="300MB")
def layer_maps(network: Network, input: Input, layers: tuple[str, ...]) -> dict[str, Floats]:
    """The feature maps (C, h, w) of some layers."""
    return dict(tracing.trace(network.net, input.x, layers).maps)


def block_maps(network: Network, input: Input, layer: str) -> dict[str, Floats]:
    """The feature maps (C, h, w) of a layer and of the others of its block, which a page asks for next."""
    seen = trace(network, input)
    layers = [tuple(stages(block, seen).values()) for block in tracing.blocks(network.net, seen)]
    return layer_maps(network, input, next((names for names in layers if layer in names), (layer,)))


@_data(max_size="300MB")
def gradients(
    network: Network, input: Input, layers: tuple[str, ...], classes: tuple[int, ...]
) -> dict[str, tuple[LayerGradients, ...]]:
    """layer → for each class what every heat map and the channel evidence come from, for one forward pass."""
    return attribution.class_gradients(network.net, input.x, layers, classes)


def evidence(network: Network, input: Input, layer: str, target: int) -> ChannelEvidence:
    """Grad-CAM's channel evidence for one class at one layer."""
    return attribution.evidence_from(gradients(network, input, (layer,), (target,))[layer][0])


@_data(max_size="10MB")
@_announced(N_("Looking for methods that this network allows …"))
def method_problems(network: Network, input: Input, layer: str | None) -> dict[str, Problem]:
    """Method → why it cannot explain the network, or this layer; those that can are left out."""
    return attribution.method_problems(network.net, input.x, layer)


@_data(max_size="100MB")
def norm_statistics(network: Network, input: Input, layer: str) -> NormStatistics:
    seen = trace(network, input)
    known = batchnorm.statistics_of_trace(network.net, seen, input.x, layer)
    return batchnorm.statistics(network.net, input.x, layer) if known is None else known


@_data(max_size="50MB")
@_announced(N_("Computing the statistics …"))
def norm_summary(network: Network, input: Input, layer: str) -> NormSummary:
    return batchnorm.summary(network.net, input.x, layer)


@_data(max_size="20MB")
@_announced(N_("Predicting with both statistics …"))
def two_predictions(network: Network, input: Input) -> TwoPredictions:
    return batchnorm.with_batch_statistics(network.net, input.x)


@_data(max_size="20MB")
def predicted_without(network: Network, input: Input, layers: tuple[str, ...]) -> Prediction:
    """The predictions with each of these layers replaced by the identity."""
    return without_norm.predicted_without(network.net, input.x, layers)


@_data(max_size="20MB")
def axes_of_norm(network: Network, input: Input, layer: str) -> NormAxes:
    return norm_axes.norm_axes(network.net, input.x, layer)


@_data(max_size="20MB")
def norm_orders(network: Network, input: Input, layer: str, channel: int, beside: tuple[str, str]) -> Orders:
    """A BatchNorm and the pooling `beside` it, in both orders. Raises Problem."""
    return norm_axes.orders(network.net, input.x, layer, channel, beside)


@_data(max_size="10MB")
def drift(timeline: Timeline, input: Input, layer: str) -> Drift:
    """What a layer receives and gives at every snapshot. Raises Problem."""
    return drifts.drift(timeline.nets, timeline.epochs, input.x, layer)


@_data(max_entries=64)
def dropouts(network: Network, input: Input) -> tuple[DropoutLayer, ...]:
    return dropout_masks.dropouts(network.net, input.x)


@_data(max_size="100MB")
@_announced(N_("Predicting under many masks …"))
def masked(
    network: Network, input: Input, layers: tuple[DropoutLayer, ...], wanted: str, p: float | None
) -> Masked:
    return dropout_masks.masked(network.net, input.x, layers, wanted, p)


@_data(max_entries=16)
@_announced(N_("Predicting the shifted scenes …"))
def shifted_predictions(network: Network, count: int) -> ShiftedPredictions:
    """The predictions for so many drawn scenes, each moved by 0 to 3 pixels."""
    batch = scene_batch(count, network.card)
    return translation.shifted_predictions(network, batch.pixels, batch.labels)


@_data(max_entries=64)
def every_shift(network: Network, pixels: Pixels) -> Floats:
    return translation.every_shift(network, pixels)


@_data(max_entries=64)
def uses_of_weights(network: Network, input: Input) -> tuple[WeightUses, ...]:
    return weight_uses.weight_uses(network.net, input.x)


@_data(max_size="20MB")
def map_thumbnails(network: Network, input: Input, layer: str) -> list[str]:
    """The feature maps of a layer as data addresses, by channel."""
    return thumbnails.thumbnails(layer_maps(network, input, (layer,))[layer])


@_data(max_size="20MB")
def ablation_of(network: Network, input: Input, layer: str, channel: int) -> Ablations:
    """The logits with one channel of a layer switched off."""
    seen = trace(network, input)
    known = seen if seen.maps else replace(seen, maps=block_maps(network, input, layer))
    return ablation.ablation(network.net, input.x, layer, channel, known)


@dataclass(frozen=True, eq=False)
class Outcome(Value):
    """What a network makes of an image: logits and probabilities (K,), and Grad-CAM (h, w) of a class at a
    layer, None where no gradient of the class reaches that.
    """

    logits: Floats
    probabilities: Floats
    heat: Floats | None


@_data(max_size="50MB")
def outcome(network: Network, input: Input, changes: tuple[Change, ...], layer: str, target: int) -> Outcome:
    """The outcome with changes of feature maps made. Raises Problem as `altered`."""
    net = altered(network.net, changes) if changes else network.net
    seen = tracing.trace(net, input.x, ())
    try:
        gradients = attribution.class_gradients(net, input.x, (layer,), (target,))[layer][0]
        heat = attribution.heat_from(net, gradients, "grad_cam").values
    except NoGradient:
        heat = None
    return Outcome(seen.logits, seen.probabilities, heat)


@_data(max_size="50MB")
def cell_probe(
    network: Network, input: Input, block: Block, channel: int, row: int, column: int
) -> CellProbe:
    """How one cell of a block's convolution comes about. ValueError as the engine's."""
    return probe.probe(network.net, input.x, block, channel, row, column, trace(network, input))


@_data(max_size="50MB")
@_announced(N_("Following the strongest evidence …"))
def strongest_path(network: Network, input: Input, target: int) -> StrongestPath:
    """The strongest evidence for a class, from the pixels on. Raises Problem."""
    return paths.strongest_path(network.net, input.x, target)


@_data(max_size="50MB")
def account(network: Network, input: Input, target: int) -> Account:
    """What each position of the last feature maps adds to a class's logit. Raises Problem."""
    return accounts.account(network.net, input.x, target)


def _shape(input: Input) -> tuple[int, ...]:
    return tuple(input.x.shape)


# What a position depends on is the same for every input of one shape.
@st.cache_data(max_entries=16, show_spinner=False, hash_funcs=KEYS | {Input: _shape})
def receptive_fields(network: Network, input: Input) -> dict[str, ReceptiveFields]:
    """What every layer's cells look at, by layer."""
    return receptive.receptive_fields(network.net, input.x)


# The whole network


@_data(max_size="20MB")
def graph(network: Network, input: Input) -> Graph:
    """What ran, and what flowed where."""
    return graphs.graph(network.net, input.x)


@_data(max_size="50MB")
def contributions(network: Network, input: Input, layers: tuple[str, ...], target: int) -> dict[str, Floats]:
    """layer → what each of its channels contributes to a class. Raises NoGradient."""
    return flow.channel_contributions(network.net, input.x, layers, target)


@_data(max_size="20MB")
def inflow(network: Network, input: Input, layer: str, channel: int, target: int) -> dict[str, Floats]:
    """Layer that a channel reads → what each channel of it gives to that channel's contribution."""
    return flow.inflow(network.net, input.x, layer, channel, target)


@_data(max_size="50MB")
def glimpses(
    network: Network, input: Input, channels: tuple[tuple[str, tuple[int, ...]], ...]
) -> dict[str, Glimpse]:
    """layer → small pictures of some of its channels."""
    return glimpses_of.glimpses(network.net, input.x, dict(channels))


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs=KEYS | {Input: _shape})
def chain(network: Network, input: Input, layer: str, settings: Settings | None) -> Chain:
    """The sizes and receptive fields of the layers with a window, with other settings of one of them."""
    return what_if.chain(network.net, input.x, layer, settings)


@_data(max_entries=4)
def _optimizer_runs(folder: Path, stamps: tuple[tuple[int, int], ...]) -> tuple[OptimizerRun, ...]:
    return read_runs(folder)


def optimizer_runs(folder: Path) -> tuple[OptimizerRun, ...]:
    """The short runs of every optimizer in a folder, as its files are now. Raises Problem."""
    return _optimizer_runs(folder, tuple(map(_stamp, sorted(folder.glob("*.history.json")))))


# Marked scenes


@_resource(max_entries=8)
@_announced(N_("Drawing the scenes …"))
def marked_scenes(count: int, seed: int, size: int) -> MarkedScenes:
    """Drawn scenes that no training has drawn, with marks and without."""
    return shortcuts.draw_marked(count, seed, size)


@_data(max_entries=32)
@_announced(N_("Comparing the channels with and without marks …"))
def mark_shifts(network: Network, count: int, seed: int, layer: str) -> Floats:
    return shortcuts.mark_shifts(network, marked_scenes(count, seed, network.card.input_size), layer)


@_data(max_entries=256)
@_announced(N_("Predicting the marked scenes …"))
def shortcut_accuracy(
    network: Network, count: int, seed: int, layer: str, off: tuple[int, ...]
) -> ShortcutAccuracy:
    """The accuracy on marked scenes, with channels of a layer switched off."""
    scenes = marked_scenes(count, seed, network.card.input_size)
    return shortcuts.accuracy(network, scenes, layer, off)


def shortcut_curve(path: Path) -> ShortcutCurve:
    """The measured curve in a file, read again once it has changed. Raises Problem."""
    return _shortcut_curve(path, _stamp(path))


@_data(max_entries=4)
def _shortcut_curve(path: Path, stamp: tuple[int, int]) -> ShortcutCurve:
    return read_curve(path)


# Images


@_resource(max_entries=2, ttl=60)
@_announced(N_("Listing the test set …"))
def test_set(data_dir: Path) -> TestSet | None:
    return samples.find_test_set(data_dir)


@_resource(max_entries=8, ttl=600)
@_announced(N_("Opening the test images …"))
def test_batch(images: TestSet, wanted: int, card: Card, fit: str) -> Batch:
    """An even spread over the test set; looked at again after ten minutes. Raises Problem."""
    return batches.from_test_set(images, wanted, card, fit)


@_resource(max_entries=8)
@_announced(N_("Drawing the scenes …"))
def scene_batch(wanted: int, card: Card) -> Batch:
    """Drawn scenes, always the same for a count and a kind of network."""
    return batches.from_scenes(wanted, card)


@_data(max_entries=64)
@_announced(N_("Drawing …"))
def scene(label: int, size: int = 256) -> Sample:
    return samples.scene(label, size)


@_data()
@_announced(N_("Drawing …"))
def gallery() -> dict[str, str]:
    """Class → thumbnail of its built-in sample, as a data address."""
    return {name: icon_uri(samples.scene(label, 64).pixels) for label, name in enumerate(cifar10.CLASSES)}


@_data(max_size="100MB")
def decoded(picture: Picture) -> Sample:
    """An uploaded file's picture; the same bytes are decoded once. Raises Problem."""
    return samples.decode(picture.data, picture.name)


# Scans

THUMBNAIL = 96  # pixels at most of a small picture


def finished_scan(folder: Path, network: Network, images: str, damaged: tuple[Path, ...] = ()) -> Path | None:
    """The file of the largest scan in a folder of a network and of the images with this digest."""
    return finding.find(folder, network, images, damaged)


def scan(path: Path) -> Scan:
    """The scan in a file, which all visitors share; read again once it has changed. Raises Problem."""
    return _scan(path, _stamp(path))


@_resource(max_entries=4)
@_announced(N_("Opening the scan …"))
def _scan(path: Path, stamp: tuple[int, int]) -> Scan:
    return scans.load(path)


@_data(max_size="50MB")
@_announced(N_("Comparing the channels …"))
def channel_survey(scan: Scan, layer: str, scaling: Scaling | None, rectified: bool) -> ChannelSurvey:
    """What a scan says of the channels of a layer; `scaling` and `rectified` are those of the network."""
    return survey(layer, scan.layers[layer], scaling, rectified)


@_data(max_entries=4096)
def numbered_scene(number: int, size: int, classes: tuple[str, ...]) -> Sample:
    """A scene of a scan by its number, for a network of that input size and these classes."""
    card = Card(input_size=size, classes=classes)
    return scan_images.drawn_scenes(card).take(number)


@_data(max_entries=64)
def predictions(logits: Floats, labels: Integers, independent: bool) -> Predictions:
    return metrics.predictions(logits, labels, independent)


def calibrated_error(confidence: Doubles, equal_counts: bool) -> CalibratedError:
    return metrics.calibrated_error(confidence, equal_counts=equal_counts)


@_data(max_size="60MB")
def thumbnail(images: TestSet, index: int, card: Card) -> str:
    """What a network gets of a test image, as the `data:` address of a small picture; "" if unreadable."""
    try:
        pixels = card.framed(images.sample(index).pixels)
    except Problem:
        return ""
    return data_uri(reduced(pixels, THUMBNAIL))


@_data(max_entries=256)
def class_selectivity(image_mean: Floats, labels: Integers, classes: int) -> Selectivity | None:
    """How selective a channel is, by its mean in each image (N,)."""
    return selectivity.selectivity(image_mean, labels, classes)


def dissected(
    maps: Floats, masks: Masks, labels: Integers, classes: tuple[str, ...], quantile: float
) -> Dissection:
    """How far a channel's largest positions lie on objects."""
    return dissection.dissect(maps, masks, labels, classes, quantile)


# Training runs


@_data(max_size="60MB")
def _run(path: Path, stamp: tuple[int, int]) -> Run:
    return read_run(path)


def run(file: RunFile) -> Run:
    """A run's history, read again only once its file has changed. Raises Problem."""
    return _run(file.path, (file.modified, file.size))


def written(checkpoint: Path) -> Written | None:
    """What a run's checkpoint says of itself, None before there is one. Raises Problem."""
    try:
        checkpoint.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:  # reading it says what is wrong
        pass
    return _written(checkpoint, _stamp(checkpoint))


@_data(max_entries=32)
def _written(path: Path, stamp: tuple[int, int]) -> Written:
    return read_card(path)


# A run's log of its training images


def example_log(path: Path) -> ExampleLog:
    """The log in a file, read again once it has changed. Raises Problem."""
    return _example_log(path, _stamp(path))


@_resource(max_entries=4)
@_announced(N_("Reading the log of the training images …"))
def _example_log(path: Path, stamp: tuple[int, int]) -> ExampleLog:
    return load_log(path)


def data_map(path: Path) -> DataMap:
    """The data map of the log in a file. Raises Problem."""
    return _data_map(path, _stamp(path))


@_resource(max_entries=4)
def _data_map(path: Path, stamp: tuple[int, int]) -> DataMap:
    return data_maps.data_map(example_log(path))


def logged_images(path: Path, data_dir: Path) -> LoggedImages:
    """The training images of the log in a file, looked for again after ten minutes. Raises Problem."""
    return _logged_images(path, _stamp(path), data_dir)


@_resource(max_entries=2, ttl=600)
@_announced(N_("Looking for the training images …"))
def _logged_images(path: Path, stamp: tuple[int, int], data_dir: Path) -> LoggedImages:
    return training_images_of.logged_images(example_log(path), data_dir)


# A run's snapshots


def timeline(opened: Opened) -> Timeline | None:
    """The networks of the snapshots beside a checkpoint, as they are now on disk; None without any.

    Raises Problem.
    """
    path = opened.source.path
    files = timelines.snapshots_of(path) if path is not None else ()
    return _timeline(files, opened.checkpoint) if files else None


@_resource(max_entries=2)
@_announced(N_("Opening the snapshots …"))
def _timeline(files: tuple[SnapshotFile, ...], last: Checkpoint) -> Timeline:
    return timelines.open_timeline(files, last)


@_data(max_size="10MB")
def course(timeline: Timeline, input: Input) -> Course:
    return timelines.course_of(timeline, input.x)


@_data(max_size="100MB")
def maps_over_time(timeline: Timeline, input: Input, layer: str) -> Floats:
    return timelines.maps_over_time(timeline, input.x, layer)


@_data(max_size="20MB")
def heat_over_time(timeline: Timeline, input: Input, layer: str, target: int) -> Floats:
    return timelines.heat_over_time(timeline, input.x, layer, target)


@_data(max_size="30MB")
def norms_over_time(timeline: Timeline, input: Input, layer: str) -> tuple[NormSummary, ...]:
    return timelines.norms_over_time(timeline, input.x, layer)


@_data(max_size="20MB")
def filters_over_time(timeline: Timeline) -> tuple[str, Floats]:
    return timelines.filters_over_time(timeline)


# Augmentation


@_data(max_size="40MB")
def draws(
    pixels: Pixels, name: str, strength: float, seed: int, count: int, partners: tuple[Pixels, ...]
) -> Draws:
    return augmented.draws(pixels, name, strength, seed, count, partners)


@_data(max_size="10MB")
@_announced(N_("Predicting the draws …"))
def answers(network: Network, pictures: Pixels) -> Floats:
    """The probabilities of framed pictures (N, s, s, 3), in one pass."""
    return normalization.answers(network.net, network.card, pictures)


@_data(max_entries=8)
def data_statistics(images: TrainingImages, card: Card) -> Estimate:
    return normalization.estimate(card, images.data.images)


@_data(max_entries=8)
def mixing_partners(card: Card) -> tuple[Pixels, ...]:
    """The built-in samples by class, as a network gets them."""
    return tuple(card.framed(scene(label).pixels) for label in range(len(cifar10.CLASSES)))


@_resource(max_entries=4, ttl=600)
@_announced(N_("Opening training images …"))
def training_images(data_dir: Path, card: Card) -> TrainingImages:
    """A few training images; looked for again after ten minutes. Raises Problem."""
    return augmented.training_images(data_dir, card)


@_data(max_size="30MB")
def first_batch(images: TrainingImages, config: Config, epoch: int) -> TrainingBatch:
    """The first batch of an epoch by a config. Raises Problem."""
    return augmented.first_batch(images, config, epoch)
