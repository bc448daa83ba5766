"""The log of training images: what it holds, and that it is the same however the run went."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from model.batches import batches, order_of
from model.example_log import (
    LogCard,
    checksum,
    empty_log,
    load_log,
    of_epochs,
    path_of_log,
    save_log,
    with_epoch,
)
from model.problems import Problem
from model.recipes import Config
from model.state import load_state, path_of, save_state
from model.training import loop
from model.training.examples import continued_log, record_epoch
from model.training.run import left_at
from model.wrong_labels import with_wrong_labels, wrong_rows
from tests.model.test_resume import DATA, goes_on, run

FEWER = replace(DATA, images=DATA.images[:9], labels=DATA.labels[:9])
CARD = LogCard("run.safetensors", "digest", "noise", ("a", "b", "c"), {"seed": 0})


def log_at(path):
    return load_log(path_of_log(path))


def equal(one, other):
    names = ("confidence", "correct", "labels", "checksums")
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name == "confidence")
        for name in names
    )


# What is logged


def by_hand(out, monkeypatch, **flags):
    """Each epoch's probabilities of the true class from the step's own x, with the weights before it."""
    expected, rows = [], []
    real = loop.step

    def watched(run, x, y, watch):
        logits = []
        result = real(run, x, y, lambda each: (logits.append(each.clone()), watch(each)))
        rows.append(logits[0].softmax(1))
        return result

    monkeypatch.setattr(loop, "step", watched)
    trained = run(out, epochs=2, log_examples=True, **flags)
    steps = len(rows) // 2
    for epoch in (1, 2):
        order = order_of(len(DATA), trained.config, epoch)
        probabilities = torch.cat(rows[(epoch - 1) * steps : epoch * steps])
        values = np.empty((len(DATA), 3), np.float32)
        values[order.numpy()] = probabilities.numpy()
        expected.append(values)
    return expected


@pytest.mark.parametrize("flags", [{}, {"augment": "mixup,cutmix"}, {"label_smoothing": 0.3}], ids=str)
def test_the_log_holds_the_softmax_of_the_images_own_class(tmp_path, monkeypatch, flags):
    expected = by_hand(tmp_path / "run.safetensors", monkeypatch, **flags)
    log = log_at(tmp_path / "run.safetensors")
    assert log.confidence.shape == log.correct.shape == (2, len(DATA))
    for epoch, values in enumerate(expected):
        own = values[np.arange(len(DATA)), DATA.labels]
        np.testing.assert_allclose(log.confidence[epoch], own, atol=5e-4)
        np.testing.assert_array_equal(log.correct[epoch], values.argmax(1) == DATA.labels)
    assert log.labels.tolist() == DATA.labels.tolist()
    assert log.checksums.tolist() == [checksum(pixels) for pixels in DATA.images]
    assert log.card.checkpoint == "run.safetensors"


def test_the_order_of_the_batches_is_that_of_the_log():
    config = loop.settled(run_config())
    labels = torch.cat([y for _, y in batches(DATA, config, 3)])
    assert labels.tolist() == DATA.labels[order_of(len(DATA), config, 3).numpy()].tolist()


def run_config():
    return Config(batch_size=16, augment="none")


def test_an_image_not_seen_is_nan_and_one_seen_twice_has_the_mean():
    record = record_epoch(np.array([0, 1, 0]), "cpu")
    record.add(torch.tensor([0, 1]), torch.log(torch.tensor([[0.75, 0.25], [0.5, 0.5]])))
    record.add(torch.tensor([0]), torch.log(torch.tensor([[0.25, 0.75]])))
    confidence, correct = record.finish()
    np.testing.assert_allclose(confidence, [0.5, 0.5, np.nan], rtol=1e-6)
    assert correct.tolist() == [False, False, False]  # right once of twice; a tie goes to the first class


def test_a_run_that_diverged_has_seen_its_images():
    record = record_epoch(np.array([0, 1, 1]), "cpu")
    nan, infinity = float("nan"), float("inf")
    record.add(torch.arange(3), torch.tensor([[nan, nan], [infinity, 1.0], [-infinity, infinity]]))
    confidence, correct = record.finish()
    assert confidence.tolist() == [0, 0, 0]
    assert not correct.any()


def test_logging_changes_nothing_in_the_run(tmp_path):
    plain = run(tmp_path / "a.safetensors", epochs=2)
    logged = run(tmp_path / "b.safetensors", epochs=2, log_examples=True)
    assert plain.history.losses == logged.history.losses
    assert not path_of_log(tmp_path / "a.safetensors").exists()
    assert logged.config.log_examples
    assert "log_examples" not in logged.card.config


# However the run went


def test_a_resumed_run_has_the_log_of_an_uninterrupted_one(tmp_path):
    whole, parted = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    run(whole, epochs=3, log_examples=True)
    run(parted, epochs=3, log_examples=True, stop_after=2)
    assert log_at(parted).epochs == 2
    goes_on(parted)
    one, other = (path_of_log(path).read_bytes() for path in (whole, parted))
    assert len(one) == len(other)
    assert equal(log_at(whole), log_at(parted))
    assert log_at(parted).epochs == 3


def test_an_epoch_that_the_state_does_not_have_is_logged_anew(tmp_path):
    out = tmp_path / "run.safetensors"
    run(out, epochs=3, log_examples=True, stop_after=1)
    state = load_state(path_of(out))
    goes_on(out, stop_after=2)
    later = log_at(out)
    save_state(path_of(out), state)  # as if killed after the second epoch's log, before its state
    goes_on(out)
    assert log_at(out).epochs == 3
    assert np.array_equal(log_at(out).confidence[:2], later.confidence)


def test_epochs_before_the_flag_stay_empty(tmp_path, capsys):
    out = tmp_path / "run.safetensors"
    run(out, epochs=3, stop_after=2)
    goes_on(out, log_examples=True)
    log = log_at(out)
    assert np.isnan(log.confidence[:2]).all()
    assert not np.isnan(log.confidence[2]).any()
    assert (
        f"{path_of_log(out)} does not have epochs 1 to 2; in the log they stay empty."
        in capsys.readouterr().out
    )


def test_a_new_run_takes_the_log_of_a_former_one_away(tmp_path):
    out = tmp_path / "run.safetensors"
    trained = run(out, epochs=1, log_examples=True)
    assert path_of_log(out) in left_at(trained.config)
    run(out, epochs=1, overwrite=True)
    assert not path_of_log(out).exists()


# The file


def example(epochs=3):
    log = empty_log(DATA, CARD)
    rng = np.random.default_rng(0)
    for _ in range(epochs):
        confidence = rng.random(len(DATA)).astype(np.float32)
        log = with_epoch(log, np.where(rng.random(len(DATA)) < 0.1, np.nan, confidence), confidence > 0.5)
    return log


@pytest.mark.parametrize("bits", [16, 8])
def test_the_file_holds_the_log(tmp_path, bits):
    path, log = tmp_path / "run.examples.npz", example()
    save_log(path, log, bits)
    again = load_log(path)
    assert again.card == CARD
    np.testing.assert_allclose(again.confidence, log.confidence, atol=0 if bits == 16 else 0.5 / 254 + 5e-4)
    assert np.array_equal(np.isnan(again.confidence), np.isnan(log.confidence))
    assert equal(replace(again, confidence=log.confidence), log)


def test_the_log_of_a_course_run_takes_3_mb(tmp_path):
    images = np.zeros((50_000, 1, 1, 3), np.uint8)
    data = replace(DATA, images=images, labels=np.zeros(50_000, np.int64))
    save_log(tmp_path / "a.examples.npz", of_epochs(empty_log(data, CARD), 30))
    assert 3e6 < (tmp_path / "a.examples.npz").stat().st_size < 3.5e6


def replace_array(path, data):
    """Put bytes into the entry of the probabilities."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, data if name == "confidence.npy" else content)


