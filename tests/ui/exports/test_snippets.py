"""Every page's program is run by its path, from a folder that has nothing to do with the project."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from streamlit.testing.v1 import AppTest

from explorer.engine.network_source import Source
from explorer.ui.exports import snippets
from explorer.ui.exports.downloads import Offer
from model.nets import NETS
from tests import forks
from tests.views.test_downloads import output

ROOT = Path(__file__).parents[3]
PAGES: dict[str, dict[str, str]] = {
    "network": {},
    "explain": {},
    "attributions": {"methods": "saliency"},
    "maps": {"block": "2", "channel": "5"},
    "interventions": {"marked": "relu3~1-3"},
    "batchnorm": {"channel": "7"},
    "compare": {"b_own": "image", "b_sample": "dog"},
    "shortcut": {"sample": "horse", "mark": "dog"},
    "training": {},
    "scoreboard": {"checkpoint": "scenes-course"},
    "time_machine": {"checkpoint": "cifar10-fast", "epoch": "6"},
    "augmentation": {},
    "channel": {"block": "2", "channel": "5"},
    "shift": {"shift_measured": "yes", "shift_images": "64"},
    "data_map": {"train_image": "884"},
    "dropout": {},
    "mlp": {},
    "arithmetic": {"cv_layer": "conv2", "cv_stride": "2"},
    "optimizers": {"toy": "saddle", "toy_steps": "5"},
}
OF_A_SCAN = {"errors", "channels", "class_evidence", "set_map"}  # their own tests run their programs
Open = Callable[..., tuple[AppTest, Offer]]


def python(path: Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """A Python that knows nothing of where the project is."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return forks.run(path, cwd=cwd, env=environment)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "else where"
    folder.mkdir()
    return folder


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_every_pages_program_runs_by_its_path_from_another_folder(
    opened: Open, tmp_path: Path, elsewhere: Path
) -> None:
    assert set(PAGES) | OF_A_SCAN == {
        path.parent.name for path in (ROOT / "explorer" / "views").glob("*/page.py")
    }
    texts = {page: opened(page, **link)[1].snippet for page, link in PAGES.items()}
    for page, text in texts.items():
        path = tmp_path / page
        path.write_text(text, encoding="utf-8")
        there = python(path, cwd=elsewhere)
        assert there.returncode == 0, (page, there.stderr)
        assert there.stdout == output(text) != "", page  # each of them prints its number


def test_a_copy_whose_project_is_not_there_is_one_sentence(
    opened: Open, tmp_path: Path, elsewhere: Path
) -> None:
    text = opened("explain")[1].snippet.replace(str(ROOT), str(tmp_path / "gone"))
    (tmp_path / "number.py").write_text(text, encoding="utf-8")
    ran = python(tmp_path / "number.py", cwd=elsewhere)
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", f"{snippets.NOT_FOUND}\n")
    assert python(tmp_path / "number.py", cwd=ROOT).returncode == 0  # there it is


def test_a_network_beside_the_app_and_its_classes_are_found_again(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(ROOT / "model" / "nets.py", work / "my_nets.py")
    (work / "names.txt").write_text("cat\ndog\n", encoding="utf-8")
    torch.save(NETS["course"](classes=2).state_dict(), work / "my.pt")
    monkeypatch.chdir(work)
    source = Source(Path("my.pt"), "my_nets:CourseCNN(classes=2)", "names.txt", 32)
    text = snippets.program_of(source, snippets.drawn_batch(2), [], ["print(checkpoint.card.classes)"])
    (tmp_path / "own.py").write_text(text, encoding="utf-8")
    ran = python(tmp_path / "own.py", cwd=elsewhere)
    assert ran.stdout == "('cat', 'dog')\n", ran.stderr


@pytest.mark.parametrize(
    ("url", "own"),
    [("http://127.0.0.1:8501/", True), ("http://localhost", True), ("http://a.org/", False)],
)
def test_only_a_visitor_of_this_machine_gets_its_folders(
    monkeypatch: pytest.MonkeyPatch, url: str, own: bool
) -> None:
    monkeypatch.setattr(snippets.st, "context", SimpleNamespace(url=url))
    source = Source(ROOT / "checkpoints" / "cifar10-fast.safetensors")
    text = snippets.program_of(source, snippets.drawn_batch(2), [], ["print(1)"])
    assert (str(ROOT) in text) == own
    assert "PROJECT / 'checkpoints/cifar10-fast.safetensors'" in text
