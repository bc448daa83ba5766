"""The catalogs: every text of the code is translated, nothing else is in them, and no field is lost."""

import re
import string
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message

from explorer.engine.attribution import METHODS
from explorer.engine.projection import PROJECTIONS
from model import catalog, words
from model.train import main
from model.words import ngettext, tr

TRANSLATED = tuple(language for language in words.languages() if language != words.ENGLISH)
SAME = {
    *(method.title for method in METHODS.values()),
    *(each.title for each in PROJECTIONS.values()),
    *(
        "IoU",
        "F1",
        "logit z",
        "CNN",
        "MLP",
        "Dropout",
        "Gamma",
        "Sigmoid",
        "Softmax",
        "sigmoid",
        "softmax",
    ),
}
"""Names of methods and measures, the same in every language."""


@pytest.fixture(scope="module")
def texts() -> Catalog:
    return catalog.template()


@pytest.fixture(scope="module", params=TRANSLATED)
def translated(request: pytest.FixtureRequest) -> Catalog:
    return catalog.read(request.param)


def test_there_is_a_chinese_catalog() -> None:
    assert "zh_CN" in TRANSLATED


def test_every_text_is_translated_and_nothing_else(texts: Catalog, translated: Catalog) -> None:
    """Otherwise: `python -m model.catalog` prints what is missing, and takes it with `--fill FILE`."""
    present = {message.id: message for message in catalog.messages(translated)}
    needed = {message.id for message in catalog.messages(texts)}
    untranslated = catalog.missing(translated)
    assert sorted(map(str, needed - present.keys())) == [], "not in the catalog"
    assert sorted(map(str, present.keys() - needed)) == [], "in no code any more"
    assert untranslated == [], "without a translation"


def test_an_apostrophe_is_a_typographic_one(texts: Catalog) -> None:
    """As the quotation marks are; straight ones enclose a name that is to be typed."""
    words = [part for text in texts for part in ([text.id] if isinstance(text.id, str) else text.id)]
    assert not [text for text in words if re.search(r"[A-Za-z]'[st ]|}'s", text)]


def test_a_translation_has_the_fields_of_its_text(translated: Catalog) -> None:
    """A language with one form for all numbers has those of the plural in it: “once” is no form for 1,024."""
    first = -1 if translated.num_plurals == 1 else 0
    wrong = [
        (catalog.english(message), form)
        for message in catalog.messages(translated)
        for form in forms(message)
        if not any(fields(form) == fields(text) for text in _texts(message)[first:])
    ]
    assert wrong == []


def test_a_translation_has_the_marks_of_its_text(translated: Catalog) -> None:
    """Code, bold type, line ends and entities stay; no text is filled in without an error."""
    wrong = [
        (catalog.english(message), form)
        for message in catalog.messages(translated)
        for form in forms(message)
        if not any(marks(form) == marks(text) for text in _texts(message))
    ]
    assert wrong == []


def test_what_is_not_translated_is_a_name(translated: Catalog) -> None:
    same = {
        text
        for message in catalog.messages(translated)
        for text in forms(message)
        if text == catalog.english(message) and re.search(r"[A-Za-z]{2}", re.sub(r"\{[^}]*\}", "", text))
    }
    assert {text for text in same if not re.fullmatch(SYMBOLS, text)} - SAME == set()


SYMBOLS = r"(\{[^}]*\}|%\(\w+\)s|px|max|BatchNorm|UTC|DIR|--\w+|[^A-Za-z])*"
"""Fields, units and signs with nothing to translate between them."""


def test_chinese_marks_stand_in_chinese_sentences() -> None:
    """A comma, a colon or a bracket beside a Chinese letter is the full-width one."""
    chinese = catalog.read("zh_CN")
    found = [
        form
        for message in catalog.messages(chinese)
        for form in forms(message)
        if re.search(r"[\u4e00-\u9fff][,;:?!]|[,;?!][\u4e00-\u9fff]|[\u4e00-\u9fff]\.(\s|$)", form)
    ]
    assert found == []


def test_batchnorm_has_one_name_in_chinese() -> None:
    """The English word stands in brackets behind it, in names of classes and in code."""
    alone = r"(?<![（A-Za-z])BatchNorm(?![A-Za-z0-9])"
    said = [form for each in catalog.messages(catalog.read("zh_CN")) for form in forms(each)]
    assert [form for form in said if re.search(alone, re.sub("`[^`]*`", "", form))] == []


def test_the_list_of_terms_is_what_the_catalog_says() -> None:
    page = (catalog.ROOT / "docs" / "terms.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \|$", page, re.MULTILINE)[1:]
    terms = [term for _, row in rows for term in re.split("、|（|）", row) if term]
    said = "\n".join(form for each in catalog.messages(catalog.read("zh_CN")) for form in forms(each))
    assert len(terms) > 50
    assert [term for term in terms if term not in said] == []
    assert [name for name, _ in rows] == sorted((name for name, _ in rows), key=str.lower)


def test_texts_are_found_wherever_they_stand() -> None:
    code = """
f"{tr('In an f-string')}", tr("One" if one else "Other"), tr(title, name=N_("Within"))
ngettext("{n} map", "{n} maps", 2), Problem("Wrong."), tr(""), ngettext(one, many, 3)
"""
    expected = {"In an f-string", "One", "Other", "Within", ("{n} map", "{n} maps"), "Wrong."}
    assert set(catalog.texts_of(code)) == expected


