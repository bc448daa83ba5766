"""Images of one's own through the command: any size and number of classes, and what can be wrong."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from model.checkpoint import load_checkpoint
from model.datasets import load
from model.image_folder import image_files
from model.train import main

SIZE = 8


def fill(folder, count, seed=0, side=SIZE):
    """Noise of a folder's own brightness; PNG, so that what is read back is what was written."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        pixels = rng.integers(0, 100 + 20 * seed, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:04}.png", compress_level=0)


@pytest.fixture(autouse=True)
def home_cache(tmp_path_factory, monkeypatch):
    """A user's cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def animals(tmp_path):
    root = tmp_path / "animals"
    for number, name in enumerate(("ant", "bee", "cow")):
        fill(root / "train" / name, 8, number)
        fill(root / "test" / name, 2, number + 5)
    return root


@pytest.fixture
def run(tmp_path, capsys):
    """One small epoch on a folder: exit status, what was printed, what was complained of."""

    def command(root, *flags):
        small = ["--epochs", "1", "--batch-size", "500", "--width", "2", "--size", str(SIZE)]
        where = ["--dataset", "folder", "--data-dir", str(root), "--out", str(tmp_path / "a.safetensors")]
        status = main([*small, *where, *flags])
        return status, *capsys.readouterr()

    return command


def sentence(result):
    status, printed, complaint = result
    assert status == 1
    assert "train loss" not in printed  # no epoch began
    assert complaint.startswith("error: ")
    assert complaint.endswith(".\n")
    assert complaint.count("\n") == 1
    return complaint


@pytest.mark.parametrize(("size", "classes"), [(20, 13), (33, 2), (64, 1)])
def test_any_size_and_number_of_classes_with_mean_and_std_in_the_card(tmp_path, run, size, classes):
    names = [f"kind {number:02}" for number in range(classes)]
    for number, name in enumerate(names):
        fill(tmp_path / "own" / "train" / name, 3, number % 5, size)
        fill(tmp_path / "own" / "test" / name, 1, number % 5, size)
    assert run(tmp_path / "own", "--size", str(size), "--recipe", "fast")[0] == 0
    files = sorted((tmp_path / "own" / "train").rglob("*.png"))
    values = np.stack([np.asarray(Image.open(file)) for file in files]) / 255
    checkpoint = load_checkpoint(tmp_path / "a.safetensors")
    card = checkpoint.card
    assert (card.input_size, list(card.classes)) == (size, names)
    np.testing.assert_allclose(card.mean, values.mean((0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(card.std, values.std((0, 1, 2)), rtol=1e-9)
    picture = np.zeros((50, 70, 3), np.uint8)
    assert checkpoint.build()(card.to_input(picture)).shape == (1, classes)


def test_a_size_too_small_for_the_network_is_one_sentence(animals, run):
    assert "halve an input of 7 pixels to nothing" in sentence(run(animals, "--size", "7"))


def test_validation_images_stand_for_test_images(animals, run, tmp_path):
    (animals / "test").rename(animals / "val")
    status, printed, _ = run(animals)
    assert status == 0
    assert "has no class folders in test: the images in val are the test images." in printed
    assert "/val" in load("folder", animals, "test").provenance


def test_a_class_folder_without_images(animals, run):
    (animals / "train" / "dog").mkdir()
    assert "The class folder animals/train/dog has no images" in sentence(run(animals))


@pytest.fixture
def many(tmp_path):
    """3,000 training images, one of them cut short, one test image of two as well."""
    for number, name in enumerate(("ant", "bee")):
        fill(tmp_path / "many" / "train" / name, 1500, number)
        fill(tmp_path / "many" / "test" / name, 1, number)
    for file in ("train/bee/0700.png", "test/ant/0000.png"):
        path = tmp_path / "many" / file
        path.write_bytes(path.read_bytes()[:100])
    return tmp_path / "many"


def test_one_corrupt_image_among_thousands_is_fatal_or_skipped_and_named(many, run, tmp_path):
    assert (
        "1 of the 3,000 images in many/train cannot be read (bee/0700.png); replace or remove them, "
        "or leave them out with --on-corrupt skip."
    ) in sentence(run(many))
    status, printed, _ = run(many, "--on-corrupt", "skip")
    assert status == 0
    assert "1 image was left out because it cannot be read (train/bee/0700.png).\n" in printed
    assert "1 image was left out because it cannot be read (test/ant/0000.png).\n" in printed
    data = load_checkpoint(tmp_path / "a.safetensors").card.data
    assert "1 unreadable left out" in data
    assert "trained on 2,999 images, measured on 1" in data


@pytest.mark.parametrize("closed", ["train", "train/bee", "test", "test/cow"])
def test_a_folder_without_permission(animals, run, closed, close_folder):
    close_folder(animals / closed)
    name = "/".join((animals / closed).parts[-2:])
    assert f"The folder {name} cannot be read (Permission denied)" in sentence(run(animals))


def test_no_permission_for_the_images_themselves(animals, run, monkeypatch):
    monkeypatch.setattr("model.image_folder.contents", denied)
    said = sentence(run(animals))
    assert "All images in animals/train are unreadable, 24 of 24 (ant/0000.png, " in said
    assert "--on-corrupt" not in said


def denied(path, *_, **__):
    raise PermissionError(13, "Permission denied", path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_is_really_closed(animals, run):
    (animals / "train" / "bee").chmod(0)
    try:
        assert "cannot be read (Permission denied)" in sentence(run(animals))
    finally:
        (animals / "train" / "bee").chmod(0o755)


# Names and links from elsewhere


def test_a_class_whose_name_is_not_unicode_is_shown_by_its_bytes(animals, run, tmp_path):
    for split in ("train", "test"):
        os.rename(os.fsencode(animals / split / "bee"), os.fsencode(animals / split) + b"/caf\xe9")
    status, printed, _ = run(animals)
    assert status == 0
    printed.encode()
    assert "caf\\xe9" in load_checkpoint(tmp_path / "a.safetensors").card.classes


def test_symbolic_links_out_of_the_data_folder_are_no_images(animals, tmp_path):
    before = [entry.name for entry in image_files(animals / "train" / "ant")]
    secret, folder = tmp_path / "secret.png", animals / "train" / "ant"
    secret.write_bytes((folder / before[0]).read_bytes())
    (folder / "leads-out.png").symlink_to(secret)
    (folder / "leads-nowhere.png").symlink_to(tmp_path / "none.png")
    (folder / "circle.png").symlink_to(folder / "circle.png")
    assert [entry.name for entry in image_files(folder)] == before
    (folder / "stays.png").symlink_to(animals / "test" / "cow" / "0000.png")
    assert [entry.name for entry in image_files(folder)] == [*before, "stays.png"]


def test_a_class_without_images_in_a_split_is_named(animals, run):
    shutil.rmtree(animals / "test" / "cow")
    for path in (animals / "train" / "bee").iterdir():
        path.write_bytes(b"")
    status, printed, _ = run(animals, "--on-corrupt", "skip")
    assert status == 0
    assert "1 class has no training image (bee): the network cannot learn it.\n" in printed
    assert "1 class has no test image (cow): the test accuracy says nothing of it.\n" in printed
