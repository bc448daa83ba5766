import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from model.history import (
    About,
    Epoch,
    History,
    epochs_figure,
    load_history,
    loss_figure,
    save_figure,
    save_history,
    smoothed,
)


@pytest.fixture
def history():
    rows = [Epoch(n, 2.0 / n, 0.3 * n, 2.1 / n, 0.25 * n, 1e-3, 900.0, 12.5) for n in (1, 2)]
    return History([2.5, 2.0, 1.51234567, 1.25], rows)


def test_it_comes_back_with_five_digits_of_each_loss(tmp_path, history):
    save_history(tmp_path / "h.json", history)
    loaded = load_history(tmp_path / "h.json")
    assert loaded.epochs == history.epochs
    assert loaded.losses == [2.5, 2.0, 1.5123, 1.25]


def test_an_empty_one_comes_back_too(tmp_path):
    save_history(tmp_path / "h.json", History())
    assert load_history(tmp_path / "h.json") == History()


GARBAGE = ["", "{", "[]", "3", "{}", '{"epochs": 3, "losses": []}', '{"epochs": [{}], "losses": []}']


@pytest.mark.parametrize("text", [*GARBAGE, '{"epochs": [], "losses": ["a"]}', "[" * 100_000, "\xff"])
def test_garbage_is_refused_in_one_sentence(tmp_path, text):
    (tmp_path / "h.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"is not a training history; train again to write one\.$"):
        load_history(tmp_path / "h.json")


def test_a_failed_save_keeps_the_old_file(tmp_path, history, monkeypatch):
    save_history(tmp_path / "h.json", history)
    before = (tmp_path / "h.json").read_bytes()
    monkeypatch.setattr("model.files.os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        save_history(tmp_path / "h.json", History())
    assert [path.name for path in tmp_path.iterdir()] == ["h.json"]
    assert (tmp_path / "h.json").read_bytes() == before


@pytest.mark.parametrize("window", [1, 3, 100])
def test_smoothing_is_the_mean_of_the_last_values(window):
    losses = np.random.default_rng(0).random(20).tolist()
    wanted = [np.mean(losses[max(0, i + 1 - window) : i + 1]) for i in range(20)]
    np.testing.assert_allclose(smoothed(losses, window), wanted)


def test_smoothing_nothing_gives_nothing():
    assert smoothed([]).shape == (0,)


def test_the_loss_picture_draws_every_step(history):
    (axes,) = loss_figure(history).axes
    assert axes.lines[0].get_ydata().tolist() == history.losses
    assert axes.get_ylim()[0] == 0
    assert "oss" in axes.get_ylabel()


def test_the_epochs_picture_draws_train_and_test_of_both(history):
    accuracy, loss = epochs_figure(history).axes
    assert [line.get_ydata().tolist() for line in accuracy.lines] == [[0.3, 0.6], [0.25, 0.5]]
    assert [line.get_ydata().tolist() for line in loss.lines] == [[2.0, 1.0], [2.1, 1.05]]
    assert [line.get_label() for line in loss.lines] == ["train", "test"]


@pytest.mark.parametrize("draw", [loss_figure, epochs_figure])
@pytest.mark.parametrize("empty", [False, True])
def test_pictures_are_pngs_of_any_history(tmp_path, history, draw, empty):
    save_figure(tmp_path / "p.png", draw(History() if empty else history))
    image = Image.open(io.BytesIO((tmp_path / "p.png").read_bytes()))
    assert image.format == "PNG"
    assert image.width > 500


def test_the_file_is_plain_json(tmp_path, history):
    save_history(tmp_path / "h.json", history)
    assert set(json.loads((tmp_path / "h.json").read_text())) == {"epochs", "losses"}


def test_what_run_it_is_of_comes_back_too(tmp_path, history):
    history.about = About(20, 782, "fast", "x.safetensors", "python -m model.train", "2026-01-02T03:04:05Z")
    save_history(tmp_path / "h.json", history)
    assert load_history(tmp_path / "h.json").about == history.about
    assert list(json.loads((tmp_path / "h.json").read_text())) == ["about", "epochs", "losses"]


def test_facts_unknown_to_this_version_are_passed_over(tmp_path):
    text = '{"about": {"recipe": "fast", "mood": "good"}, "epochs": [], "losses": []}'
    (tmp_path / "h.json").write_text(text)
    assert load_history(tmp_path / "h.json").about == About(recipe="fast")


def test_the_flip_averaged_accuracy_is_there_where_it_was_measured(tmp_path, history):
    history.epochs[1] = replace(history.epochs[1], flip_accuracy=0.6)
    save_history(tmp_path / "h.json", history)
    rows = json.loads((tmp_path / "h.json").read_text())["epochs"]
    assert ["flip_accuracy" in row for row in rows] == [False, True]
    assert load_history(tmp_path / "h.json").epochs == history.epochs


@pytest.mark.parametrize("about", ["3", "[1]", '{"epochs": "two"}', '{"recipe": 3}'])
def test_facts_of_another_kind_are_refused(tmp_path, about):
    (tmp_path / "h.json").write_text(f'{{"about": {about}, "epochs": [], "losses": []}}')
    with pytest.raises(ValueError, match="is not a training history"):
        load_history(tmp_path / "h.json")
