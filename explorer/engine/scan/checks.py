"""What the files of a scan must hold, since anyone may have written them; ValueError otherwise."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from explorer.engine.scan.images import DATASETS, SPLITS
from model.words import tr

Arrays = Mapping[str, npt.NDArray[Any]]
Sizes = dict[str, int]
KINDS = {"int": (np.dtype(np.int64),), "float": (np.dtype(np.float32), np.dtype(np.float64))}

ROWS = {"ids": "int N", "labels": "int N", "logits": "float N K", "features": "float N D"}
OF_LAYER = {
    "mean": "float C",
    "image_mean": "float N C",
    "histogram": "int C B",
    "edges": "float C E",
    "top_values": "float C k",
    "top_positions": "int C k 2",
    "bottom_values": "float C k",
}
"""The type and shape of an array that parts and results have: equal letters, equal sizes."""


def require(condition: object, name: str) -> None:
    """ValueError that names what is wrong, unless the condition holds."""
    if not condition:
        raise ValueError(tr("{name} is damaged", name=name))


def check_arrays(arrays: Arrays, shapes: Mapping[str, str], known: Sizes, prefix: str = "") -> Sizes:
    """The sizes by letter; ValueError where an array is lacking, or of another type or shape."""
    sizes = dict(known)
    for name, text in shapes.items():
        kind, *dimensions = text.split()
        require(prefix + name in arrays, name)
        array = arrays[prefix + name]
        require(array.dtype in KINDS[kind] and array.ndim == len(dimensions), name)
        for dimension, size in zip(dimensions, array.shape, strict=True):
            wanted = int(dimension) if dimension.isdigit() else sizes.setdefault(dimension, size)
            require(size == wanted, name)
    return sizes


def check_card(card: Mapping[str, Any]) -> None:
    """ValueError unless a card says what is scanned, as Scan does."""
    for name in ("network", "images"):
        require(isinstance(card.get(name), str), name)
    require(card.get("dataset") in DATASETS, "dataset")
    require(card.get("split") in SPLITS, "split")
    require(isinstance(card.get("card"), dict), "card")
    require(is_count(card["card"].get("count", 1)), "count")
    require(is_texts(card.get("classes")) and card["classes"], "classes")
    require(is_named(card.get("layers")), "layers")


def check_labels(arrays: Arrays, classes: int) -> None:
    """ValueError unless labels are −1 or one of the classes, and ids are indices."""
    require(is_within(arrays["labels"], -1, classes), "labels")
    require(is_within(arrays["ids"], 0, 2**62), "ids")


def check_histogram(arrays: Arrays, sizes: Sizes, prefix: str) -> None:
    """ValueError unless a histogram has counts, and bins that ascend."""
    require(sizes["E"] == sizes["B"] + 1 and sizes["k"] > 0, "edges")
    edges = arrays[prefix + "edges"]
    require(np.isfinite(edges).all() and (np.diff(edges) > 0).all(), "edges")
    require(is_within(arrays[prefix + "histogram"], 0, 2**62), "histogram")


def check_positions(positions: npt.NDArray[Any], count: int) -> None:
    """ValueError unless positions (y, x) are in a map with `count` of them."""
    require(is_within(positions, 0, count) and ((positions + 1).prod(-1) <= count).all(), "top_positions")


def is_within(values: npt.NDArray[Any], low: int, end: int) -> bool:
    """Whether all values are from `low` and below `end`."""
    return bool(((values >= low) & (values < end)).all())


def is_count(value: object) -> bool:
    """Whether a value is a whole number above zero."""
    return type(value) is int and value > 0


def is_texts(value: object) -> bool:
    """Whether a value is a list of texts."""
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def is_named(value: object) -> bool:
    """Whether a value is a list of different names, each with a count."""
    if not isinstance(value, list) or not all(isinstance(each, list) and len(each) == 2 for each in value):
        return False
    names = [name for name, _ in value]
    return is_texts(names) and len({*names}) == len(names) and all(is_count(count) for _, count in value)


def is_reasons(value: object, numbers: Sequence[int]) -> bool:
    """Whether a value is a list of different ones of these numbers, each with a text."""
    if not isinstance(value, list) or not all(isinstance(each, list) and len(each) == 2 for each in value):
        return False
    given = [number for number, _ in value]
    texts = is_texts([text for _, text in value])
    return (
        texts and all(type(each) is int and each in numbers for each in given) and len({*given}) == len(given)
    )
