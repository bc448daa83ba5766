import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from model.batches import batches
from model.board import ZOOM, batch_sheet, filter_sheet, open_board, sheet, show
from model.datasets import Dataset
from model.history import About, Epoch, History, load_history
from model.problems import Problem
from model.recipes import Config
from model.train import main


class Written(list):
    """Keeps what a SummaryWriter is told."""

    def __init__(self, folder, purge_step):
        super().__init__()
        self.folder, self.purge_step = folder, purge_step

    def add_scalar(self, name, value, step):
        self.append((name, value, step))

    def add_image(self, name, image, step, dataformats):
        self.append((name, image, step, dataformats))

    def flush(self):
        self.append("flushed")


def test_it_writes_losses_by_step_and_figures_by_epoch(monkeypatch, tmp_path):
    module = SimpleNamespace(SummaryWriter=Written)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    board = open_board(str(tmp_path), "run")
    assert (board.folder, board.purge_step) == (str(tmp_path / "run"), 0)
    assert open_board(str(tmp_path), "run", new=False).purge_step is None
    rows = [Epoch(n, 1.0, 0.5, 2.0, 0.25, 1e-3, 900.0, 12.5) for n in (1, 2)]
    show(board, History([4.0, 3.0, 2.0, 1.0], rows, About(steps=2)), {"batch": "pixels"})
    assert board[:2] == [("step/loss", 2.0, 3), ("step/loss", 1.0, 4)]
    assert ("epoch/test_accuracy", 0.25, 2) in board
    assert ("batch", "pixels", 2, "HWC") in board
    assert not any("flip" in str(each) for each in board)
    assert board[-1] == "flushed"


@pytest.mark.parametrize(("count", "shape"), [(1, (3, 4)), (5, (6, 12)), (9, (9, 12))])
def test_a_sheet_has_every_tile_row_by_row_between_white_lines(count, shape):
    tiles = (
        np.arange(1, count + 1, dtype=np.uint8)[:, None, None, None].repeat(2, 1).repeat(3, 2).repeat(3, 3)
    )
    made = sheet(tiles)
    assert made.shape == (*shape, 3)
    across = shape[1] // 4
    for number in range(count):
        top, left = number // across * 3, number % across * 4
        assert (made[top : top + 2, left : left + 3] == number + 1).all()
    assert (made == 255).sum() == made.size - count * 18


def test_filters_are_shown_on_one_scale_about_gray():
    weights = torch.zeros(2, 3, 1, 1)
    weights[0, 0], weights[1, 1], weights[1, 2] = 2.0, -2.0, 1.0
    made = filter_sheet(weights)
    assert made[0, 0].tolist() == [255, 128, 128]
    assert made[0, ZOOM + 1].tolist() == [128, 0, 191]
    assert (made[:ZOOM, :ZOOM] == made[0, 0]).all()


def test_a_batch_is_shown_as_the_network_met_it():
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    data = Dataset("n", images, np.arange(5), tuple("abcde"), (0.4, 0.5, 0.6), (0.2, 0.3, 0.1), "")
    config = Config(augment="none", batch_size=3)
    made = batch_sheet(data, config, epoch=2)
    order = torch.cat([y for _, y in batches(data, config, 2)])[:3]
    shown = [made[:4, :4], made[:4, 5:9], made[5:9, :4]]
    np.testing.assert_array_equal(shown, images[order])


def test_tensorboard_itself_shows_the_run_once_though_it_was_stopped_and_began_anew(pictures, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out, board = tmp_path / "run.safetensors", tmp_path / "board"
    flags = ["--dataset", "folder", "--data-dir", str(pictures), "--batch-size", "7", "--width", "4"]
    flags += ["--epochs", "3", "--tensorboard", str(board), "--out", str(out)]
    assert main([*flags, "--seed", "9"]) == 0
    assert main([*flags, "--overwrite", "--stop-after", "2"]) == 0
    assert main(["--resume", "--out", str(out)]) == 0
    shown = EventAccumulator(str(board / "run"), size_guidance={"scalars": 0, "images": 0}).Reload()
    history = load_history(out.with_name("run.history.json"))
    losses = shown.Scalars("step/loss")
    assert [each.step for each in losses] == list(range(1, 13))
    assert [each.value for each in losses] == pytest.approx(history.losses, rel=1e-4)
    for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "lr", "seconds"):
        found = [(each.step, each.value) for each in shown.Scalars(f"epoch/{name}")]
        wanted = [(row.epoch, pytest.approx(getattr(row, name), rel=1e-6)) for row in history.epochs]
        assert found == wanted
    assert set(shown.Tags()["images"]) == {"batch", "filters"}
    for name, size in {"batch": 3 * 33, "filters": 2 * (3 * ZOOM + 1)}.items():
        pictures_of_it = shown.Images(name)
        assert [each.step for each in pictures_of_it] == [1, 2, 3]
        assert {Image.open(io.BytesIO(each.encoded_image_string)).size for each in pictures_of_it} == {
            (size, size)
        }


def test_without_tensorboard_it_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(Problem, match=r"^TensorBoard is not installed; .* without --tensorboard\.$"):
        open_board("runs", "run")


def test_it_is_not_needed():
    assert open_board("", "run") is None
