"""What README.md says is so: its figures are those of the files, its commands and flags exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import checkpoints, judging, readme
from explorer import scan, scoreboard
from explorer.engine.scores import SCORES
from explorer.ui import options
from explorer.ui.pages import PAGES
from model import command
from model.checkpoint import compact
from model.snapshots import list_snapshots

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_checkpoints_is_the_files() -> None:
    assert readme.told("benchmarks/checkpoints.py") == checkpoints.table()


def test_a_score_no_better_than_a_coin_is_not_in_the_strip() -> None:
    judged = judging.scores_board().judged
    assert {name: SCORES[name].in_strip for name in judged} == {
        name: each.all.better_than_coin for name, each in judged.items()
    }


def test_what_is_said_of_the_scores_is_the_scoreboard() -> None:
    measured = judging.scores_board()
    assert readme.told(judging.NAME) == judging.sentences(measured)
    assert judging.PAGE.read_text(encoding="utf-8") == judging.page(measured)


@pytest.mark.parametrize("path", checkpoints.shipped(), ids=lambda path: path.stem)
def test_a_shipped_checkpoint_has_a_history_that_agrees(path: Path) -> None:
    card = checkpoints.load_checkpoint(path).card
    history = checkpoints.load_history(checkpoints.beside(path, ".history.json"))
    last = history.epochs[-1]
    assert last.epoch == card.epoch == card.config["epochs"]
    assert card.metrics["test_accuracy"] == pytest.approx(last.test_accuracy, abs=1e-6)
    assert "measured on" in card.data


def test_shipped_snapshots_are_of_the_shipped_run_and_end_in_its_weights() -> None:
    shipped = {path: list_snapshots(path) for path in checkpoints.shipped()}
    assert any(shipped.values())
    for path, snapshots in shipped.items():
        whole = checkpoints.load_checkpoint(path)
        history = checkpoints.load_history(checkpoints.beside(path, ".history.json"))
        for epoch, snapshot in snapshots:
            card = checkpoints.load_checkpoint(snapshot).card
            assert card.epoch == epoch
            if epoch:
                measured = history.epochs[epoch - 1].test_accuracy
                assert card.metrics["test_accuracy"] == pytest.approx(measured, abs=1e-6)
        if snapshots:
            assert snapshots[-1][0] == whole.card.epoch
            kept = checkpoints.load_checkpoint(snapshots[-1][1]).state
            for name, tensor in compact(whole.state).items():
                assert torch.equal(kept[name], tensor.float() if tensor.is_floating_point() else tensor)


def test_the_interval_is_wilsons() -> None:
    low, high = checkpoints.interval(0.5, 100)  # Agresti and Coull 1998 give 0.404 to 0.596
    assert (low, high) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))


def test_every_flag_that_is_named_exists() -> None:
    known = {
        flag
        for each in (command.parser(), options.parser(), scoreboard.parser(), scan.parser())
        for flag in each._option_string_actions
    }
    named = set(re.findall(r"(?<=[ `(])--[a-z][a-z-]+", README))
    elsewhere = {
        "--nproc-per-node",
        "--write",
        "--race",
        "--variants",
        "--url",
        "--server",
        "--scenes",
        "--cost",
    }
    assert named - elsewhere <= known


def test_the_table_of_pages_is_the_menu() -> None:
    titles = [page.title for page in PAGES]
    assert re.findall(r"^\| \*\*(.+?)\*\* \|", README.split("\n## ")[1], re.MULTILINE) == titles


def test_every_page_has_a_record() -> None:
    folders = [path.parent.name for path in (ROOT / "explorer" / "views").glob("*/page.py")]
    assert sorted(folders) == sorted(page.folder for page in PAGES)


def test_every_file_that_is_named_exists() -> None:
    targets = re.findall(r"\]\(([\w./-]+)\)", README)
    assert targets
    assert not [target for target in targets if not (ROOT / target).exists()]


def test_the_program_runs_by_its_path_and_says_where_it_looks_for_the_project(tmp_path: Path) -> None:
    program = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    check = "\nassert abs((proof.weights[:, None, None] * proof.maps).sum(0) - heat.values).max() < 1e-4\n"
    path = tmp_path / "program.py"
    path.write_text(program + check, encoding="utf-8")
    beside, away = (
        subprocess.run([sys.executable, str(path)], cwd=cwd, capture_output=True, text=True, check=False)
        for cwd in (ROOT, tmp_path)
    )
    assert beside.returncode == 0, beside.stderr
    assert away.returncode == 1
    assert away.stderr.startswith("The project is not found: set PROJECT")
    assert away.stderr.count("\n") == 1
    path.write_text(program.replace("Path.cwd()", f"Path({str(ROOT)!r})") + check, encoding="utf-8")
    subprocess.run([sys.executable, str(path)], cwd=tmp_path, check=True)
