"""Every page with every kind of image, run without a browser."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.engine.attribution import METHODS
from explorer.ui.frame import pages

ROOT = Path(__file__).parents[2]
VIEWS = sorted(path.parent.name for path in (ROOT / "explorer" / "views").glob("*/page.py"))
PAGES = [page.folder for page in pages.PAGES if page.image]
SHOWN = {"time_machine"} | {page.folder for page in pages.PAGES if page.header}  # image and prediction
WITH_STRIP = [page for page in PAGES if page in SHOWN]
Open = Callable[..., AppTest]


@pytest.fixture
def app(visit: Open) -> Open:
    """Open the explorer on a page, with its options and its link."""
    return visit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A test set of two classes with two pictures each."""
    for number, name in enumerate(("cat", "zebra")):
        place = tmp_path / "test" / name
        place.mkdir(parents=True)
        for index in range(2):
            picture((40 + 60 * number + 20 * index, 90, 120)).save(place / f"{index}.png")
    return tmp_path


def picture(color: tuple[int, int, int] = (90, 140, 60), size: tuple[int, int] = (48, 32)) -> Image.Image:
    pixels = np.full((size[1], size[0], 3), color, np.uint8)
    pixels[: size[1] // 2, : size[0] // 3] = 255
    return Image.fromarray(pixels)


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def html(at: AppTest) -> str:
    return " ".join(piece.proto.body for piece in at.get("html"))


def check(at: AppTest) -> None:
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value
    assert at.header or "<h2" in html(at)


def test_explain_offers_the_methods_that_work_from_the_kept_pass(app: Open) -> None:
    at = app("explain", method="integrated_gradients")  # a link that names another opens the first of them
    check(at)
    offered = next(box for box in at.selectbox if box.label == "Method")
    assert offered.options == [record.title for record in METHODS.values() if record.heat]
    assert offered.value == "grad_cam"
    for name in ("xgrad_cam", "eigen_cam"):
        at = app("explain", method=name)
        check(at)
        assert any("the same for every class" in info.value for info in at.info) == (name == "eigen_cam")


@pytest.mark.parametrize("page", VIEWS)
def test_every_page_shows_a_sample(app: Open, page: str) -> None:
    check(app(page))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_a_test_image(app: Open, page: str, folder: Path) -> None:
    at = app(page, "--data-dir", str(folder), source="test", index="3")
    check(at)
    assert ("zebra/1.png" in html(at)) == (page in WITH_STRIP)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_an_upload(app: Open, page: str) -> None:
    at = app(page, source="upload")
    at.file_uploader[0].set_value([("mine.png", png(picture()), "image/png")]).run()
    check(at)
    assert ("mine.png" in html(at)) == (page in WITH_STRIP)


def test_a_grad_cam_is_there_without_a_click(app: Open) -> None:
    at = app()
    assert "Grad-CAM of" in html(at)
    assert "relu1" in html(at)
    assert "relu3" in html(at)


def test_the_first_answer_is_there_without_data_or_network(app: Open) -> None:
    assert "Prediction</div>" in html(app())


def test_a_link_brings_back_the_same_view(app: Open) -> None:
    at = app(sample="horse", **{"class": "dog", "cam_stage": "conv", "evidence": "signed"})
    check(at)
    assert "Why “dog”?" in at.header[0].value
    assert "conv2" in html(at)
    assert "horse (drawn)" in html(at)
    assert at.query_params["sample"] == "horse"


@pytest.mark.parametrize("link", [{"sample": "unicorn"}, {"class": "<b>"}, {"index": "-7"}, {"block": "99"}])
def test_a_link_with_nonsense_shows_the_default(app: Open, link: dict[str, str]) -> None:
    check(app(**link))


def test_choices_stay_when_the_page_changes(app: Open) -> None:
    at = app(sample="frog")
    at.switch_page("views/maps/page.py").run()
    check(at)
    assert "frog (drawn)" in html(at)


def test_a_class_filter_counts_within_the_class(app: Open, folder: Path) -> None:
    at = app("explain", "--data-dir", str(folder), source="test", only="zebra", index="1")
    check(at)
    assert "zebra/1.png" in html(at)


def test_a_class_the_network_does_not_know_has_no_verdict(app: Open, folder: Path) -> None:
    at = app("explain", "--data-dir", str(folder), source="test", only="zebra")
    assert "(correct)" not in html(at)
    assert "labeled" not in html(at)


def test_without_a_test_set_the_page_says_what_to_do(app: Open) -> None:
    at = app(source="test")
    assert "Download CIFAR-10" in at.info[0].value
    assert "--data-dir" in at.info[0].value
    assert not at.exception


@pytest.mark.parametrize(
    "data", [b"", b"no picture", png(picture())[:60]], ids=["empty", "text", "truncated"]
)
def test_a_bad_upload_is_one_sentence(app: Open, data: bytes) -> None:
    at = app(source="upload")
    at.file_uploader[0].set_value([("bad.png", data, "image/png")]).run()
    assert len(at.error) == 1
    assert at.error[0].value.startswith("bad.png")
    assert not at.exception


def test_a_name_with_markup_is_shown_as_text(app: Open) -> None:
    at = app(source="upload")
    at.file_uploader[0].set_value([("<img src=x onerror=alert(1)>.png", png(picture()), "image/png")]).run()
    check(at)
    assert "<img src=x" not in html(at)
    assert "&lt;img src=x" in html(at)


def test_a_missing_checkpoint_is_one_sentence(app: Open, tmp_path: Path) -> None:
    at = app("explain", "--checkpoint", str(tmp_path / "none.safetensors"))
    assert "There is no checkpoint at" in at.error[0].value
    assert not at.exception


def test_an_unknown_option_is_one_sentence(app: Open) -> None:
    at = app("explain", "--color", "red")
    assert "options after" in at.error[0].value
    assert not at.exception
