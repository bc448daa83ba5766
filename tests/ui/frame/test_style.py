"""The style sheet has every class that the pages give their html."""

import re
from pathlib import Path

import pytest

import explorer
from explorer.ui.frame import style
from model import words

EXPLORER = Path(explorer.__file__).parent
STYLES = Path(style.__file__).with_name("style.css").read_text(encoding="utf-8")
USED = {
    name
    for path in EXPLORER.rglob("*.py")
    for name in re.findall(r"fx(?:-[a-z]+)+", path.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize("name", sorted(USED))
def test_a_class_of_the_pages_is_in_the_style_sheet(name: str) -> None:
    assert re.search(rf"\.{name}(?![\w-])", STYLES)


def test_a_file_uploader_speaks_the_language_in_use() -> None:
    words.use("zh_CN")
    try:
        rules = style.uploader_words()
    finally:
        words.use(words.ENGLISH)
    assert 'content: "上传"' in rules
    assert re.search(r"\d+ MB", rules)
