"""Projector size and the page alone: in the link, by the sidebar, and the way back."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from explorer.ui import choices
from explorer.ui.frame import presentation

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest


def styles(at: AppTest) -> str:
    return " ".join(piece.proto.body for piece in at.get("html") if "<style>" in piece.proto.body)


@pytest.mark.parametrize("page", ["explain", "training"])
def test_the_link_enlarges_everything(visit: Callable[..., AppTest], page: str) -> None:
    plain, enlarged = visit(page), visit(page, size="large")
    assert not enlarged.exception
    assert presentation.LARGE not in styles(plain)
    assert presentation.LARGE in styles(enlarged)
    assert f"--enlarged: {presentation.ENLARGED}" in styles(enlarged)


def test_the_size_is_chosen_in_the_sidebar_and_stays_on_other_pages(visit: Callable[..., AppTest]) -> None:
    at = visit("training")
    control = next(each for each in at.get("button_group") if each.key == "size")
    assert list(control.options) == ["Normal", "Large"]
    control.set_value("large").run()
    assert at.query_params["size"] in ("large", ["large"])
    at.run()
    assert presentation.LARGE in styles(at)
    at.switch_page("views/scoreboard/page.py").run()
    assert presentation.LARGE in styles(at)
    assert at.query_params["size"] in ("large", ["large"])


def test_the_page_alone_and_back(visit: Callable[..., AppTest]) -> None:
    at = visit("training")
    at.button(key="show_page").click().run()
    assert not at.exception
    assert at.query_params["show"] in ("page", ["page"])
    assert presentation.ONLY_PAGE in styles(at)
    assert at.selectbox(key="checkpoint").value == "cifar10-course"  # hidden, and as it was
    at.button(key="show_all").click().run()
    assert "show" not in at.query_params
    assert presentation.ONLY_PAGE not in styles(at)
    assert "show_all" not in [button.key for button in at.button]


@pytest.mark.parametrize("link", [{"size": "huge"}, {"show": "x"}])
def test_anything_else_in_the_link_changes_nothing(
    visit: Callable[..., AppTest], link: dict[str, str]
) -> None:
    at = visit("training", **link)
    assert not at.exception
    assert presentation.LARGE not in styles(at)
    assert presentation.ONLY_PAGE not in styles(at)


def test_charts_grow_with_the_type(monkeypatch: pytest.MonkeyPatch) -> None:
    for large, height in ((False, 200), (True, 275)):
        monkeypatch.setattr(presentation, "large", lambda large=large: large)
        assert presentation.pixels(200) == height


def test_lists_of_a_given_width_grow_with_the_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presentation, "large", lambda: True)
    shown: dict[str, object] = {}
    monkeypatch.setattr(choices.link, "choose", lambda *_, **details: shown.update(details) or "a")
    assert choices.pick("Run", {"a": "a run"}, "run", width=320) == "a"
    assert shown["width"] == 440


def test_fields_of_numbers_grow_with_the_page() -> None:
    """Streamlit leaves out the buttons + and − of a field that is narrow for the size of its letters."""
    for file in sorted((Path(presentation.__file__).parents[2] / "views").rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("link.number", "link.decimal"):
                widths = [ast.unparse(each.value) for each in call.keywords if each.arg == "width"]
                grow = all(width.startswith(("presentation.pixels", "'stretch'")) for width in widths)
                assert grow, f"{file.name}:{call.lineno}: width={widths}"
