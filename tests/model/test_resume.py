import errno
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model import train as trainer
from model.checkpoint import digest_of, load_checkpoint
from model.datasets import Dataset
from model.history import load_history
from model.optimizers import OPTIMIZERS
from model.problems import Problem
from model.recipes import RECIPES, choose
from model.schedulers import SCHEDULERS
from model.state import continued, load_state, path_of, save_state
from model.train import main, settle
from model.training import loop
from model.training.loop import train
from tests import forks

HERE = Path(__file__)


def split(count, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    return Dataset("noise", images, rng.integers(0, 3, count), ("a", "b", "c"), (0.5,) * 3, (0.25,) * 3, "")


DATA, TEST = split(40, 0), split(20, 1)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "run.safetensors"


@pytest.fixture
def given(monkeypatch):
    """The command with images that need no reading, and without pictures."""
    monkeypatch.setattr(trainer, "images_of", lambda config: (DATA, TEST))
    monkeypatch.setattr(trainer, "save_figure", lambda *_: None)


def run(out, *data, **flags):
    """As the command line does."""
    config, state = settle({"batch_size": 16, "width": 4, **flags, "out": str(out)})
    return train(config, *(data or (DATA, TEST)), state)


def goes_on(out, **flags):
    config, state = settle({"resume": True, "out": str(out), **flags})
    return train(config, DATA, TEST, state)


def same(one, other):
    """Whether two runs came to the same, bit for bit: weights, moments of the optimizer, losses, rates."""
    figures = [
        [[row.train_loss, row.test_loss, row.lr] for row in each.history.epochs] for each in (one, other)
    ]
    states = [flat(each.optimizer.state_dict()) for each in (one, other)]
    weights = [digest_of(each.net.state_dict()) for each in (one, other)]
    saved = [digest_of(each.result.state_dict()) for each in (one, other)]
    losses = [each.history.losses for each in (one, other)]
    pairs = zip(*states, strict=True)
    moments = all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in pairs)
    equal = all(pair[0] == pair[1] for pair in (figures, weights, saved, losses))
    return equal and moments


def flat(state):
    return [value for values in state["state"].values() for value in values.values() if value is not None]


# Two and two are four


@pytest.mark.parametrize("recipe", RECIPES)
def test_two_and_two_epochs_are_four(tmp_path, recipe):
    four = run(tmp_path / "a.safetensors", recipe=recipe, epochs=4)
    run(tmp_path / "b.safetensors", recipe=recipe, epochs=4, stop_after=2)
    assert load_checkpoint(tmp_path / "b.safetensors").card.epoch == 2
    assert same(goes_on(tmp_path / "b.safetensors"), four)
    assert (
        load_checkpoint(tmp_path / "a.safetensors").digest
        == load_checkpoint(tmp_path / "b.safetensors").digest
    )


CHOICES = [{"optimizer": name} for name in OPTIMIZERS] + [{"scheduler": name} for name in SCHEDULERS]
MORE = [
    {"ema": 0.9},
    {"augment": "mixup,cutmix"},
    {"optimizer": "sgd", "scheduler": "onecycle", "cycle_momentum": True},
]


@pytest.mark.parametrize("flags", CHOICES + MORE, ids=str)
def test_one_and_one_epochs_are_two_whatever_is_chosen(tmp_path, flags):
    two = run(tmp_path / "a.safetensors", epochs=2, **flags)
    run(tmp_path / "b.safetensors", epochs=2, stop_after=1, **flags)
    assert same(goes_on(tmp_path / "b.safetensors"), two)


def test_epochs_may_grow_where_the_schedule_does_not_depend_on_them(tmp_path):
    three = run(tmp_path / "a.safetensors", epochs=3)
    run(tmp_path / "b.safetensors", epochs=1)
    assert same(goes_on(tmp_path / "b.safetensors", epochs=3), three)


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(out, given, monkeypatch, capsys, tmp_path):
    whole = run(tmp_path / "whole.safetensors", epochs=3)
    real, calls = loop.step, []

    def interrupted(*args):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(loop, "step", interrupted)
    command = ["--epochs", "3", "--batch-size", "16", "--width", "4", "--out", str(out)]
    assert main(command) == 130
    said = capsys.readouterr().err
    assert f"Stopped in epoch 2; the weights of epoch 1 are in {out}, and --resume" in said
    history = load_history(out.with_name("run.history.json"))
    assert (len(history.losses), len(history.epochs), history.about.state) == (3, 1, "stopped")
    assert load_checkpoint(out).card.epoch == 1
    assert main(["--resume", "--out", str(out)]) == 0
    assert load_checkpoint(out).digest == digest_of(whole.net.state_dict())


