"""The Training page in each of its states, run without a browser."""

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from streamlit.testing.v1 import AppTest

from explorer.drawing.palette import SERIES
from explorer.engine import runs
from explorer.engine.runs import read_run
from explorer.ui.exports.downloads import Offer
from explorer.views.training.charts import COLUMNS
from model.card import Card
from model.checkpoint import save_checkpoint
from model.history import About, Epoch, History, save_history, smoothed
from model.nets import NETS
from model.recipes import Config, recorded
from tests.components import component

ROOT = Path(__file__).parents[2]
Open = Callable[..., AppTest]
Take = Callable[..., tuple[AppTest, Offer]]


@pytest.fixture
def app(visit: Open, tmp_path: Path) -> Open:
    """Open the Training page with the runs of a folder beside the shipped ones."""
    return partial(visit, "training", "--runs", str(tmp_path))


def history(epochs: int = 3, steps: int = 4, state: str = "running", **about: Any) -> History:
    rows = [
        Epoch(epoch, 2 / epoch, 0.2 + 0.1 * epoch, 1.8 / epoch, 0.25 + 0.1 * epoch, 1e-3, 500.0, 30.0)
        for epoch in range(1, epochs + 1)
    ]
    losses = [2.5 / (step + 1) for step in range(epochs * steps)]
    return History(losses, rows, About(epochs=5, steps=steps, state=state, **about))


def checkpoint(path: Path, epoch: int = 3) -> None:
    torch.manual_seed(0)
    arguments = {"widths": [4, 4, 4], "hidden": 8}
    card = Card(arguments=arguments, recipe="course", config=recorded(Config(epochs=5)), epoch=epoch,
                metrics={"test_accuracy": 0.55}, data="drawn for a test")  # fmt: skip
    save_checkpoint(path, card, NETS["course"](**arguments).state_dict())


def html(at: AppTest) -> str:
    return " ".join(piece.proto.body for piece in at.get("html"))


def charts(at: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in at.main.get("vega_lite_chart")]


def check(at: AppTest) -> AppTest:
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value
    assert at.header[0].value == "Training runs"
    return at


def captions(at: AppTest) -> str:
    return " ".join(caption.value for caption in at.caption)


def test_the_opened_checkpoints_run_comes_first(app: Open) -> None:
    at = check(app())
    assert at.multiselect(key="runs").value == ["cifar10-course"]
    assert len(charts(at)) == 4
    assert "finished" in html(at)
    assert component(at, "command")["text"].startswith("python -m model.train")


def test_another_checkpoint_brings_its_own_run(app: Open, tmp_path: Path) -> None:
    save_history(tmp_path / "mine.history.json", history())
    checkpoint(tmp_path / "mine.safetensors")
    at = check(app("--checkpoint", str(tmp_path / "mine.safetensors")))
    assert at.multiselect(key="runs").value == ["mine"]
    at.selectbox(key="checkpoint").select("cifar10-course").run()
    assert check(at).multiselect[0].value == ["cifar10-course"]


def test_a_checkpoint_without_a_run_is_said_so(app: Open, tmp_path: Path) -> None:
    checkpoint(tmp_path / "mine.safetensors")
    save_history(tmp_path / "newest.history.json", history())
    at = check(app("--checkpoint", str(tmp_path / "mine.safetensors")))
    assert at.multiselect(key="runs").value == ["newest"]
    assert "There is no training history beside the selected checkpoint" in captions(at)


def test_it_has_no_image_header_and_needs_no_image(app: Open) -> None:
    at = check(app(source="upload"))
    assert 'fx-strip"' not in html(at)
    assert len(charts(at)) == 4


def test_a_missing_checkpoint_is_said_in_the_sidebar_and_runs_are_shown(app: Open, tmp_path: Path) -> None:
    save_history(tmp_path / "mine.history.json", history())
    at = app("--checkpoint", str(tmp_path / "mine.safetensors"))
    assert not at.exception
    assert "There is no checkpoint at" in at.sidebar.error[0].value
    assert not at.main.error
    assert at.multiselect(key="runs").value == ["mine"]
    assert "training now" in html(at)
    assert "There is no readable checkpoint beside this history" in captions(at)


