"""Whatever a control shows is what is used: the browser keeps the text it showed for an option of a widget,
so an option has one text for as long as its widget lives.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from explorer.ui.frame import pages

PAGES = [page.folder for page in pages.PAGES]
WIDGETS = ("selectbox", "multiselect", "pills", "segmented_control", "select_slider", "radio")
LOOKS = (
    {"sample": "horse"},
    {"checkpoint": "cifar10-fast"},
    {"sample": "ship", "class": "dog"},
    {"block": "2", "b_block": "2"},
    {"checkpoint": "cifar10-course"},
)
Texts = dict[tuple[str, object], set[str]]


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> Texts:
    """Key of a widget and one of its options → every text that it was given."""
    found: Texts = defaultdict(set)

    def noted(widget: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(widget)
        def drawn(label: str, options: Sequence[object], *args: Any, **details: Any) -> Any:
            for option in options:
                found[details["key"], option].add(str(details.get("format_func", str)(option)))
            return widget(label, options, *args, **details)

        return drawn

    for name in WIDGETS:
        monkeypatch.setattr(st, name, noted(getattr(st, name)))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_an_option_has_one_text_for_as_long_as_its_widget_lives(
    visit: Callable[..., AppTest], texts: Texts, page: str
) -> None:
    at = visit(page)
    for look in LOOKS:
        for key, value in look.items():
            choose(at, key, value)
    assert len(texts) > 10
    assert {key: shown for key, shown in texts.items() if len(shown) > 1} == {}


def choose(at: AppTest, key: str, value: str) -> None:
    """Choose as the visitor does, by the widget that the page has for it now, if it has one."""
    for each in (*at.selectbox, *at.get("button_group")):
        if str(each.key).partition("~")[0] == key:
            each.set_value(value).run()
            assert not at.exception, at.exception[0].value
            return


def test_the_predicted_class_is_named_below_the_box_and_not_in_it(visit: Callable[..., AppTest]) -> None:
    at = visit(sample="cat")
    for name in ("horse", "ship"):
        choose(at, "sample", name)
        assert at.selectbox(key="class").options[0] == "Predicted class"
        html = " ".join(piece.proto.body for piece in at.get("html"))
        answer = html.partition('class="name">')[2].partition("<")[0]
        assert f"Prediction: {answer}<" in html
