"""The bytes that carry the picture of a network, made once and sent once.

Layout, little-endian: header length (uint32); header (JSON, padded with spaces to a multiple of four); the
two color tables, for what starts at zero and for signed values (256 × 3 each); the image (h × w × 3); the
maps of each stage in order (n × h × w), as indices into its table. All but the length are uint8.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.drawing.colormaps import COLORMAPS, name_for, positions
from explorer.drawing.ranges import Range
from explorer.engine.values import Floats
from model.card import Pixels

TABLES = ("viridis", "blue_red")


@dataclass(frozen=True)
class Tile:
    """A channel: its number, what it is in words, and its contribution from −1 to 1, None without one."""

    channel: int
    text: str
    bar: float | None = None


@dataclass(frozen=True, eq=False)
class Stage:
    """A column: its name, what else stands under it, and what it is in words.

    `node` is the node's name, which no other column has, `kind` the node's, `sign` what an operation is drawn
    as, "" for a layer. `opens` tells whether its heading opens a page, `folds` is "fold", "unfold" or "".
    `maps` (n, h, w) are those of its `tiles`, on one `range`; `rest` says how many channels it shows of how
    many. A forward pass `stopped` at it.
    """

    name: str
    lines: tuple[str, ...]
    text: str
    kind: str
    node: str
    sign: str = ""
    opens: bool = False
    folds: str = ""
    folds_text: str = ""
    tiles: tuple[Tile, ...] = ()
    rest: str = ""
    stopped: bool = False
    maps: Floats | None = None
    range: Range | None = None


@dataclass(frozen=True)
class Thread:
    """A line between tiles, each a (stage, row): row −1 is a channel that is not shown, and the sign of
    an operation. `value` is from −1 to 1 of the largest, `amount` is it in words; `label` names the source,
    `text` says everything. `opens` tells whether a click opens its kernel, `together` whether it is of all
    channels without a line of their own.
    """

    source: tuple[int, int]
    target: tuple[int, int]
    value: float
    amount: str
    label: str
    text: str
    opens: bool
    together: bool = False


@dataclass(frozen=True)
class Answer:
    """A class: its number and name, its probability in words and from 0 to 1, what it is in words, and
    whether it is the explained one.
    """

    channel: int
    name: str
    percent: str
    fraction: float
    text: str
    explained: bool


def payload(
    image: Pixels,
    stages: Sequence[Stage],
    edges: Sequence[tuple[int, int]],
    threads: Sequence[Thread],
    answers: Sequence[Answer],
    **settings: object,
) -> bytes:
    """Pack a picture; see the module's layout. `settings` are JSON values that go into the header."""
    header = {
        "image": image.shape[:2],
        "stages": [_stage(stage) for stage in stages],
        "edges": edges,
        "threads": [vars(thread) for thread in threads],
        "answers": [vars(answer) for answer in answers],
        **settings,
    }
    tables = b"".join(COLORMAPS[name].tobytes() for name in TABLES)
    maps = b"".join(indices(stage).tobytes() for stage in stages)
    return _with_length(header) + tables + np.ascontiguousarray(image, np.uint8).tobytes() + maps


def indices(stage: Stage) -> NDArray[np.uint8]:
    """A stage's maps (n, h, w) as entries of its color table; what is not a number as the middle or zero."""
    if stage.maps is None or stage.range is None:
        return np.zeros((0, 0, 0), np.uint8)
    places = positions(stage.maps, stage.range)
    entries: NDArray[np.uint8] = np.floor(np.nan_to_num(places) * 255 + 0.5).astype(np.uint8)
    return entries


def _stage(stage: Stage) -> Mapping[str, object]:
    drawn = {name: value for name, value in vars(stage).items() if name not in ("maps", "range", "tiles")}
    shape = (0, 0, 0) if stage.maps is None else stage.maps.shape
    table = TABLES.index(name_for(stage.range)) if stage.range else 0
    return drawn | {"tiles": [vars(tile) for tile in stage.tiles], "shape": shape, "table": table}


def _with_length(header: Mapping[str, object]) -> bytes:
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    padded = text.ljust(-(-len(text) // 4) * 4)
    return struct.pack("<I", len(padded)) + padded
