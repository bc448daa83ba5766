"""A new run never replaces what another one has left, unless it is told to."""

from dataclasses import replace

import pytest

from model import train as trainer
from model.checkpoint import load_checkpoint
from model.history import History, load_history, save_history
from model.recipes import command_of
from model.snapshots import folder_of
from model.state import load_state, path_of
from model.train import main, settle
from model.training import loop
from model.training.run import left_at


@pytest.fixture
def command(pictures, tmp_path):
    """The command on a folder of images; its checkpoint is `tmp_path / "run.safetensors"`."""

    def run(*flags):
        small = ["--dataset", "folder", "--data-dir", str(pictures), "--epochs", "1", "--width", "4"]
        return main([*small, "--out", str(tmp_path / "run.safetensors"), *flags])

    return run


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(capsys, code, resumable=True):
    said = capsys.readouterr().err
    assert code == 1
    assert said.startswith("error: There is already a run at ")
    assert said.count("\n") == 1
    assert ("--resume" in said) == resumable
    assert "--overwrite" in said
    return said


def test_the_run_of_another_is_refused_and_kept(command, tmp_path, capsys, monkeypatch):
    assert command("--snapshot-every", "1") == 0
    before = content(tmp_path)
    capsys.readouterr()
    monkeypatch.setattr(trainer, "images_of", None)  # must not be reached
    said = refused(capsys, command("--seed", "1"))
    assert "(run.safetensors, run.history.json, run.state.pt, run.snapshots); add --resume" in said
    assert content(tmp_path) == before


def test_the_default_place_is_no_exception(pictures, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = ["--dataset", "folder", "--data-dir", str(pictures), "--epochs", "1", "--width", "4"]
    assert main(flags) == 0
    capsys.readouterr()
    assert "my-folder-course.safetensors" in refused(capsys, main(flags))


def test_to_overwrite_is_to_say_so(command, tmp_path):
    assert command("--snapshot-every", "1") == 0
    before = load_checkpoint(tmp_path / "run.safetensors").digest
    assert command("--seed", "1", "--overwrite") == 0
    assert load_checkpoint(tmp_path / "run.safetensors").digest != before
    assert not list((tmp_path / "run.snapshots").iterdir())
    assert "--overwrite" not in load_history(tmp_path / "run.history.json").about.command


@pytest.mark.parametrize("left", ["run.safetensors", "run.history.json", "run.state.pt", "run.snapshots"])
def test_any_part_of_a_run_is_enough(command, tmp_path, capsys, left):
    assert command("--snapshot-every", "1") == 0
    for path in tmp_path.iterdir():
        if path.is_file() and path.name != left:
            path.unlink()
    for path in folder_of(tmp_path / "run.safetensors").iterdir() if left != "run.snapshots" else ():
        path.unlink()
    capsys.readouterr()
    said = refused(capsys, command(), resumable=left == "run.state.pt")
    assert f"({left})" in said


@pytest.mark.parametrize("name", ["run.history.json", "run.state.pt"])
def test_a_file_that_is_not_the_trainers_is_kept(command, tmp_path, capsys, name):
    (tmp_path / name).write_bytes(b"mine")
    assert name in refused(capsys, command(), resumable=False)
    assert (tmp_path / name).read_bytes() == b"mine"


def test_a_run_that_ended_in_its_first_epoch_leaves_the_place_free(command, tmp_path, capsys, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(loop, "step", lambda *_: (float("nan"), 0))
        assert command("--snapshot-every", "1") == 1
    assert "nothing was saved" in capsys.readouterr().err
    assert path_of(tmp_path / "run.safetensors").exists()
    assert command() == 0


def test_the_curves_of_another_run_of_that_name_are_not_hidden(command, tmp_path, capsys, monkeypatch):
    pytest.importorskip("tensorboard")
    board = str(tmp_path / "board")
    with monkeypatch.context() as patched:
        patched.setattr(loop, "step", lambda *_: (float("nan"), 0))
        assert command("--tensorboard", board) == 1  # what this leaves holds no epoch
    assert command("--tensorboard", board) == 0
    capsys.readouterr()
    elsewhere = str(tmp_path / "other" / "run.safetensors")
    assert "events.out.tfevents" in refused(
        capsys, command("--out", elsewhere, "--tensorboard", board), resumable=False
    )
    assert command("--out", elsewhere, "--tensorboard", board, "--overwrite") == 0


def test_resume_is_not_refused_and_excludes_overwrite(command, tmp_path, capsys):
    assert command("--epochs", "2", "--stop-after", "1", "--overwrite") == 0
    out = ["--out", str(tmp_path / "run.safetensors")]
    capsys.readouterr()
    assert main(["--resume", "--overwrite", *out]) == 1
    assert capsys.readouterr().err.endswith("give only one of them.\n")
    assert main(["--resume", *out]) == 0
    assert load_state(path_of(tmp_path / "run.safetensors")).history.epochs[-1].epoch == 2


def test_the_flag_is_no_part_of_the_command_that_reproduces_a_run(tmp_path):
    config, _ = settle({"out": "a.safetensors", "overwrite": True})
    assert command_of(config) == command_of(replace(config, overwrite=False))


def test_a_history_without_an_epoch_is_no_run(tmp_path):
    config, _ = settle({"out": str(tmp_path / "run.safetensors")})
    save_history(tmp_path / "run.history.json", History([2.3], []))
    assert left_at(config) == []
