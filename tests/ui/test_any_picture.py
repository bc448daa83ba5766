"""Pictures and networks of any kind on the page: what opens, and what is said."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from explorer.ui.exports.snippets import _checkpoint
from tests.model.containers import grid

Open = Callable[..., AppTest]
NAMES = "airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck"
ONLY = f"The network knows only these 10 classes: {NAMES}."


def html(at: AppTest) -> str:
    assert not at.exception, at.exception[0].value
    return " ".join(piece.proto.body for piece in at.get("html"))


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_a_phones_picture_without_a_suffix_opens_and_its_classes_are_named(visit: Open, kind: str) -> None:
    at = visit(source="upload")
    assert "HEIC, AVIF" in at.file_uploader[0].help
    at.file_uploader[0].set_value([("IMG_0001", grid(kind, 3, 2, 64), "")]).run()
    page = html(at)
    assert "192 × 128 px" in page
    assert f"{ONLY} It always names one of them, whatever the picture shows." in page


def test_a_sample_belongs_to_the_classes(visit: Open) -> None:
    assert "It always names one of them" not in html(visit())


def test_another_file_is_named_in_one_sentence(visit: Open) -> None:
    at = visit(source="upload")
    at.file_uploader[0].set_value([("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "")]).run()
    assert [error.value for error in at.error] == [
        "logo.svg is an SVG drawing, which has no pixels: export it as PNG."
    ]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a torchvision network, random weights in it, under a name of one's own."""
    import model  # noqa: F401  (before torchvision)

    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "mine.pth"
    torch.save(models.mobilenet_v3_small().state_dict(), path)
    return path


def captions(at: AppTest) -> str:
    assert not at.exception, at.exception[0].value
    return " ".join(caption.value for caption in at.sidebar.caption)


def test_the_preset_of_torchvision_is_assumed_and_said(visit: Open, published: Path) -> None:
    at = visit("explain", "--checkpoint", str(published), "--net", "torchvision.models:mobilenet_v3_small")
    said = captions(at)
    assert "The preset of MobileNet_V3_Small_Weights.IMAGENET1K_V1 is assumed." in said
    assert "the shorter side is resized to 256 pixels (bilinear)" in said
    (fit,) = [each for each in at.get("button_group") if str(each.key).partition("~")[0] == "fit"]
    assert fit.label == "How the picture is fitted"  # the drawing is square, and its margin is left out
    (chosen,) = [each for each in at.selectbox if str(each.key).partition("~")[0] == "class"]
    assert "tench" in chosen.options


def test_resize_of_the_start_command(visit: Open, published: Path) -> None:
    net = ("--net", "torchvision.models:mobilenet_v3_small", "--checkpoint", str(published))
    at = visit("explain", *net, "--input-size", "64", "--resize", "72")
    assert "the shorter side is resized to 72 pixels (bilinear), then the center of 64 × 64" in captions(at)
    selection = at.session_state["_selection"]
    assert (selection.received.top, selection.received.bottom) == (14, 242)  # 4 of 72 are 14 of 256
    assert "resize=72" in _checkpoint(selection.opened.source)[1]
    at = visit("explain", *net, "--input-size", "64", "--resize", "60")
    assert "give a --resize from 64 to 8192" in at.error[0].value


def test_what_is_outside_the_crop_is_dimmed(visit: Open, published: Path) -> None:
    at = visit("explain", "--net", "torchvision.models:mobilenet_v3_small", "--checkpoint", str(published))
    selection = at.session_state["_selection"]
    assert selection.framed.shape == (224, 224, 3)
    assert np.array_equal(selection.framed, selection.sample.pixels[16:240, 16:240])  # 256 pixels a side
    assert "Dimmed: outside the center square" in html(at)
