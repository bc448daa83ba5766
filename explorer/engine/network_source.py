"""What a person says of a network of their own, and the card that follows from it."""

import errno
import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model.builders import offer
from model.card import MOST_CLASSES, MOST_RESIZE, WITHOUT_CARD, Card
from model.files import contents
from model.names import short_path
from model.presets import Preset, preset_of
from model.problems import Problem
from model.words import tr

MOST_OF_NAMES = 10_000_000  # bytes of a file with class names
LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue, by ITU-R 601
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Source:
    """Where a network comes from: the file of its weights, the builder of its modules, or both.

    `net` is `package.module:builder`, with plain keyword arguments if wanted: `mine:make(num_classes=5)`.
    `classes` is `a,b,c`, a number, or a file with one name a line. What is None is read off the file's
    card; without a card it is 224 pixels, ImageNet's mean and std, and as many classes as there are logits,
    or what a builder's own weights say (`model/presets.py`). `resize` is the card's; None, with an
    `input_size`, is none.
    `weights` chooses among several in one file, as in `load_checkpoint`.
    `output`, one of KINDS, says what its outputs are, `output_name` which of several they are, and `channels`
    how many its input has; what is None of these is found by a check-up. `grid` is the rows and columns of
    its tokens, where they do not follow from it.
    """

    path: Path | None = None
    net: str | None = None
    classes: str | None = None
    input_size: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    weights: str | None = None
    resize: int | None = None
    channels: int | None = None
    output: str | None = None
    output_name: str | None = None
    grid: tuple[int, int] | None = None


def asked_of_builder(source: Source) -> dict[str, int]:
    """What a person says of the network that its builder is asked for."""
    if source.classes is None:
        return {}
    asked = offer(len(class_names(source.classes)), source.input_size or 0)
    return {name: value for name, value in asked.items() if value}


# The card


def blank_card(spec: str) -> Card:
    """The card of a builder's network of which nothing is known: 224 pixels, ImageNet's mean and std."""
    return Card(net=spec, classes=(), mean=IMAGENET_MEAN, std=IMAGENET_STD, input_size=224, data=WITHOUT_CARD)


def assumed(card: Card, source: Source) -> dict[str, tuple[float, ...]]:
    """The mean and std of a card that neither its file nor the source gives, by name; empty where both do."""
    if card.data != WITHOUT_CARD or source.path is None:
        return {}
    if card.preset and (preset := _preset(source)) is not None and preset.certain:
        return {}
    given = {"mean": (source.mean, card.mean), "std": (source.std, card.std)}
    return {name: value for name, (own, value) in given.items() if own is None}


def described(card: Card, source: Source) -> Card:
    """The card with what the source says of its own, before that what its builder's weights say."""
    card = _with_preset(card, source)
    channels = source.channels or card.channels
    own = {
        "input_size": source.input_size,
        "mean": source.mean or card.mean,
        "std": source.std or card.std,
        "resize": source.resize,
    }
    fields: dict[str, Any] = {name: value for name, value in own.items() if value is not None}
    fields |= {name: _per_channel(name, fields[name], channels) for name in ("mean", "std")}
    fields["channels"] = channels
    if source.classes is not None:
        fields["classes"] = class_names(source.classes)
    card = replace(card, **fields)
    _check_resize(card)
    return card


def _preset(source: Source) -> Preset | None:
    return preset_of(source.net, source.path.name if source.path else "") if source.net else None


def _with_preset(card: Card, source: Source) -> Card:
    """A card that no file gives, with the preprocessing and the class names of its builder's weights.

    Random weights get the names only: how their pictures are prepared is nobody's.
    """
    preset = _preset(source) if card.data == WITHOUT_CARD else None
    if preset is None:
        return card
    if source.classes is None:
        card = replace(card, classes=preset.classes)
    if source.path is None and not preset.certain:
        return card
    card = replace(card, mean=preset.mean, std=preset.std)
    if source.input_size not in (None, preset.size):
        return card
    card = replace(card, input_size=preset.size, resize=preset.resize)
    return replace(card, interpolation=preset.interpolation, preset=preset.name)


