"""What was given at start: `streamlit run explorer/app.py -- --data-dir DIR`."""

import argparse
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from explorer.engine.opening import Source
from model.names import readable, shown

ROOT = Path(__file__).resolve().parent.parent.parent


class OptionError(ValueError):
    """An option that cannot be used, in one sentence."""


@dataclass(frozen=True)
class Options:
    """Where the explorer finds its images, networks and runs; `own` is the network given at start."""

    data_dir: Path = ROOT / "data"
    own: Source | None = None
    runs: Path | None = None

    @property
    def checkpoints(self) -> dict[str, Source]:
        """Name → source of every network to choose from: the one given first, then the shipped."""
        found = sorted((ROOT / "checkpoints").glob("*.safetensors"))
        return self._given | {readable(path.stem): Source(path) for path in found}

    @property
    def run_folders(self) -> tuple[Path, ...]:
        """Where runs may lie: beside the network given, beside the shipped ones, in the folder given."""
        given = self.own.path.parent if self.own and self.own.path else None
        below = _folders(self.runs) if self.runs else ()
        return tuple(folder for folder in (given, ROOT / "checkpoints", self.runs, *below) if folder)

    @property
    def _given(self) -> dict[str, Source]:
        if self.own is None:
            return {}
        return {readable(self.own.path.name if self.own.path else str(self.own.net)): self.own}


def _folders(folder: Path) -> tuple[Path, ...]:
    try:
        with os.scandir(folder) as entries:
            return tuple(sorted(Path(entry.path) for entry in entries if entry.is_dir()))
    except OSError:  # said where the options are read, or one that may not be looked at
        return ()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OptionError(f"The options after `--` do not fit: {readable(message)}.")


def parser() -> argparse.ArgumentParser:
    parser = _Parser("streamlit run explorer/app.py --", exit_on_error=False)
    add = parser.add_argument
    add("--data-dir", type=_path, default=Options.data_dir, help="CIFAR-10, or test/<class>/*")
    add("--runs", type=_path, help="a folder with further training runs, or with folders of them")
    add("--checkpoint", type=_path, help="a checkpoint or state_dict that lies elsewhere")
    add("--net", metavar="MODULE:BUILDER", help="what makes a network of your own; the module is imported")
    add("--classes", help="its classes: a,b,c, a file with one a line, or how many")
    add("--input-size", type=_size, metavar="PIXELS", help="the side of the square that it takes")
    add("--mean", type=_three, metavar="R,G,B", help="the mean that it was trained with, as shares of 1")
    add("--std", type=_deviations, metavar="R,G,B", help="the standard deviation, likewise")
    return parser


def _path(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty path leads nowhere; leave the option out or give one")
    return Path(text)


def _size(text: str) -> int:
    if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= 4096:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is no number of pixels from 1 to 4096")
    return int(text)


def _three(text: str) -> tuple[float, ...]:
    """Three numbers with commas, or one for all three colours."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 3) or not all(map(math.isfinite, numbers)):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not three numbers such as 0.49,0.48,0.45")
    return numbers * 3 if len(numbers) == 1 else numbers


def _deviations(text: str) -> tuple[float, ...]:
    numbers = _three(text)
    if min(numbers) <= 0:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} has a standard deviation that is not above zero")
    return numbers


def _check_folder(option: str, folder: Path | None) -> None:
    """OptionError for a folder that is there, or never can be, and cannot be looked into."""
    try:
        if folder is not None:
            os.scandir(folder).close()
    except FileNotFoundError:  # it may come later
        pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a valid path"
        name = shown(folder)[:60] if folder else ""
        raise OptionError(
            f"The folder {name} of {option} cannot be read ({reason}): give another."
        ) from error


def options() -> Options:
    """The options of this process. Raises OptionError."""
    try:
        given = parser().parse_args(sys.argv[1:])
    except argparse.ArgumentError as error:
        raise OptionError(f"The options after `--` do not fit: {readable(str(error))}.") from error
    for option, folder in (("--data-dir", given.data_dir), ("--runs", given.runs)):
        _check_folder(option, folder)
    own = Source(given.checkpoint, given.net, given.classes, given.input_size, given.mean, given.std)
    if own != Source() and not (own.path or own.net):
        raise OptionError("What the options say of a network needs one: add --checkpoint PATH or --net.")
    return Options(given.data_dir, own if own != Source() else None, given.runs)
