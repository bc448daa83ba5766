"""Stopped and resumed, in one piece or in parts: the same file to the byte."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from explorer.engine.network import Network
from explorer.engine.outputs import Outputs, give_logits
from explorer.engine.samples import ArrayTestSet, FromScene
from explorer.engine.scan import parts, running, shards
from explorer.engine.scan.finding import find
from explorer.engine.scan.images import ScanImages, drawn_scenes, of_test_set, scan_images, scene_number
from explorer.engine.scan.parts import ScanPart, merge
from explorer.engine.scan.result import Scan, load, save
from explorer.engine.scan.running import Scanning
from model import scenes
from model.problems import Problem
from tests.engine.scan.conftest import CARD, few

COUNT = 13

pytestmark = pytest.mark.usefixtures("small_shards")


def prepared(network: Network, images: ScanImages, out: Path) -> Scanning:
    return running.prepare(network, few(images, COUNT), out)


def finished(scanning: Scanning) -> bytes:
    for _ in running.run(scanning, scanning.shards):
        pass
    running.finish(scanning)
    return scanning.path.read_bytes()


class Stopped(Exception):
    """As Ctrl-C, wherever it comes."""


def stopping_at(images: ScanImages, number: int) -> ScanImages:
    def take(wanted: int) -> object:
        if wanted == number:
            raise Stopped
        return images.take(wanted)

    return replace(images, images=replace(images.images, take=take))  # type: ignore[arg-type]


def test_a_scan_that_was_stopped_ten_times_has_the_same_bytes(
    network: Network, images: ScanImages, tmp_path: Path
) -> None:
    whole = finished(prepared(network, images, tmp_path / "whole"))
    resumed = prepared(network, images, tmp_path / "resumed")
    for number in np.random.default_rng(0).integers(0, COUNT, 10).tolist():
        stopped = replace(resumed, images=stopping_at(resumed.images, number))
        try:
            for _ in running.run(stopped, stopped.shards):
                pass
        except Stopped:
            assert not resumed.path.exists()
    assert finished(resumed) == whole
    assert [path.name for path in (tmp_path / "resumed").iterdir()] == [resumed.path.name]


def test_what_is_on_disk_is_not_computed_again(network: Network, images: ScanImages, tmp_path: Path) -> None:
    first = prepared(network, images, tmp_path)
    assert list(running.run(first, first.shards)) == [2, 2, 2, 2, 2, 2, 1]
    again = replace(first, images=stopping_at(first.images, 0))
    assert list(running.run(again, again.shards)) == [2, 2, 2, 2, 2, 2, 1]


def test_a_damaged_shard_is_measured_anew(network: Network, images: ScanImages, tmp_path: Path) -> None:
    whole = finished(prepared(network, images, tmp_path))
    scanning = prepared(network, images, tmp_path)
    for _ in running.run(scanning, scanning.shards):
        pass
    path = scanning.shard_path(scanning.shards[1])
    for damage in (b"", b"{}", path.read_bytes()[:-5], path.read_bytes()[:40]):
        path.write_bytes(damage)
        assert finished(scanning) == whole
        for _ in running.run(scanning, scanning.shards[:1]):
            pass


def test_parts_from_two_folders_merge_into_the_same_file(
    network: Network, images: ScanImages, tmp_path: Path
) -> None:
    whole = finished(prepared(network, images, tmp_path / "whole"))
    folders = [tmp_path / "one", tmp_path / "other"]
    for index, folder in enumerate(folders):
        scanning = prepared(network, images, folder)
        for _ in running.run(scanning, scanning.shards[index::2]):
            pass
    key = scanning.key
    with pytest.raises(Problem, match="5 of 13 images are not scanned yet"):
        shards.finish(folders[:1], key, tmp_path / "merged")
    assert shards.keys_in(folders) == [key]
    path, _ = shards.finish(folders, key, tmp_path / "merged")
    assert path.read_bytes() == whole
    assert shards.keys_in(folders) == []


# Adding up


@pytest.fixture(scope="module")
def twelve(network: Network, images: ScanImages) -> list[ScanPart]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(running, "BATCH", 1)
        scanning = running.prepare(network, few(images, 12), Path())
        return [running.measure(scanning, range(number, number + 1)) for number in range(12)]


def grouped(made: Sequence[ScanPart], cuts: Sequence[int]) -> Iterator[Sequence[ScanPart]]:
    ends = sorted({0, *cuts, len(made)})
    for start, stop in pairwise(ends):
        yield made[start:stop]


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(12)), cuts=st.lists(st.integers(1, 11)), turned=st.booleans())
def test_parts_add_up_in_any_order_and_groups(
    twelve: list[ScanPart], order: list[int], cuts: list[int], turned: bool
) -> None:
    whole = merge(twelve)
    groups = [merge(group) for group in grouped([twelve[number] for number in order], cuts)]
    made = merge(groups[::-1] if turned else groups)
    assert (made.numbers == whole.numbers).all()
    assert (made.logits == whole.logits).all()
    for name, layer in whole.layers.items():
        for field, value in vars(layer).items():
            if field in ("mean", "squares"):
                np.testing.assert_allclose(getattr(made.layers[name], field), value, rtol=1e-12, atol=1e-12)
            else:
                assert np.array_equal(getattr(made.layers[name], field), value), field


# Images


@pytest.mark.filterwarnings("error")
def test_an_unreadable_image_is_named_and_passed_over(network: Network, folder: Path, tmp_path: Path) -> None:
    images = scan_images("folder", CARD, folder)
    scan = running.scan(network, images)
    assert len(scan) == 10
    assert len(scan.unreadable) == 2
    assert all("3a.png" in sentence for sentence in scan.unreadable)
    assert scan.ids.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9, 11]
    alone = [running.scan(network, few(images, 1)).logits[0], scan.logits[0]]
    np.testing.assert_allclose(*alone, rtol=1e-5, atol=1e-5)
    for layer in scan.layers.values():
        assert set(layer.top_rows.ravel().tolist()) == set(range(10))


def test_a_shard_without_a_readable_image_adds_nothing(
    network: Network, folder: Path, tmp_path: Path
) -> None:
    images = scan_images("folder", CARD, folder)

    def take(number: int) -> object:
        if number < 6:
            raise Problem("{name} cannot be read.", name=number)
        return images.take(number)

    broken = replace(images, images=replace(images.images, take=take))  # type: ignore[arg-type]
    scanning = running.prepare(network, broken, tmp_path)
    finished(scanning)
    scan = load(scanning.path)
    assert scan.ids.tolist() == [6, 7, 8, 9, 11]
    assert len(scan.unreadable) == 7


def test_only_unreadable_images_end_in_a_sentence(network: Network, images: ScanImages) -> None:
    def take(number: int) -> object:
        raise Problem("{name} cannot be read.", name=number)

    broken = replace(images, images=replace(images.images, take=take))  # type: ignore[arg-type]
    with pytest.raises(Problem, match="None of 4 images can be read"):
        running.scan(network, broken)


def test_an_empty_split_ends_in_a_sentence(tmp_path: Path) -> None:
    for split in ("test", "train"):
        (tmp_path / split / "cat").mkdir(parents=True)
        with pytest.raises(Problem, match=r"no test images|no images"):
            scan_images("folder", CARD, tmp_path, split)


def test_images_without_any_class_of_the_network_have_no_label(network: Network) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (3, 16, 16, 3), np.uint8)
    plates = ArrayTestSet("plates", ("plate",), np.zeros(3, np.int64), pixels)
    scan = running.scan(network, of_test_set(plates, CARD))
    assert scan.labels.tolist() == [-1, -1, -1]
    assert not scan.labeled.any()
    assert not scan.correct.any()
    assert all(np.isnan(layer.class_mean).all() for layer in scan.layers.values())


def test_one_class_is_enough(network: Network) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (3, 16, 16, 3), np.uint8)
    cats = ArrayTestSet("cats", ("cat",), np.zeros(3, np.int64), pixels)
    scan = running.scan(network, of_test_set(cats, CARD))
    assert scan.labels.tolist() == [1, 1, 1]


def test_a_scene_is_known_by_its_seed(network: Network) -> None:
    images = drawn_scenes(CARD, 5)
    scan = running.scan(network, images)
    names = [scenes.CLASSES[number] for number in range(5)]
    expected = [CARD.classes.index(name) if name in CARD.classes else -1 for name in names]
    assert scan.labels.tolist() == expected
    for row, seed in enumerate(scan.ids.tolist()):
        origin = images.take(scene_number(seed)).origin
        assert origin == FromScene(row, seed)


CONV = (nn.Conv2d(3, 6, 3), nn.ReLU())
HEAD = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))


@pytest.mark.parametrize(
    ("layers", "classifier"),
    [
        ((*CONV, *HEAD), "4"),
        ((*CONV, *HEAD, nn.Softmax(1)), "4"),
        ((*CONV, *HEAD, nn.Identity()), "4"),
        ((*CONV, *HEAD, nn.Dropout()), "4"),
        ((*CONV, *HEAD, nn.BatchNorm1d(4)), "4"),
        ((*CONV, nn.Conv2d(6, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()), "2"),
        ((nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Unflatten(1, (4, 2)),
          nn.Flatten(2), nn.AvgPool1d(2), nn.Flatten()), "7"),
    ],
)  # fmt: skip
def test_features_are_what_the_last_weights_read(layers: Sequence[nn.Module], classifier: str) -> None:
    net = nn.Sequential(*layers).eval()
    assert running.layers_of(net, torch.zeros(1, 3, 16, 16))[1] == classifier


def test_features_of_a_network_with_one_output_are_what_its_last_weights_read() -> None:
    net = nn.Sequential(*CONV, *HEAD[:2], nn.Linear(6, 1), nn.Sigmoid()).eval()
    single = give_logits(net, Outputs("sigmoid", columns=1, single=True))
    assert running.layers_of(single, torch.zeros(1, 3, 16, 16))[1] == "4"


def test_fewer_images_are_evenly_spread(network: Network, photos: ArrayTestSet, images: ScanImages) -> None:
    some = of_test_set(photos, CARD, limit=7)
    scan = running.scan(network, some)
    assert scan.ids.tolist() == [0, 42, 85, 128, 171, 214, 257]
    expected = [-1 if photos.labels[number] == 3 else photos.labels[number] for number in scan.ids]
    assert scan.labels.tolist() == expected
    assert scan.images == images.digest
    assert running.key_of(network, some) != running.key_of(network, images)
    assert of_test_set(photos, CARD, limit=10**6).count == len(photos)


# The file


@pytest.fixture(scope="module")
def small(network: Network, images: ScanImages) -> Scan:
    return running.scan(network, few(images, 5))


def test_a_saved_scan_is_read_again(small: Scan, tmp_path: Path) -> None:
    save(small, tmp_path / "a.safetensors")
    save(load(tmp_path / "a.safetensors"), tmp_path / "b.safetensors")
    assert load(tmp_path / "b.safetensors") == small
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_what_is_no_scan_ends_in_a_sentence(small: Scan, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save(small, path)
    data = path.read_bytes()
    for damaged in (b"", b"x" * 100, data[: len(data) // 2], data.replace(b"logits", b"lagits")):
        path.write_bytes(damaged)
        with pytest.raises(Problem, match="is not a scan that can be read"):
            load(path)
    with pytest.raises(Problem, match="is not a scan that can be read"):
        load(tmp_path / "none.safetensors")


def test_the_largest_scan_of_a_network_and_its_images_is_found(
    small: Scan, network: Network, images: ScanImages, tmp_path: Path
) -> None:
    assert find(tmp_path, network, images.digest) is None
    save(small, tmp_path / "any name.safetensors")
    save(running.scan(network, few(images, 3)), tmp_path / "z.safetensors")
    (tmp_path / "other.safetensors").write_bytes(b"no scan")
    assert find(tmp_path, network, images.digest) == tmp_path / "any name.safetensors"
    assert find(tmp_path, replace(network, key="other"), images.digest) is None
    assert find(tmp_path, replace(network, card=replace(CARD, mean=(0.1, 0.5, 0.5))), images.digest) is None
    assert find(tmp_path, network, "other") is None
    assert find(tmp_path / "nowhere", network, images.digest) is None


def test_the_network_is_not_disturbed(network: Network, images: ScanImages) -> None:
    before = {name: value.clone() for name, value in network.net.state_dict().items()}
    running.scan(network, few(images, 3))
    assert all(torch.equal(value, before[name]) for name, value in network.net.state_dict().items())
    assert parts.read(Path("nowhere")) is None
