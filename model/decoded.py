"""Decoded images, and their cache: beside the images, or in the user's own where that cannot be written."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.files import replacing, sweep
from model.images import Images, Labels

CACHE_VERSION = 1
CACHE_FOLDER = ".decoded"


@dataclass(frozen=True, eq=False)
class Decoded:
    """A split's readable images with their labels, and the paths of the files that could not be read."""

    images: Images
    labels: Labels
    corrupt: tuple[str, ...] = ()


def cached(data_dir: Path, name: str, key: str, make: Callable[[], Decoded]) -> Decoded:
    """Read `name` from the cache if it was written under `key`, else make it and write it where possible."""
    paths = [folder / name for folder in (data_dir / CACHE_FOLDER, _home_cache(data_dir))]
    for path in paths:
        if (decoded := _read_cache(path, key)) is not None:
            return decoded
    fresh = make()
    any(_write_cache(path, key, fresh) for path in paths)  # the second only where the first cannot be written
    return fresh


def _home_cache(data_dir: Path) -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "feature-map-explorer" / digest(str(data_dir.resolve()))[:16]


def digest(*parts: object) -> str:
    """SHA-256 of the parts, each as it is written in Python."""
    return hashlib.sha256("\n".join(map(repr, parts)).encode()).hexdigest()


def _read_cache(path: Path, key: str) -> Decoded | None:
    try:
        with np.load(path, allow_pickle=False) as saved:
            if str(saved["key"]) == key:
                return Decoded(saved["images"], saved["labels"], tuple(map(str, saved["corrupt"])))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        pass  # none yet, or a damaged one: it is made anew
    return None


def _write_cache(path: Path, key: str, decoded: Decoded) -> bool:
    corrupt = np.array(decoded.corrupt, dtype=np.str_)
    try:
        sweep(path)
        with replacing(path) as file:
            np.savez(file, key=np.array(key), images=decoded.images, labels=decoded.labels, corrupt=corrupt)
    except OSError:  # read-only or full: the images are good without a cache
        return False
    return True