def replace_header(path, header):
    replace_array(path, b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())


def pack(path, method):
    """Pack the entries in another way, and damage the first."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)


def flag_as_encrypted(path):
    data = path.read_bytes()
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        parts = data.split(signature)
        data = signature.join([parts[0], *(_with_flag(part, place - 4) for part in parts[1:])])
    path.write_bytes(data)


def _with_flag(part, place):
    return part[:place] + bytes([part[place] | 1]) + part[place + 1 :]


SHAPE = "{'descr': '<f2', 'fortran_order': False, 'shape': (%s, 3)}"
DAMAGED = {
    "a header that does not end": lambda path: replace_header(path, "{'descr': '<f2', 'shape': ("),
    "a header of no expression": lambda path: replace_header(path, "{'descr'\n  :\n x"),
    "a huge shape": lambda path: replace_header(path, SHAPE % 10**26),
    "a large shape": lambda path: replace_header(path, SHAPE % (2**63 - 1)),
    "encrypted": flag_as_encrypted,
    "damaged LZMA": lambda path: pack(path, zipfile.ZIP_LZMA),
    "damaged bzip2": lambda path: pack(path, zipfile.ZIP_BZIP2),
    "damaged": lambda path: pack(path, zipfile.ZIP_DEFLATED),
    "text": lambda path: path.write_text("no"),
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-300]),
    "another npz": lambda path: np.savez(path, a=np.zeros(3)),
    "out of range": lambda path: save_log(
        path, replace(example(), confidence=np.full((3, 40), 2, np.float16))
    ),
    "no such class": lambda path: save_log(path, replace(example(), labels=np.full(40, 3))),
    "two sizes": lambda path: save_log(path, replace(example(), labels=np.zeros(39, np.int64))),
    "objects": lambda path: np.savez(path, confidence=np.array([None])),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_anything_else_is_refused_in_a_sentence(tmp_path, damage):
    path = tmp_path / "run.examples.npz"
    save_log(path, example())
    damage(path)
    with pytest.raises(Problem, match=r"run\.examples\.npz is not a log of training images"):
        load_log(path)


def test_a_run_goes_on_without_a_log_that_is_not_one(tmp_path):
    config = Config(out=tmp_path / "run.safetensors", epochs=1)
    for damage in (*DAMAGED.values(), lambda path: save_log(path, of_epochs(empty_log(FEWER, CARD), 2))):
        path = path_of_log(config.path)
        save_log(path, example())
        damage(path)
        log, message = continued_log(config, empty_log(DATA, CARD), 2)
        assert log.confidence.shape == (2, len(DATA))
        assert np.isnan(log.confidence).all()
        assert "does not have epochs 1 to 2" in message


def test_a_missing_log_says_how_to_write_one(tmp_path):
    with pytest.raises(Problem, match="--log-examples"):
        load_log(tmp_path / "run.examples.npz")


# Wrong labels on purpose


def test_wrong_labels_are_wrong_and_no_others():
    wrong = with_wrong_labels(DATA, 0.2, seed=1)
    rows = wrong_rows(len(DATA), 0.2, seed=1)
    assert len(rows) == 8
    assert np.flatnonzero(wrong.labels != DATA.labels).tolist() == rows.tolist()
    assert wrong.labels.min() >= 0
    assert wrong.labels.max() < 3
    assert wrong.images is DATA.images
    assert wrong.provenance.endswith(", 20% of them with the label of another class")


def test_one_class_has_no_wrong_labels():
    with pytest.raises(Problem, match="at least two classes"):
        with_wrong_labels(replace(DATA, classes=("a",), labels=DATA.labels * 0), 0.1, 0)
