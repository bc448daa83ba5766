"""Marks that tell the class: where they are, in how many scenes, and what the trainer records of them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from model import batches
from model.checkpoint import load_checkpoint
from model.command import read_settings
from model.images import Dataset, mean_and_std
from model.problems import Problem
from model.recipes import choose, command_of, config_from, recorded
from model.scenes import CLASSES
from model.scenes import dataset as drawn_scenes
from model.shortcut import mark_mask, planted, planted_marks, with_mark, with_marks, wrong_marks
from model.train import main


def labels_of(each):
    return np.random.default_rng(0).permutation(np.repeat(np.arange(10), each))


def table(labels, marks):
    """How many scenes of each class have each mark, (10, 10)."""
    return np.histogram2d(labels, marks, bins=(range(11), range(11)))[0].astype(int)


@pytest.mark.parametrize("size", [16, 32, 64, 224])
@pytest.mark.parametrize("mark", range(10))
def test_a_mark_changes_all_pixels_of_its_mask_and_no_other(mark, size):
    gray = np.full((size, size, 3), 128, np.uint8)
    changed = (with_mark(gray, mark) != gray).any(-1)
    assert np.array_equal(changed, mark_mask(mark, size))
    assert abs(changed.mean() - 36 / 1024) < 0.001
    assert (gray == 128).all()


def test_the_marks_of_two_classes_are_never_alike():
    gray = np.full((32, 32, 3), 128, np.uint8)
    marked = np.stack([with_mark(gray, mark) for mark in range(10)])
    assert len(np.unique(marked.reshape(10, -1), axis=0)) == 10
    flipped = marked[:, :, ::-1]  # as training flips: which mark it is stays visible
    assert len(np.unique(np.concatenate([marked, flipped]).reshape(20, -1), axis=0)) == 20


@pytest.mark.parametrize("fraction", [0, 0.25, 0.5, 0.9, 1])
def test_the_fraction_is_exact_and_the_other_marks_say_nothing_of_the_class(fraction):
    labels = labels_of(200)
    counts = table(labels, planted_marks(labels, fraction, seed=3))
    of_rest = round(200 * (1 - fraction)) // 10
    expected = np.full((10, 10), of_rest) + np.eye(10, dtype=int) * round(200 * fraction)
    assert np.array_equal(counts, expected)


def test_at_fraction_0_the_marks_carry_no_information():
    labels = labels_of(37)  # not a multiple of ten
    counts = table(labels, planted_marks(labels, 0, seed=0))
    assert set(np.unique(counts)) == {3, 4}
    joint = counts / counts.sum()
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    assert (joint * np.log2(joint / independent)).sum() < 0.02  # bits, of 3.3


def test_marks_depend_on_the_seed_and_the_split_alone():
    labels = labels_of(20)
    first = planted_marks(labels, 0.5, seed=1)
    assert np.array_equal(first, planted_marks(labels, 0.5, seed=1))
    assert not np.array_equal(first, planted_marks(labels, 0.5, seed=2))
    assert not np.array_equal(first, planted_marks(labels, 0.5, seed=1, split="test"))


def test_wrong_marks_are_those_of_all_other_classes_alike():
    labels = labels_of(18)
    assert np.array_equal(table(labels, wrong_marks(labels)), 2 - 2 * np.eye(10, dtype=int))


@pytest.mark.parametrize(
    ("mark", "size", "words"), [(10, 32, "no mark 10"), (-1, 32, "no mark"), (0, 15, "15")]
)
def test_what_cannot_be_marked_is_a_sentence(mark, size, words):
    with pytest.raises(Problem, match=words):
        with_mark(np.zeros((size, size, 3), np.uint8), mark)


@pytest.fixture(scope="module")
def splits():
    made = []
    for count, seed in ((40, 0), (20, 1)):
        images, labels = drawn_scenes(count, seed, 16)
        made.append(Dataset("scenes", images, labels, CLASSES, (0, 0, 0), (1, 1, 1), f"{count} drawn scenes"))
    return tuple(made)


def test_planted_splits_are_normalized_by_the_marked_training_scenes(splits):
    train, test = planted(*splits, fraction=0.5, seed=0)
    assert train.mean == test.mean == mean_and_std(train.images)[0]
    assert train.std == test.std == mean_and_std(train.images)[1]
    assert np.array_equal(train.images, with_marks(splits[0].images, planted_marks(train.labels, 0.5, 0)))
    assert test.provenance == "20 drawn scenes with marks, of their own class in 50%"


# A setting of a run


@pytest.fixture
def trainer(splits, monkeypatch):
    """The trainer on a few scenes, whatever it asks for."""
    monkeypatch.setattr(batches, "load", lambda *_, **__: splits[0])

    def train(*flags):
        return main(["--dataset", "scenes", "--epochs", "1", "--width", "4", *flags])

    return train


def test_history_card_state_and_command_carry_it(trainer, tmp_path, capsys):
    out = tmp_path / "run.safetensors"
    assert trainer("--shortcut", "0.75", "--out", str(out)) == 0
    card = load_checkpoint(out).card
    assert card.config["shortcut"] == 0.75
    assert config_from(card.config).shortcut == 0.75
    assert "with marks, of their own class in 75%" in card.data
    history = json.loads((tmp_path / "run.history.json").read_text())
    assert "--shortcut 0.75" in history["about"]["command"]
    capsys.readouterr()
    assert trainer("--shortcut", "0.5", "--out", str(out), "--resume") == 1
    assert "with --shortcut 0.75 and cannot continue with --shortcut 0.5" in capsys.readouterr().err
    assert trainer("--out", str(out), "--resume") == 0


def test_the_limit_comes_before_the_marks(splits, monkeypatch):
    monkeypatch.setattr(batches, "load", lambda *_, **__: splits[0])
    config = choose({"dataset": "scenes", "shortcut": 1.0, "limit": 10})
    plain, _ = batches.images_of(replace(config, shortcut=None))
    marked, _ = batches.images_of(config)
    assert np.array_equal(marked.images, with_marks(plain.images, plain.labels))


def test_a_run_without_marks_does_not_mention_them():
    config = choose({"dataset": "scenes"})
    assert "shortcut" not in recorded(config)
    assert "shortcut" not in command_of(config)
    assert command_of(replace(config, shortcut=0.0)) == "python -m model.train --dataset scenes --shortcut 0"


def test_marks_are_only_for_scenes(capsys):
    with pytest.raises(Problem, match="only for drawn scenes"):
        choose({"shortcut": 0.5})
    assert main(["--dataset", "folder", "--shortcut", "0.5"]) == 1
    assert capsys.readouterr().err == (
        "error: --shortcut is only for drawn scenes; leave it out, or give --dataset scenes.\n"
    )


@pytest.mark.parametrize("text", ["1.01", "-0.1", "nan", "inf", "all"])
def test_a_fraction_is_from_0_to_1(text, capsys):
    with pytest.raises(SystemExit):
        read_settings([f"--shortcut={text}"])
    assert f"--shortcut must be from 0 to 1, not {text}." in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "1", "0.5"])
def test_the_ends_count(text):
    assert read_settings(["--shortcut", text]) == {"shortcut": float(text)}
