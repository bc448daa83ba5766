"""Links, cards, histories, options and names of any content: a sentence or a page, never a traceback."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save as to_safetensors
from streamlit.testing.v1 import AppTest

from explorer.engine.augmented import config_of
from explorer.engine.runs import command_from, read_run
from explorer.ui.options import options
from model.card import Card
from model.nets import NETS
from model.problems import Problem
from tests import forks

Visit = Callable[..., AppTest]
PAGES = ["network", "explain", "maps", "batchnorm", "compare", "augmentation", "training", "scoreboard",
         "time_machine", "set_map", "shift", "data_map"]  # fmt: skip
KEYS = [
    "checkpoint",
    "source",
    "sample",
    "only",
    "index",
    "fit",
    "class",
    "block",
    "blocks",
    "layer",
    "stage",
    "channel",
    "cell",
    "slice",
    "method",
    "runs",
    "along",
    "epoch",
    "seed",
    "count",
    "recipe",
    "strength",
    "transform",
    "images",
    "compare",
    "against",
    "range",
    "scale",
]
VALUES = ["", ",", ",,,", "-1", "0", "9" * 5000, "²", "1e999", "nan", "None", "a" * 10_000, "%", "%00",
          "true", "../../etc", "猫", "<b>", "x,y", "0-0", "99999-99999", "[[", "cat,cat", "\0"]  # fmt: skip
HUGE = 10**4000


def healthy(at: AppTest, server: str = "") -> AppTest:
    """No traceback, every sentence whole, and none of the server's own paths in one."""
    assert not at.exception, at.exception[0].value
    for message in (*at.error, *at.warning):
        assert message.value.endswith("."), message.value
        assert not server or server not in message.value
        message.value.encode()
    return at


def network(path: Path, **card: Any) -> Path:
    arguments = {"widths": [4, 6], "hidden": 8}
    torch.manual_seed(0)
    state = NETS["course"](classes=3, input_size=8, **arguments).state_dict()
    held = {"arguments": arguments, "classes": ["a", "b", "c"], "input_size": 8} | card
    path.write_bytes(to_safetensors(state, metadata={"card": json.dumps(held)}))
    return path


def history(path: Path, **about: Any) -> Path:
    row = {"epoch": 1, "train_loss": 1.0, "train_accuracy": 0.5, "test_loss": 1.0, "test_accuracy": 0.5,
           "lr": 0.1, "images_per_second": 9.0, "seconds": 1.0}  # fmt: skip
    path.write_text(json.dumps({"about": about, "epochs": [row], "losses": [2.0, 1.0]}))
    return path


# Links


@pytest.mark.parametrize("page", PAGES)
def test_links_of_any_content(page: str, visit: Visit) -> None:
    chance = random.Random(page)
    for _ in range(3):
        healthy(visit(page, **{key: chance.choice(VALUES) for key in KEYS}))


def test_one_run_seven_times_and_a_run_with_a_comma(visit: Visit, tmp_path: Path) -> None:
    for name in ("one", "two, or three", "50%, done"):
        history(tmp_path / f"{name}.history.json")
    at = healthy(visit("training", "--runs", str(tmp_path), runs=",".join(["one"] * 7)))
    assert at.multiselect(key="runs").value == ["one"]
    at.multiselect(key="runs").set_value(["two, or three", "50%, done"]).run()
    link = at.query_params["runs"]
    link = link[0] if isinstance(link, list) else link
    at = healthy(visit("training", "--runs", str(tmp_path), runs=link))
    assert at.multiselect(key="runs").value == ["two, or three", "50%, done"]


# Cards

CARDS: list[dict[str, Any]] = [
    {"config": {"seed": "abc", "augment": "crop,flip"}},
    {"config": {"seed": 1.5, "augment": "crop"}},
    {"config": {"seed": HUGE, "augment": "crop", "epochs": HUGE}},
    {"config": {"seed": -1, "augment": "crop", "batch_size": -1, "size": 0}},
    {"config": {"seed": None, "augment": None, "epochs": True}},
    {"config": {"augment": ["crop"], "lr": "fast", "deep": [[[[{"a": [None]}]]]]}},
    {"config": {"augment": "crop=" + "9" * 5000}},
    {"metrics": {"test_accuracy": float("nan"), "x": float("inf"), "\ud800": -1}},
    {"classes": ["\ud800", "caf\udce9", "c"], "data": "\udfff", "recipe": "\udce9"},
    {"classes": ["", " ", "\n"], "versions": {"\ud800": "\udfff", "a": [1]}},
    {"classes": ["a", "a", "a"]},
    {"recipe": "x" * 100_000, "data": "y" * 100_000},
]


@pytest.mark.parametrize("card", CARDS, ids=range(len(CARDS)))
def test_cards_of_any_content(card: dict[str, Any], visit: Visit, tmp_path: Path) -> None:
    path = network(tmp_path / "mine.safetensors", **card)
    history(tmp_path / "mine.history.json")
    for page in ("explain", "training", "augmentation"):
        healthy(visit(page, "--checkpoint", str(path)), str(tmp_path))


def test_settings_of_any_content_are_none() -> None:
    for card in CARDS[:7]:
        config = config_of(Card(**card))
        assert config is None
        command_from(Card(**card)).encode()


