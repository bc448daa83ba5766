"""Texts: their fields, their plural, their language."""

import pickle
import threading
from pathlib import Path

import pytest

from model import words
from model.problems import Problem
from model.words import ngettext, paragraph, tr

CATALOG = """\
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n>=2 && n<=4 ? 1 : 2);\\n"

msgid "{name} is empty."
msgstr "{name} je prázdný."

msgid "{n} image in {name}"
msgid_plural "{n} images in {name}"
msgstr[0] "{n} obrázek v {name}"
msgstr[1] "{n} obrázky v {name}"
msgstr[2] "{n} obrázků v {name}"
"""


@pytest.fixture
def czech(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "cs.po").write_text(CATALOG, encoding="utf-8")
    monkeypatch.setattr(words, "LOCALES", tmp_path)
    words._catalog.cache_clear()
    words.use("cs")
    yield
    words.use(words.ENGLISH)
    words._catalog.cache_clear()


def test_english_is_the_template_with_its_fields():
    assert tr("{name} is empty.", name="a{b}") == "a{b} is empty."
    assert ngettext("{n} image", "{n} images", 1) == "1 image"
    assert ngettext("{n} image", "{n} images", 0) == "0 images"


def test_a_catalog_translates_and_has_plurals_of_its_own(czech):
    assert tr("{name} is empty.", name="X") == "X je prázdný."
    forms = [ngettext("{n} image in {name}", "{n} images in {name}", n, name="X") for n in (1, 3, 5)]
    assert forms == ["1 obrázek v X", "3 obrázky v X", "5 obrázků v X"]
    assert tr("Not in the catalog.") == "Not in the catalog."
    assert words.languages() == ("en", "cs")


def test_an_unknown_language_or_a_path_is_english():
    for language in ("xx", "../secret", ""):
        words.use(language)
        assert tr("Training") == "Training"
    words.use(words.ENGLISH)


def test_one_thread_does_not_change_the_language_of_another():
    seen = []

    def other():
        words.use(words.PSEUDO)
        seen.append(tr("Training"))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == ["⟦Training⟧"]
    assert tr("Training") == "Training"


def test_a_problem_is_told_in_the_language_in_use(czech):
    problem = Problem("{name} is empty.", name="cat.jpg")
    assert str(problem) == "cat.jpg je prázdný."
    words.use(words.ENGLISH)
    assert str(problem) == "cat.jpg is empty."


def test_a_problem_survives_pickling():
    problem = pickle.loads(pickle.dumps(Problem("{name} is empty.", name="cat.jpg")))
    assert (str(problem), problem.fields) == ("cat.jpg is empty.", {"name": "cat.jpg"})


def test_sentences_stand_one_after_the_other_as_their_language_writes_them():
    assert paragraph(["One.", "**Two**: 3.5."]) == "One. **Two**: 3.5."
    assert paragraph(["一。", "**二**：3.5。", "Three."]) == "一。**二**：3.5。Three."
    words.use("zh_CN")
    try:
        assert tr(", ").join(["conv1", "conv2"]) == "conv1、conv2"
    finally:
        words.use(words.ENGLISH)


def test_no_space_stands_between_a_chinese_value_and_chinese_text():
    words.use("zh_CN")
    try:
        text = "shared by all epochs; the map of {name}"
        assert [tr(text, name=name) for name in ("cat 猫", "cat（绘制）", "cat")] == [
            "所有轮次共用；cat 猫的图", "所有轮次共用；cat（绘制）的图", "所有轮次共用；cat 的图"
        ]  # fmt: skip
        assert ngettext("{n:,} channel", "{n:,} channels", 1_200).startswith("1,200 ")
    finally:
        words.use(words.ENGLISH)


def test_no_space_is_left_between_two_chinese_signs() -> None:
    fill = words._filled
    assert fill("在 {images} 中", {"images": "100 张图像"}) == "在 100 张图像中"
    assert fill("差为 {size}。", {"size": "小于 0.1"}) == "差为小于 0.1。"
    assert fill("差为 {size}。", {"size": 0.2}) == "差为 0.2。"
