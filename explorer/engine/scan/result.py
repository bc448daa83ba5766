"""A scan as a value: what a network gives for every image of a data set, and each channel's statistics."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from explorer.engine.scan import checks, tensor_file
from explorer.engine.values import Doubles, Floats, Integers, Value
from model.names import short_path
from model.problems import Problem
from model.words import tr

VERSION = 3
BINS = 32
TOP = 16
"""How many images of each end are kept of a channel, fewer where there are fewer images."""
SAMPLED = 8
"""How many positions of each map a histogram counts: all of a smaller map."""


@dataclass(frozen=True, eq=False)
class LayerScan(Value):
    """The feature maps of a layer over all N images; C channels, maps of h × w.

    `count` values of each channel, N·h·w, have a `mean`, a population `variance` and `zeros`, the fraction
    that is exactly zero, float64 (C,); a BatchNorm's zeros by chance, below 0.1%, may be left out.
    `class_mean` float32 (K, C) is the mean over the images of a labeled class, NaN for a class without
    images; `image_mean` float32 (N, C) that of each image.

    `histogram` int64 (C, B) counts the values of up to `SAMPLED` positions of each image between the `edges`,
    float32 (C, B + 1); its first and last bin also hold what lies beyond.

    `top_rows` int64 (C, k) are the images with the largest maximum of the map, in descending order, with
    `top_values` float32 (C, k) and `top_positions` int64 (C, k, 2), the first (y, x) with that value; of
    equal ones the first image. `bottom_rows` and `bottom_values` are those with the smallest maximum,
    ascending. Rows are those of the scan: `ids` says which images they are.
    """

    count: int
    mean: Doubles
    variance: Doubles
    zeros: Doubles
    class_mean: Floats
    image_mean: Floats
    histogram: Integers
    edges: Floats
    top_rows: Integers
    top_values: Floats
    top_positions: Integers
    bottom_rows: Integers
    bottom_values: Floats

    @property
    def maximum(self) -> Floats:
        """The largest value of each channel, (C,)."""
        return self.top_values[:, 0]

    @property
    def maximum_row(self) -> Integers:
        """The row of the image that has it, (C,)."""
        return self.top_rows[:, 0]

    @property
    def maximum_position(self) -> Integers:
        """Where it has it, (y, x) for each channel, (C, 2)."""
        return self.top_positions[:, 0]


@dataclass(frozen=True, eq=False)
class Scan(Value):
    """A network over N images of a data set, K classes; names and settings that say which.

    `network` is the Network's key and `images` the digest of the data set: a test set's, or that of the drawn
    scenes. `dataset` is "cifar10", "folder" or "scenes". `card` has the settings that results depend on.

    `ids` int64 (N,) are the images' indices in their set, or the seeds of scenes; `labels` int64 (N,) index
    `classes`, -1 where the network has no such class. `logits` float32 (N, K); `features` float32 (N, D) is
    what the layer reads whose weights give the logits, or these where there is none. `layers` are those of
    the blocks, in execution order. `unreadable` is a sentence for each image that could not be read; it has
    no row.
    """

    network: str
    images: str
    dataset: str
    split: str
    card: dict[str, Any]
    classes: tuple[str, ...]
    ids: Integers
    labels: Integers
    logits: Floats
    features: Floats
    layers: dict[str, LayerScan]
    unreadable: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def predicted(self) -> Integers:
        """The class with the largest logit of each image, int64 (N,); −1 where not all logits are finite."""
        return np.where(np.isfinite(self.logits).all(1), self.logits.argmax(1), -1).astype(np.int64)

    @cached_property
    def labeled(self) -> npt.NDArray[np.bool_]:
        """Images (N,) whose label is one of the network's classes."""
        return np.asarray(self.labels >= 0)

    @cached_property
    def correct(self) -> npt.NDArray[np.bool_]:
        """Images (N,) whose prediction is their label."""
        return np.asarray(self.labeled & (self.predicted == self.labels))


