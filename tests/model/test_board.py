import sys
from types import SimpleNamespace

import pytest

from model.board import open_board, show
from model.history import About, Epoch, History
from model.recipes import TrainingError


class Written(list):
    """Keeps what a SummaryWriter is told."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def add_scalar(self, name, value, step):
        self.append((name, value, step))

    def flush(self):
        self.append("flushed")


def test_it_writes_losses_by_step_and_figures_by_epoch(monkeypatch, tmp_path):
    module = SimpleNamespace(SummaryWriter=Written)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    board = open_board(str(tmp_path), "run")
    assert board.folder == str(tmp_path / "run")
    rows = [Epoch(n, 1.0, 0.5, 2.0, 0.25, 1e-3, 900.0, 12.5) for n in (1, 2)]
    show(board, History([4.0, 3.0, 2.0, 1.0], rows, About(steps=2)))
    assert board[:2] == [("step/loss", 2.0, 3), ("step/loss", 1.0, 4)]
    assert ("epoch/test_accuracy", 0.25, 2) in board
    assert not any("flip" in str(each) for each in board)
    assert board[-1] == "flushed"


def test_without_tensorboard_it_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(TrainingError, match=r"^TensorBoard is not installed; .* --tensorboard out\.$"):
        open_board("runs", "run")


def test_it_is_not_needed():
    assert open_board("", "run") is None
