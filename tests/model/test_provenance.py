"""What files say of their images: the same in English, whole sentences in Chinese."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from model import words
from model.checkpoint import load_checkpoint
from model.example_log import ENDING, load_log
from model.provenance import in_words

FOLDER = Path(__file__).parents[2] / "checkpoints"
SHIPPED = {
    *(load_checkpoint(path).card.data for path in FOLDER.glob("*.safetensors")),
    *(load_log(path).card.images for path in FOLDER.glob(f"*{ENDING}")),
}


@pytest.fixture
def chinese() -> Iterator[None]:
    words.use("zh_CN")
    yield
    words.use(words.ENGLISH)


def test_english_stays_as_the_files_have_it() -> None:
    assert len(SHIPPED) > 4
    assert {in_words(each) for each in SHIPPED} == SHIPPED


def test_what_the_shipped_files_say_is_chinese(chinese: None) -> None:
    for each in map(in_words, SHIPPED):
        assert not [text for text in (" of ", " on ", " the ", " images") if text in each]


def test_clauses_are_told_one_by_one(chinese: None) -> None:
    said = "5,000 drawn scenes (train) with marks, of their own class in 100 %; trained on 5,000 images, "
    assert in_words(f"{said}measured on 1,000").split("；") == [
        "5,000 个绘制的场景（train），带标记，其中 100 % 是本类别的",
        "在 5,000 张图像上训练，在 1,000 张上测量",
    ]
    assert in_words("我的图像; my own note") == "我的图像；my own note"
