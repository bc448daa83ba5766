"""Text as Markdown: what an error or a file says cannot open a link, a picture, a color or a sign."""

import re

import pytest

from explorer.ui.markdown import code, literal, sentence

JOINER = "\u2060"
SYNTAX = (
    "![x](http://a/b)", "[l](c)", "<b>b</b>", "<http://a>", ":red[r]", "$x$", "**b**", "_e_", "~~s~~", "# h",
    "> q", "- l", "+ l", "1. l", "1) l", "| a |", "`c`", "&copy;", "---", "===", "::leaf[x]", "\\*",
)  # fmt: skip


def back(markdown: str) -> str:
    """The text that Markdown without any construct shows."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown).replace(JOINER, "")


@pytest.mark.parametrize("text", [*SYNTAX, "cat", "my-run_2 (1.5)", "C:\\x", "a `b", "猫 é ñ"])
def test_it_shows_what_it_was(text: str) -> None:
    assert back(literal(text)) == text


@pytest.mark.parametrize("text", SYNTAX)
def test_no_character_of_syntax_is_left_bare(text: str) -> None:
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "x", literal(text))
    assert not re.search(r"[`*\[\]<|~$\\]|:[\w:]|&#?\w+;|^[-+=>#]|^\d+[.)](\s|$)|\b_|_\b", bare)


@pytest.mark.parametrize("sign", [":joy:", ":material/home:", ":material_home:", ":streamlit:"])
def test_a_sign_is_parted(sign: str) -> None:
    assert sign not in re.sub(r"\\(.)", r"\1", literal(sign))


@pytest.mark.parametrize("address", ["http://a.b", "HTTPS://a.b", "www.a.b", "a@b.c"])
def test_an_address_is_parted(address: str) -> None:
    shown = re.sub(r"\\(.)", r"\1", literal(address))
    assert not re.search(r"https?://|www\.|\w@\w", shown, re.IGNORECASE)


@pytest.mark.parametrize("text", ["--net P", "a.b:make", "C:/data", "12:30", "a -> b"])
def test_what_people_copy_gets_nothing_unseen(text: str) -> None:
    assert JOINER not in literal(text)


def test_a_text_is_one_line() -> None:
    assert literal("a\n\n# b\r\n    c") == "a # b c"


@pytest.mark.parametrize(
    "name", ["cat", "cifar10-fast", "my_run_2", "Block 1 · conv1", "layer1.0.conv2", "relu3, 64 maps"]
)
def test_a_common_name_stays_as_it_is(name: str) -> None:
    assert literal(name) == name


@pytest.mark.parametrize(
    ("text", "shown"),
    [("fc", "`fc`"), ("a`b", "`` a`b ``"), ("a``b`c", "``` a``b`c ```"), ("a\n\nb", "`a b`")],
)
def test_code_holds_whatever_it_is_given(text: str, shown: str) -> None:
    assert code(text) == shown


def test_a_sentence_keeps_its_code_and_nothing_else() -> None:
    said = "There is no ![x](y): train one with `python -m model.train` or `more`."
    assert sentence(ValueError(said)) == (
        r"There is no !\[x\](y): train one with `python -m model.train` or `more`."
    )


@pytest.mark.parametrize("said", ["`a\n\n![x](y)`", "``![x](y)`", "`a` `![x](y)", "```![x](y)```"])
def test_a_name_cannot_get_out_of_a_sentences_code(said: str) -> None:
    outside = re.sub(r"(?<!\\)`[^`\n]+`", "", sentence(said))
    assert not re.search(r"(?<!\\)\[", outside)
