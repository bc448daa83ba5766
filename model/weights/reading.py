"""A file's bytes → every tensor in it by name, whatever form it has."""

import json
import zipfile
from typing import Any

from safetensors.torch import load as from_safetensors

from model.problems import Problem
from model.weights import formats
from model.weights.containers import archive_in, root_of, value_in_archive, value_in_stream
from model.weights.entries import entries_of, in_one_line
from model.weights.stored import Damaged, Leaf, of_tensor

# A name in an archive without PyTorch's pickle → what the archive is.
_ARCHIVES = (
    ("model.weights.h5", "hdf5"),
    ("serialized_exported_program.json", "exported"),
    ("archive_format", "exported"),
    (".npy", "numpy"),
)


def read_entries(data: bytes, path: str) -> dict[str, Leaf]:
    """Name → tensor of everything in a file; executes nothing in it. Problem says what it is instead."""
    kind = formats.format_of(data, path)
    if kind == formats.SAFETENSORS:
        return _in_safetensors(data, path)
    try:
        entries = entries_of(_in_archive(data, path) if kind == formats.ARCHIVE else value_in_stream(data))
    except Damaged as error:
        raise formats.damaged(data, path, error) from error
    entries.pop("", None)  # a tensor without a name
    if not entries:
        if has_constants(data):
            raise formats.problem("frozen", path)
        raise Problem(
            "{path} contains no state_dict; save one with torch.save(net.state_dict(), path).", path=path
        )
    return entries


def has_constants(data: bytes) -> bool:
    """Whether a file is a TorchScript program with tensors without names, as torch.jit.freeze makes them."""
    if data[:2] != b"PK":
        return False
    with archive_in(data) as archive:
        root = root_of(archive)
        return root is not None and any(name.startswith(f"{root}constants/") for name in archive.namelist())


def _in_safetensors(data: bytes, path: str) -> dict[str, Leaf]:
    try:
        return {in_one_line(name): of_tensor(tensor) for name, tensor in from_safetensors(data).items()}
    except Exception as error:  # its reader and torch each raise kinds of their own
        raise formats.problem("cut", path) from error


def _in_archive(data: bytes, path: str) -> Any:
    with archive_in(data) as archive:
        root = root_of(archive)
        if root is None:
            kind = _kind_of_archive(archive)
            raise formats.problem(kind, path, "ZIP" if kind == "packed" else "")
        return value_in_archive(data, archive, root)


def _kind_of_archive(archive: zipfile.ZipFile) -> str:
    names = archive.namelist()
    return next(
        (kind for ending, kind in _ARCHIVES if any(name.endswith(ending) for name in names)), "packed"
    )


def metadata_of(data: bytes) -> dict[str, str]:
    """What a safetensors file says beside its tensors. ValueError for another file."""
    size = int.from_bytes(data[:8], "little")
    if not 2 <= size <= len(data) - 8:
        raise ValueError("no safetensors header")
    try:
        metadata = json.loads(data[8 : 8 + size])["__metadata__"]
    except (KeyError, TypeError, RecursionError):
        return {}
    return metadata if isinstance(metadata, dict) else {}
