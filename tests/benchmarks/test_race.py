"""The race of the trainer against the course's listing, on a few drawn scenes."""

import math
import multiprocessing
import sys
from types import ModuleType

import pytest
from PIL import Image

from benchmarks import race, train
from model.scenes import dataset


@pytest.fixture(autouse=True)
def plain_main(monkeypatch):
    """Processes that are spawned run the main module anew; other tests may have left a page in its place."""
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))


@pytest.fixture(autouse=True)
def forked(monkeypatch):
    """Processes are forks of one that has imported what each would import."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.race", "torch._dynamo"])
    monkeypatch.setattr(multiprocessing, "get_context", lambda method: context)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """40 training and 20 test scenes, 32 × 32, as a folder of images."""
    root = tmp_path_factory.mktemp("scenes")
    for split, count, seed in (("train", 40, 0), ("test", 20, 1)):
        images, labels = dataset(count, seed, 32)
        for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
            path = root / split / f"class{label}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return root


def test_both_train_in_turn_and_every_run_of_ours_comes_to_its_end(folder, capsys, monkeypatch):
    monkeypatch.setitem(train.RECIPE_FLAGS, train.SHORT, {"recipe": "fast", "epochs": 2, "augment": "flip"})
    log = train.raced_in_full(folder, accuracy=0.0, length=3, limit=20)
    assert capsys.readouterr().out == log
    rows = race.read(log)
    order = [(row.name, row.seed, row.epoch) for row in rows]
    ours, theirs = train.SHORT, race.LISTING
    assert order == [
        *((theirs, 0, 1), (ours, 0, 1), (theirs, 0, 2), (ours, 0, 2)),
        *((theirs, 0, 3), (ours, 1, 1), (ours, 1, 2)),
    ]
    for name, seed in ((theirs, 0), (ours, 0), (ours, 1)):
        seconds = [row.seconds for row in rows if (row.name, row.seed) == (name, seed)]
        assert seconds == sorted(seconds)
        assert seconds[0] > 0
    assert rows[-1].test_loss > 0
    assert [each.epoch for each in race.passing(rows, ours, 0.0)] == [1, 1]
    assert "times as long" in log


def test_the_short_run_by_itself_stops_where_it_passes(folder, capsys):
    train.timed(folder, accuracy=0.0, limit=20)
    lines = capsys.readouterr().out.splitlines()
    assert [len(lines), len(race.read("\n".join(lines)))] == [3, 1]
    assert lines[-1].startswith("“fast, short” passed 0.00% in 1 epochs and ")


def test_a_run_that_fails_ends_the_race(tmp_path):
    with pytest.raises(
        SystemExit, match=r"^“fast, short” ended in epoch 1, so the runs cannot be compared; start again\.$"
    ):
        list(race.alone(train.SHORT, train.configured(train.SHORT, tmp_path), 0.5))


def rows(name, *runs):
    """Runs of a name, each as (test accuracy, seconds) of every epoch."""
    return [
        race.Row(name, seed, epoch, 1.0, 0.5, 1.25, accuracy, seconds)
        for seed, run in enumerate(runs)
        for epoch, (accuracy, seconds) in enumerate(run, start=1)
    ]


THEIRS = rows(race.LISTING, [(0.5, 100.0), (0.7, 200.0), (0.65, 300.0)])
OURS = rows("short", [(0.6, 10.0), (0.9, 20.0)], [(0.8, 12.0), (0.8, 24.0)], [(0.7, 14.0), (0.76, 30.0)])


def test_a_log_is_read_as_it_was_written():
    assert race.read("\n".join([race.HEAD, *map(str, THEIRS + OURS), "the end"])) == THEIRS + OURS


def test_times_are_medians_over_the_runs_to_the_first_epoch_that_passes():
    assert [each.seconds for each in race.passing(OURS, "short", 0.75)] == [20, 12, 30]
    assert [each.epoch for each in race.passing(OURS, "short", 0.85)] == [2, math.inf, math.inf]
    assert race.verdict(THEIRS + OURS, "short", 0.75).splitlines() == [
        "“listing” ended at 65.00% after 3 epochs and 300 s.",
        "“short” passed 65.00% after 14 s (median of 3: 20, 12, 14), "
        "“listing” after 200 s: 14.3 times as long.",
        "“short” passed 75.00% after 20 s (median of 3: 20, 12, 30), "
        "“listing” not in its 300 s: at least 15.0 times as long.",
    ]
    assert race.verdict(THEIRS + OURS, "short", 0.85).endswith("“short” did not reach 85.00%.")


def test_the_table_takes_what_was_raced_and_reckons_the_rest(monkeypatch, tmp_path):
    monkeypatch.setattr(train, "LOGS", tmp_path)
    (tmp_path / train.LOG_OF["fast"]).write_text(
        "    1  1.0  50.00%  1.0  60.00%\n    2  1.0  50.00%  1.0  80.00%"
    )
    raced = THEIRS + rows(train.SHORT, [(0.6, 10.0), (0.9, 20.0)])
    assert train.reached(train.SHORT, 0.7, 1000, raced) == ("2", "20 s")
    assert train.reached(race.LISTING, 0.75, 1000, raced) == ("–", "not reached")
    assert train.reached("fast", 0.75, 1000, raced) == ("2", "≈ 100 s")
    assert train.reached("course", 0.75, 1000, raced) == ("–", "not reached")