def test_a_loss_that_is_no_number_leaves_a_state_to_resume(out, monkeypatch):
    real, calls = loop.step, []

    def broken(*args):
        calls.append(real(*args))
        return (float("nan"), 0) if len(calls) == 5 else calls[-1]

    monkeypatch.setattr(loop, "step", broken)
    with pytest.raises(Problem, match="at step 5,"):
        run(out, epochs=2)
    history = load_history(out.with_name("run.history.json"))
    assert history.about.state == "stopped"
    assert np.isfinite(history.losses).all()
    assert len(load_state(path_of(out)).history.epochs) == load_checkpoint(out).card.epoch == 1


def test_history_says_what_run_it_is_of(out, hardware):
    hardware(amx_bf16=False)
    run(out, epochs=2, recipe="fast")
    about = load_history(out.with_name("run.history.json")).about
    assert (about.epochs, about.steps, about.recipe, about.checkpoint) == (2, 3, "fast", "run.safetensors")
    command = "python -m model.train --recipe fast --width 4 --epochs 2 --batch-size 16 --precision float32"
    assert about.command == command
    assert about.state == "finished"
    goes_on(out)
    assert load_history(out.with_name("run.history.json")).about == about


# Precision


@pytest.fixture
def hardware(monkeypatch):
    """Says whether the processor is made for bf16."""
    return lambda **has: monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)


@pytest.mark.parametrize("began", ["bf16", "float32"])
@pytest.mark.parametrize("flags", [{}, {"precision": "auto"}], ids=str)
def test_a_run_goes_on_in_the_precision_it_began_with_on_any_hardware(tmp_path, hardware, began, flags):
    hardware(amx_bf16=began == "bf16")
    two = run(tmp_path / "a.safetensors", epochs=2, precision="auto")
    run(tmp_path / "b.safetensors", epochs=2, precision="auto", stop_after=1)
    assert load_state(path_of(tmp_path / "b.safetensors")).config.precision == began
    hardware(amx_bf16=began != "bf16")
    resumed = goes_on(tmp_path / "b.safetensors", **flags)
    assert same(resumed, two)
    assert load_checkpoint(tmp_path / "b.safetensors").card.config["precision"] == began
    assert resumed.history.about.command == two.history.about.command
    other = run(tmp_path / "c.safetensors", epochs=2, precision="auto")
    assert not same(other, two)


def test_another_precision_is_refused(out, hardware):
    hardware(amx_bf16=False)
    run(out, epochs=2, stop_after=1, recipe="fast")
    with pytest.raises(Problem, match="--precision float32 and cannot continue with --precision bf16"):
        settle({"resume": True, "out": str(out), "precision": "bf16"})
    assert settle({"resume": True, "out": str(out), "precision": "float32"})[1]


@pytest.mark.parametrize(("flags", "used"), [({}, "bf16"), ({"precision": "float32"}, "float32")], ids=str)
def test_a_state_that_does_not_say_which_precision_it_was_goes_on(out, hardware, capsys, flags, used):
    hardware(amx_bf16=True)
    run(out, epochs=2, stop_after=1)
    state = load_state(path_of(out))
    save_state(path_of(out), replace(state, config=replace(state.config, precision="auto")))
    goes_on(out, **flags)
    assert f"this run is not recorded; it continues with {used}." in capsys.readouterr().out
    assert load_state(path_of(out)).config.precision == used


def test_a_full_disk_is_told_by_its_own_error_and_the_old_state_stays(out, monkeypatch):
    run(out, epochs=1)
    kept = path_of(out).read_bytes()

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("model.files.os.fdopen", lambda handle, mode: (os.close(handle), Full())[1])
    with pytest.raises(OSError, match="No space left on device"):
        save_state(path_of(out), load_state(path_of(out)))
    assert path_of(out).read_bytes() == kept
    assert not list(out.parent.glob(".*.tmp"))