def test_several_runs_lie_over_one_another_each_in_its_color(app: Open, tmp_path: Path) -> None:
    save_history(tmp_path / "a.history.json", history(2, state="stopped"))
    save_history(tmp_path / "b.history.json", history(3, state="finished"))
    at = check(app(runs="a,b"))
    scales = [layer["encoding"]["color"]["scale"] for chart in charts(at) for layer in chart["layer"]]
    assert all(scale["domain"] == ["a", "b"] for scale in scales)
    assert all(scale["range"] == list(SERIES[:2]) for scale in scales)
    assert all(f"background:{color}" in html(at) for color in SERIES[:2])
    assert at.query_params["runs"] == "a,b"
    assert at.selectbox(key="card_of").options == ["a", "b"]


def test_the_strong_line_is_the_mean_of_the_window(app: Open, tmp_path: Path) -> None:
    save_history(tmp_path / "a.history.json", history(3))
    at = check(app(runs="a", window="5"))
    raw, mean = (layer["data"]["values"] for layer in charts(at)[0]["layer"])
    losses = read_run(tmp_path / "a.history.json").losses.tolist()
    assert [row["y"] for row in raw] == pytest.approx(losses, rel=1e-4)
    assert [row["y"] for row in mean] == pytest.approx(smoothed(losses, 5).tolist(), rel=1e-4)
    assert "mean of the last 5 steps" in captions(at)


def test_a_long_run_is_thinned_and_the_page_says_so(app: Open, tmp_path: Path) -> None:
    long = history(10, 500)
    save_history(tmp_path / "a.history.json", long)
    at = check(app(runs="a"))
    raw = [row["y"] for row in charts(at)[0]["layer"][0]["data"]["values"]]
    assert len(raw) <= 2 * COLUMNS
    assert max(raw) == pytest.approx(max(long.losses))
    assert min(raw) == pytest.approx(min(long.losses), rel=1e-4)
    assert "from the minimum to the maximum of about 10 steps" in captions(at)


@pytest.mark.parametrize(("along", "last"), [("steps", 12), ("epochs", 3), ("minutes", 1.5)])
def test_losses_lie_along_what_is_chosen(app: Open, tmp_path: Path, along: str, last: float) -> None:
    save_history(tmp_path / "a.history.json", history(3))
    drawn = charts(check(app(runs="a", along=along)))
    assert drawn[0]["layer"][1]["data"]["values"][-1]["x"] == pytest.approx(last)
    for chart in drawn[1:]:  # all on the axis of the first
        assert chart["layer"][0]["data"]["values"][-1]["x"] == pytest.approx(last)
        assert chart["layer"][0]["encoding"]["x"]["scale"] == drawn[0]["layer"][0]["encoding"]["x"]["scale"]


def test_smoothing_fits_the_longest_run(app: Open, tmp_path: Path) -> None:
    def smoothing(at: AppTest) -> Any:
        return next((each for each in at.select_slider if each.label.startswith("Smoothing")), None)

    save_history(tmp_path / "tiny.history.json", replace(history(0), losses=[2.0, 1.9, 1.8]))
    save_history(tmp_path / "short.history.json", history(5))
    save_history(tmp_path / "long.history.json", history(10, 500))
    at = check(app(runs="tiny"))
    assert smoothing(at) is None
    assert "Thick line" not in captions(at)
    at = check(app(runs="short"))
    assert smoothing(at).options == ["1", "2", "5", "10"]  # of 20 steps
    assert smoothing(at).value == "1"
    assert smoothing(check(app(runs="long,short"))).value == "100"
    at.multiselect(key="runs").set_value(["long"]).run()
    assert smoothing(check(at)).value == "100"
    assert "window" not in at.query_params


def test_rates_that_differ_by_decades_have_a_logarithmic_axis(app: Open, tmp_path: Path) -> None:
    near = history(4, state="finished")
    far = replace(near, epochs=[replace(row, lr=1e-3 * 0.1 ** (row.epoch - 1)) for row in near.epochs])
    save_history(tmp_path / "near.history.json", near)
    save_history(tmp_path / "far.history.json", far)
    scale, log = (charts(check(app(runs=name)))[3]["layer"][0]["encoding"]["y"] for name in ("near", "far"))
    assert "type" not in scale["scale"]
    assert log["scale"] == {"type": "log", "domain": [1e-6, 1e-3], "nice": False}
    assert log["axis"]["values"] == [1e-6, 1e-5, 1e-4, 1e-3]
    assert "logarithmic" in captions(check(app(runs="far")))
    assert "logarithmic" not in captions(check(app(runs="near")))


