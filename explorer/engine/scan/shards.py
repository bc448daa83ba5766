"""The files of a scan: its shards while it runs, wherever they were measured, and the result made of them."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from explorer.engine.scan import parts, result
from explorer.engine.scan.parts import ScanPart, merge
from explorer.engine.scan.result import Scan
from model.names import short_path
from model.problems import Problem

Shard = tuple[ScanPart, dict[str, Any]]
PLACE = ("start", "stop")
"""What the cards of the shards of one scan differ in."""


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

    Raises Problem where images are lacking, shards do not belong together, or no image could be read.
    """
    shards, damaged = _shards(folders, key)
    _check_whole(shards, damaged)
    _check_alike(shards)
    card = shards[0][1]
    scan = scan_of(merge([part for part, _ in shards]), card)
    path = result_path(out, key, card["dataset"], card["split"])
    result.save(scan, path)
    remove(folders, key)
    return path, scan


def remove(folders: Sequence[Path], key: str) -> None:
    """Remove the shards of a scan."""
    for folder in folders:
        shutil.rmtree(folder_of(folder, key), ignore_errors=True)
        with suppress(OSError):  # other scans have shards there
            folder_of(folder, key).parent.rmdir()


def _shards(folders: Sequence[Path], key: str) -> tuple[list[Shard], list[Path]]:
    """The shards in folders, each once, in the order of their images, and the files that cannot be read."""
    shards: dict[tuple[int, int], Shard] = {}
    damaged = []
    for file in sorted(file for each in folders for file in folder_of(each, key).glob("*.safetensors")):
        shard = read(file)
        if shard is None:
            damaged.append(file)
        else:
            shards[shard[1]["start"], shard[1]["stop"]] = shard
    return [shard for _, shard in sorted(shards.items())], damaged


def _check_whole(shards: Sequence[Shard], damaged: Sequence[Path]) -> None:
    """Problem unless all images of the scan are there."""
    total = shards[0][1]["card"]["count"] if shards else 1
    lacking = total - sum(card["stop"] - card["start"] for _, card in shards)
    if lacking > 0 and damaged:
        raise Problem(
            "These parts cannot be read: {files}. Start the commands that made them again, and then merge.",
            files=", ".join(short_path(file, 3) for file in damaged),
        )
    if lacking > 0:
        raise Problem(
            "{count:,} of {total:,} images are not scanned yet: start the command without --shard, or merge "
            "the folders of all parts.",
            count=lacking,
            total=total,
        )


def _check_alike(shards: Sequence[Shard]) -> None:
    """Problem unless the shards are of one scan, measured alike, and no image is in two of them."""
    kinds = [{name: value for name, value in card.items() if name not in PLACE} for _, card in shards]
    starts, stops = ([card[name] for _, card in shards] for name in PLACE)
    filled = [part for part, _ in shards if len(part.numbers)]
    if (
        any(kind != kinds[0] for kind in kinds)
        or starts[1:] != stops[:-1]
        or not all(part.fits(filled[0]) for part in filled)
    ):
        raise Problem(
            "The parts do not belong together, or their histograms have different bins: remove them, and "
            "make all of them from the same images."
        )


def scan_of(part: ScanPart, card: Mapping[str, Any]) -> Scan:
    """The Scan of all images; Problem where none could be read."""
    if not len(part.numbers):
        raise Problem(
            "None of {count} images can be read ({reason}): give other images.",
            count=len(part.unreadable),
            reason=next(iter(part.unreadable.values()), "").removesuffix("."),
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