# What cannot be resumed


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"lr": 0.5}, "This run was started with --lr 0.1 and cannot continue with --lr 0.5; leave --lr out"),
        (
            {"recipe": "course"},
            "started with --recipe fast and cannot continue with --recipe course",
        ),
        ({"wrong-labels": 0.1}, "This run was started without --wrong-labels and cannot continue with it"),
        ({"epochs": 9}, "The schedule onecycle was planned for --epochs 2, not 9"),
    ],
)
def test_what_would_change_the_arithmetic_is_refused(out, given, capsys, flags, said):
    run(out, epochs=2, recipe="fast", stop_after=1, lr=0.1)
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    assert main(["--resume", "--out", str(out), *words]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_the_same_values_and_what_changes_no_arithmetic_are_taken(out):
    run(out, epochs=2, stop_after=1, lr=0.25)
    state = load_state(path_of(out))
    config = continued({"lr": 0.25, "note": "mine", "snapshot_every": 2, "resume": True}, state)
    assert (config.note, config.snapshot_every, config.stop_after) == ("mine", 2, 0)
    with pytest.raises(Problem, match=r"^This run has completed epoch 1; give --epochs 1 or more\.$"):
        continued({"epochs": 0}, state)
    decaying = replace(state, config=replace(state.config, decay_vectors=True))
    with pytest.raises(Problem, match="with --decay-vectors and cannot continue with --no-decay-vectors;"):
        continued({"decay_vectors": False}, decaying)


def test_an_epoch_that_is_over_cannot_be_the_last(out, capsys):
    run(out, epochs=3, stop_after=2)
    with pytest.raises(Problem, match=r"^This run has completed epoch 2; give --stop-after 2 or more"):
        continued({"stop_after": 1}, load_state(path_of(out)))
    capsys.readouterr()
    goes_on(out)
    assert "Continuing after epoch 2" in capsys.readouterr().out
    goes_on(out)
    printed = capsys.readouterr().out
    assert "All 3 epochs of this run are complete: nothing is left to train." in printed
    assert "Continuing" not in printed
    assert "train loss" not in printed


def test_other_images_are_refused(out):
    run(out, epochs=2, stop_after=1)
    config, state = settle({"resume": True, "out": str(out)})
    images = DATA.images.copy()
    images[0, 0, 0, 0] ^= 1
    with pytest.raises(Problem, match="These are not the training images that this run was started with"):
        train(config, replace(DATA, images=images), TEST, state)


def test_nothing_to_resume_is_one_sentence(out, given, capsys):
    assert main(["--resume", "--out", str(out)]) == 1
    assert f"There is no run to resume at {path_of(out)}" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04 junk"])
def test_a_damaged_state_is_one_sentence(out, given, capsys, content):
    path_of(out).write_bytes(content)
    assert main(["--resume", "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert "is not the state of a run" in error
    assert error.count("\n") == 1


class Evil:
    def __reduce__(self):
        return (os.system, ("touch /tmp/executed-by-a-state",))


@pytest.mark.parametrize("content", [Evil(), {"version": 1}, [1, 2]])
def test_a_state_executes_nothing_and_must_be_whole(out, content):
    torch.save(content, path_of(out))
    with pytest.raises(Problem, match="is not the state of a run"):
        load_state(path_of(out))
    assert not Path("/tmp/executed-by-a-state").exists()


def test_a_new_run_takes_the_place_of_the_old(out):
    run(out, epochs=2, stop_after=1)
    run(out, epochs=1, seed=7)
    assert load_state(path_of(out)).config.seed == 7
    assert goes_on(out).config.epochs == 1


def test_choose_keeps_the_stored_settings():
    stored = choose({"recipe": "fast", "lr": 0.3})
    assert choose({"note": "x"}, stored) == replace(stored, note="x")


# Kills


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_killed_at_any_moment_goes_on_as_if_it_had_not_been(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[2])}
    done = forks.run(HERE.with_name("crash_lab.py"), tmp_path, "50", "6", env=environment)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    whole = report["whole"]
    assert report["moments"] > 100
    assert sum(each["status"] == -9 for each in report["killed"]) >= 50
    assert {each["found"] for each in report["killed"]} == {0, 1, 2, 3, 4}  # every checkpoint opened
    for each in (*report["killed"], report["again and again"]):
        assert {name: each.get(name) for name in whole} == whole, each
