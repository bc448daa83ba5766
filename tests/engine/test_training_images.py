"""The images of a log: found again, and refused where they are others."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.engine.training_images import logged_images, wrong_of
from model import scenes
from model.datasets import load
from model.example_log import ExampleLog, LogCard, empty_log, with_epoch
from model.images import Dataset
from model.problems import Problem
from model.scene_set import planned
from model.shortcut import planted_marks, with_mark
from model.wrong_labels import change_labels, wrong_rows


def scenes_log(count: int = 4, **config: object) -> tuple[list[np.ndarray], ExampleLog]:
    labels, seeds = planned("train")
    kept = np.sort(np.random.default_rng(0).permutation(len(labels))[:count])
    images = [scenes.draw(int(labels[row]), int(seeds[row]), 32).pixels for row in kept]
    data = Dataset("scenes", np.stack(images), labels[kept], scenes.CLASSES, (0.5,) * 3, (0.5,) * 3, "drawn")
    settings = {"dataset": "scenes", "size": 32, "limit": count, "seed": 0} | config
    log = empty_log(data, LogCard("a.safetensors", "", "drawn", scenes.CLASSES, settings))
    return images, with_epoch(log, np.full(count, 0.5), np.ones(count))


def test_scenes_are_drawn_again_and_checked() -> None:
    images, log = scenes_log()
    again = logged_images(log, Path("nowhere"))
    for index, pixels in enumerate(images):
        assert np.array_equal(again.sample(index).pixels, pixels)
    other = replace(log, checksums=log.checksums ^ 1)
    with pytest.raises(Problem, match="has other pixels now"):
        logged_images(other, Path("nowhere")).sample(0)


def test_labels_that_do_not_fit_are_another_runs_images() -> None:
    _, log = scenes_log()
    with pytest.raises(Problem, match="not those of this run"):
        logged_images(replace(log, labels=(log.labels + 1) % 10), Path("nowhere"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three training images of each of two classes."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        for number in range(3):
            path = tmp_path / "pictures" / "train" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (20, 24, 3), np.uint8)).save(path)
    return tmp_path / "pictures"


def test_a_folder_is_on_hand_if_it_is_the_same(pictures: Path) -> None:
    data = load("folder", pictures, "train", 16)
    card = LogCard("a.safetensors", "", "", data.classes, {"dataset": "folder", "size": 16, "seed": 0})
    log = empty_log(data, card)
    sample = logged_images(log, pictures).sample(4)
    assert np.array_equal(sample.pixels, data.images[4])
    assert (sample.name, sample.label) == ("dog/1.png", 1)
    for other in (pictures / "none", pictures / "train"):
        with pytest.raises(Problem, match="--data-dir"):
            logged_images(log, other)
    shuffled = replace(log, checksums=np.roll(log.checksums, 1))
    with pytest.raises(Problem, match="other pixels"):
        logged_images(shuffled, pictures).sample(0)


def test_marks_and_wrong_labels_are_planted_again() -> None:
    _, log = scenes_log(shortcut=1.0)
    index, label = 2, int(log.labels[2])
    images = logged_images(log, Path("nowhere"))
    marks = planted_marks(log.labels, 1.0, 0)
    plain = logged_images(scenes_log()[1], Path("nowhere")).pixels(index)
    assert marks[index] == label
    assert np.array_equal(images.pixels(index), with_mark(plain, label))
    _, log = scenes_log(wrong_labels=0.5)
    changed = replace(log, labels=change_labels(log.labels, 10, 0.5, 0))
    assert logged_images(changed, Path("nowhere")).sample(0).label == changed.labels[0]
    assert wrong_of(changed).tolist() == wrong_rows(4, 0.5, 0).tolist()


@pytest.mark.parametrize(("classes", "fraction"), [(("cat",), 0.5), ((), 0.5), (scenes.CLASSES, 1e6)])
def test_labels_that_no_run_can_have_changed_do_not_fit(classes: tuple[str, ...], fraction: float) -> None:
    _, log = scenes_log(wrong_labels=fraction)
    log = replace(log, card=replace(log.card, classes=classes))
    with pytest.raises(Problem, match="not those of this run"):
        logged_images(log, Path("nowhere"))


@pytest.mark.parametrize("config", [{"dataset": 3}, {"seed": -1}])
def test_a_log_that_does_not_say_its_images_is_refused(config: dict[str, object]) -> None:
    _, log = scenes_log()
    log = replace(log, card=replace(log.card, config=config))
    assert wrong_of(log) is None
    with pytest.raises(Problem, match="does not say which images"):
        logged_images(log, Path("nowhere"))