# Histories


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"losses": [1], "epochs": [{"epoch": 1' + "0" * 5000 + "}]}",
        '{"losses": [1' + "0" * 4000 + '], "epochs": []}',
        '{"losses": [], "epochs": [{"epoch": 1e300, "train_loss": 1, "train_accuracy": 1, "test_loss": 1, '
        '"test_accuracy": 1, "lr": 1, "images_per_second": 1, "seconds": 1}]}',
        "[" * 100_000,
    ],
    ids=range(6),
)
def test_histories_of_any_content(text: str, visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "odd.history.json"
    path.write_text(text)
    with pytest.raises(Problem, match=r"odd\.history\.json is incomplete"):
        read_run(path)
    at = healthy(visit("training", "--runs", str(tmp_path), runs="odd"), str(tmp_path))
    assert "odd.history.json" in at.warning[0].value


def test_a_history_that_claims_numbers_beyond_count(visit: Visit, tmp_path: Path) -> None:
    history(
        tmp_path / "odd.history.json",
        epochs=HUGE,
        steps=-5,
        recipe="\ud800",
        command="\udce9",
        started="\udfff",
    )
    healthy(visit("training", "--runs", str(tmp_path), runs="odd"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_where_files_belong(visit: Visit, tmp_path: Path) -> None:
    for name in ("a.history.json", "a.safetensors"):
        os.mkfifo(tmp_path / name)
    history(tmp_path / "b.history.json")
    os.mkfifo(tmp_path / "b.safetensors")
    at = healthy(visit("training", "--runs", str(tmp_path), runs="a,b"), str(tmp_path))
    assert sum("not a regular file" in message.value for message in at.warning) == 2
    healthy(visit("explain", "--checkpoint", str(tmp_path / "a.safetensors")), str(tmp_path))


def test_snapshots_of_no_bytes(visit: Visit, tmp_path: Path) -> None:
    path = network(tmp_path / "mine.safetensors", epoch=3)
    (tmp_path / "mine.snapshots").mkdir()
    for epoch in range(3):
        (tmp_path / "mine.snapshots" / f"epoch-{epoch:04}.safetensors").touch()
    at = healthy(visit("time_machine", "--checkpoint", str(path)), str(tmp_path))
    assert at.error or at.warning or at.info


# Names

needs_bytes = pytest.mark.skipif(os.name == "nt", reason="names are not bytes there")


@needs_bytes
def test_names_that_are_not_unicode(visit: Visit, tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    pixels = np.zeros((8, 8, 3), np.uint8)
    for name in (odd, os.fsdecode(b"caf\xe8")):
        (tmp_path / "test" / name).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "test" / name / f"{odd}.png")
    path = network(tmp_path / f"{odd}.safetensors", classes=["caf\udce8", "caf\udce9", "c"])
    history(tmp_path / f"{odd}.history.json")
    data = tmp_path / os.fsdecode(b"photos\xe9")
    data.mkdir()
    (tmp_path / "test").rename(data / "test")
    given = ("--checkpoint", str(path), "--data-dir", str(data))
    for page in PAGES:
        healthy(visit(page, *given, source="test", only="caf\\xe9"))
    at = healthy(visit("explain", *given, source="test", only="caf\\xe9"))
    assert at.selectbox(key="only").value == "caf\\xe9"
    assert at.selectbox(key="checkpoint").value == "caf\\xe9.safetensors"


# Options


@pytest.mark.parametrize(
    "given",
    [
        ("--checkpoint", ""),
        ("--runs", " "),
        ("--data-dir", ""),
        ("--data-dir", "x" * 5000),
        ("--runs", "x/" * 3000),
        ("--input-size", "9" * 5000),
        ("--mean", "9" * 5000),
    ],
    ids=range(7),
)
def test_options_of_any_content(given: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["app.py", *given])
    with pytest.raises(Problem, match=r"\.$") as caught:
        options()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("path", ["x" * 5000 + ".pt", "a/" * 3000, "none.pt"])
def test_checkpoints_at_paths_that_are_none(path: str, visit: Visit) -> None:
    for page in ("explain", "training"):
        healthy(visit(page, "--checkpoint", path))


@pytest.mark.parametrize("closed", ["runs", "runs/one", "test", "test/cat"])
def test_folders_without_permission(
    closed: str, visit: Visit, tmp_path: Path, close_folder: Callable[[Path], None]
) -> None:
    for folder in ("runs/one", "test/cat", "test/dog"):
        (tmp_path / folder).mkdir(parents=True)
    history(tmp_path / "runs" / "one" / "a.history.json")
    close_folder(tmp_path / closed)
    for page in ("training", "explain"):
        healthy(visit(page, "--runs", str(tmp_path / "runs"), source="test"), str(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_files_that_somebody_else_may_not_read(tmp_path: Path) -> None:
    path = network(tmp_path / "mine.safetensors")
    path.chmod(0)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o111 != 0o111:
            pytest.skip("somebody else does not come this far")
    program = (
        "import os, sys; from model.checkpoint import load_checkpoint; os.setuid(65534)\n"
        "try: load_checkpoint(sys.argv[1])\nexcept ValueError as error: print(error)"
    )
    done = forks.run("-c", program, path)
    assert done.stdout == "mine.safetensors cannot be read (Permission denied); change its permissions.\n"
