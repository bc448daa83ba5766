"""The scenes of Play say what the network computed, for any network, in the language in use."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explorer.drawing.ranges import MINUS
from explorer.engine.network_source import Source
from explorer.engine.probe import ConvStep
from explorer.engine.samples import scene
from explorer.engine.strongest_path import DenseStep, MapStep, strongest_path
from explorer.ui import cached
from explorer.ui.components.play import Scene
from explorer.ui.selection import Selection
from explorer.views.network import names
from explorer.views.network import scenes as building
from explorer.views.network.scene_pieces import MOST_FRAMES
from explorer.views.network.scenes import scenes
from model import words

CHECKPOINTS = Path(__file__).parents[3] / "checkpoints"
NETWORKS = ("Tokens", "PreActivation", "activated_norm", "same_padding", "perceptron", "Volumes",
            "UnderInference")  # fmt: skip


def selected(name: str) -> Selection:
    """A scene with a shipped network, or with one of the odd ones."""
    path = CHECKPOINTS / f"{name}.safetensors"
    own = Source(net=f"tests.engine.odd_networks:{name}", classes="5", input_size=32)
    return Selection(cached.opened(name, Source(path) if path.exists() else own), scene(3))


def built(selection: Selection) -> tuple[Scene, ...]:
    return scenes(selection, strongest_path(selection.net, selection.input.x, selection.target))


def value(text: str) -> float:
    return float(re.sub("^[=≈] ", "", text).replace(MINUS, "-"))


def test_a_hidden_unit_whose_value_happens_to_be_the_logit_is_not_called_the_logit() -> None:
    selection = selected("cifar10-course")
    path = strongest_path(selection.net, selection.input.x, selection.target)
    hidden = next(index for index, step in enumerate(path.steps) if isinstance(step, DenseStep))
    logit = float(selection.seen.logits[selection.target])
    step = path.steps[hidden]
    assert isinstance(step, DenseStep)
    bias = logit - float(step.products.sum())
    alike = replace(step, bias=bias, position=(len(selection.card.classes) + 50,))
    steps = (*path.steps[:hidden], alike, *path.steps[hidden + 1 :])
    names = [one.total.name if one.total else "" for one in scenes(selection, replace(path, steps=steps))]
    assert "logit" not in names[hidden]
    assert "logit" in names[-2]


def test_every_step_of_the_course_network_has_its_numbers() -> None:
    selection = selected("cifar10-course")
    path = strongest_path(selection.net, selection.input.x, selection.target)
    made = scenes(selection, path)
    assert len(made) == len(path.steps) == 19
    for step, one in zip(path.steps, made, strict=True):
        if isinstance(step, MapStep | DenseStep):
            assert step.layer in one.title
            last = one.total.text if one.total else one.rows[-1].text
            assert value(last) == pytest.approx(step.value, abs=1e-3)
        if one.total and one.rows[0].share is not None:  # a sum
            terms = [value(re.split(" (?=[=≈])", row.text)[-1]) for row in one.rows]
            assert sum(terms) == pytest.approx(value(one.total.text), abs=1e-3 * len(terms))
            running = [value(row.running) for row in one.rows]
            assert running == pytest.approx(np.cumsum(terms).tolist(), abs=1e-3 * len(terms))
            assert max(abs(row.share or 0) for row in one.rows) == 1
    with torch.no_grad():
        probability = float(selection.net(selection.input.x).softmax(1)[0, selection.target])
    assert f"gets {probability:.1%}" in made[-1].sentence


def test_what_stands_behind_an_equals_sign_follows_from_the_numbers_before_it() -> None:
    """A student with a calculator gets the last digit that is shown, or sees that it is only about so."""
    signs, products = [], 0
    for one in built(selected("cifar10-course")):
        for row in one.rows:
            if found := re.fullmatch(r"(\S+) × (\S+) ([=≈]) (\S+)", row.text):
                first, second, result = (value(text) for text in found.group(1, 2, 4))
                assert (abs(first * second - result) <= 0.0005001) == (found.group(3) == "=")
                products += 1
        if "BatchNorm" in one.title:
            before, centered, z, scaled, after = (value(row.text) for row in one.rows)
            mean, spread, gamma, beta = (value(row.name.split()[-1].strip("()")) for row in one.rows[1:])
            computed = before - mean, centered / spread, z * gamma, scaled + beta
            for row, each, result in zip(one.rows[1:], computed, (centered, z, scaled, after), strict=True):
                signs.append(row.text[0])
                assert (abs(each - result) <= 0.0005001) == (row.text[0] == "=")
    assert products > 5
    assert set(signs) == {"=", "≈"}


def test_a_window_slides_from_the_first_position_to_its_own() -> None:
    swept = [one for one in built(selected("cifar10-resnet9")) if one.sweep]
    assert swept
    for one in swept:
        assert one.left is not None
        assert one.right is not None
        assert one.sweep[0][1][:2] == (0, 0)
        assert one.sweep[-1] == (one.left.box, one.right.box)
        assert len(one.sweep) <= MOST_FRAMES


def test_the_followed_value_of_a_convolution_is_outlined() -> None:
    selection = selected("cifar10-course")
    path = strongest_path(selection.net, selection.input.x, selection.target)
    steps = [
        (step, one)
        for step, one in zip(path.steps, scenes(selection, path), strict=True)
        if isinstance(step, MapStep) and isinstance(step.arithmetic, ConvStep)
    ]
    assert len(steps) == 3
    for step, one in steps:
        values = [
            [float(text.replace(MINUS, "-")) for text, _, __, kind in each.cells if kind == "chosen"]
            for each in one.grids
        ]
        ((window,), (weight,), (product,)) = values
        assert window == pytest.approx(step.read[step.origin[1:]], abs=0.006)
        assert product == pytest.approx(window * weight, abs=0.03)


def test_a_step_is_called_by_the_end_of_its_layers_path() -> None:
    made = built(selected("cifar10-resnet9"))
    layers = {one.title: one.chip.replace(names.BREAK, "") for one in made if " · " in one.title}
    assert "layer2.conv" in layers.values()
    assert all(title.endswith(layer) for title, layer in layers.items())
    assert len({*layers.values()}) == len(layers)
    assert [one.chip for one in built(selected("cifar10-course"))][1:5] == ["conv1", "bn1", "relu1", "pool1"]


def test_no_two_layers_of_a_path_are_called_the_same() -> None:
    layers = ("stem.conv", "a.block1.conv", "b.block1.conv", "b.block2.conv", "b.0.conv", "fc", "pool.fc")
    chips = names.chips(layers)
    assert [chips[layer].replace(names.BREAK, "") for layer in layers] == [
        "stem.conv", "a.block1.conv", "b.block1.conv", "block2.conv", "b.0.conv", "fc", "pool.fc"
    ]  # fmt: skip


def test_of_a_long_path_the_middle_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    selection = selected("cifar10-course")
    whole = built(selection)
    monkeypatch.setattr(building, "MOST_SCENES", 10)
    made = built(selection)
    assert len(made) == 10
    assert (made[:5], made[6:]) == (whole[:5], whole[-4:])
    assert made[5].sentence.startswith("10 steps are left out here")


@pytest.mark.parametrize("name", NETWORKS)
def test_any_network(name: str) -> None:
    made = built(selected(name))
    assert len(made) > 2
    for one in made:
        assert one.title
        assert one.sentence
        assert one.thumb or one.sign
        json.dumps(asdict(one), allow_nan=False)


def texts(data: Any) -> list[str]:
    if isinstance(data, dict):
        return [text for key, each in data.items() if key not in KEYS for text in texts(each)]
    if isinstance(data, list | tuple):
        return [text for each in data for text in texts(each)]
    return [data] if isinstance(data, str) else []


KEYS = ("uri", "thumb", "sign", "kind", "chip", "cells")


@pytest.mark.parametrize("name", ["cifar10-resnet9", "same_padding"])
def test_every_text_is_translated(name: str, restored: Callable[[], None]) -> None:
    words.use(words.PSEUDO)
    selection = selected(name)
    known = {"picture", *selection.card.classes}
    for one in built(selection):
        for text in texts(asdict(one)):
            outside = text
            while "⟦" in outside:
                start = outside.rindex("⟦")
                outside = outside[:start] + outside[outside.index("⟧", start) + 1 :]
            assert not any(letter.isalpha() for letter in outside) or text in known, text


@pytest.fixture
def restored() -> Any:
    yield
    words.use(words.ENGLISH)
