"""Stepping through images, pictures of one's own, and what of it stands in the link."""

import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.engine.network import network_of
from explorer.engine.samples import folder_test_set
from explorer.engine.scan import result
from explorer.engine.scan.images import of_test_set
from explorer.engine.scan.running import scan
from model.checkpoint import load_checkpoint

ROOT = Path(__file__).parents[3]
Open = Callable[..., AppTest]
File = tuple[str, bytes, str]


@pytest.fixture
def app(visit: Open, tmp_path: Path) -> Open:
    """Open the explorer with a link, and a test set of three pictures."""
    for number, name in enumerate(("cat", "cat", "dog")):
        place = tmp_path / "test" / name / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(png(80 * number))
    return partial(visit, "explain")


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((40, 40, 3), shade, np.uint8)).save(file, "PNG")
    return file.getvalue()


def files(*names: str) -> list[File]:
    return [(name, png(40 * place), "image/png") for place, name in enumerate(names)]


def shown(at: AppTest) -> str:
    """The name of the picture on top of the page."""
    assert not at.exception, at.exception[0].value
    html = " ".join(piece.proto.body for piece in at.get("html"))
    return html.partition('alt="The image: ')[2].partition('"')[0]


def press(at: AppTest, key: str) -> AppTest:
    """Click Previous or Next, of side B with the prefix `b_`, as the browser counts it."""
    prefix, way = ("b_", key[2:]) if key.startswith("b_") else ("", key)
    (name,) = [each for each in steppers(at) if each.startswith("b_") == bool(prefix)]
    counted = at.session_state[name].get("count", {"sum": 0})["sum"]
    by = {"next": 1, "previous": -1}[way]
    at.session_state[name] = {"count": {"drawn": "once", "sum": counted + by}}
    return at.run()


def steppers(at: AppTest) -> dict[str, list[str]]:
    """The key of every pair of Previous and Next on the page → the letters that stand for them."""
    drawn = {each.proto.id: each.proto.json for each in at.get("bidi_component")}
    return {
        id.split("-", 2)[2]: [button["letter"] for button in json.loads(data)["buttons"]]
        for id, data in drawn.items()
        if id.endswith("_steps")
    }


def test_samples_go_round(app: Open) -> None:
    at = app(sample="ship")
    assert shown(press(at, "next")) == "truck (drawn)"
    assert at.query_params["sample"] == "truck"
    assert shown(press(at, "next")) == "airplane (drawn)"
    assert shown(press(at, "previous")) == "truck (drawn)"


def test_test_images_step_within_their_class(app: Open) -> None:
    at = app(source="test")
    assert shown(press(at, "next")) == "cat/1.png"
    assert shown(press(at, "next")) == "dog/2.png"
    assert shown(press(at, "next")) == "cat/0.png"
    at = app(source="test", only="cat")
    assert shown(press(at, "previous")) == "cat/1.png"
    assert at.query_params["index"] == "1"


def test_validation_images_are_said_to_be_the_test_images(app: Open, tmp_path: Path) -> None:
    (tmp_path / "test").rename(tmp_path / "val")
    at = app(source="test")
    assert any("the images in val are the test images" in each.value for each in at.sidebar.caption)


def test_a_single_image_has_no_neighbours(app: Open) -> None:
    at = app(source="test", only="dog")
    assert shown(at) == "dog/2.png"
    assert not steppers(at)


def test_several_uploads_are_stepped_through(app: Open) -> None:
    at = app(source="upload")
    at.file_uploader[0].set_value(files("a.png", "b.png", "c.png")).run()
    assert shown(at) == "a.png"
    assert shown(press(at, "next")) == "b.png"
    assert shown(press(at, "previous")) == "a.png"
    assert shown(press(at, "previous")) == "c.png"
    (pictures,) = [box for box in at.selectbox if box.label == "Picture"]
    pictures.select_index(1).run()
    assert shown(at) == "b.png"


def test_a_picture_added_is_shown_at_once(app: Open) -> None:
    at = app(source="upload")
    at.file_uploader[0].set_value(files("a.png")).run()
    assert shown(at) == "a.png"
    at.file_uploader[0].set_value(files("b.png", "a.png", "c.png")).run()
    assert shown(at) == "b.png"
    at.file_uploader[0].set_value(files("c.png")).run()
    assert shown(at) == "c.png"


def test_one_bad_upload_does_not_stop_the_others(app: Open) -> None:
    at = app(source="upload")
    at.file_uploader[0].set_value([("bad.png", b"no picture", "image/png"), *files("good.png")]).run()
    assert "bad.png" in at.error[0].value
    assert shown(press(at, "next")) == "good.png"
    assert not at.error


