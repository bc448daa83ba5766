"""The flags that describe a network, for the app and for the commands: how it is built, what it takes in."""

import math
import re
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from explorer.engine.network_source import Source
from explorer.engine.outputs import KINDS
from model.arguments import WrongValue
from model.card import MOST_CHANNELS, MOST_RESIZE
from model.problems import Problem
from model.words import N_, tr

MOST_SIZE = 4096  # pixels


def add_network(add: Callable[..., object]) -> None:
    """The flags that say how a network is built and what it returns; `--checkpoint` is each command's own."""
    add(
        "--net",
        metavar="MODULE:BUILDER",
        help=tr("the function that builds your own network; its module is imported"),
    )
    add("--classes", help=tr("its classes: a,b,c, a file with one name on each line, or their number"))
    add(
        "--weights",
        metavar="NAME",
        help=tr("which weights of the file, if it has several: ema, model, or their path in it"),
    )
    add(
        "--output",
        type=_kind,
        metavar="KIND",
        help=tr("what its outputs are, if they are recognized wrongly: {kinds}", kinds=", ".join(KINDS)),
    )
    add("--output-name", metavar="NAME", help=tr("which of several outputs are the logits, by name"))


def add_input(add: Callable[..., object]) -> None:
    """What says what a network takes in."""
    add("--input-size", type=_size, metavar="PIXELS", help=tr("the side of its square input in pixels"))
    add(
        "--resize",
        type=_resize,
        metavar="PIXELS",
        help=tr("the length of a picture’s shorter side before its center is cropped to the input size"),
    )
    add(
        "--mean",
        type=_mean,
        metavar="R,G,B",
        help=tr("the mean its inputs were normalized with, from 0 to 1"),
    )
    add(
        "--std",
        type=_deviations,
        metavar="R,G,B",
        help=tr("the standard deviation its inputs were normalized with"),
    )
    add(
        "--channels",
        type=_channels,
        metavar="COUNT",
        help=tr("the number of channels of its input, if it is not recognized: 1 is gray"),
    )
    add(
        "--grid",
        type=_grid,
        metavar="ROWSxCOLUMNS",
        help=tr("the positions of a transformer’s tokens, if they are not recognized, such as 14x14"),
    )


def _grid(text: str) -> tuple[int, int]:
    sides = re.fullmatch(r"(\d{1,4})[x×X](\d{1,4})", text.strip())
    rows, columns = map(int, sides.groups()) if sides else (0, 0)
    if not rows or not columns:
        raise WrongValue(
            N_("{flag} must be numbers of rows and columns such as 14x14, not {text}."), text=repr(text[:20])
        )
    return rows, columns


def path(text: str) -> Path:
    if not text.strip():
        raise WrongValue(N_("{flag} has an empty path; give one, or leave the option out."))
    return Path(text)


def _whole(text: str, most: int, sentence: str) -> int:
    """A whole number from 1 to `most`; else the sentence, a template."""
    if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= most:
        raise WrongValue(sentence, text=repr(text[:20]), most=str(most))
    return int(text)


def _size(text: str) -> int:
    return _whole(text, MOST_SIZE, N_("{flag} must be a number of pixels from 1 to {most}, not {text}."))


def _channels(text: str) -> int:
    return _whole(
        text, MOST_CHANNELS, N_("{flag} must be a number of channels from 1 to {most}, not {text}.")
    )


def _resize(text: str) -> int:
    sentence = N_("{flag} must be a number of pixels from the input size to {most}, not {text}.")
    return _whole(text, MOST_RESIZE, sentence)


def _kind(text: str) -> str:
    if text not in KINDS:
        raise WrongValue(
            N_("{flag} must be one of {kinds}, not {text}."), text=repr(text[:20]), kinds=", ".join(KINDS)
        )
    return text


def _mean(text: str) -> tuple[float, ...]:
    numbers = _three(text)
    if not all(0 <= number <= 1 for number in numbers):
        raise WrongValue(
            N_("{flag} must be numbers from 0 to 1, such as 0.5 instead of 128, not {text}."),
            text=repr(text[:40]),
        )
    return numbers


def _three(text: str) -> tuple[float, ...]:
    """Numbers with commas, one for each channel of the input, or one for all."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not 1 <= len(numbers) <= MOST_CHANNELS or not all(map(math.isfinite, numbers)):
        raise WrongValue(
            N_("{flag} must be numbers such as 0.49,0.48,0.45, not {text}."), text=repr(text[:40])
        )
    return numbers * 3 if len(numbers) == 1 else numbers


def _deviations(text: str) -> tuple[float, ...]:
    numbers = _three(text)
    if min(numbers) <= 0:
        raise WrongValue(N_("{flag} must be numbers above zero, not {text}."), text=repr(text[:40]))
    return numbers


def _check_numbers(option: str, numbers: tuple[float, ...] | None, channels: int | None) -> None:
    """Problem for a mean or standard deviation of other channels than three, or those that are given."""
    if numbers is not None and len(numbers) not in (3, channels):
        raise Problem(
            "{option} has {count} numbers: give one for all channels, three numbers for colors, or as many "
            "as --channels says.",
            option=option,
            count=len(numbers),
        )


def source_of(values: Namespace) -> Source:
    """Where the network of the flags comes from. Raises Problem where they do not fit each other."""
    for option, numbers in (("--mean", values.mean), ("--std", values.std)):
        _check_numbers(option, numbers, values.channels)
    return Source(
        values.checkpoint,
        values.net,
        values.classes,
        values.input_size,
        values.mean,
        values.std,
        channels=values.channels,
        output=values.output,
        output_name=values.output_name,
        grid=values.grid,
        resize=values.resize,
        weights=values.weights,
    )


def words_of(source: Source) -> list[str]:
    """The flags and values that describe a source, besides its file: what `source_of` reads back."""
    given = {
        "--net": source.net,
        "--classes": source.classes,
        "--weights": source.weights,
        "--output": source.output,
        "--output-name": source.output_name,
        "--input-size": source.input_size,
        "--resize": source.resize,
        "--mean": source.mean and ",".join(map(str, source.mean)),
        "--std": source.std and ",".join(map(str, source.std)),
        "--channels": source.channels,
        "--grid": source.grid and "{}x{}".format(*source.grid),
    }
    return [word for flag, value in given.items() if value is not None for word in (flag, str(value))]
