"""Files of a scan that anyone may have written: a sentence, or nothing, but never another error."""

from collections.abc import Callable
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
