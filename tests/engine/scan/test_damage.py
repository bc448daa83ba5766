"""Files of a scan that anyone may have written: a sentence, or nothing, but never another error."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.engine.network import Network
from explorer.engine.scan import parts, running, shards, tensor_file
from explorer.engine.scan.finding import find
from explorer.engine.scan.images import ScanImages
from explorer.engine.scan.result import load, save
from model.problems import Problem
from tests.engine.scan.conftest import few

Arrays = dict[str, Any]
Change = tuple[str, Callable[[Any], Any] | None]

pytestmark = pytest.mark.usefixtures("small_shards")

OF_CARD: list[Change] = [
    ("dataset", lambda _: "../../evil"),
    ("dataset", lambda _: ["folder"]),
    ("split", lambda _: "../evil"),
    ("classes", lambda _: 3),
    ("classes", lambda _: ["bird", 2, "dog", "ship"]),
    ("classes", lambda classes: classes[:2]),
    ("unreadable", lambda _: 5),
    ("unreadable", lambda _: [[1, 2, 3]]),
    ("layers", lambda _: 5),
    ("layers", lambda _: [["conv1"]]),
    ("layers", lambda layers: [[name, "x"] for name, _ in layers]),
    ("layers", lambda layers: [*layers, ["one more", 2]]),
    ("card", lambda _: "x"),
    ("card", lambda _: []),
    ("card", None),
]
OF_ROWS: list[Change] = [
    ("labels", lambda labels: labels + 100),
    ("labels", lambda labels: labels * 0 - 5),
    ("labels", lambda labels: labels.astype(np.float32)),
    ("ids", lambda ids: ids - 100),
    ("logits", lambda logits: logits[:1]),
    ("logits", lambda logits: logits[:, :3]),
    ("features", lambda features: features[:1]),
    ("features", None),
]
OF_LAYER: list[Change] = [
    ("mean", lambda mean: mean[:1]),
    ("top_positions", lambda places: places + 99),
    ("edges", lambda edges: edges[:, ::-1]),
    ("edges", lambda edges: edges[:, 1:]),
    ("histogram", lambda histogram: -1 - histogram),
]


def changed(values: Arrays, name: str, change: Callable[[Any], Any] | None) -> Arrays:
    others = {key: value for key, value in values.items() if key != name}
    return others if change is None else others | {name: change(values[name])}


@pytest.fixture
def result(network: Network, images: ScanImages, tmp_path: Path) -> Path:
    path = tmp_path / "any.safetensors"
    save(running.scan(network, few(images, 5)), path)
    return path


@pytest.fixture
def part(network: Network, images: ScanImages, tmp_path: Path) -> Path:
    scanning = running.prepare(network, few(images, 4), tmp_path)
    running.keep(scanning, scanning.shards[0])
    return scanning.shard_path(scanning.shards[0])


@pytest.mark.parametrize("name", ["count", "card"])
@pytest.mark.parametrize("change", [None, lambda _: "x", lambda _: None, lambda _: []])
def test_an_odd_file_is_passed_over(
    network: Network, images: ScanImages, result: Path, name: str, change: Callable[[Any], Any] | None
) -> None:
    arrays, card = tensor_file.read(result)
    tensor_file.write(result.with_name("odd.safetensors"), arrays, changed(card, name, change))
    assert find(result.parent, network, images.digest) == result
    assert find(result.parent, network, images.digest, (result,)) is None


RESULTS = [
    *OF_CARD,
    ("count", lambda _: 10**9),
    *OF_ROWS,
    *((f"layers/0/{name}", change) for name, change in OF_LAYER),
    ("layers/0/top_rows", lambda rows: rows + 9999),
    ("layers/0/bottom_rows", lambda rows: rows - 9999),
]


@pytest.mark.parametrize(("name", "change"), RESULTS)
def test_a_damaged_result_ends_in_a_sentence(result: Path, name: str, change: Callable[[Any], Any]) -> None:
    arrays, card = tensor_file.read(result)
    if name in card:
        card = changed(card, name, change)
    else:
        arrays = changed(arrays, name, change)
    tensor_file.write(result, arrays, card)
    with pytest.raises(Problem, match=r"is not a scan that can be read \(\w+ is damaged\)"):
        load(result)


PARTS = [
    *OF_CARD,
    ("start", None),
    ("stop", lambda stop: stop - 1),
    ("stop", lambda stop: stop + 100),
    *OF_ROWS,
    ("numbers", lambda numbers: numbers[::-1]),
    *((f"0/{name}", change) for name, change in OF_LAYER),
    ("0/top_numbers", lambda numbers: numbers + 9999),
    ("0/bottom_numbers", lambda numbers: numbers - 9999),
]


@pytest.mark.parametrize(("name", "change"), PARTS)
def test_a_damaged_part_is_none(part: Path, name: str, change: Callable[[Any], Any]) -> None:
    assert parts.read(part) is not None
    arrays, card = tensor_file.read(part)
    if name in card:
        card = changed(card, name, change)
    else:
        arrays = changed(arrays, name, change)
    tensor_file.write(part, arrays, card)
    assert parts.read(part) is None


@pytest.mark.parametrize("name", ["dataset", "split"])
def test_a_foreign_part_writes_nothing_outside_the_folder(part: Path, tmp_path: Path, name: str) -> None:
    arrays, card = tensor_file.read(part)
    tensor_file.write(part, arrays, card | {name: "../../evil"})
    out = tmp_path / "some" / "out"
    with pytest.raises(Problem):
        shards.finish([tmp_path], part.parent.name, out)
    assert not list(tmp_path.rglob("*evil*"))


def measured(network: Network, images: ScanImages, folder: Path) -> running.Scanning:
    scanning = running.prepare(network, few(images, 12), folder)
    for numbers in scanning.shards:
        running.keep(scanning, numbers)
    return scanning


def test_a_damaged_part_is_named(network: Network, images: ScanImages, tmp_path: Path) -> None:
    scanning = measured(network, images, tmp_path)
    path = scanning.shard_path(scanning.shards[1])
    path.write_bytes(b"damaged")
    with pytest.raises(Problem, match=f"cannot be read: .*{path.name}"):
        running.finish(scanning)


def test_of_two_files_of_a_part_the_readable_one_counts(
    network: Network, images: ScanImages, tmp_path: Path
) -> None:
    scanning = measured(network, images, tmp_path / "a")
    other = measured(network, images, tmp_path / "b")
    other.shard_path(other.shards[1]).write_bytes(b"damaged")
    folders = [scanning.folder, other.folder]
    assert len(shards.finish(folders, scanning.key, tmp_path / "out")[1]) == 12


def test_parts_with_other_bins_are_not_added(network: Network, images: ScanImages, tmp_path: Path) -> None:
    scanning = measured(network, images, tmp_path)
    path = scanning.shard_path(scanning.shards[1])
    arrays, card = tensor_file.read(path)
    tensor_file.write(path, arrays | {"0/edges": arrays["0/edges"] * 2}, card)
    with pytest.raises(Problem, match="histograms have different bins"):
        running.finish(scanning)
    running.keep(scanning, scanning.shards[1])  # a scan that goes on makes them alike
    assert running.finish(scanning) == running.scan(network, few(images, 12))


def test_parts_of_other_scans_are_not_added(network: Network, images: ScanImages, tmp_path: Path) -> None:
    scanning = measured(network, images, tmp_path)
    path = scanning.shard_path(scanning.shards[1])
    arrays, card = tensor_file.read(path)
    tensor_file.write(path, arrays, card | {"images": "others"})
    with pytest.raises(Problem, match="do not belong together"):
        running.finish(scanning)


def test_two_scans_of_one_key_end_with_one_result(
    network: Network, images: ScanImages, tmp_path: Path
) -> None:
    one = running.prepare(network, few(images, 12), tmp_path)
    slow = running.run(one, one.shards)
    for _ in range(3):
        next(slow)
    other = measured(network, images, tmp_path)
    expected = running.finish(other)
    for _ in slow:
        pass
    assert list(tmp_path.glob("shards/*/*"))
    assert running.finish(one) == expected
    assert list(tmp_path.iterdir()) == [one.path]


def test_a_reason_in_parentheses_has_no_period(network: Network, images: ScanImages, part: Path) -> None:
    def take(number: int) -> object:
        raise Problem("It is gone; copy it again.")

    broken = replace(images, images=replace(images.images, take=take))  # type: ignore[arg-type]
    with pytest.raises(Problem, match=r"\(It is gone; copy it again\): give other images\."):
        running.prepare(network, broken, part.parent)
    empty, card = parts.read(part) or (None, {})
    assert empty is not None
    none = replace(empty, numbers=empty.numbers[:0], unreadable={0: "It is gone; copy it again."})
    with pytest.raises(Problem, match=r"\(It is gone; copy it again\): give other images\."):
        shards.scan_of(none, card)
