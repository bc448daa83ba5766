"""What is known of some of the images, and how such parts add up: in any order, in any groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from explorer.engine.scan import checks, tensor_file
from explorer.engine.scan.result import TOP, LayerScan
from explorer.engine.values import Doubles, Floats, Integers, Value

VERSION = 2  # of what is measured: what was measured otherwise is measured anew


@dataclass(frozen=True, eq=False)
class LayerPart(Value):
    """A layer over n images, as LayerScan says; `positions` is h·w, `squares` float64 (C,) the sum of squared
    deviations from the mean, `zeros` int64 (C,) a count. Images are named by their numbers in the set.
    """

    positions: int
    mean: Doubles
    squares: Doubles
    zeros: Integers
    image_mean: Floats
    histogram: Integers
    edges: Floats
    top_numbers: Integers
    top_values: Floats
    top_positions: Integers
    bottom_numbers: Integers
    bottom_values: Floats


@dataclass(frozen=True, eq=False)
class ScanPart(Value):
    """n images by their `numbers` in the set, int64 (n,) ascending, and what LayerScan and Scan say of them.

    `unreadable` is number → sentence.
    """

    numbers: Integers
    ids: Integers
    labels: Integers
    logits: Floats
    features: Floats
    layers: dict[str, LayerPart]
    unreadable: dict[int, str]

    def fits(self, other: "ScanPart") -> bool:
        """Whether this part and another can be merged: the same layers, sizes and bins of the histograms."""
        widths = [(part.logits.shape[1], part.features.shape[1]) for part in (self, other)]
        return (
            widths[0] == widths[1]
            and list(self.layers) == list(other.layers)
            and all(
                layer.positions == other.layers[name].positions
                and np.array_equal(layer.edges, other.layers[name].edges)
                for name, layer in self.layers.items()
            )
        )


def merge(parts: Sequence[ScanPart]) -> ScanPart:
    """One part of several that have no image in common; at least one."""
    ordered = sorted((part for part in parts if len(part.numbers)), key=lambda part: int(part.numbers[0]))
    unreadable = {number: text for part in parts for number, text in part.unreadable.items()}
    unreadable = dict(sorted(unreadable.items()))
    if not ordered:
        first = parts[0]
        return ScanPart(**{**vars(first), "unreadable": unreadable})
    numbers = np.concatenate([part.numbers for part in ordered])
    order = np.argsort(numbers, kind="stable")
    rows = {
        name: np.concatenate([getattr(part, name) for part in ordered])[order]
        for name in ("ids", "labels", "logits", "features")
    }
    layers = {
        layer: merge_layer([part.layers[layer] for part in ordered], order) for layer in ordered[0].layers
    }
    return ScanPart(numbers[order], **rows, layers=layers, unreadable=unreadable)


def merge_layer(parts: Sequence[LayerPart], order: Integers) -> LayerPart:
    """One layer of several parts; `order` sorts the images of all of them by their numbers."""
    counts = np.array([len(part.image_mean) for part in parts], np.float64)[:, None] * parts[0].positions
    means = np.stack([part.mean for part in parts])
    mean = (counts * means).sum(0) / counts.sum()
    squares = np.stack([part.squares for part in parts]).sum(0) + (counts * (means - mean) ** 2).sum(0)
    top = [(part.top_numbers, part.top_values, part.top_positions) for part in parts]
    bottom = [(part.bottom_numbers, part.bottom_values) for part in parts]
    return LayerPart(
        parts[0].positions,
        mean,
        squares,
        np.sum([part.zeros for part in parts], 0),
        np.concatenate([part.image_mean for part in parts])[order],
        np.sum([part.histogram for part in parts], 0),
        parts[0].edges,
        *_first([np.concatenate(each, 1) for each in zip(*top, strict=True)], -1),
        *_first([np.concatenate(each, 1) for each in zip(*bottom, strict=True)], 1),
    )  # fmt: skip


def _first(columns: list[npt.NDArray[Any]], sign: int) -> list[npt.NDArray[Any]]:
    """Of each channel the TOP entries by value, ascending by `sign`, and by number among equal values.

    NaN counts as the lowest. Columns are numbers, values and what else there is, each (C, m, …).
    """
    numbers, values = columns[0], columns[1] * sign
    is_last = np.isnan(values) == (sign < 0)
    order = np.lexsort((numbers, values, is_last), axis=1)[:, :TOP]
    rows = np.arange(len(order))[:, None]
    return [column[rows, order] for column in columns]


def finished(part: ScanPart, layer: LayerPart, classes: int) -> LayerScan:
    """The LayerScan of all images."""
    count = len(part.numbers) * layer.positions
    return LayerScan(
        count=count,
        mean=layer.mean,
        variance=layer.squares / count,
        zeros=layer.zeros / count,
        class_mean=_class_mean(layer.image_mean, part.labels, classes),
        image_mean=layer.image_mean,
        histogram=layer.histogram,
        edges=layer.edges,
        top_rows=np.searchsorted(part.numbers, layer.top_numbers),
        top_values=layer.top_values,
        top_positions=layer.top_positions,
        bottom_rows=np.searchsorted(part.numbers, layer.bottom_numbers),
        bottom_values=layer.bottom_values,
    )


def _class_mean(image_mean: Floats, labels: Integers, classes: int) -> Floats:
    """The mean over the images of each class, NaN for a class without any: (N, C) → (K, C)."""
    means = np.full((classes, image_mean.shape[1]), np.nan, np.float32)
    for label in np.unique(labels[labels >= 0]):
        means[label] = image_mean[labels == label].mean(0, dtype=np.float64)
    return means


# In a file

ROWS = ("numbers", "ids", "labels", "logits", "features")
OF_LAYER = tuple(field.name for field in fields(LayerPart) if field.name != "positions")


def write(path: Path, part: ScanPart, card: dict[str, Any]) -> None:
    """Write a part with what it belongs to, whole or not at all."""
    arrays = {name: getattr(part, name) for name in ROWS}
    for index, layer in enumerate(part.layers.values()):
        arrays |= {f"{index}/{name}": getattr(layer, name) for name in OF_LAYER}
    layers = [[name, layer.positions] for name, layer in part.layers.items()]
    unreadable = [[number, text] for number, text in part.unreadable.items()]
    tensor_file.write(path, arrays, {**card, "part": VERSION, "layers": layers, "unreadable": unreadable})


def read(path: Path) -> tuple[ScanPart, dict[str, Any]] | None:
    """A part and its card; None where there is none, or a damaged one."""
    try:
        arrays, card = tensor_file.read(path)
        if card.get("part") != VERSION:
            return None
        _check(arrays, card)
    except (OSError, ValueError):
        return None
    layers = {
        name: LayerPart(positions, **{field: arrays[f"{index}/{field}"] for field in OF_LAYER})
        for index, (name, positions) in enumerate(card.pop("layers"))
    }
    unreadable = dict(card.pop("unreadable"))
    return ScanPart(**{name: arrays[name] for name in ROWS}, layers=layers, unreadable=unreadable), card


SHAPES = checks.OF_LAYER | {
    "squares": "float C",
    "zeros": "int C",
    "top_numbers": "int C k",
    "bottom_numbers": "int C k",
}


def _check(arrays: checks.Arrays, card: Mapping[str, Any]) -> None:
    """ValueError unless a file holds what ScanPart and LayerPart say."""
    checks.check_card(card)
    of_card: list[Any] = [card.get("start"), card.get("stop"), card["card"].get("count")]
    checks.require(all(type(each) is int for each in of_card), "start")
    start, stop, total = of_card
    checks.require(0 <= start < stop <= total, "start")
    rows = checks.check_arrays(arrays, {"numbers": "int N"} | checks.ROWS, {})
    classes, numbers = len(card["classes"]), arrays["numbers"]
    checks.check_labels(arrays, classes)
    checks.require(not rows["N"] or rows["K"] == classes, "logits")
    checks.require(checks.is_within(numbers, start, stop) and (np.diff(numbers) > 0).all(), "numbers")
    checks.require(checks.is_reasons(card.get("unreadable"), range(start, stop)), "unreadable")
    unreadable = [number for number, _ in card["unreadable"]]
    checks.require(len({*numbers.tolist(), *unreadable}) == stop - start, "numbers")
    for index, (_, positions) in enumerate(card["layers"]):
        sizes = checks.check_arrays(arrays, SHAPES, rows, f"{index}/")
        checks.check_histogram(arrays, sizes, f"{index}/")
        for name in ("top_numbers", "bottom_numbers"):
            checks.require(np.isin(arrays[f"{index}/{name}"], numbers).all(), name)
        checks.check_positions(arrays[f"{index}/top_positions"], positions)
