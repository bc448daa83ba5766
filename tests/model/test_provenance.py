"""What files say of their images: the same in English, whole sentences in Chinese."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from explorer.engine.scoreboard.board import read
from model import words
from model.checkpoint import load_checkpoint
from model.example_log import ENDING, load_log
from model.images import Dataset
from model.provenance import in_words
from model.wrong_labels import with_wrong_labels

FOLDER = Path(__file__).parents[2] / "checkpoints"
SHIPPED = {
    *(load_checkpoint(path).card.data for path in FOLDER.glob("*.safetensors")),
    *(load_log(path).card.images for path in FOLDER.glob(f"*{ENDING}")),
    *(read(path).provenance for path in FOLDER.glob("*.scoreboard-*.json")),
}


def as_today(provenance: str) -> str:
    """A clause of the shipped files in the words that a run writes today."""
    changed = "5% of them with the label of another class"
    return provenance.replace(" %", "%").replace("labels of 5% changed to another class", changed)


@pytest.fixture
def chinese() -> Iterator[None]:
    words.use("zh_CN")
    yield
    words.use(words.ENGLISH)


def test_english_stays_as_the_files_have_it() -> None:
    assert len(SHIPPED) > 4
    assert {in_words(each) for each in SHIPPED} == {as_today(each) for each in SHIPPED}


def test_what_the_shipped_files_say_is_chinese(chinese: None) -> None:
    for each in map(in_words, SHIPPED):
        assert not [text for text in (" of ", " on ", " the ", " images") if text in each]


def test_clauses_are_told_one_by_one(chinese: None) -> None:
    said = "5,000 drawn scenes (train) with marks, of their own class in 100 %; trained on 5,000 images, "
    assert in_words(f"{said}measured on 1,000").split("；") == [
        "5,000 个绘制的场景（训练），带标记，其中 100% 是本类别的",
        "在 5,000 张图像上训练，在 1,000 张上测量",
    ]
    assert in_words("我的图像; my own note") == "我的图像；my own note"
    assert in_words("3 drawn scenes ({mine})") == "3 个绘制的场景（{mine}）"


def test_what_a_run_writes_today_is_chinese(chinese: None) -> None:
    """The clause that a run adds to its images, in the words of the code that writes it."""
    images, classes = np.zeros((20, 8, 8, 3), np.uint8), tuple("ab")
    scenes = Dataset(
        "scenes", images, np.arange(20) % 2, classes, (0, 0, 0), (1, 1, 1), "20 drawn scenes (train)"
    )
    changed = in_words(with_wrong_labels(scenes, 0.05, seed=0).provenance)
    assert changed == "20 个绘制的场景（训练），其中 5% 的标签改为另一个类别"
    assert in_words("20 drawn scenes (train), labels of 5 % changed to another class") == changed
    marked = in_words("20 drawn scenes (test) with marks, of their own class in 50%")
    assert marked == "20 个绘制的场景（测试），带标记，其中 50% 是本类别的"
