"""Explain's cards: what switching their channels off changes, and the way to the channel."""

from collections.abc import Callable

import pytest

from explorer.drawing.ranges import MINUS
from explorer.engine.ablation import ablations
from explorer.engine.samples import scene
from explorer.ui import effects
from explorer.ui.jobs import JOBS
from model.checkpoint import load_checkpoint
from model.cifar10 import CLASSES
from tests.components import click, component
from tests.conftest import ROOT
from tests.views.test_any_network import own

pytestmark = pytest.mark.usefixtures("patient")


def html(at: object) -> str:
    return " ".join(piece.proto.body for piece in at.get("html"))


def test_a_card_shows_the_measured_change_and_opens_its_channel(visit: Callable) -> None:
    at = visit("explain", sample="horse")
    (card, *_) = cards = component(at, "cards_supporting")["pictures"]
    channel = card["number"]
    checkpoint = load_checkpoint(ROOT / "checkpoints/cifar10-course.safetensors")
    x = checkpoint.card.to_input(scene(CLASSES.index("horse")).pixels)
    off = ablations(checkpoint.build(), x, "relu3", [channel])
    change = float((off.zeroed[0] - off.logits)[int(off.logits.argmax())])
    changes = [line for each in cards for line in each["lines"] if "switched off" in line]
    first, *others = (text.rpartition(" ")[2] for text in changes)
    assert float(first.replace(MINUS, "-")) == pytest.approx(change, abs=0.01)
    assert {len(each.partition(".")[2]) for each in others} == {len(first.partition(".")[2])}
    assert any("over the 128 channels of relu3" in each.value for each in at.markdown)
    assert any("The first 3 differ: of the 3 channels" in each.value for each in at.markdown)
    assert "**Positive contribution (by Grad-CAM)**" in [each.value for each in at.markdown]
    click(at, "cards_supporting", number=channel)
    assert not at.exception
    assert f"Channel {channel} of relu3" in [each.value for each in at.header]
    assert at.query_params["channel"] in (str(channel), [str(channel)])
    assert at.query_params["block"] in ("3", ["3"])


@pytest.mark.parametrize("name", ["UnderInference", "perceptron", "Tokens", "WithoutRunningStatistics"])
def test_any_network(visit: Callable, name: str) -> None:
    at = visit("explain", *own(name))
    assert not at.exception, at.exception[0].value


def test_until_all_is_measured_the_page_says_how_far_it_is(
    visit: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effects, "AT_ONCE", 0.0)
    monkeypatch.setattr(JOBS, "_jobs", {})  # whatever other tests have measured
    monkeypatch.setattr(JOBS, "follow", JOBS.look)
    at = visit("explain", sample="ship", **{"class": "frog"})
    assert not at.exception
    assert any("part 0 of 2 is done" in each.value for each in at.caption)
    assert "switched off: logit" not in html(at)
