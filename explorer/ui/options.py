"""What was given at start: `streamlit run explorer/app.py -- --data-dir DIR`."""

import os
import sys
from argparse import Namespace
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from explorer.engine.network_source import Source
from explorer.network_flags import add_input, add_network, path, source_of
from model.arguments import Parser
from model.names import by_number, readable, short_path
from model.problems import Problem
from model.words import of_environment, tr, use

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
        paths = sorted((ROOT / "checkpoints").glob("*.safetensors"), key=by_number)
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
            return tuple(sorted((Path(each.path) for each in entries if each.is_dir()), key=by_number))
    except OSError:  # reported where the options are read, or a folder that may not be read
        return ()


def parser() -> Parser:
    """The parser of these options; its help is in the language in use."""
    parser = Parser("streamlit run explorer/app.py --", title=tr("options"), usage=tr("%(prog)s [flags]"))
    add = parser.first.add_argument
    add(
        "--data-dir",
        type=path,
        default=Options.data_dir,
        metavar="DIR",
        help=tr("the folder of CIFAR-10, or a folder with test/CLASS/*, val/CLASS/* or CLASS/*"),
    )
    runs = tr("a folder with more training runs, or with folders of runs")
    add("--runs", type=path, metavar="DIR", help=runs)
    scans = tr("the folder of the scans of data sets")
    add("--scans", type=path, default=Options.scans, metavar="DIR", help=scans)
    weights = tr("a checkpoint or state_dict in another place, or a folder with one")
    add("--checkpoint", type=path, metavar="FILE", help=weights)
    add_network(add)
    add_input(add)
    return parser


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
    folders = {"--data-dir": values.data_dir, "--runs": values.runs, "--scans": values.scans}
    for option, folder in folders.items():
        _check_folder(option, folder)
    own = source_of(values)
    if own != Source() and not (own.path or own.net):
        raise Problem("These options describe a network, but none is given: add --checkpoint PATH or --net.")
    if own.weights is not None and own.path is None:
        raise Problem("--weights chooses among the weights of a file: add --checkpoint PATH.")
    return Options(values.data_dir, own if own != Source() else None, values.runs, values.scans)
