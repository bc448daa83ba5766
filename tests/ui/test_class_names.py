"""Class names: with their translation on the page, as they are in links, files and programs."""

from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from explorer.ui.class_names import CIFAR10, glossed, glossed_all
from model import cifar10, words


@pytest.fixture
def chinese() -> Iterator[None]:
    words.use("zh_CN")
    yield
    words.use(words.ENGLISH)


def test_every_class_of_cifar10_has_a_translation_and_no_other_name(chinese: None) -> None:
    assert cifar10.CLASSES == CIFAR10
    assert [glossed(name) for name in CIFAR10[:3]] == ["airplane 飞机", "automobile 汽车", "bird 鸟"]
    assert all(glossed(name).startswith(f"{name} ") for name in CIFAR10)
    assert [glossed(name) for name in ("tabby", "猫", "Cat", "{name}", "")] == [
        "tabby",
        "猫",
        "Cat",
        "{name}",
        "",
    ]


def test_of_classes_with_the_same_name_each_has_its_number() -> None:
    assert glossed_all(("crane", "cat", "crane")) == ("crane (class 0)", "cat", "crane (class 2)")


def test_english_has_the_names_alone() -> None:
    assert tuple(map(glossed, CIFAR10)) == CIFAR10


def test_a_page_shows_both_and_the_option_is_the_networks_name(
    visit: Callable[..., AppTest], chinese: None
) -> None:
    at = visit("explain", lang="zh_CN", sample="horse", **{"class": "dog"})
    html = "".join(each.proto.body for each in at.get("html"))
    assert "horse 马</span>" in html
    box = at.selectbox(key="class")
    assert (box.value, box.options[1]) == ("dog", "airplane 飞机")


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("explain", "为什么是“horse 马”？"),
        ("network", "从图片到“horse 马”，逐步进行"),
        ("interventions", "没有 logit 改变；预测是 horse 马。"),
    ],
)
def test_headings_and_sentences_have_both_and_the_programs_the_name_alone(
    visit: Callable[..., AppTest], chinese: None, page: str, sentence: str
) -> None:
    at = visit(page, lang="zh_CN", sample="horse")
    assert not at.exception
    texts = [each.value for each in at.header] + [each.proto.body for each in at.get("html")]
    assert any(sentence in text for text in texts)
    assert "马" not in "".join(each.value for each in at.code)