def test_the_camera_is_a_source(app: Open) -> None:
    at = app(source="camera")
    assert at.header[0].value == "No picture yet"
    at.camera_input[0].set_value(("photo.jpg", png(120), "image/jpeg")).run()
    assert shown(at) == "your photo"


@pytest.mark.parametrize("source", ["upload", "camera"])
def test_a_picture_of_ones_own_is_not_in_the_link(app: Open, source: str) -> None:
    at = app(source=source)
    if source == "upload":
        at.file_uploader[0].set_value(files("mine.png")).run()
    else:
        at.camera_input[0].set_value(("photo.jpg", png(120), "image/jpeg")).run()
    assert "source" not in at.query_params
    assert any("will see the built-in sample" in caption.value for caption in at.sidebar.caption)
    at.selectbox(key="class").select("dog").run()
    assert shown(at) == ("mine.png" if source == "upload" else "your photo")
    assert at.query_params["class"] == "dog"


def buttons(at: AppTest) -> list[str]:
    assert not at.exception, at.exception[0].value
    return [button.label for button in at.sidebar.button]


def test_one_press_leads_back_to_the_predicted_class(app: Open) -> None:
    back = "Explain the predicted class"
    at = app(sample="cat", checkpoint="scenes-course")
    assert back not in buttons(at)
    at.selectbox(key="class").select("dog").run()
    assert back in buttons(at)
    at.button(key="explain_predicted").click().run()
    assert back not in buttons(at)
    assert "class" not in at.query_params
    (box,) = [each for each in at.selectbox if each.label == "Class to explain"]
    assert box.value == "predicted"


def test_no_button_leads_back_where_the_chosen_class_is_the_predicted_one(app: Open) -> None:
    at = app(**{"sample": "cat", "checkpoint": "scenes-course", "class": "cat"})
    assert at.query_params["class"] == "cat"
    assert "Explain the predicted class" not in buttons(at)


def test_the_other_side_steps_without_the_keyboard(app: Open) -> None:
    at = app(b_own="image", b_sample="dog")
    at.switch_page("views/compare/page.py").run()
    assert not at.exception
    press(at, "b_next")
    assert at.query_params["b_sample"] == "frog"
    assert at.query_params.get("sample", ["cat"]) == ["cat"]
    assert steppers(at) == {"sample_steps": ["P", "N"], "b_sample_steps": ["", ""]}


def scanned(app_dir: Path, tmp_path: Path, checkpoint: str, predicted: list[int]) -> Path:
    """A folder with a scan of the three pictures that says what was predicted."""
    network = network_of(load_checkpoint(ROOT / "checkpoints" / f"{checkpoint}.safetensors"))
    images = of_test_set(folder_test_set(app_dir), network.card)
    one = scan(network, images)
    logits = np.eye(10, dtype=np.float32)[predicted]
    folder = tmp_path / "scans"
    folder.mkdir()
    fields = {name: getattr(one, name) for name in type(one).__dataclass_fields__}
    result.save(type(one)(**{**fields, "logits": logits}), folder / "any.safetensors")
    return folder


def test_only_wrong_images_are_offered_where_a_scan_knows_them(app: Open, tmp_path: Path) -> None:
    at = app(source="test", wrong="wrong", checkpoint="cifar10-course")
    assert any("Only a scan can tell which images are wrong" in each.value for each in at.sidebar.caption)
    assert shown(at) == "cat/0.png"
    cat, dog, frog = 3, 5, 6
    folder = scanned(tmp_path, tmp_path, "cifar10-course", [cat, frog, cat])
    options = {"source": "test", "wrong": "wrong", "checkpoint": "cifar10-course"}
    at = app("--scans", str(folder), **options)
    assert shown(at) == "cat/1.png"
    assert at.query_params["wrong"] == "wrong"
    assert shown(press(at, "next")) == "dog/2.png"
    assert shown(press(at, "next")) == "cat/1.png"
    assert shown(app("--scans", str(folder), **options, only="dog")) == "dog/2.png"
    (folder / "any.safetensors").unlink()
    folder.rmdir()
    right = scanned(tmp_path, tmp_path, "cifar10-course", [cat, cat, dog])
    at = app("--scans", str(right), **options)
    assert any("None of these images is predicted wrongly" in each.value for each in at.sidebar.caption)
    assert shown(at) == "cat/0.png"


def test_small_pictures_show_the_images_around_the_chosen_one(app: Open) -> None:
    at = app(source="test", index="1")
    (drawn,) = [each.proto for each in at.get("bidi_component") if each.proto.id.endswith("-neighbors")]
    data = json.loads(drawn.json)
    assert data["chosen"] == 1
    assert [picture["number"] for picture in data["pictures"]] == [0, 1, 2]
    assert len({picture["address"] for picture in data["pictures"]}) == 3
