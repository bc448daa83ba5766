"""A scoreboard as a value: the mean of each row's scores with its 95% interval, and how it was measured."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from explorer.engine.scoreboard.chunks import Chunk
from explorer.engine.scoreboard.entries import Entry, entry
from explorer.engine.scoreboard.estimates import Estimate, mean_of
from explorer.engine.scoreboard.judging import Judged, Judgement
from explorer.engine.scores import SCORES
from explorer.engine.values import Doubles
from model.files import beside, contents, replacing
from model.names import readable, short_path
from model.problems import Problem

VERSION = 2
DIGITS = 6
MOST_BYTES = 5_000_000


@dataclass(frozen=True)
class Cell:
    """A row's score, what chance gives, and the fraction of chance below the score: means over images."""

    value: Estimate
    chance: Estimate
    above: Estimate


@dataclass(frozen=True)
class BoardRow:
    """A row of a scoreboard: an entry's key, the CPU's seconds for an image's map, and score → Cell.

    The seconds are NaN where not all were measured on the CPU.
    """

    key: str
    seconds: float
    cells: dict[str, Cell]

    @property
    def entry(self) -> Entry:
        return entry(self.key)


@dataclass(frozen=True)
class Board:
    """The rows, measured on `images` of a data set with a network; `accuracy` is the network's on them.

    `methods_left_out` and `scores_left_out` give the reason by name, `images_left_out` is a sentence each.
    `judged` is score → Judged where the truth by redrawing was measured, which finds the `unsound` methods no
    better than a random map. `command` makes it anew. `network` is the identity of the network, and
    `images_digest` tells the data set from others of its name; "" in files from before it was written.
    """

    checkpoint: str
    digest: str
    dataset: str
    provenance: str
    layer: str
    seed: int
    images: int
    accuracy: float
    command: str
    rows: tuple[BoardRow, ...]
    methods_left_out: dict[str, str]
    scores_left_out: dict[str, str]
    images_left_out: tuple[str, ...]
    judged: dict[str, Judged]
    unsound: tuple[str, ...]
    network: str
    images_digest: str = ""

    @property
    def scores(self) -> tuple[str, ...]:
        """The scores that a row has, in the order of SCORES."""
        return tuple(name for name in SCORES if any(name in row.cells for row in self.rows))


def rows_of(chunks: Sequence[Chunk], entries: Sequence[Entry], scores: Sequence[str]) -> tuple[BoardRow, ...]:
    """The BoardRow of each entry over chunks that have all of them."""
    return tuple(_row(chunks, each.key, scores) for each in entries)


def _row(chunks: Sequence[Chunk], key: str, scores: Sequence[str]) -> BoardRow:
    known = [chunk for chunk in chunks if chunk.images and key in chunk.rows]
    total = sum(chunk.images for chunk in known)
    seconds = sum(_number(chunk.rows[key]["seconds"]) * chunk.images for chunk in known)
    seconds = seconds / total if total else math.nan
    return BoardRow(key, seconds, {score: _cell(known, key, score) for score in scores})


def _cell(chunks: Sequence[Chunk], key: str, score: str) -> Cell:
    return Cell(*(mean_of(numbers(chunks, key, score, name)) for name in ("value", "chance", "above")))


def numbers(chunks: Sequence[Chunk], key: str, score: str, name: str = "value") -> Doubles:
    """A score of a row for every image of the chunks that have it, float64 (n,); NaN where it is none."""
    cells = [chunk.rows[key]["cells"].get(score) for chunk in chunks if key in chunk.rows]
    return np.array([value for cell in cells if cell for value in cell[name]], np.float64)


# As JSON


def to_json(board: Board) -> bytes:
    """The board as JSON, numbers with six digits, NaN as null."""
    return (json.dumps({"version": VERSION, **_plain(asdict(board))}, indent=1) + "\n").encode()


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def from_json(data: bytes) -> Board:
    """The board of JSON; ValueError, KeyError or TypeError where it is none."""
    stored = json.loads(data)
    if stored.pop("version") != VERSION:
        raise ValueError("another version")
    stored["rows"] = tuple(map(_row_of, stored["rows"]))
    stored["judged"] = {
        name: Judged(_judgement(each["all"]), _judgement(each["sound"]))
        for name, each in stored["judged"].items()
    }
    stored["unsound"] = tuple(stored["unsound"])
    stored["accuracy"] = _number(stored["accuracy"])
    stored["images_left_out"] = tuple(stored["images_left_out"])
    return Board(**stored)


def _row_of(stored: Mapping[str, Any]) -> BoardRow:
    cells = {name: _cell_of(each) for name, each in stored["cells"].items()}
    return BoardRow(stored["key"], _number(stored["seconds"]), cells)


def _cell_of(stored: Mapping[str, Any]) -> Cell:
    return Cell(*(_estimate(stored[name]) for name in ("value", "chance", "above")))


def _estimate(stored: Mapping[str, Any]) -> Estimate:
    mean, low, high = (_number(stored[name]) for name in ("mean", "low", "high"))
    return Estimate(mean, low, high, int(stored["n"]))


def _judgement(stored: Mapping[str, Any]) -> Judgement:
    return Judgement(_estimate(stored["preferred"]), int(stored["pairs"]))


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


# Beside a checkpoint


def path_beside(checkpoint: Path, dataset: str) -> Path:
    """Where the page looks for a checkpoint's scoreboard on a data set."""
    return beside(checkpoint, f".scoreboard-{dataset}.json")


def paths_of(checkpoint: Path) -> dict[str, Path]:
    """Data set → file of every scoreboard beside a checkpoint."""
    head = f"{checkpoint.stem}.scoreboard-"
    try:
        files = sorted(path for path in checkpoint.parent.iterdir() if path.name.startswith(head))
    except OSError:
        return {}
    return {readable(path.stem[len(head) :]): path for path in files if path.suffix == ".json"}


def read(path: Path) -> Board:
    """The Board in a file; Problem where there is none."""
    try:
        return from_json(contents(path, MOST_BYTES))
    except OSError as error:
        reason = error.strerror
    except (ValueError, KeyError, TypeError) as error:
        reason = str(error)
    raise Problem(
        "{file} is not a scoreboard that can be read ({reason}): make it anew with "
        "python -m explorer.scoreboard.",
        file=short_path(path),
        reason=reason,
    )


def write(board: Board, path: Path) -> None:
    """Write a board as JSON, whole or not at all."""
    with replacing(path) as file:
        file.write(to_json(board))
