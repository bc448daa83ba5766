"""Everything the explorer keeps between reruns, and nothing else.

Keys are strings: the net by its weights' digest, the input by the digest of its values. Arguments with a
leading underscore are what the key stands for.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from torch import Tensor, nn

from explorer.drawing import thumbnails
from explorer.drawing.pictures import data_uri
from explorer.engine import (
    ablation,
    attribution,
    augmented,
    batches,
    batchnorm,
    probe,
    receptive,
    samples,
    tracing,
)
from explorer.engine import timeline as timelines
from explorer.engine.ablation import Ablations
from explorer.engine.attribution import ChannelEvidence, Heatmap
from explorer.engine.augmented import Draws, TrainingBatch, TrainingImages
from explorer.engine.batches import Batch
from explorer.engine.batchnorm import NormStatistics, NormSummary, TwoPredictions
from explorer.engine.network import Network, network_of
from explorer.engine.opening import Source, open_checkpoint
from explorer.engine.probe import CellProbe
from explorer.engine.receptive import ReceptiveFields
from explorer.engine.runs import Run, RunFile, Written, read_card, read_run
from explorer.engine.samples import Sample, TestSet
from explorer.engine.timeline import Course, Timeline
from explorer.engine.tracing import Block, Floats, Trace
from model import cifar10
from model.checkpoint import Card, Checkpoint, Pixels
from model.recipes import Config

# The name of a folder need not be valid Unicode.
TEXTS = {str: os.fsencode}


@dataclass(frozen=True, eq=False)
class Opened:
    """A checkpoint with its one network, which all visitors share and nobody hooks."""

    name: str
    source: Source
    checkpoint: Checkpoint
    network: Network

    @property
    def net(self) -> nn.Module:
        return self.network.net

    @property
    def card(self) -> Card:
        return self.network.card

    @property
    def key(self) -> str:
        """What results depend on."""
        return self.network.key


def opened(name: str, source: Source) -> Opened:
    """The network of a source, its file as it is now on disk. Raises Problem."""
    try:
        stamp = source.path.stat() if source.path else os.stat_result([0] * 10)
    except (OSError, ValueError):  # opening it says what is wrong
        stamp = os.stat_result([0] * 10)
    return _opened(name, repr(source), stamp.st_mtime_ns, stamp.st_size, source)


@st.cache_resource(max_entries=6, show_spinner="Loading the checkpoint …")
def _opened(name: str, source: str, modified: int, size: int, _source: Source) -> Opened:
    checkpoint = open_checkpoint(_source)
    return Opened(name, _source, checkpoint, network_of(checkpoint))


def input_digest(x: Tensor) -> str:
    """SHA-256 of the input's values: what a trace depends on besides the network."""
    return hashlib.sha256(x.numpy().tobytes()).hexdigest()


@st.cache_data(max_size="50MB", show_spinner=False)
def traced(net: str, x: str, _net: nn.Module, _x: Tensor) -> Trace:
    """What one pass shows but for the maps, which take most of the memory."""
    return tracing.trace(_net, _x, ())


@st.cache_data(max_size="300MB", show_spinner=False)
def layer_maps(net: str, x: str, layers: tuple[str, ...], _net: nn.Module, _x: Tensor) -> dict[str, Floats]:
    """The feature maps (C, h, w) of some layers."""
    return dict(tracing.trace(_net, _x, layers).maps)


@st.cache_data(max_size="50MB", show_spinner=False)
def heat_maps(
    net: str,
    x: str,
    method: str,
    layers: tuple[str, ...],
    target: int,
    against: int | None,
    _net: nn.Module,
    _x: Tensor,
) -> dict[str, Heatmap]:
    return attribution.attribute_many(_net, _x, [method], layers, target, against)[method]


@st.cache_data(max_size="200MB", show_spinner=False)
def evidence(
    net: str,
    x: str,
    layers: tuple[str, ...],
    target: int,
    against: int | None,
    _net: nn.Module,
    _x: Tensor,
) -> dict[str, ChannelEvidence]:
    return attribution.evidence_many(_net, _x, layers, target, against)


