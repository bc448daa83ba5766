"""The command that the trainer prints at its end is one that shows the checkpoint."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from explorer.engine.network_source import Source
from explorer.ui import options
from model import train as trainer
from model.datasets import Dataset
from model.train import main

ROOT = Path(__file__).parents[1]


def listed(words: list[str], monkeypatch: pytest.MonkeyPatch) -> list[Source]:
    """The networks that the app offers when it is started by these words, the first being what it opens."""
    assert words[:2] == ["streamlit", "run"]
    assert words[3:4] in ([], ["--"])
    monkeypatch.setattr("sys.argv", ["app.py", *words[4:]])
    return list(options.options().checkpoints.values())


def command(out: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What a run with that `--out` says at its end, as the shell takes it."""
    assert main(["--epochs", "1", "--width", "2", "--out", str(out)]) == 0
    return shlex.split(capsys.readouterr().out.splitlines()[-1].removeprefix("Open it with: "))


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, 0, 1])
    data = Dataset("black", images, labels, ("a", "b"), (0.5,) * 3, (0.25,) * 3, "")
    monkeypatch.setattr(trainer, "images_of", lambda _: (data, data))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, and at work in it."""
    root = tmp_path / "the project"
    (root / "explorer").mkdir(parents=True)
    for module in (trainer, options):
        monkeypatch.setattr(module, "ROOT", root)
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize(
    "out", ["my runs/it's.safetensors", "checkpoints/deep/a.safetensors", "../a.safetensors"]
)
def test_a_checkpoint_that_the_app_does_not_list_is_given_to_it(
    project: Path, out: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = command(Path(out), capsys)
    assert words[2:] == ["explorer/app.py", "--", "--checkpoint", out]
    assert (listed(words, monkeypatch)[0].path or project).resolve() == (project / out).resolve()


def test_a_checkpoint_that_the_app_lists_needs_no_option(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = command(Path("checkpoints/my-own.safetensors"), capsys)
    assert words == ["streamlit", "run", "explorer/app.py"]
    assert Source(project / "checkpoints" / "my-own.safetensors") in listed(words, monkeypatch)


def test_from_another_folder_the_app_has_its_whole_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = command(Path("checkpoints/run.safetensors"), capsys)
    assert Path(words[2]) == ROOT / "explorer" / "app.py"
    assert (
        listed(words, monkeypatch)[0].path or tmp_path
    ).resolve() == tmp_path / "checkpoints/run.safetensors"
