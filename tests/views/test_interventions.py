"""The page “Interventions”: marks in the link, undo, and results by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from explorer.drawing.ranges import number
from explorer.engine.intervention import Change, intervene
from explorer.engine.samples import scene
from explorer.views.interventions import marks
from model.checkpoint import load_checkpoint
from model.cifar10 import CLASSES
from tests.conftest import ROOT
from tests.views.test_any_network import own


def html(at: object) -> str:
    return " ".join(piece.proto.body for piece in at.get("html"))


def logits(name: str, *changes: Change) -> np.ndarray:
    checkpoint = load_checkpoint(ROOT / "checkpoints/cifar10-course.safetensors")
    x = checkpoint.card.to_input(scene(CLASSES.index(name)).pixels)
    return intervene(checkpoint.build(), x, changes).changed


@pytest.mark.parametrize(
    ("link", "change"),
    [
        ({}, Change("relu3", (52, 104, 105))),
        ({"how": "mean"}, Change("relu3", (52, 104, 105), "mean")),
        ({"how": "scale", "times": "-0.5"}, Change("relu3", (52, 104, 105), "scale", -0.5)),
    ],
)
def test_a_link_brings_marks_back_and_results_follow(visit: Callable, link: dict, change: Change) -> None:
    at = visit("interventions", sample="dog", marked="relu3~52.104-105", **link)
    assert not at.exception, at.exception[0].value
    before, after = logits("dog"), logits("dog", change)
    target = int(before.argmax())
    assert "relu3: 52, 104–105" in html(at)
    assert f"goes from {number(before[target])} to {number(after[target])}" in html(at)
    assert "Grad-CAM before the change" in html(at)


def test_marking_undo_and_reset(visit: Callable) -> None:
    at = visit("interventions", sample="dog")
    assert "No logit changes" in html(at)
    for channels in ([3], [3, 4, 5]):
        at.session_state["marking relu3"] = {"marks": {"channels": channels}}
        at.run()
    assert not at.exception, at.exception[0].value


def test_what_the_network_does_not_have_is_left_out(visit: Callable) -> None:
    at = visit("interventions", marked="relu3~500.2~none~1~fc1~3~relu2")
    assert not at.exception, at.exception[0].value
    assert "relu3: 2<" in html(at)
    assert at.query_params["marked"] in ("relu3~500.2~none~1~fc1~3~relu2", ["relu3~500.2~none~1~fc1~3~relu2"])


@pytest.mark.parametrize("name", ["Tokens", "PreActivation", "perceptron", "Volumes", "UnderInference"])
def test_any_network(visit: Callable, name: str) -> None:
    at = visit("interventions", *own(name))
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value


@pytest.mark.parametrize(
    "given", [{}, {"a": (0,)}, {"a": (0, 1, 2, 9), "b~%7E": (3, 5, 6)}, {"a": tuple(range(2048))}]
)
def test_marks_come_back_from_their_text(given: dict[str, tuple[int, ...]]) -> None:
    text = marks.encoded(given)
    assert marks.decoded(text, dict.fromkeys(given, 2048)) == given
    assert len(text) < 40


@pytest.mark.parametrize("text", ["~", "a", "a~", "a~~b", "a~-", "a~1-", "a~9-1", "a~99999999", "a~٣", "~1"])
def test_marks_of_nonsense_are_none(text: str) -> None:
    assert marks.decoded(text, {"a": 8}) == {}
