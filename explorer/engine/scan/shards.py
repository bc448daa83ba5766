"""The files of a scan: its shards while it runs, wherever they were measured, and the result made of them."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from explorer.engine.scan import parts, result
from explorer.engine.scan.parts import ScanPart, merge
from explorer.engine.scan.result import Scan
from model.problems import Problem

Shard = tuple[ScanPart, dict[str, Any]]


def folder_of(out: Path, key: str) -> Path:
    """Where the shards of a scan are, below the folder of the results."""
    return out / "shards" / key


def path(out: Path, key: str, numbers: range) -> Path:
    """The file of the images with these numbers."""
    return folder_of(out, key) / f"{numbers.start:08}-{numbers.stop:08}.safetensors"


def result_path(out: Path, key: str, dataset: str, split: str) -> Path:
    """The file of the result."""
    return out / f"{dataset}-{split}-{key}.safetensors"


def read(file: Path) -> Shard | None:
    """A shard and what it is of; None where there is none, or a damaged one."""
    return parts.read(file)


def keys_in(folders: Sequence[Path]) -> list[str]:
    """The scans that folders hold shards of."""
    return sorted({each.name for folder in folders for each in folder.glob("shards/*") if each.is_dir()})


def finish(folders: Sequence[Path], key: str, out: Path) -> tuple[Path, Scan]:
    """The result of the shards in folders, written to `out`; the shards are then removed.

    Raises Problem where images are lacking, or none could be read.
    """
    shards = _shards(folders, key)
    _check_whole(shards)
    card = shards[0][1]
    scan = scan_of(merge([part for part, _ in shards]), card)
    place = result_path(out, key, card["dataset"], card["split"])
    result.save(scan, place)
    for folder in folders:
        shutil.rmtree(folder_of(folder, key), ignore_errors=True)
        with suppress(OSError):  # other scans have shards there
            folder_of(folder, key).parent.rmdir()
    return place, scan


def _shards(folders: Sequence[Path], key: str) -> list[Shard]:
    """The shards in folders, each once, in the order of their images."""
    files = {file.name: file for each in folders for file in folder_of(each, key).glob("*.safetensors")}
    return [shard for _, file in sorted(files.items()) if (shard := read(file)) is not None]


def _check_whole(shards: Sequence[Shard]) -> None:
    """Problem unless all images of the scan are there."""
    total = shards[0][1]["card"]["count"] if shards else 1
    lacking = total - sum(card["stop"] - card["start"] for _, card in shards)
    if lacking:
        raise Problem(
            "{count:,} of {total:,} images are not scanned yet: start the command without --shard, or merge "
            "the folders of all parts.",
            count=lacking,
            total=total,
        )


def scan_of(part: ScanPart, card: Mapping[str, Any]) -> Scan:
    """The Scan of all images; Problem where none could be read."""
    if not len(part.numbers):
        raise Problem(
            "None of {count} images can be read ({reason}): give other images.",
            count=len(part.unreadable),
            reason=next(iter(part.unreadable.values()), ""),
        )
    classes = tuple(card["classes"])
    layers = {name: parts.finished(part, layer, len(classes)) for name, layer in part.layers.items()}
    return Scan(
        network=card["network"],
        images=card["images"],
        dataset=card["dataset"],
        split=card["split"],
        card=card["card"],
        classes=classes,
        ids=part.ids,
        labels=part.labels,
        logits=part.logits,
        features=part.features,
        layers=layers,
        unreadable=tuple(part.unreadable.values()),
    )
