"""The page “Shifted data”: begun by a button or the link; in words; with pictures of one's own."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.views.shift import accuracy_part, measuring
from model import scenes

LINK = {"checkpoint": "scenes-course", "shift_images": "64"}
Visit = Callable[..., AppTest]


pytestmark = pytest.mark.usefixtures("patient")


def written(at: AppTest) -> str:
    assert not at.exception, at.exception[0].value
    return " ".join(each.value for each in [*at.markdown, *at.caption, *at.info])


def html(at: AppTest) -> str:
    return " ".join(piece.proto.body for piece in at.get("html"))


def test_nothing_is_measured_before_the_button(visit: Visit) -> None:
    at = visit("shift", **(LINK | {"shift": "noise", "shift_images": "128"}))
    assert "Unshifted accuracy" not in written(at)
    button = next(each for each in at.button if each.label == "Measure with 128 drawn scenes")
    button.click().run()
    assert "Unshifted accuracy" in written(at)
    assert at.query_params["shift_measured"] == "yes"
    assert "σ = 40 of 255" in html(at)


def test_the_page_says_what_recalibrating_gives_back(visit: Visit) -> None:
    text = written(visit("shift", shift_measured="yes", **LINK))
    assert "part of the fall comes from statistics that no longer fit" in text
    assert "none of the images that measure is among them" in text
    assert "of the 32 channels of `bn1` have moved further than resampling explains" in text
    assert "chance is 10.0%" in text


def test_a_network_without_batchnorm_is_a_sentence(visit: Visit) -> None:
    at = visit("shift", "--net", "model.nets:CourseCNN(norm='group')", "--input-size", "32")
    assert "no BatchNorm with running statistics" in written(at)


def test_a_folder_of_ones_own_is_measured_with_labels_from_its_folders(visit: Visit) -> None:
    images, labels = scenes.dataset(20, 5, 32)
    files = []
    for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        file = io.BytesIO()
        Image.fromarray(np.maximum(pixels, 40) - 40).save(file, "PNG")
        files.append((f"mine/{scenes.CLASSES[label]}/{number}.png", file.getvalue(), "image/png"))
    files.append(("mine/cat/notes.png", b"not a picture", "image/png"))
    at = visit("shift", shift_measured="yes", shift="own", **LINK)
    assert "Give a folder of at least 8 pictures" in written(at)
    at.file_uploader[0].set_value(files).run()
    text = written(at)
    assert "1 file cannot be read as a picture and is left out: mine/cat/notes.png" in text
    assert "These are different images" in text
    assert "own folder" in text
    at.file_uploader[0].set_value(files[:3]).run()
    assert "Give at least 8 pictures" in written(at)


def test_a_folders_name_is_that_of_the_class() -> None:
    names = ["cat/1.png", "a/dog/2.png", "3.png", "x\\cat\\4.png"]
    assert [measuring._folder(name) for name in names] == ["cat", "dog", "", "cat"]


def test_differences_have_their_sign() -> None:
    assert accuracy_part.signed(-0.125) == "−12.5"
    assert accuracy_part.signed(0.02) == "+2.0"


def test_too_few_test_images_are_a_sentence(visit: Visit, tmp_path: Path) -> None:
    folder = tmp_path / "test" / "cat"
    folder.mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (32, 32), (number, 0, 0)).save(folder / f"{number}.png")
    text = written(visit("shift", shift_measured="yes", shift_of="test", **LINK))
    assert "Only 3 of the test images can be used, and 8 are needed" in text


def test_a_change_that_rounds_to_zero_has_no_sign() -> None:
    assert [accuracy_part.signed(value) for value in (-0.125, 0.02, -0.0001, 0.0)] == [
        "−12.5",
        "+2.0",
        "0.0",
        "0.0",
    ]


def test_channels_are_ranked_by_the_mean_or_by_the_whole_distribution(visit: Visit) -> None:
    at = visit("shift", shift_measured="yes", **LINK)
    assert "Channels of bn1 whose mean moves most" in written(at)
    assert "Ranked by the shift of the mean" in written(at)
    at.segmented_control(key="shift_by").set_value("distribution").run()
    text = written(at)
    assert "Channels of bn1 whose distribution moves most" in text
    assert "the distributions of " in text
    assert "in 20 divisions of the unshifted images" in text
    assert "First to move" not in text  # which is by the mean
    assert at.query_params["shift_by"] == "distribution"
