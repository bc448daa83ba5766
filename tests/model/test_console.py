"""What the trainer's command says while it works."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.optim.lr_scheduler import ReduceLROnPlateau

from model import train as trainer
from model.checkpoint import load_checkpoint
from model.train import main
from model.training import loop
from tests import forks

ROOT = Path(__file__).parents[2]


@pytest.fixture
def flags(pictures, tmp_path):
    """A small run on a folder of images."""
    small = ["--dataset", "folder", "--data-dir", str(pictures), "--width", "4", "--device", "cpu"]
    return [*small, "--out", str(tmp_path / "run.safetensors")]


def test_it_says_what_it_trains_on_and_with_before_the_first_epoch(flags, pictures, tmp_path, capsys):
    assert main([*flags, "--epochs", "2"]) == 0
    printed = capsys.readouterr().out.partition("epoch  train loss")[0]
    files = sorted((pictures / "train").rglob("*.png"))
    values = np.stack([np.asarray(Image.open(file)) for file in files]) / 255
    mean, std = (
        " ".join(f"{one:.4f}" for one in each) for each in (values.mean((0, 1, 2)), values.std((0, 1, 2)))
    )
    count = sum(each.numel() for each in load_checkpoint(tmp_path / "run.safetensors").build().parameters())
    assert printed.splitlines() == [
        "Loading the images (folder) …",
        "Images: 24 for training, 9 for testing, 3 classes, 32 × 32 pixels",
        f"Normalization: mean {mean}, std {std}",
        f"Network: course, {count:,} parameters, on cpu in float32",
        "Training: adam, learning rate 0.001 (plateau); epochs: 2, steps per epoch: 1",
    ]


def test_a_line_stands_there_before_the_images_are_read(flags, capsys, monkeypatch):
    monkeypatch.setattr(trainer, "images_of", lambda _: pytest.fail(capsys.readouterr().out))
    with pytest.raises(pytest.fail.Exception, match="Loading the images"):
        main(flags)


def test_every_reduction_of_the_rate_is_one_line(flags, capsys, monkeypatch):
    measured = [1.0, 0.9, 0.95, 0.9, 0.9, 0.91, 0.9, 0.9, 0.9]
    losses = iter(measured)
    monkeypatch.setattr(loop, "evaluate", lambda *_: (next(losses), 0.5))
    assert main([*flags, "--epochs", str(len(measured)), "--patience", "1", "--lr", "0.008"]) == 0
    said = [
        line
        for line in capsys.readouterr().out.splitlines()
        if "reduced" in line or line[:5].strip().isdigit()
    ]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.008)
    theirs, expected = ReduceLROnPlateau(optimizer, factor=0.5, patience=1), []
    for epoch, loss in enumerate(measured, start=1):
        before = optimizer.param_groups[0]["lr"]
        theirs.step(loss)
        expected.append(f"{epoch}")
        if (now := optimizer.param_groups[0]["lr"]) < before and epoch < len(measured):
            expected.append(f"Learning rate reduced from {before:g} to {now:g} (plateau)")
    assert [line if "reduced" in line else line.split()[0] for line in said] == expected
    assert sum("reduced" in line for line in expected) == 3


@pytest.mark.parametrize(
    ("scheduler", "count"), [("step", 1), ("exponential", 3), ("cosine", 0), ("onecycle", 0), ("none", 0)]
)
def test_schedules_by_epoch_say_it_too(flags, capsys, scheduler, count):
    more = ["--step-size", "2"] if scheduler == "step" else []
    assert main([*flags, "--epochs", "4", "--scheduler", scheduler, *more]) == 0
    assert capsys.readouterr().out.count("Learning rate reduced from 0.00") == count


def test_the_bar_shows_the_mean_loss_of_the_epoch_so_far(flags, capsys, monkeypatch):
    shown, losses = [], iter([1.0, 2.0, 6.0])

    class Bar(loop.tqdm):
        def set_postfix_str(self, s="", refresh=True):
            shown.append(s)

    monkeypatch.setattr(loop, "tqdm", Bar)
    monkeypatch.setattr(loop, "step", lambda *_: (next(losses), 4))
    assert main([*flags, "--epochs", "1", "--batch-size", "10"]) == 0
    assert shown == ["loss 1.0000", "loss 1.5000", "loss 2.2500"]  # 24 images: 10, 10 and 4


def piped(flags, cwd=ROOT):
    done = forks.run("-m", "model.train", *flags, cwd=cwd, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    return done


def test_a_pipe_gets_a_line_an_epoch_and_no_bar(flags):
    done = piped([*flags, "--epochs", "3"])
    assert re.findall(r"^ +(\d+) ", done.stdout, re.MULTILINE) == ["1", "2", "3"]
    assert "\r" not in done.stdout + done.stderr
    assert done.stderr == ""
