"""What is measured so far: one file for every ten images, written whole or not at all."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from explorer.engine.scoreboard.entries import Entry
from model.files import contents, replacing

CHUNK = 10
VERSION = 1  # of what is measured: what was measured otherwise is measured anew
MOST_BYTES = 50_000_000


@dataclass(frozen=True)
class Chunk:
    """Images `start` to `stop`: how many were read, how many predicted correctly, sentences about the others.

    `rows` is key → {"seconds": … or None, "cells": {score → Cell}}, plain values as they are in the file.
    """

    start: int
    stop: int
    images: int
    correct: int
    left_out: tuple[str, ...]
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    def lacking(self, entry: Entry, scores: Sequence[str]) -> list[str]:
        """Those of the scores that are not measured of a row."""
        cells = self.rows.get(entry.key, {}).get("cells", {})
        return [score for score in scores if score not in cells]


@dataclass(frozen=True)
class Store:
    """The files of the chunks of one network, image set, layer and seed."""

    folder: Path

    def path(self, numbers: range) -> Path:
        return self.folder / f"{numbers.start:06}-{numbers.stop:06}.json"

    def read(self, numbers: range) -> Chunk | None:
        """The chunk of these images; None where it is not there, or damaged."""
        try:
            stored = json.loads(contents(self.path(numbers), MOST_BYTES))
            stored["left_out"] = tuple(stored["left_out"])
            chunk = Chunk(**stored)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        whole = (chunk.start, chunk.stop) == (numbers.start, numbers.stop)
        return chunk if whole else None

    def write(self, chunk: Chunk) -> None:
        with replacing(self.path(range(chunk.start, chunk.stop))) as file:
            file.write(json.dumps(vars(chunk), separators=(",", ":")).encode())


def store(out: Path, *parts: object) -> Store:
    """The Store below a folder for what the parts say."""
    name = hashlib.sha256(repr((VERSION, *parts)).encode()).hexdigest()[:16]
    return Store(out / "chunks" / name)


def pieces(images: int) -> list[range]:
    """The numbers of so many images, CHUNK by CHUNK."""
    return [range(start, min(start + CHUNK, images)) for start in range(0, images, CHUNK)]


def pieces_of(numbers: Sequence[range], index: int, count: int) -> list[range]:
    """What the process `index` of `count` measures: every `count`th chunk."""
    return list(numbers[index::count])


def finite(value: float) -> float | None:
    """A number as JSON has it."""
    return value if math.isfinite(value) else None