def test_solid_and_dashed_lines_are_named_in_a_legend(app: Open, tmp_path: Path) -> None:
    save_history(tmp_path / "a.history.json", history(3))
    _, losses, accuracies, *_ = charts(check(app(runs="a")))
    for chart in (losses, accuracies):
        (layer,) = chart["layer"]
        scale = layer["encoding"]["strokeDash"]["scale"]
        assert scale == {"domain": [False, True], "range": [[1, 0], [5, 3]]}
        legend = layer["encoding"]["strokeDash"]["legend"]
        assert legend["labelExpr"] == 'datum.value ? "training" : "test"'
        assert {row["dashed"] for row in layer["data"]["values"]} == {False, True}


def test_the_crosshair_has_every_value_of_every_chart(app: Open, tmp_path: Path) -> None:
    save_history(tmp_path / "a.history.json", history(3))
    read = read_run(tmp_path / "a.history.json")
    at = check(app(runs="a", window="2"))
    sent = [each.proto.json for each in at.main.get("bidi_component")]
    data = next(json.loads(each) for each in sent if '"ends"' in each)
    assert data["ends"] == [0, 3]
    lines = {name: {line["row"]: line for line in chart["lines"]} for name, chart in data["charts"].items()}
    assert {name: list(each) for name, each in lines.items()} == {
        "steps": ["training loss (nats)"],
        "accuracy": ["test", "training"],
        "loss": ["test", "training"],
        "rate": ["learning rate"],
    }
    assert lines["accuracy"]["test"]["texts"] == [f"{row.test_accuracy:.2%}" for row in read.epochs]
    assert lines["loss"]["training"]["y"] == pytest.approx([row.train_loss for row in read.epochs], rel=1e-4)
    assert lines["loss"]["training"]["dashed"]
    assert lines["rate"]["learning rate"]["y"] == [*(row.lr for row in read.epochs), read.epochs[-1].lr]
    assert lines["rate"]["learning rate"]["x"] == [0, 1, 2, 3]  # of each epoch's first step, to its end
    assert lines["steps"]["training loss (nats)"]["y"] == pytest.approx(
        smoothed(read.losses.tolist(), 2).tolist(), rel=1e-4
    )
    assert [line["x"] for line in lines["loss"].values()] == [[1, 2, 3]] * 2


def test_a_going_run_is_drawn_anew_once_its_file_has_changed(app: Open, tmp_path: Path) -> None:
    path = tmp_path / "a.history.json"
    save_history(path, history(1))
    at = check(app(runs="a"))
    assert "1 of 5" in html(at)
    assert "Updated every 2 seconds" in captions(at)
    save_history(path, history(2))
    assert "2 of 5" in html(check(at.run()))
    save_history(path, history(5, state="finished"))
    assert "5 of 5" in html(check(at.run()))
    assert "Updated every" not in captions(at)