def naming_hint(scan: Scan) -> str:
    """How the network's classes get the names of the folders, where none of these is one; else ""."""
    if scan.dataset != "folder" or scan.labeled.any():
        return ""
    return tr(
        "Labels are matched with the network’s classes by name: if only the names differ, give --classes "
        "with those of the class folders, in the order of the network’s outputs."
    )


ARRAYS = ("ids", "labels", "logits", "features")
NAMED = ("network", "images", "dataset", "split", "card")


def save(scan: Scan, path: Path) -> None:
    """Write a scan as safetensors with a JSON card, whole or not at all: equal scans give equal bytes."""
    arrays = {name: getattr(scan, name) for name in ARRAYS}
    counts = {}
    for number, (layer, each) in enumerate(scan.layers.items()):
        counts[layer] = each.count
        values = {field.name: getattr(each, field.name) for field in fields(each) if field.name != "count"}
        arrays |= {_name(number, name): array for name, array in values.items()}
    card = {name: getattr(scan, name) for name in NAMED}
    lists = {"classes": list(scan.classes), "unreadable": list(scan.unreadable)}
    layers = [[layer, count] for layer, count in counts.items()]
    tensor_file.write(path, arrays, {"scan": VERSION, **card, **lists, "layers": layers, "count": len(scan)})


def load(path: Path) -> Scan:
    """The scan in a file. Raises Problem where there is none."""
    try:
        arrays, card = tensor_file.read(path)
        return _scan(arrays, card)
    except OSError as error:
        reason = error.strerror or str(error)
    except ValueError as error:
        reason = str(error)
    raise Problem(
        "{file} is not a scan that can be read ({reason}): make it anew with python -m explorer.scan.",
        file=short_path(path),
        reason=reason,
    )


OF_LAYER = checks.OF_LAYER | {
    "variance": "float C",
    "zeros": "float C",
    "class_mean": "float K C",
    "top_rows": "int C k",
    "bottom_rows": "int C k",
}


def _check(arrays: checks.Arrays, card: Mapping[str, Any]) -> None:
    """ValueError unless a file holds what Scan and LayerScan say."""
    checks.check_card(card)
    checks.require(checks.is_texts(card.get("unreadable")), "unreadable")
    classes = len(card["classes"])
    rows = checks.check_arrays(arrays, checks.ROWS, {"K": classes})
    checks.check_labels(arrays, classes)
    checks.require(card.get("count") == rows["N"] > 0, "count")
    for number, (_, count) in enumerate(card["layers"]):
        prefix = _name(number, "")
        sizes = checks.check_arrays(arrays, OF_LAYER, rows, prefix)
        checks.check_histogram(arrays, sizes, prefix)
        for name in ("top_rows", "bottom_rows"):
            checks.require(checks.is_within(arrays[prefix + name], 0, rows["N"]), name)
        checks.require(count % rows["N"] == 0, "layers")
        checks.check_positions(arrays[prefix + "top_positions"], count // rows["N"])


def _scan(arrays: checks.Arrays, card: Mapping[str, Any]) -> Scan:
    if card.get("scan") != VERSION:
        raise ValueError(tr("another version"))
    _check(arrays, card)
    names = [field.name for field in fields(LayerScan) if field.name != "count"]
    layers = {
        layer: LayerScan(count=int(count), **{name: arrays[_name(number, name)] for name in names})
        for number, (layer, count) in enumerate(card["layers"])
    }
    return Scan(
        **{name: card[name] for name in NAMED},
        classes=tuple(card["classes"]),
        ids=arrays["ids"],
        labels=arrays["labels"],
        logits=arrays["logits"],
        features=arrays["features"],
        layers=layers,
        unreadable=tuple(card["unreadable"]),
    )


def _name(number: int, field: str) -> str:
    """A tensor of a layer; by number, since a layer's name may hold any character."""
    return f"layers/{number}/{field}"
