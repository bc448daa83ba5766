"""The start page: its link, what its events do, its bytes and tables, and a network that stops."""

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
import torch
from streamlit.testing.v1 import AppTest

from explorer.drawing.colormaps import color
from explorer.drawing.ranges import Range, number
from explorer.engine.samples import scene
from explorer.ui import cached, link
from explorer.ui.cached import one_image
from explorer.ui.components.network_graph import Event, Stage, Tile, event_of
from explorer.ui.components.network_graph.payload import payload
from model.checkpoint import load_checkpoint

Visit = Callable[..., AppTest]
CHECKPOINTS = Path(__file__).parents[3] / "checkpoints"
BROKEN = """
from torch import nn
def build():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 32 * 32, 3)
    )
"""


def shown(at: AppTest) -> dict[str, Any]:
    """What the picture was sent, without its bytes."""
    assert not at.exception, at.exception[0].value
    protos = [each.proto for each in at.get("bidi_component")]
    data = next(each.bytes for each in protos if each.component_name == "network_graph")
    header: dict[str, Any] = json.loads(data[4 : 4 + struct.unpack("<I", data[:4])[0]])
    return header


def event(at: AppTest, kind: str, index: int, row: int = 0) -> AppTest:
    """What a click sends; AppTest calls no component's callback, so the page sees it only as it runs."""
    stage = shown(at)["stages"][index]
    channel = stage["tiles"][row]["channel"]
    sent = {"kind": kind, "index": index, "node": stage["node"], "channel": channel}
    at.session_state["network"] = {"event": sent}
    return at.run()


def test_the_page_names_the_product_and_says_what_it_does(visit: Visit) -> None:
    at = visit("network", sample="horse")
    assert not at.exception
    assert at.header[0].value == "Feature-map explorer"
    assert "horse" in at.caption[-1].value or any("horse" in each.value for each in at.caption)


@pytest.mark.parametrize("flow", ["conv9~1", "conv1~999", "conv1", "~", "conv1~-1", "conv1~1~2"])
def test_a_link_to_a_channel_that_is_not_there_shows_the_first(visit: Visit, flow: str) -> None:
    header = shown(visit("network", flow=flow))
    assert header["chosen"][1] == 0
    assert header["stages"][header["chosen"][0]]["name"] == "pool3"


@pytest.mark.parametrize("option", ["--std 0,0,0", "--weights ema", "--bogus", "--classes a,b,c"])
def test_a_wrong_option_is_one_sentence_and_no_error_of_the_page(visit: Visit, option: str) -> None:
    at = visit("network", *option.split())
    assert not at.exception
    assert len([*at.error, *at.sidebar.error]) == 1


def test_the_channel_in_the_link_is_chosen(visit: Visit) -> None:
    header = shown(visit("network", flow="conv2~5"))
    stage, row = header["chosen"]
    assert header["stages"][stage]["name"] == "conv2"
    assert header["stages"][stage]["tiles"][row]["text"].startswith("Channel 5 of conv2")
    assert {tuple(thread["target"]) for thread in header["threads"]} == {(stage, row)}


def test_the_logit_in_the_link_is_that_of_the_explained_class(visit: Visit) -> None:
    header = shown(visit("network", sample="cat", flow="fc2~5"))  # the dog's, and the cat is explained
    stage, row = header["chosen"]
    assert (stage, row) == (17, 0)
    tiles = header["stages"][stage]["tiles"]
    assert tiles[row]["text"].startswith("The logit of “cat”: ")
    assert {tuple(thread["target"]) for thread in header["threads"]} == {(stage, row)}
    logit = float(tiles[row]["text"].split(": ")[1].split(". ")[0])
    assert header["status"] == f"**The logit of “cat”** is {logit:.3g}."


def test_what_is_divided_before_it_is_a_logit_is_not_called_one(visit: Visit) -> None:
    header = shown(visit("network", checkpoint="cifar10-resnet9", sample="ship", flow="fc~8"))  # fc(…) / 8
    stage, row = header["chosen"]
    net = load_checkpoint(CHECKPOINTS / "cifar10-resnet9.safetensors")
    with torch.no_grad():
        logits = net.build()(net.card.to_input(scene(8).pixels))[0]
    value = number(8 * float(logits[8]))
    assert header["stages"][stage]["tiles"][row]["text"].startswith(f"Ship (fc): {value}. ")
    assert header["status"] == f"**Ship (fc)** is {value}."
    assert "logits" not in header["stages"][stage]["lines"]


@pytest.mark.parametrize(("unfolded", "blocks"), [("1.3", 6), ("99", 8), ("x", 8), ("1..2", 6)])
def test_blocks_in_the_link_are_unfolded(visit: Visit, unfolded: str, blocks: int) -> None:
    header = shown(visit("network", checkpoint="cifar10-resnet9", unfolded=unfolded))
    folded = sum(stage["folds"] == "unfold" for stage in header["stages"])
    assert folded == blocks
    assert sum(stage["folds"] == "fold" for stage in header["stages"]) == 8 - blocks