@st.cache_data(max_size="100MB", show_spinner=False)
def norm_statistics(net: str, x: str, layer: str, _net: nn.Module, _x: Tensor) -> NormStatistics:
    return batchnorm.statistics(_net, _x, layer)


@st.cache_data(max_size="50MB", show_spinner="Computing the statistics …")
def norm_summary(net: str, x: str, layer: str, _net: nn.Module, _x: Tensor) -> NormSummary:
    return batchnorm.summary(_net, _x, layer)


@st.cache_data(max_size="20MB", show_spinner="Predicting with both statistics …")
def two_predictions(net: str, x: str, _net: nn.Module, _x: Tensor) -> TwoPredictions:
    return batchnorm.with_batch_statistics(_net, _x)


@st.cache_data(max_size="20MB", show_spinner=False)
def map_thumbnails(net: str, x: str, layer: str, _maps: Floats) -> list[str]:
    return thumbnails.thumbnails(_maps)


@st.cache_resource(max_entries=8, ttl=600, show_spinner="Opening the test images …", hash_funcs=TEXTS)
def _test_batch(
    data_dir: str, available: int, wanted: int, card: str, fit: str, _found: TestSet, _card: Card
) -> Batch:
    return batches.from_test_set(_found, wanted, _card, fit)


def test_batch(data_dir: str, found: TestSet, wanted: int, card: Card, fit: str) -> Batch:
    """An even spread over the test set; looked at again after ten minutes. Raises Problem."""
    return _test_batch(data_dir, len(found), wanted, _fed(card), fit, found, card)


@st.cache_resource(max_entries=8, show_spinner="Drawing the scenes …")
def _scene_batch(wanted: int, card: str, _card: Card) -> Batch:
    return batches.from_scenes(wanted, _card)


def scene_batch(wanted: int, card: Card) -> Batch:
    """Drawn scenes, always the same for a count and a kind of network."""
    return _scene_batch(wanted, _fed(card), card)


def _fed(card: Card) -> str:
    """What a network's input and its labels depend on."""
    return repr((card.input_size, card.mean, card.std, card.classes))


@st.cache_data(max_size="50MB", show_spinner="Switching off one channel at a time …")
def ablations(net: str, x: str, layer: str, _net: nn.Module, _x: Tensor) -> Ablations:
    return ablation.ablations(_net, _x, layer)


@st.cache_data(max_size="20MB", show_spinner=False)
def ablation_of(net: str, x: str, layer: str, channel: int, _net: nn.Module, _x: Tensor) -> Ablations:
    return ablation.ablation(_net, _x, layer, channel)


@st.cache_data(max_size="50MB", show_spinner=False)
def cell_probe(
    net: str,
    x: str,
    conv: str,
    channel: int,
    row: int,
    column: int,
    _net: nn.Module,
    _x: Tensor,
    _block: Block,
) -> CellProbe:
    return probe.probe(_net, _x, _block, channel, row, column)


@st.cache_data(max_entries=16, show_spinner=False)
def receptive_fields(
    net: str, shape: tuple[int, ...], _net: nn.Module, _x: Tensor
) -> dict[str, ReceptiveFields]:
    return receptive.receptive_fields(_net, _x)


@st.cache_data(max_entries=64, show_spinner="Drawing …")
def scene(label: int, size: int = 256) -> Sample:
    return samples.scene(label, size)


@st.cache_data(show_spinner="Drawing …")
def gallery() -> dict[str, str]:
    """Class → thumbnail of its built-in sample, as a data address."""
    return {name: data_uri(samples.scene(label, 64).pixels) for label, name in enumerate(cifar10.CLASSES)}


@st.cache_resource(max_entries=2, ttl=60, show_spinner="Listing the test set …", hash_funcs=TEXTS)
def test_set(data_dir: str) -> TestSet | None:
    return samples.find_test_set(Path(data_dir))


@st.cache_data(max_size="100MB", show_spinner=False)
def decoded(digest: str, name: str, _data: bytes) -> Sample:
    return samples.decode(_data, name)


def decoded_upload(name: str, data: bytes) -> Sample:
    """An uploaded file's picture; the same bytes are decoded once. Raises Problem."""
    return decoded(hashlib.sha256(data).hexdigest(), name, data)


