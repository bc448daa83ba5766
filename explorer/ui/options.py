"""What was given at start: `streamlit run explorer/app.py -- --data-dir DIR`."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent.parent


class OptionError(ValueError):
    """An option that cannot be used, in one sentence."""


@dataclass(frozen=True)
class Options:
    """Where the explorer finds its images and checkpoints."""

    data_dir: Path = ROOT / "data"
    checkpoint: Path | None = None

    @property
    def checkpoints(self) -> dict[str, Path]:
        """Name → path of every checkpoint to choose from: the one given first, then the shipped."""
        given = {self.checkpoint.name: self.checkpoint} if self.checkpoint else {}
        found = sorted((ROOT / "checkpoints").glob("*.safetensors"))
        return given | {path.stem: path for path in found}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OptionError(f"The options after `--` do not fit: {message}.")


def parser() -> argparse.ArgumentParser:
    parser = _Parser("streamlit run explorer/app.py --", exit_on_error=False)
    parser.add_argument("--data-dir", type=Path, default=Options.data_dir, help="CIFAR-10, or test/<class>/*")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint that lies elsewhere")
    return parser


def options() -> Options:
    """The options of this process. Raises OptionError."""
    try:
        return Options(**vars(parser().parse_args(sys.argv[1:])))
    except argparse.ArgumentError as error:
        raise OptionError(f"The options after `--` do not fit: {error}.") from error