@pytest.mark.parametrize(
    ("kind", "index", "row", "page", "choices"),
    [
        ("open", 5, 2, "maps", {"stage": "conv", "block": "2"}),
        ("page", 7, 0, "maps", {"stage": "act", "block": "2"}),
        ("page", 6, 0, "batchnorm", {"norm": "bn2"}),
        ("page", 17, 0, "explain", {}),
        ("kernel", 0, 0, "maps", {"stage": "conv", "block": "1", "channel": "0", "slice": "0"}),
    ],
    ids=["a channel", "a column", "BatchNorm", "logits", "a kernel"],
)
def test_a_click_opens_the_page_about_it(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, kind: str, index: int, row: int, page: str,
    choices: dict[str, str],
) -> None:  # fmt: skip
    opened: list[str] = []
    changed: dict[str, str] = {}
    monkeypatch.setattr(link, "open_page", opened.append)
    monkeypatch.setattr(link, "change", lambda key, value: changed.update({key: value}))
    at = event(visit("network", flow="conv1~0"), kind, index, row)
    assert not at.exception, at.exception[0].value
    assert opened == [page]
    assert changed.items() >= choices.items()


def test_the_steps_of_a_network_with_long_passes_wait_until_they_are_unfolded(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_image, "MOST_OF_FLOW", 1000)
    strongest = Mock(wraps=cached.strongest_path)
    monkeypatch.setattr(cached, "strongest_path", strongest)
    at = visit("network", sample="frog")
    assert "play" not in names_of_components(at)
    assert not strongest.called
    at.session_state["play_steps"] = True
    at.run()
    assert not at.exception, at.exception[0].value
    assert "play" in names_of_components(at)


def names_of_components(at: AppTest) -> list[str]:
    return [each.proto.component_name for each in at.get("bidi_component")]


def test_a_kernel_opens_in_sight_and_only_once(visit: Callable[..., AppTest]) -> None:
    at = event(visit("network", flow="conv1~0"), "kernel", 0)
    assert not at.exception, at.exception[0].value
    assert names_of_components(at).count("arrival") == 1
    assert "arrival" not in names_of_components(at.run())


STAGES = [Stage("a", (), "", "conv", "x.a", tiles=(Tile(4, ""), Tile(0, ""))), Stage("b", (), "", "add", "+")]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"kind": "choose", "node": "x.a", "channel": 7}, Event("choose", 0, 7)),
        ({"kind": "page", "node": "+"}, Event("page", 1)),
        ({"kind": "class", "channel": 3}, Event("class", 0, 3)),
        ({"kind": "choose", "node": "a", "channel": 1}, None),
        ({"kind": "choose", "node": ["x.a"], "channel": 1}, None),
        ({"kind": "open", "node": "x.a", "channel": -1}, None),
        ({"kind": "open", "node": "x.a", "channel": True}, None),
        ({"kind": "kernel", "index": 0}, None),
        ({"kind": "kernel", "index": "0"}, None),
        ({"kind": "page", "index": 0}, None),
        ({"kind": "else", "node": "+"}, None),
        ({"kind": ["page"], "node": "+"}, None),
        ("page", None),
        (None, None),
    ],
    ids=str,
)
def test_what_the_browser_sends_is_not_trusted(sent: object, expected: Event | None) -> None:
    assert event_of(sent, STAGES, []) == expected


def test_the_bytes_hold_the_maps_in_the_colors_of_the_project() -> None:
    maps = np.linspace(-2, 2, 2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    tiles = (Tile(0, ""), Tile(1, ""))
    stage = Stage("a", (), "", "conv", "a", tiles=tiles, maps=maps, range=Range(-2, 2, True))
    image = np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3)
    data = payload(image, [stage], [], [], [], label="x")
    length = struct.unpack("<I", data[:4])[0]
    about, rest = json.loads(data[4 : 4 + length]), np.frombuffer(data, np.uint8, offset=4 + length)
    table = rest[768 * about["stages"][0]["table"] :][:768].reshape(256, 3)
    np.testing.assert_array_equal(rest[1536:1548].reshape(2, 2, 3), image)
    drawn = table[rest[1548:]].reshape(2, 3, 4, 3)
    np.testing.assert_array_equal(drawn, color(maps, Range(-2, 2, True)))


def test_the_tables_of_the_download_are_those_of_the_graph(opened: Callable[..., tuple]) -> None:
    _, offer = opened("network", flow="conv3~20")
    tables = {name: make() for name, make in offer.tables.items()}
    assert len(tables["Nodes"]) == 18
    assert tables["Nodes"]["parameters"].sum() == 1_147_914
    assert len(tables["Edges"]) == 17
    assert set(tables["Contributions"]["layer"]) >= {"conv1", "pool3", "fc1", "fc2"}
    lines: pd.DataFrame = tables["Lines"]
    assert set(lines["through"]) == {"conv3"}
    assert set(lines["target_channel"]) == {20}


def test_where_a_forward_pass_stops_the_graph_up_to_there_is_drawn(
    visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stops_early.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    at = visit("network", "--net", "stops_early:build", "--input-size", "32", "--classes", "3")
    assert not at.exception
    assert len(at.error) == 1
    assert at.header[0].value == "As far as the network gets"
    said = " ".join(each.value for each in at.caption)
    assert re.search(r"the output of 3, 1,024", said)
