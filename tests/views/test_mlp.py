"""The page MLP and CNN: its numbers are those of the shipped networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from explorer.engine.batches import Batch, from_scenes
from explorer.engine.intervals import interval
from explorer.engine.translation import DIRECTIONS, SEED
from explorer.ui import lessons
from explorer.views.mlp import shifts
from model.checkpoint import load_checkpoint

Open = Callable[..., AppTest]
IMAGES = 32
NAMES = ("mlp", "batch", "mlp-still", "batch-still")


def text(at: AppTest) -> str:
    pieces = [*at.main.markdown, *at.main.caption, *at.main.info]
    return " ".join([piece.value for piece in pieces] + [piece.proto.body for piece in at.main.get("html")])


@pytest.fixture
def html(visit: Open, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(shifts, "IMAGES", IMAGES)
    at = visit("mlp")
    assert not at.exception, at.exception[0].value
    return text(at)


def same_when_moved(name: str, batch: Batch, distance: int) -> int:
    """How many predictions of the scenes stay the same, moved by padding and cutting out."""
    checkpoint = load_checkpoint(lessons.FOLDER / f"{name}.safetensors")
    net = checkpoint.build().eval()
    chosen = np.random.default_rng(SEED).integers(len(DIRECTIONS), size=IMAGES)
    wide = np.pad(batch.pixels, ((0, 0), (distance,) * 2, (distance,) * 2, (0, 0)), mode="edge")
    starts = [
        (distance * (1 - down), distance * (1 - right)) for down, right in (DIRECTIONS[k] for k in chosen)
    ]
    moved = np.stack([wide[n, top : top + 32, left : left + 32] for n, (top, left) in enumerate(starts)])
    with torch.no_grad():
        return int((net(checkpoint.card.to_inputs(moved)).argmax(1) == net(batch.x).argmax(1)).sum())


def test_the_page_says_that_the_sidebars_checkpoint_has_no_effect(html: str) -> None:
    assert "The checkpoint in the sidebar has no effect on this page." in html


def test_the_table_of_shifts_is_measured(html: str) -> None:
    batch = from_scenes(IMAGES, load_checkpoint(lessons.FOLDER / "mlp.safetensors").card)
    for name in NAMES:
        same = same_when_moved(name, batch, 3) / IMAGES
        low, high = interval(same, IMAGES)
        assert f"<td>{same:.1%} ({low:.1%} to {high:.1%})</td>" in html


def test_parameters_and_accuracies_are_those_of_the_checkpoints(html: str) -> None:
    for name in ("mlp", "batch"):
        checkpoint = load_checkpoint(lessons.FOLDER / f"{name}.safetensors")
        assert f"**{sum(p.numel() for p in checkpoint.build().parameters()):,}**" in html
        assert f"**{checkpoint.card.metrics['test_accuracy']:.1%}**" in html
        assert checkpoint.card.config["lr"] == 0.01
    assert "<td>1,024 times</td>" in html


def test_missing_networks_are_one_sentence(
    visit: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lessons, "FOLDER", tmp_path)
    at = visit("mlp")
    assert not at.exception
    assert "The run mlp is not in the folder" in text(at)


@pytest.mark.parametrize("page", ["explain", "maps", "batchnorm", "dropout"])
def test_a_network_without_feature_maps_opens(visit: Open, page: str) -> None:
    at = visit(page, "--checkpoint", str(lessons.FOLDER / "mlp.safetensors"))
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value
