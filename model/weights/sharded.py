"""One checkpoint in several files, which an index names, and the file of weights in a folder."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path, PureWindowsPath

from model.names import readable, short_path
from model.problems import Problem
from model.weights import formats
from model.weights.reading import read_entries
from model.weights.stored import Leaf

IN_FOLDER = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""What a folder of Hugging Face's transformers or of timm keeps its weights in; the first that is there."""
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".tar")  # of a folder's only checkpoint
MOST_OF_INDEX = 50_000_000  # bytes
MOST_FILES = 1_000
_HEAD = 10_000  # bytes in which an index names its map


def file_in(path: Path) -> Path:
    """The file of weights in a folder, by IN_FOLDER or the only index or checkpoint; else the path itself."""
    if not os.path.isdir(path):
        return path
    known = [path / name for name in IN_FOLDER if os.path.isfile(path / name)]
    indexes, others = _called(path, (".index.json",)), weights_in(path)
    return next((files[0] for files in (known[:1], indexes, others) if len(files) == 1), path)


def weights_in(folder: Path) -> list[Path]:
    """The files in a folder that are called as checkpoints are, in order."""
    return _called(folder, SUFFIXES)


def _called(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    try:
        entries = (entry for entry in folder.iterdir() if entry.name.lower().endswith(endings))
        return sorted(entry for entry in entries if entry.is_file())
    except (OSError, ValueError):
        return []


def is_index(data: bytes) -> bool:
    """Whether a file says by name which file of several each weight lies in."""
    return data[:1] == b"{" and b'"weight_map"' in data[:_HEAD] and not formats.is_safetensors(data)


def files_of(data: bytes, path: Path) -> Mapping[str, Path]:
    """Name of a weight → its file, as the index at `path` says; all beside it. Raises Problem."""
    files = {name: path.parent / file for name, file in _map_in(data, path).items()}
    if len(set(files.values())) > MOST_FILES:
        raise formats.problem("cut", short_path(path))
    return files


def _map_in(data: bytes, path: Path) -> dict[str, str]:
    try:
        names = json.loads(data if len(data) <= MOST_OF_INDEX else b"")["weight_map"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise formats.problem("cut", short_path(path)) from error
    if not isinstance(names, dict) or not all(isinstance(file, str) for file in names.values()):
        raise formats.problem("cut", short_path(path))
    for file in names.values():
        if PureWindowsPath(file).name != file or file in ("", "..") or "\0" in file:
            raise Problem(
                "{path} names {file}, but only files in its own folder are read; give an index of these.",
                path=short_path(path),
                file=readable(file)[:60],
            )
    return names


def read_sharded(data: bytes, path: Path, contents: Callable[[Path], bytes]) -> dict[str, Leaf]:
    """Name → tensor of all files that the index at `path` names, each by its own; executes nothing.

    Raises Problem, also where a file is missing.
    """
    files = files_of(data, path)
    missing = sorted({file.name for file in files.values() if not os.path.exists(file)})
    if missing:
        raise Problem(
            "{path} names {file}, which is not in its folder; copy or download all files of the checkpoint.",
            path=short_path(path),
            file=short_path(Path(missing[0])),
        )
    entries: dict[str, Leaf] = {}
    for file in dict.fromkeys(files.values()):
        own = read_entries(contents(file), short_path(file))
        entries |= {name: leaf for name, leaf in own.items() if files.get(name, file) == file}
    return entries
