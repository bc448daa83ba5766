"""What was given at start: `streamlit run explorer/app.py -- --data-dir DIR`."""

import math
import os
import re
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from explorer.engine.opening import Source
from explorer.engine.outputs import KINDS
from model.arguments import Parser, WrongValue
from model.card import MOST_CHANNELS, MOST_RESIZE
from model.names import readable, short_path
from model.problems import Problem
from model.words import N_, of_environment, tr, use

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Options:
    """Where the explorer finds images, networks, runs and scans; `own` is the network given at start."""

    data_dir: Path = ROOT / "data"
    own: Source | None = None
    runs: Path | None = None
    scans: Path = ROOT / "scans"

    @property
    def checkpoints(self) -> dict[str, Source]:
        """Name → source of every network to choose from: the one given first, then the shipped."""
        paths = sorted((ROOT / "checkpoints").glob("*.safetensors"))
        return self._given | {readable(path.stem): Source(path) for path in paths}

    @property
    def run_folders(self) -> tuple[Path, ...]:
        """Where runs may lie: beside the network given, beside the shipped ones, in the folder given."""
        own_folder = self.own.path.parent if self.own and self.own.path else None
        below = _folders(self.runs) if self.runs else ()
        return tuple(folder for folder in (own_folder, ROOT / "checkpoints", self.runs, *below) if folder)

    @property
    def _given(self) -> dict[str, Source]:
        if self.own is None:
            return {}
        return {readable(self.own.path.name if self.own.path else str(self.own.net)): self.own}


def _folders(folder: Path) -> tuple[Path, ...]:
    try:
        with os.scandir(folder) as entries:
            return tuple(sorted(Path(entry.path) for entry in entries if entry.is_dir()))
    except OSError:  # reported where the options are read, or a folder that may not be read
        return ()


def parser() -> Parser:
    """The parser of these options; its help is in the language in use."""
    parser = Parser("streamlit run explorer/app.py --", title=tr("options"))
    add = parser.first.add_argument
    add(
        "--data-dir",
        type=_path,
        default=Options.data_dir,
        help=tr("the folder with the images: CIFAR-10, or test/<class>/*"),
    )
    add("--runs", type=_path, help=tr("a folder with more training runs, or with folders of runs"))
    add("--scans", type=_path, default=Options.scans, help=tr("the folder of the scans of data sets"))
    _add_network(add)
    _add_input(add)
    return parser


def _add_network(add: Callable[..., object]) -> None:
    """What says where a network comes from and what it returns."""
    add("--checkpoint", type=_path, help=tr("a checkpoint or state_dict in another place"))
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
        help=tr("what its outputs are, if it is found wrong: {kinds}", kinds=", ".join(KINDS)),
    )
    add("--output-name", metavar="NAME", help=tr("which of several outputs are the logits, by name"))


def _add_input(add: Callable[..., object]) -> None:
    """What says what a network takes in."""
    add("--input-size", type=_size, metavar="PIXELS", help=tr("the side of its square input in pixels"))
    add(
        "--resize",
        type=_resize,
        metavar="PIXELS",
        help=tr("the length of a picture's shorter side before its center is cropped to the input size"),
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
        help=tr("the number of channels of its input, if it cannot be found: 1 is gray"),
    )
    add(
        "--grid",
        type=_grid,
        metavar="ROWSxCOLUMNS",
        help=tr("the positions of a transformer's tokens, if they cannot be found, such as 14x14"),
    )


def _grid(text: str) -> tuple[int, int]:
    sides = re.fullmatch(r"(\d{1,4})[x×X](\d{1,4})", text.strip())
    rows, columns = map(int, sides.groups()) if sides else (0, 0)
    if not rows or not columns:
        raise WrongValue(
            N_("{flag} must be numbers of rows and columns such as 14x14, not {text}."), text=repr(text[:20])
        )
    return rows, columns


def _path(text: str) -> Path:
    if not text.strip():
        raise WrongValue(N_("{flag} has an empty path; give one, or leave the option out."))
    return Path(text)


def _size(text: str) -> int:
    if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= 4096:
        raise WrongValue(
            N_("{flag} must be a number of pixels from 1 to 4096, not {text}."), text=repr(text[:20])
        )
    return int(text)


def _channels(text: str) -> int:
    if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= MOST_CHANNELS:
        raise WrongValue(
            N_("{flag} must be a number of channels from 1 to {most}, not {text}."),
            text=repr(text[:20]),
            most=str(MOST_CHANNELS),
        )
    return int(text)


def _kind(text: str) -> str:
    if text not in KINDS:
        raise WrongValue(
            N_("{flag} must be one of {kinds}, not {text}."), text=repr(text[:20]), kinds=", ".join(KINDS)
        )
    return text


def _resize(text: str) -> int:
    if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= MOST_RESIZE:
        raise WrongValue(
            N_("{flag} must be a number of pixels from the input size to {most}, not {text}."),
            text=repr(text[:20]),
            most=str(MOST_RESIZE),
        )
    return int(text)


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


def _check_folder(option: str, folder: Path | None) -> None:
    """Problem for a folder that exists, or has an impossible path, and cannot be read."""
    try:
        if folder is not None:
            os.scandir(folder).close()
    except FileNotFoundError:  # it may come later
        pass
    except (OSError, ValueError) as error:
        raise Problem(
            "The folder {name} of {option} cannot be read ({reason}): give another.",
            name=short_path(folder)[:60] if folder else "",
            option=option,
            reason=getattr(error, "strerror", None) or tr("not a valid path"),
        ) from error


def _check_numbers(option: str, numbers: tuple[float, ...] | None, channels: int | None) -> None:
    """Problem for a mean or standard deviation of other channels than three, or those that are given."""
    if numbers is not None and len(numbers) not in (3, channels):
        raise Problem(
            "{option} has {count} numbers: give one for all channels, three numbers for colors, or as many "
            "as --channels says.",
            option=option,
            count=len(numbers),
        )


@lru_cache(maxsize=4)
def _read(arguments: tuple[str, ...]) -> Namespace:
    """What a command line says; read once, for a page asks several times. Raises Problem."""
    return parser().read(list(arguments))


def check_at_start() -> None:
    """Before a server starts: end the process after `--help`, or with a sentence where an option is wrong."""
    use(of_environment())
    if {"-h", "--help"} & set(sys.argv[1:]):
        parser().read(["--help"])
    try:
        options()
    except Problem as problem:
        print(tr("error: {sentence} --help lists all flags.", sentence=problem), file=sys.stderr)
        raise SystemExit(2) from problem


def options() -> Options:
    """The options of this process. Raises Problem."""
    try:
        values = _read(tuple(sys.argv[1:]))
    except Problem as problem:
        sentence = readable(str(problem))
        raise Problem("The options after `--` are not valid: {sentence}", sentence=sentence) from problem
    for option, numbers in (("--mean", values.mean), ("--std", values.std)):
        _check_numbers(option, numbers, values.channels)
    folders = {"--data-dir": values.data_dir, "--runs": values.runs, "--scans": values.scans}
    for option, folder in folders.items():
        _check_folder(option, folder)
    own = Source(
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
    if own != Source() and not (own.path or own.net):
        raise Problem("These options describe a network, but none is given: add --checkpoint PATH or --net.")
    if own.weights is not None and own.path is None:
        raise Problem("--weights chooses among the weights of a file: add --checkpoint PATH.")
    return Options(values.data_dir, own if own != Source() else None, values.runs, values.scans)