def test_the_command_prints_what_is_missing_and_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("model.words.LOCALES", "model.catalog.LOCALES"):
        monkeypatch.setattr(name, tmp_path)
    texts = Catalog()
    texts.add("Training")
    texts.add(("{n} map", "{n} maps"))
    monkeypatch.setattr(catalog, "template", lambda: texts)
    (tmp_path / "zh_CN.po").write_text('msgid "Obsolete"\nmsgstr "旧"\n', encoding="utf-8")
    assert catalog.main([]) == 0
    assert capsys.readouterr().out == '{\n "Training": "",\n "{n} map": ""\n}\n'
    filled = tmp_path / "filled.json"
    filled.write_text('{"Training": "训练", "{n} map": "{n} 张图"}', encoding="utf-8")
    assert catalog.main(["--fill", str(filled)]) == 0
    assert "Obsolete" not in (tmp_path / "zh_CN.po").read_text(encoding="utf-8")
    path = tmp_path / "zh_CN.po"
    path.write_text('msgid "Training"\nmsgstr "训练"\n\nmsgid "{n} map"\nmsgstr "图"\n', encoding="utf-8")
    assert catalog.main([]) == 0  # it was a single text and is a plural now
    assert capsys.readouterr().out == '{}\n{\n "{n} map": ""\n}\n'
    assert catalog.main(["--fill", str(filled)]) == 0
    before = (tmp_path / "zh_CN.po").read_bytes()
    catalog.main([])
    assert (tmp_path / "zh_CN.po").read_bytes() == before
    assert capsys.readouterr().out.endswith("{}\n")


# The language of a command


def test_a_command_speaks_the_language_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    try:
        with pytest.raises(SystemExit):
            main(["--help"])
        shown = capsys.readouterr().out
        assert "用法：python -m model.train [选项]" in shown
        assert "\n常规：\n" in shown
        assert english_sentences(re.sub(r"torchrun .*", "", shown)) == []
        with pytest.raises(SystemExit):
            main(["--epochs", "many"])
        assert capsys.readouterr().err == (
            "错误：--epochs 必须是至少为 1 的整数，不能是 many。用 --help 查看所有选项。\n"
        )
        with pytest.raises(SystemExit):
            main(["--no-such"])
        assert "没有选项 --no-such。" in capsys.readouterr().err
    finally:
        words.use(words.ENGLISH)


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LC_ALL": "zh_CN.UTF-8"}, "zh_CN"),
        ({"LC_ALL": "C.UTF-8", "LANGUAGE": "zh_CN"}, "en"),
        ({"LC_ALL": "POSIX"}, "en"),
        ({"LC_MESSAGES": "zh_CN.GB18030", "LANG": "en_US.UTF-8"}, "zh_CN"),
        ({"LANG": "zh_SG.UTF-8"}, "zh_CN"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "fr:zh_CN:en"}, "zh_CN"),
        ({"LANG": "zh_CN.UTF-8", "LANGUAGE": "en_GB:zh"}, "en"),
        ({}, "en"),
    ],
)
def test_the_environment_names_a_language_as_gettext_reads_it(
    environment: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert words.of_environment() == language


@pytest.mark.parametrize("tag", ["zh", "zh-Hans", "zh-CN", "zh_CN", "zh-Hans-CN", "ZH-cn"])
def test_a_tag_of_a_browser_or_a_link_is_known(tag: str) -> None:
    assert words.known(tag) == "zh_CN"


def test_two_texts_that_were_marked_one_by_one_are_a_plural_too() -> None:
    words.use("zh_CN")
    try:
        texts = ("{n:,} wrong prediction", "{n:,} wrong predictions")
        assert [ngettext(*texts, n) for n in (1, 2)] == ["1 个错误的预测", "2 个错误的预测"]
        assert tr("") == ""
    finally:
        words.use(words.ENGLISH)


# What a text holds


def _texts(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def forms(message: Message) -> tuple[str, ...]:
    """The translations of a message."""
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


def fields(text: str) -> list[tuple[str, str, str]]:
    """The fields of a text, each with its conversion and format, and argparse's %(name)s."""
    named = [
        (name, conversion or "", spec or "")
        for _, name, spec, conversion in string.Formatter().parse(text)
        if name is not None
    ]
    return sorted(named) + sorted((name, "", "%") for name in re.findall(r"%\((\w+)\)s", text))


def marks(text: str) -> dict[str, int]:
    """How often each mark of Markdown and HTML stands in a text, and its code, word for word."""
    counted = {mark: text.count(mark) for mark in ("`", "*", "\n", "&", "<", ">")}
    return counted | {code: text.count(code) for code in re.findall(r"`[^`]+`", text)}


WORD = r"(?<![\w`./{-])[A-Za-z][a-z]+(?![\w`./}(=-])"


def english_sentences(text: str) -> list[str]:
    """Runs of four or more English words."""
    return re.findall(rf"{WORD}(?: {WORD}){{3,}}", text)


def test_no_text_is_marked_alone_and_as_the_first_form_of_a_plural() -> None:
    """gettext finds both under one name: “once” was “{n} times” in Chinese, with no number to fill in."""
    alone, plurals = set(), set()
    for folder in catalog.FOLDERS:
        for path in (catalog.ROOT / folder).rglob("*.py"):
            for text in catalog.texts_of(path.read_text(encoding="utf-8")):
                (alone if isinstance(text, str) else plurals).add(text if isinstance(text, str) else text[0])
    assert alone & plurals == set()
