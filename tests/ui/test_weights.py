"""The page says in one line what was done to a file's weights, and lets one of several be chosen."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from explorer.ui.cached import Opened
from model.checkpoint import digest_of
from model.nets import NETS

Open = Callable[..., AppTest]


def state(seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return dict(NETS["course"](classes=4).state_dict())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    saved = {"model": state(0), "model_ema": state(1), "optimizer": {"momentum": torch.zeros(3)}}
    torch.save(saved, tmp_path / "run.pth.tar")
    return tmp_path / "run.pth.tar"


def captions(at: AppTest) -> str:
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value
    return " ".join(each.value for each in at.sidebar.caption)


def test_what_was_done_is_one_line(visit: Open, path: Path) -> None:
    line = captions(visit("explain", "--checkpoint", str(path)))
    assert "Read from `model_ema` in the file: averaged weights. Not used: `optimizer`." in line


def test_a_plain_file_has_no_such_line(visit: Open, tmp_path: Path) -> None:
    torch.save(state(0), tmp_path / "plain")
    assert "Read from" not in captions(visit("explain", "--checkpoint", str(tmp_path / "plain")))


def digest(at: AppTest) -> str:
    opened = at.session_state["_selection"].opened
    assert isinstance(opened, Opened)
    return opened.checkpoint.digest


def test_the_other_weights_are_a_choice_of_the_page_and_of_the_link(visit: Open, path: Path) -> None:
    at = visit("explain", "--checkpoint", str(path))
    assert digest(at) == digest_of(state(1))
    at.selectbox(key="weights").select("model").run()
    assert digest(at) == digest_of(state(0))
    assert at.query_params["weights"] == "model"
    linked = visit("maps", "--checkpoint", str(path), weights="model")
    assert digest(linked) == digest_of(state(0))
    given = visit("explain", "--checkpoint", str(path), "--weights", "model")
    assert digest(given) == digest_of(state(0))
    assert "Read from `model` in the file. Not used" in captions(given)


def test_a_file_without_the_weights_asked_for_is_one_sentence(visit: Open, path: Path) -> None:
    at = visit("explain", "--checkpoint", str(path), "--weights", "student")
    assert not at.exception
    assert [error.value for error in at.error] == [
        "run.pth.tar has no weights “student” that fit its network; "
        "those that fit are in “model_ema”, “model”."
    ]
