"""The page Dropout: the spread over masks, one mask, and networks with none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch.nn.functional import dropout

from explorer.engine.dropout import MASKS, DropoutLayer, Masked
from explorer.engine.randomness import SEED
from explorer.engine.samples import scene
from explorer.views.dropout.charts import Spread
from explorer.views.dropout.mask import legend
from explorer.views.dropout.page import finding
from model.card import Card
from model.checkpoint import load_checkpoint

ROOT = Path(__file__).parents[2]
CAT = 3
Open = Callable[..., AppTest]


def text(at: AppTest) -> str:
    pieces = [*at.main.markdown, *at.main.caption, *at.main.info]
    return " ".join([piece.value for piece in pieces] + [piece.proto.body for piece in at.main.get("html")])


def checked(at: AppTest) -> AppTest:
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value
    return at


def under_masks(name: str, p: float) -> tuple[np.ndarray, np.ndarray]:
    """The cat's probabilities under MASKS masks, and in eval mode, by torch's own dropout."""
    checkpoint = load_checkpoint(ROOT / "checkpoints" / f"{name}.safetensors")
    net = checkpoint.build().eval()
    x = checkpoint.card.to_input(scene(CAT).pixels)
    with torch.no_grad():
        for block in (1, 2, 3):
            for stage in ("conv", "bn", "relu", "pool"):
                x = net.get_submodule(f"{stage}{block}")(x)
        hidden = net.relu_fc(net.fc1(x.flatten(1)))
        torch.manual_seed(SEED)
        masked = net.fc2(dropout(hidden.expand(MASKS, -1), p, training=True)).softmax(1)
        return masked.numpy(), net.fc2(hidden).softmax(1)[0].numpy()


@pytest.mark.parametrize(
    ("name", "link", "p"), [("cifar10-course", {}, 0.5), ("cifar10-fast", {"dropout_p": "0.25"}, 0.25)]
)
def test_the_spread_is_that_of_torchs_dropout(visit: Open, name: str, link: dict[str, str], p: float) -> None:
    html = text(checked(visit("dropout", checkpoint=name, mask="7", **link)))
    masked, plain = under_masks(name, p)
    first = int(plain.argmax())
    values = masked[:, first]
    assert f"has the mean {values.mean():.1%} and goes from {values.min():.1%} to {values.max():.1%}" in html
    others = int((masked.argmax(1) != first).sum())
    assert (f"**{others}** of the mask" if others else "None of the masks changes") in html
    assert f"{masked[6].max():.1%}" in html  # the bars of mask 7


def test_the_picture_of_a_mask_states_its_range(visit: Open) -> None:
    checkpoint = load_checkpoint(ROOT / "checkpoints" / "cifar10-course.safetensors")
    net = checkpoint.build().eval()
    received = []
    net.dropout.register_forward_hook(lambda module, inputs, output: received.append(inputs[0]))
    with torch.no_grad():
        net(checkpoint.card.to_input(scene(CAT).pixels))
    html = text(checked(visit("dropout")))
    assert f"Color scale from 0 … {received[0].max():.3g}, shared scale for all masks" in html


def test_a_network_trained_without_dropout_is_told_what_another_p_would_do(visit: Open) -> None:
    at = checked(visit("dropout", checkpoint="cifar10-fast"))
    assert "With p = 0 it switches nothing off in training" in text(at)
    assert "p = 0.5)" in text(at)


def test_a_network_without_dropout_gets_a_sentence(visit: Open) -> None:
    at = checked(visit("dropout", checkpoint="cifar10-resnet9"))
    assert "This network has no Dropout that runs as a module" in text(at)
    assert "called as a function" in text(at)
    assert "nothing is switched off" not in text(at)


def test_the_link_keeps_mask_and_p(visit: Open) -> None:
    at = checked(visit("dropout", mask="99", dropout_p="0.75"))
    assert at.query_params["mask"] == str(MASKS)
    assert at.query_params["dropout_p"] == "0.75"
    assert "Here each has p = 0.75, not that of training." in text(at)


def test_values_that_were_0_are_spoken_of_only_where_there_are_some() -> None:
    def said(received: list[float]) -> str:
        mask = np.array([[True, False, False]])
        made = Masked(np.ones(2), np.ones((1, 2)), np.array(received), mask)
        return legend(Spread(DropoutLayer("drop", 0.5), (), None, made), mask[0])

    assert said([1, 2, 3]).endswith("2 of 3 values are off (66.7%; p = 0.5).")
    assert "1 of them was 0 already, as after a ReLU" in said([1, 0, 3])


def test_of_independent_labels_the_most_probable_one_is_spoken_of() -> None:
    made = Masked(np.array([0.9, 0.8]), np.array([[0.7, 0.9], [0.9, 0.1]]), np.ones(1), np.ones((2, 1), bool))
    selection = SimpleNamespace(card=Card(classes=("sun", "sea")), independent=True)
    said = finding(selection, made)
    assert "Under **1** of the masks another label is the most probable one." in said
    assert "predicted class" not in said
