"""Histories as a page finds and reads them: whole, growing, old, of another trainer's, or broken."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explorer.engine import runs
from explorer.engine.runs import RecordedRun, Written
from model.card import Card
from model.checkpoint import save_checkpoint
from model.history import About, Epoch, History, save_history
from model.nets import NETS
from model.problems import Problem
from model.recipes import RECIPES, Config, choose, command_of, recorded


def row(epoch: int, seconds: float = 60.0) -> Epoch:
    return Epoch(epoch, 2.0 / epoch, 0.1 * epoch, 1.8 / epoch, 0.11 * epoch, 1e-3, 500.0, seconds)


def history(epochs: int = 3, steps: int = 4, **about: Any) -> History:
    rows = [row(epoch) for epoch in range(1, epochs + 1)]
    losses = [2.5 - 0.1 * step for step in range(epochs * steps)]
    return History(losses, rows, About(epochs=10, steps=steps, **about))


def run_of(history: History) -> RecordedRun:
    return RecordedRun(np.array(history.losses), tuple(history.epochs), history.about or About())


# Finding


def test_runs_are_found_by_name_each_folder_once(tmp_path: Path) -> None:
    for place in ("a/one", "a/two", "b/two"):
        save_history(tmp_path / f"{place}.history.json", history())
    (tmp_path / "a" / "other.json").write_text("{}")
    found = runs.find_runs([tmp_path / "a", tmp_path / "b", tmp_path / "a", tmp_path / "none"])
    assert list(found) == ["one", "a/two", "b/two"]
    assert found["b/two"] == (tmp_path / "b" / "two.history.json").resolve()


def test_runs_with_numbers_are_listed_in_their_order(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        (tmp_path / f"run-{number}.history.json").write_text("{}")
    assert list(runs.find_runs([tmp_path])) == ["run-1", "run-9", "run-10"]


def test_a_history_and_its_checkpoint_name_each_other(tmp_path: Path) -> None:
    path = tmp_path / "my.run.history.json"
    save_history(path, history())
    checkpoint = runs.look_at(path).checkpoint
    assert checkpoint == tmp_path / "my.run.safetensors"
    assert runs.history_of(checkpoint) == path.resolve()


def test_a_look_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.history.json"
    save_history(path, history(1))
    first = runs.look_at(path)
    assert runs.look_at(path) == first
    save_history(path, history(2))
    assert runs.look_at(path) != first


def test_a_history_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="choose another run"):
        runs.look_at(tmp_path / "none.history.json")


# Reading


def test_what_the_trainer_wrote_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "x.history.json"
    written = history(3, 4, recipe="fast", command="python -m model.train", state="finished")
    save_history(path, written)
    read = runs.read_run(path)
    np.testing.assert_allclose(read.losses, written.losses, rtol=1e-4)
    assert read.epochs == tuple(written.epochs)
    assert read.about == written.about
    assert read.steps == 4


def test_an_old_history_without_a_word_about_its_run_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.history.json"
    path.write_text(json.dumps({"losses": [2, 1.5, 1.2, 1], "epochs": [asdict(row(1)), asdict(row(2))]}))
    read = runs.read_run(path)
    assert read.about == About()
    assert read.steps == 2


def test_what_a_later_trainer_adds_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.history.json"
    values = {
        "losses": [1.0],
        "epochs": [asdict(row(1)) | {"top5": 0.9, "note": "new"}],
        "about": {"epochs": 7, "steps": "many", "started": 3, "machine": "big"},
        "grads": [1, 2],
    }
    path.write_text(json.dumps(values))
    read = runs.read_run(path)
    assert read.epochs == (row(1),)
    assert read.about == About(epochs=7)


GOOD = json.dumps({"losses": [1.0, 2.0], "epochs": [asdict(row(1))]})


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD[: len(GOOD) // 2],
        "[]",
        "null",
        '{"losses": 3, "epochs": []}',
        '{"losses": [], "epochs": [{}]}',
        '{"losses": [], "epochs": ["x"]}',
        '{"losses": [true], "epochs": []}',
        '{"losses": [1, NaN], "epochs": []}',
        '{"losses": [1e999], "epochs": []}',
        '{"losses": [[1], [2, 3]], "epochs": []}',
        '{"losses": [1], "epochs": [], "about": 3}',
        GOOD.replace('"epoch": 1', '"epoch": "one"'),
        "[" * 100_000,
    ],
)
def test_half_written_and_foreign_files_are_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.history.json"
    path.write_text(text)
    with pytest.raises(Problem, match=r"x\.history\.json is incomplete or is not a training history: .*\.$"):
        runs.read_run(path)


def test_bytes_that_are_no_text_are_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.history.json"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(Problem, match="incomplete"):
        runs.read_run(path)


def test_a_gigantic_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.history.json"
    save_history(path, history())
    monkeypatch.setattr(runs, "LARGEST", 100)
    with pytest.raises(Problem, match="larger than"):
        runs.read_run(path)


# What has become of it


@pytest.mark.parametrize(
    ("state", "quiet", "total", "expected"),
    [
        ("finished", 1, 10, "finished"),
        ("stopped", 1, 10, "stopped"),
        ("running", 5, 10, "running"),
        ("running", 179, 10, "running"),  # three times the last epochs' minute
        ("running", 181, 10, "stalled"),
        ("running", 5, 3, "finished"),
        ("running", 10_000, 0, "stalled"),
    ],
)
def test_what_has_become_of_a_run(state: str, quiet: float, total: int, expected: str) -> None:
    assert runs.run_state(run_of(history(3, state=state)), quiet, total) == expected


def test_a_run_in_its_first_epoch_is_running_until_it_is_stalled() -> None:
    run = run_of(history(0))
    assert runs.run_state(run, 60, 10) == "running"
    assert runs.run_state(run, runs.QUIET_SECONDS + 1, 10) == "stalled"


def test_the_card_says_how_many_epochs_where_the_history_does_not(tmp_path: Path) -> None:
    torch.manual_seed(0)
    arguments = {"widths": [4, 4], "hidden": 8}
    net = NETS["course"](classes=2, input_size=16, **arguments)
    card = Card(arguments=arguments, classes=("a", "b"), input_size=16, config={"epochs": 6}, epoch=2)
    saved = save_checkpoint(tmp_path / "x.safetensors", card, net.state_dict())
    written = runs.read_card(tmp_path / "x.safetensors")
    assert (written.card, written.digest) == (card, saved.digest)
    own = replace(card, net="nowhere:Net", config={"net": "nowhere:Net"})
    save_checkpoint(tmp_path / "own.safetensors", own, net.state_dict())
    assert runs.read_card(tmp_path / "own.safetensors") == Written(own, saved.digest)
    assert runs.command_from(own) == "python -m model.train --net nowhere:Net"
    old = RecordedRun(np.zeros(2), (row(1),), About())
    assert runs.total_epochs(old, written) == 6
    assert runs.total_epochs(old) == 0
    assert runs.total_epochs(run_of(history()), written) == 10


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_command_read_off_the_card_makes_the_same_settings(recipe: str) -> None:
    config = choose({"recipe": recipe, "dataset": "scenes", "epochs": 3, "seed": 5})
    card = Card(recipe=recipe, config=recorded(config))
    assert runs.command_from(card) == command_of(config)


def test_a_runs_own_command_goes_before_the_cards() -> None:
    written = runs.Written(Card(recipe="course", config=recorded(Config())), "")
    told = run_of(history(command="python -m model.train --seed 3"))
    assert runs.command(told, written) == ("python -m model.train --seed 3", True)
    assert runs.command(run_of(history()), written) == ("python -m model.train", False)
    assert runs.command(run_of(history()), None) == ("", True)
    strange = runs.Written(Card(recipe="mine", config={"optimiser": "lion", "epochs": "many"}), "")
    assert runs.command(run_of(history()), strange)[0] == ""


# Curves


def test_steps_lie_where_their_epoch_was() -> None:
    rows = (row(1, 60), row(2, 120))
    run = RecordedRun(np.zeros(10), rows, About(steps=4))  # two and a half epochs
    np.testing.assert_allclose(runs.step_positions(run, "steps"), np.arange(1, 11))
    np.testing.assert_allclose(runs.step_positions(run, "epochs"), np.arange(1, 11) / 4)
    minutes = runs.step_positions(run, "minutes")
    np.testing.assert_allclose(minutes[[3, 5, 7, 9]], [1, 2, 3, 4])  # the third at the second's speed
    np.testing.assert_allclose(runs.epoch_positions(run, "minutes"), [1, 3])
    np.testing.assert_allclose(runs.epoch_positions(run, "epochs"), [1, 2])
    np.testing.assert_allclose(runs.epoch_positions(run, "steps"), [4, 8])
    with pytest.raises(ValueError, match="not 'hours'"):
        runs.step_positions(run, "hours")


def test_a_run_without_a_whole_epoch_has_places_too() -> None:
    run = RecordedRun(np.zeros(3), (), About(steps=6))
    np.testing.assert_allclose(runs.step_positions(run, "epochs"), [1 / 6, 2 / 6, 3 / 6])
    assert np.isfinite(runs.step_positions(run, "minutes")).all()
    assert np.isfinite(runs.step_positions(RecordedRun(np.zeros(3), (), About()), "epochs")).all()


@pytest.mark.parametrize(("count", "most"), [(0, 5), (1, 5), (5, 5), (7, 3), (15_640, 500), (501, 500)])
def test_columns_cover_every_value_and_none_is_empty(count: int, most: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    starts = runs.columns(count, most)
    parts = np.split(values, starts[1:]) if count else []
    assert len(parts) == min(count, most)
    assert all(len(part) for part in parts)
    low, high = runs.extremes(values, starts)
    np.testing.assert_array_equal(low, [part.min() for part in parts])
    np.testing.assert_array_equal(high, [part.max() for part in parts])
    np.testing.assert_array_equal(values[runs.last_of(starts, count)], [part[-1] for part in parts])