# Training runs


def run(file: RunFile) -> Run:
    """A run's history, read again only once its file has changed. Raises Problem."""
    return _run(os.fsencode(file.path), file.modified, file.size)


@st.cache_data(max_size="60MB", show_spinner=False)
def _run(path: bytes, modified: int, size: int) -> Run:
    return read_run(Path(os.fsdecode(path)))


def written(checkpoint: Path) -> Written | None:
    """What a run's checkpoint says of itself, None before there is one. Raises Problem."""
    try:
        stamp = checkpoint.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:  # reading it says what is wrong
        stamp = os.stat_result([0] * 10)
    return _written(os.fsencode(checkpoint), stamp.st_mtime_ns, stamp.st_size)


@st.cache_data(max_entries=32, show_spinner=False)
def _written(path: bytes, modified: int, size: int) -> Written:
    return read_card(Path(os.fsdecode(path)))


# A run's snapshots


def timeline(opened: Opened) -> Timeline | None:
    """The networks of the snapshots beside a checkpoint, as they are now on disk; None without any.

    Raises Problem.
    """
    path = opened.source.path
    files = timelines.snapshots_of(path) if path is not None else ()
    return _timeline(opened.key, repr(files), files, opened.checkpoint) if files else None


@st.cache_resource(max_entries=2, show_spinner="Opening the snapshots …")
def _timeline(
    net: str, files: str, _files: tuple[timelines.SnapshotFile, ...], _last: Checkpoint
) -> Timeline:
    return timelines.open_timeline(_files, _last)


@st.cache_data(max_size="10MB", show_spinner=False)
def course(timeline: str, x: str, _timeline: Timeline, _x: Tensor) -> Course:
    return timelines.course_of(_timeline, _x)


@st.cache_data(max_size="100MB", show_spinner=False)
def maps_over_time(timeline: str, x: str, layer: str, _timeline: Timeline, _x: Tensor) -> Floats:
    return timelines.maps_over_time(_timeline, _x, layer)


@st.cache_data(max_size="20MB", show_spinner=False)
def heat_over_time(timeline: str, x: str, layer: str, target: int, _timeline: Timeline, _x: Tensor) -> Floats:
    return timelines.heat_over_time(_timeline, _x, layer, target)


@st.cache_data(max_size="30MB", show_spinner=False)
def norms_over_time(
    timeline: str, x: str, layer: str, _timeline: Timeline, _x: Tensor
) -> tuple[NormSummary, ...]:
    return timelines.norms_over_time(_timeline, _x, layer)


@st.cache_data(max_size="20MB", show_spinner=False)
def filters_over_time(timeline: str, _timeline: Timeline) -> tuple[str, Floats]:
    return timelines.filters_over_time(_timeline)


# Augmentation


def pixels_digest(pixels: Pixels) -> str:
    """SHA-256 of a picture's shape and values."""
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


@st.cache_data(max_size="40MB", show_spinner=False)
def draws(
    image: str,
    name: str,
    strength: float,
    seed: int,
    count: int,
    _pixels: Pixels,
    _partners: tuple[Pixels, ...],
) -> Draws:
    return augmented.draws(_pixels, name, strength, seed, count, _partners)


@st.cache_resource(max_entries=4, ttl=600, show_spinner="Opening training images …", hash_funcs=TEXTS)
def _training_images(data_dir: str, card: str, _card: Card) -> TrainingImages:
    return augmented.training_images(Path(data_dir), _card)


def training_images(data_dir: str, card: Card) -> TrainingImages:
    """A few training images; looked for again after ten minutes. Raises Problem."""
    return _training_images(data_dir, _fed(card), card)


def first_batch(images: TrainingImages, config: Config, epoch: int) -> TrainingBatch:
    """The first batch of an epoch by a config. Raises Problem."""
    return _first_batch(images.digest, repr(config), epoch, images, config)


@st.cache_data(max_size="30MB", show_spinner=False)
def _first_batch(
    images: str, config: str, epoch: int, _images: TrainingImages, _config: Config
) -> TrainingBatch:
    return augmented.first_batch(_images, _config, epoch)
