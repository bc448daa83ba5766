"""Pictures of one's own stay for the visit, and only as many as fit."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.ui import pictures
from explorer.ui.pictures import Picture

Open = Callable[..., AppTest]


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((40, 40, 3), shade, np.uint8)).save(file, "PNG")
    return file.getvalue()


def shown(at: AppTest) -> str:
    assert not at.exception, at.exception[0].value
    html = " ".join(piece.proto.body for piece in at.get("html"))
    return html.partition('alt="The image: ')[2].partition('"')[0]


def source(at: AppTest, name: str) -> AppTest:
    (group,) = [each for each in at.get("button_group") if str(each.key).partition("~")[0] == "source"]
    group.set_value(name).run()
    return at


def test_uploads_are_there_again(visit: Open) -> None:
    at = visit(source="upload")
    files = [("a.png", png(0), "image/png"), ("b.png", png(90), "image/png")]
    at.file_uploader[0].set_value(files).run()
    assert shown(at) == "a.png"
    assert shown(source(at, "samples")) == "cat (drawn)"
    assert shown(source(at, "upload")) == "a.png"
    at.file_uploader[0].set_value([("c.png", png(200), "image/png")]).run()
    assert shown(at) == "c.png"
    at.button(key="remove").click().run()
    assert shown(at) == "b.png"
    for left in ("a.png", ""):
        at.button(key="remove").click().run()
        assert shown(at) == left
    assert at.header[0].value == "No picture yet"


def test_the_photo_is_there_again_until_it_is_cleared(visit: Open) -> None:
    at = visit(source="camera")
    at.camera_input[0].set_value(("photo.jpg", png(120), "image/jpeg")).run()
    assert shown(at) == "your photo"
    assert shown(source(at, "samples")) == "cat (drawn)"
    assert shown(source(at, "camera")) == "your photo"
    at.camera_input[0].set_value(("photo.jpg", png(10), "image/jpeg")).run()
    at.camera_input[0].set_value(None).run()
    assert at.header[0].value == "No picture yet"


def test_other_visitors_see_none_of_it(visit: Open) -> None:
    visit(source="upload").file_uploader[0].set_value([("a.png", png(0), "image/png")]).run()
    assert visit(source="upload").header[0].value == "No picture yet"


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [([1] * 60, 50), ([15_000_000] * 4, 2), ([90_000_000], 1), ([1, 50_000_000], 1), ([], 0)],
)
def test_the_newest_are_kept_as_many_as_fit(sizes: list[int], kept: int) -> None:
    given = [Picture(str(place), bytes(size), str(place)) for place, size in enumerate(sizes)]
    found = pictures._bounded(given)
    assert found == given[len(given) - kept :]