def _check_resize(card: Card) -> None:
    if card.resize is not None and not card.input_size <= card.resize <= MOST_RESIZE:
        raise Problem(
            "A picture cannot be resized to {resize} pixels and then cropped to {size}: "
            "give a --resize from {size} to {most}.",
            resize=card.resize,
            size=card.input_size,
            most=MOST_RESIZE,
        )


def _per_channel(name: str, values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """A mean or standard deviation for every channel; for gray, the luminance of three colors."""
    if len(values) == channels:
        return values
    if len(set(values)) == 1:
        return values[:1] * channels
    if len(values) != 3:
        raise Problem(
            "The network takes {channels} channels, but --{name} has {given} numbers: give one number, "
            "or one for each channel.",
            channels=channels,
            name=name,
            given=len(values),
        )
    gray = sum(weight * value for weight, value in zip(LUMINANCE, values, strict=True))
    colors = values if channels > 3 else ()
    return (*colors, *(round(gray, 4),) * (channels - len(colors)))


def with_classes(card: Card, columns: int) -> Card:
    """The card with names for all classes; one value stands for the second of two. Raises Problem."""
    names = card.classes or numbered(max(columns, 2))
    if columns == 1 and len(names) == 1:
        names = (f"not {names[0]}", names[0])  # in no visitor's language: all share the network, and links
    if len(names) == 1:
        raise Problem(
            "The network returns {logits} logits, but only one class is named, “{name}”; give --classes "
            "{logits} or the {logits} names.",
            logits=columns,
            name=names[0],
        )
    if len(names) != max(columns, 2):
        raise Problem(
            "The network returns {logits} logits, but {named} classes are named; "
            "give --classes {logits} or the {logits} names.",
            logits=max(columns, 2),
            named=len(names),
        )
    return replace(card, classes=names)


# Class names


def class_names(text: str) -> tuple[str, ...]:
    """Class names from `a,b,c`, from a number (class 0, class 1 …) or from a file with one name a line.

    One name is that of the only output of a network.
    """
    if not text.strip():
        raise Problem("--classes is empty; give names separated by commas, a number, or a file.")
    if re.fullmatch(r"-?\d+", text):
        return numbered(_count(text))
    if os.path.isdir(text):
        raise Problem(
            "--classes has a folder, {name}; give names separated by commas, a number, or a file with one "
            "name on each line.",
            name=short_path(Path(text)),
        )
    lines = _lines(text)
    names = tuple(name.strip() for name in (text.split(",") if lines is None else lines) if name.strip())
    if not names or (lines is None and _is_path(text)):
        raise Problem(
            "“{text}” is not a list of classes; give names separated by commas, a number, "
            "or a file that exists.",
            text=short_path(Path(text)),
        )
    if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
        raise Problem(
            "The class name “{name}” is used twice; give every class its own name.", name=repeated[0]
        )
    return names


def _is_path(text: str) -> bool:
    """Whether a text without a file of that name was meant as one, rather than as names."""
    suffix = re.search(r"\.\w{1,5}$", text) and "," not in text
    return "\0" in text or "/" in text or bool(suffix)


def _count(text: str) -> int:
    if len(text) > len(str(MOST_CLASSES)) or int(text) > MOST_CLASSES:
        raise Problem("A network has at most {most:,} classes; give fewer with --classes.", most=MOST_CLASSES)
    if int(text) <= 0:
        raise Problem("A network has at least one class; give more than 0 with --classes.")
    return int(text)


def _lines(text: str) -> list[str] | None:
    """The lines of the file of that name; None where there is none."""
    try:
        return contents(Path(text), MOST_OF_NAMES).decode("utf-8").splitlines()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL):
            return None
        reason = error.strerror
    except UnicodeDecodeError:
        reason = tr("not UTF-8")
    raise Problem(
        "The class names in {file} cannot be read ({reason}); save them as UTF-8 text.",
        file=short_path(Path(text)),
        reason=reason,
    )


def numbered(count: int) -> tuple[str, ...]:
    """Names for classes that have none: class 0, class 1 …"""
    return tuple(f"class {k}" for k in range(count))
