"""How a builder's own weights want their pictures prepared, and which classes they know.

Torchvision's builders take `weights`, one of an enumeration in which each has `transforms()` and `meta`; so
may builders of one's own. Only what a builder's module has already imported is looked at.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from model.pixels import INTERPOLATIONS


@dataclass(frozen=True)
class Preset:
    """The preprocessing of weights by their `name`: the shorter side, the square's side, mean and std.

    `classes` are the names that the weights have for a network's outputs as its builder makes it; empty where
    these are not sure. `certain`: the weights are named by a person or by their file, not assumed.
    """

    name: str
    resize: int
    size: int
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    certain: bool


def preset_of(spec: str, file_name: str = "") -> Preset | None:
    """The preset of a network by its spec `package.module:builder(…)` and the name of its weights' file.

    The weights are those that the spec names, else those that torchvision publishes under the file's name,
    else the builder's default ones. None for builders without weights, or whose number of classes is another.
    """
    module, _, rest = spec.strip().partition(":")
    name, _, call = rest.partition("(")
    builder, arguments = getattr(sys.modules.get(module), name, None), _arguments(call)
    if not callable(builder) or "torchvision.models" not in sys.modules:
        return None
    for weights, certain in _candidates(builder, arguments.get("weights"), file_name):
        classes = tuple(map(str, weights.meta.get("categories", ())))
        preset = _read(weights, classes if _is_torchvisions(builder) else (), certain)
        fits = preset is not None and _takes(builder, arguments, preset.size)
        if fits and arguments.get("num_classes", len(classes)) == len(classes):
            return preset
    return None


def _arguments(call: str) -> dict[str, Any]:
    """The plain values of a call by keyword; nothing where they are not plain."""
    try:
        node = ast.parse(f"_({call or ')'}", mode="eval").body
        keywords = node.keywords if isinstance(node, ast.Call) else []
        return {str(each.arg): ast.literal_eval(each.value) for each in keywords}
    except (ValueError, SyntaxError, RecursionError):
        return {}


def _candidates(builder: Callable[..., Any], named: object, file_name: str) -> Iterator[tuple[Any, bool]]:
    """The weights to ask, the best first, each with whether it is sure that they are meant."""
    try:
        weights = sys.modules["torchvision.models"].get_model_weights(builder)
    except (TypeError, ValueError):  # a builder without weights
        return
    everyone = [weights.DEFAULT, *weights]
    if isinstance(named, str):
        everyone = [each for each in everyone if named.rpartition(".")[2] in (each.name, "DEFAULT")][:1]
    yield from ((each, True) for each in everyone if PurePosixPath(each.url).name == file_name)
    yield from ((each, isinstance(named, str)) for each in everyone)


def _is_torchvisions(builder: Callable[..., Any]) -> bool:
    return str(getattr(builder, "__module__", "")).startswith("torchvision.models")


def _takes(builder: Callable[..., Any], arguments: dict[str, Any], size: int) -> bool:
    """Whether a network that is built like this takes that size: a vision transformer takes one only."""
    if not str(getattr(builder, "__module__", "")).endswith("vision_transformer"):
        return True
    return "weights" in arguments or size == arguments.get("image_size", 224)


def _read(weights: Any, classes: tuple[str, ...], certain: bool) -> Preset | None:
    """What the weights' transforms say; None where they are of another kind, as those of a detector."""
    try:
        transforms = weights.transforms()
        (resize,), (size,) = transforms.resize_size, transforms.crop_size
        mean, std = tuple(map(float, transforms.mean)), tuple(map(float, transforms.std))
        interpolation = str(transforms.interpolation.value)
    except (AttributeError, TypeError, ValueError):
        return None
    if interpolation not in INTERPOLATIONS or resize < size or not len(mean) == len(std) == 3:
        return None
    return Preset(str(weights), int(resize), int(size), interpolation, mean, std, classes, certain)
