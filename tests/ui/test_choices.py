"""A class may have any name, also that of an option that stands beside the classes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.ui.choices import class_option, kind_name
from model import words

Open = Callable[..., AppTest]
NAMES = ("predicted", "all", "runner-up", "=all")
OWN = ("--net", "model.nets:CourseCNN(classes=4)", "--input-size", "32", "--classes", ",".join(NAMES))


def html(at: AppTest) -> str:
    assert not at.exception, at.exception[0].value
    return " ".join(piece.proto.body for piece in at.get("html"))


def test_batchnorm_is_named_in_the_language_and_other_kinds_as_by_pytorch() -> None:
    words.use("zh_CN")
    names = [kind_name(kind) for kind in ("BatchNorm", "FrozenBatchNorm", "ReLU")]
    words.use(words.ENGLISH)
    assert names == ["批归一化", "FrozenBatchNorm", "ReLU"]


@pytest.mark.parametrize("other", ["predicted", "all", "runner-up"])
def test_no_class_has_the_option_beside_the_classes(other: str) -> None:
    options = [class_option(name, other) for name in NAMES]
    assert len({other, *options}) == 1 + len(NAMES)
    assert class_option("cat", other) == "cat"  # as links have it


@pytest.mark.parametrize("name", NAMES)
def test_a_class_with_the_name_of_an_option_can_be_explained_and_compared(visit: Open, name: str) -> None:
    at = visit("explain", *OWN)
    assert at.selectbox(key="class").options == ["Predicted class", *NAMES]
    predicted = html(at).partition('class="name">')[2].partition("<")[0]
    at.selectbox(key="class").set_value(class_option(name, "predicted")).run()
    assert (f"Explained below: {name}<" in html(at)) == (name != predicted)
    assert visited(at, "class") == class_option(name, "predicted")
    link = {"compare": "classes", "class": class_option(NAMES[NAMES.index(name) - 1], "predicted")}
    at = visit("compare", *OWN, **link, against=class_option(name, "runner-up"))
    assert f"Why “{NAMES[NAMES.index(name) - 1]}” rather than “{name}”?" in html(at)


def visited(at: AppTest, key: str) -> str:
    value = at.query_params[key]
    return value[0] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["all", "=all", "cat"])
def test_the_images_of_a_class_named_all_can_be_chosen(visit: Open, tmp_path: Path, name: str) -> None:
    for number, folder in enumerate(("=all", "all", "all", "cat", "cat", "cat")):
        path = tmp_path / "test" / folder / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((32, 32, 3), 40 * number, np.uint8)).save(path)
    at = visit("explain", source="test", only=class_option(name, "all"))
    last = {"all": 1, "=all": 0, "cat": 2}[name]
    assert f"Number, 0 to {last}" in [each.label for each in at.number_input]
    assert f"The image: {name}/" in html(at)