def test_a_run_that_writes_faster_than_the_page_draws_does_not_break_it_off(
    app: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.history.json"
    save_history(path, history(1))
    looked = runs.look_at

    def written_meanwhile(found: Path) -> runs.RunFile:
        save_history(path, history(1))
        return looked(found)

    monkeypatch.setattr(runs, "look_at", written_meanwhile)
    assert len(charts(check(app(runs="a", window="10")))) == 4


def test_a_run_that_was_interrupted_is_said_so(app: Open, tmp_path: Path) -> None:
    path = tmp_path / "a.history.json"
    save_history(path, history(1))
    long_ago = time.time() - 10_000
    os.utime(path, (long_ago, long_ago))
    at = check(app(runs="a"))
    assert "interrupted" in html(at)
    assert "Updated every" not in captions(at)


def test_a_run_being_written_is_one_click_away(app: Open, tmp_path: Path) -> None:
    save_history(tmp_path / "new.history.json", history(1))
    save_history(tmp_path / "over.history.json", history(5, state="finished"))
    save_history(tmp_path / "left.history.json", history(2, state="stopped"))
    (tmp_path / "broken.history.json").write_text("{")
    at = check(app(runs="cifar10-course"))
    assert [each.key for each in at.button if str(each.key).startswith("follow_")] == ["follow_new"]
    at.button(key="follow_new").click()
    at = check(at.run())
    assert "training now" in html(at)
    assert "cifar10-course" not in html(at)
    assert at.query_params["runs"] == "new"


def test_the_first_step_is_waited_for(app: Open, tmp_path: Path) -> None:
    save_history(tmp_path / "a.history.json", history(0))
    at = check(app(runs="a"))
    assert "No training step has been recorded yet" in at.info[0].value
    assert "0 of 5" in html(at)


def test_the_first_epoch_has_a_loss_picture_only(app: Open, tmp_path: Path) -> None:
    begun = replace(history(0), losses=[2.0, 1.9])
    save_history(tmp_path / "a.history.json", begun)
    at = check(app(runs="a"))
    assert len(charts(at)) == 1
    assert "once the first epoch is over" in captions(at)


@pytest.mark.parametrize("text", ["", '{"losses": [1.0', "[1, 2]", '{"losses": [NaN], "epochs": []}'])
def test_a_broken_history_is_a_sentence_and_the_others_are_shown(
    app: Open, tmp_path: Path, text: str
) -> None:
    (tmp_path / "bad.history.json").write_text(text)
    at = check(app(runs="bad,cifar10-course"))
    assert len(at.warning) == 1
    assert "incomplete" in at.warning[0].value
    assert len(charts(at)) == 4
    alone = check(app(runs="bad"))
    assert not charts(alone)


def test_a_broken_checkpoint_beside_a_good_history_is_a_sentence(app: Open, tmp_path: Path) -> None:
    save_history(tmp_path / "a.history.json", history())
    checkpoint(broken := tmp_path / "a.safetensors")
    broken.write_bytes(broken.read_bytes()[:-9])
    at = check(app(runs="a"))
    assert "damaged" in at.warning[0].value
    assert len(charts(at)) == 4


def test_the_card_and_the_exact_command_are_there(app: Open, tmp_path: Path) -> None:
    save_history(tmp_path / "a.history.json", history(3, command="python -m model.train --seed 7"))
    checkpoint(tmp_path / "a.safetensors")
    at = check(app(runs="a"))
    assert component(at, "command")["text"] == "python -m model.train --seed 7"
    text = html(at)
    for words in ("a.safetensors", "course", "55.00%", "drawn for a test"):
        assert words in text
    assert any("batch_size: " in code.value for code in at.code)
    (tmp_path / "a.snapshots").mkdir()
    (tmp_path / "a.snapshots" / "epoch-0001.safetensors").touch()
    assert "This run has snapshots" in captions(check(at.run()))


def test_a_name_with_markup_is_shown_as_text(app: Open, tmp_path: Path) -> None:
    save_history(tmp_path / "<b>x<.history.json", history())
    assert "<b>x<" not in html(check(app(runs="<b>x<")))


def test_without_a_run_and_a_checkpoint_it_says_how_to_start(
    app: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explorer.ui.options.ROOT", tmp_path)
    at = app()
    assert not at.exception
    assert not at.main.error
    assert "python -m model.train" in at.info[0].value
    save_history(tmp_path / "first.history.json", history(1))
    at.run()
    assert at.multiselect(key="runs").value == ["first"]


def test_a_folder_of_runs_that_does_not_exist_is_said(visit: Open, tmp_path: Path) -> None:
    at = visit("training", "--runs", str(tmp_path / "nowhere"))
    assert "There is no folder nowhere (--runs)" in at.main.warning[0].value
    assert not visit("training", "--runs", str(tmp_path)).main.warning


def test_an_unknown_option_is_one_sentence(app: Open) -> None:
    at = app("--color", "red")
    assert not at.exception
    assert "options after" in at.main.error[0].value


def test_a_link_with_nonsense_shows_the_default(app: Open) -> None:
    at = check(app(runs="nowhere", along="light-years", window="-3"))
    assert at.multiselect(key="runs").value == ["cifar10-course"]


# Downloads


@pytest.fixture
def take(opened: Take, tmp_path: Path) -> Take:
    """Open the Training page with the runs of a folder, and put together what it offers."""
    return partial(opened, "training", "--runs", str(tmp_path))


def run(program: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that a program prints."""
    capsys.readouterr()
    exec(compile(program, "snippet", "exec"), {"__name__": "__main__"})
    return capsys.readouterr().out.splitlines()


def count(pixels: np.ndarray, tone: str) -> int:
    """How many pixels have a color."""
    wanted = np.round(np.array(to_rgb(tone)) * 255)
    return int((np.abs(pixels.astype(int) - wanted) <= 2).all(-1).sum())


def test_the_program_prints_the_accuracy_that_the_table_shows(
    take: Take, capsys: pytest.CaptureFixture[str]
) -> None:
    at, offer = take(runs="cifar10-course,cifar10-fast")
    printed = run(offer.snippet, capsys)
    assert printed == offer.printed.partition(": ")[2].removesuffix(".").split(", ")
    assert len(printed) == 2
    for accuracy in printed:
        assert f"<td>{accuracy}</td>" in html(at)


def test_runs_are_taken_away_as_they_were_written(take: Take, tmp_path: Path) -> None:
    save_history(tmp_path / "a.history.json", history(2, state="stopped", command="python -m model.train"))
    save_history(tmp_path / "b.history.json", history(3, state="finished"))
    checkpoint(tmp_path / "b.safetensors")
    _, offer = take(runs="a,b", window="5")
    read = {name: read_run(tmp_path / f"{name}.history.json") for name in "ab"}
    rows = offer.tables["Epochs"]()
    assert rows[["run", "epoch"]].to_numpy().tolist() == [["a", 1], ["a", 2], ["b", 1], ["b", 2], ["b", 3]]
    assert rows["test_accuracy"].tolist() == [row.test_accuracy for each in "ab" for row in read[each].epochs]
    losses, arrays = offer.tables["Losses"](), offer.arrays()
    for name, each in read.items():
        own = losses[losses["run"] == name]
        assert own["loss"].tolist() == each.losses.tolist()
        assert own["mean_of_last_5"].tolist() == pytest.approx(smoothed(each.losses.tolist(), 5).tolist())
        np.testing.assert_array_equal(arrays[f"losses_{name}"][0], each.losses)
        assert arrays[f"epochs_{name}"][0].shape == (len(each.epochs), 8)
        assert arrays[f"epochs_{name}"][0][-1, 4] == each.epochs[-1].test_accuracy
    assert offer.tables["Runs"]()["state"].tolist() == ["stopped", "finished"]
    assert "Run a · 2 of 5 epochs, stopped · Command python -m model.train · Run b" in offer.caption
    assert re.search(r"Checkpoint b \([0-9a-f]{12}\)", offer.caption)


def test_pictures_show_every_run_by_the_pages_choices(take: Take, tmp_path: Path) -> None:
    save_history(tmp_path / "a.history.json", history(2, 40))
    save_history(tmp_path / "b.history.json", history(3, 40))
    _, one = take(runs="a", window="10")
    _, both = take(runs="a,b", window="10")
    _, smoother = take(runs="a,b", window="50")
    _, minutes = take(runs="a,b", window="10", along="minutes")
    assert list(both.pictures) == [
        "loss of every step",
        "accuracy and loss by epoch",
        "learning rate by epoch",
    ]
    for name, draw in both.pictures.items():
        drawn = draw()
        assert count(drawn, SERIES[1]) > 100 > count(one.pictures[name](), SERIES[1])
        assert not np.array_equal(drawn, minutes.pictures[name]())
    assert not np.array_equal(
        both.pictures["loss of every step"](), smoother.pictures["loss of every step"]()
    )
    assert [chart.title for chart in both.figure()] == ["Training loss", "Accuracy", "Loss", "Learning rate"]


def test_a_run_is_taken_away_before_its_first_epoch_is_over(
    take: Take, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.history.json"
    save_history(path, replace(history(0), losses=[2.0, 1.9]))
    _, offer = take(runs="a")
    assert list(offer.pictures) == ["loss of every step"]
    assert set(offer.tables) == {"Runs", "Losses"}
    assert run(offer.snippet, capsys) == ["0"]
    save_history(path, history(2))
    _, offer = take(runs="a")
    assert offer.printed == "It prints the last test accuracy so far: 45.00%."
    assert run(offer.snippet, capsys) == ["45.00%"]


def test_nothing_is_offered_before_the_first_step(app: Open, tmp_path: Path) -> None:
    save_history(tmp_path / "a.history.json", history(0))
    assert not any(fold.label == "Download" for fold in check(app(runs="a")).expander)


def test_the_fold_stays_open_while_a_run_goes_on(app: Open, tmp_path: Path) -> None:
    path = tmp_path / "a.history.json"
    save_history(path, history(1))
    at = check(app(runs="a"))
    at.session_state["take_away"] = True
    assert "35.00%" in check(at.run()).main.markdown[-1].value
    save_history(path, history(2))
    assert "45.00%" in check(at.run()).main.markdown[-1].value


def test_a_run_that_starts_later_changes_no_choice(app: Open, tmp_path: Path) -> None:
    checkpoint(tmp_path / "mine.safetensors")
    save_history(tmp_path / "first.history.json", history(state="finished"))
    at = check(app("--checkpoint", str(tmp_path / "mine.safetensors")))
    assert at.multiselect(key="runs").value == ["first"]
    save_history(tmp_path / "second.history.json", history(1))
    check(at.run())
    assert at.multiselect[0].value == ["first"]
    assert at.button(key="follow_second").label == "Show second, which is training now"
    at.button(key="follow_second").click().run()
    assert check(at).multiselect[0].value == ["second"]
