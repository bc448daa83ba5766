"""Scans of a data set, and what pages make of them."""

from pathlib import Path

from explorer.drawing.pictures import data_uri, reduced
from explorer.engine import class_evidence, dissection, metrics, selectivity
from explorer.engine.channel_survey import ChannelSurvey, Scaling, survey
from explorer.engine.class_evidence import Differences
from explorer.engine.dissection import Dissection, Masks
from explorer.engine.metrics import CalibratedError, Predictions
from explorer.engine.network import Network
from explorer.engine.samples import Sample, TestSet
from explorer.engine.scan import finding
from explorer.engine.scan import images as scan_images
from explorer.engine.scan import result as scans
from explorer.engine.scan.result import Scan
from explorer.engine.selectivity import Selectivity
from explorer.engine.tracing import Floats
from explorer.engine.values import Doubles, Integers
from explorer.ui.cached.keys import announced, data, resource, stamp_of
from model.card import Card
from model.problems import Problem
from model.words import N_

THUMBNAIL = 96  # pixels at most of a small picture


def finished_scan(folder: Path, network: Network, images: str, damaged: tuple[Path, ...] = ()) -> Path | None:
    """The file of the largest scan in a folder of a network and of the images with this digest."""
    return finding.find(folder, network, images, damaged)


def scan(path: Path) -> Scan:
    """The scan in a file, which all visitors share; read again once it has changed. Raises Problem."""
    return _scan(path, stamp_of(path))


@resource(max_entries=4)
@announced(N_("Opening the scan …"))
def _scan(path: Path, stamp: tuple[int, int]) -> Scan:
    return scans.load(path)


@data(max_size="50MB")
@announced(N_("Comparing the channels …"))
def channel_survey(scan: Scan, layer: str, scaling: Scaling | None, rectified: bool) -> ChannelSurvey:
    """What a scan says of the channels of a layer; `scaling` and `rectified` are those of the network."""
    return survey(layer, scan.layers[layer], scaling, rectified)


@data(max_entries=4096)
def numbered_scene(number: int, size: int, classes: tuple[str, ...]) -> Sample:
    """A scene of a scan by its number, for a network of that input size and these classes."""
    card = Card(input_size=size, classes=classes)
    return scan_images.drawn_scenes(card).take(number)


@data(max_entries=64)
def predictions(logits: Floats, labels: Integers, independent: bool) -> Predictions:
    return metrics.predictions(logits, labels, independent)


def calibrated_error(confidence: Doubles, equal_counts: bool) -> CalibratedError:
    return metrics.calibrated_error(confidence, equal_counts=equal_counts)


@data(max_size="60MB")
def thumbnail(images: TestSet, index: int, card: Card) -> str:
    """What a network gets of a test image, as the `data:` address of a small picture; "" if unreadable."""
    try:
        pixels = card.framed(images.sample(index).pixels)
    except Problem:
        return ""
    return data_uri(reduced(pixels, THUMBNAIL))


@data(max_entries=256)
def class_selectivity(image_mean: Floats, labels: Integers, classes: int) -> Selectivity | None:
    """How selective a channel is, by its mean in each image (N,)."""
    return selectivity.selectivity(image_mean, labels, classes)


@data(max_entries=64)
def evidence_differences(first: Floats, second: Floats) -> Differences:
    """How the contributions of two groups of images, (n, C) and (m, C), differ by channel."""
    return class_evidence.differences(first, second)


@data(max_entries=64)
def dissected(
    maps: Floats, masks: Masks, labels: Integers, classes: tuple[str, ...], quantile: float
) -> Dissection:
    """How far a channel's largest positions lie on objects."""
    return dissection.dissect(maps, masks, labels, classes, quantile)
