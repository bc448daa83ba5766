"""A page without a scan offers one, makes it as a job, and finds it; its images become the selected ones."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.engine.scan import running
from explorer.ui.jobs import JOBS
from explorer.ui.scans import scanning

Open = Callable[[], AppTest]


def page() -> None:
    import streamlit as st

    from explorer.ui import link, sidebar
    from explorer.ui.scans import scanning

    link.read()
    selection = sidebar.choose()
    assert selection is not None
    scan = scanning.scan_of(selection.network)
    if scan is not None:
        row = len(scan) - 1
        st.text(f"{len(scan)} images of {scan.dataset}")
        st.text(f"last: {scanning.sample_of(scan, row).name}")
        st.text(f"selected: {selection.sample.name}, {selection.card.classes[selection.target]}")
        st.text(f"{link.chosen('compare')} {link.chosen('against')}")
        st.button("Select", on_click=scanning.select, args=(scan, row, 3))
        st.button("Select only", on_click=scanning.select, args=(scan, row))
    link.write()


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """A page, a test set of three pictures one of which cannot be read, and four scenes."""
    random = np.random.default_rng(0)
    for name in ("cat", "dog", "frog"):
        (tmp_path / "test" / name).mkdir(parents=True)
        pixels = random.integers(0, 255, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "test" / name / f"{name}.png")
    (tmp_path / "test" / "dog" / "dog.png").write_bytes(b"nothing")
    monkeypatch.setattr(
        "sys.argv", ["app.py", "--data-dir", str(tmp_path), "--scans", str(tmp_path / "scans")]
    )
    monkeypatch.setattr(scanning, "SCENES", 4)
    return lambda: AppTest.from_function(page, default_timeout=120).run()


def texts(at: AppTest) -> list[str]:
    assert not at.exception, at.exception[0].value
    return [text.value for text in at.text]


def scanned(at: AppTest) -> AppTest:
    """Start the scan, and look until it is there."""
    at.button(key="scan_start").click().run()
    end = time.monotonic() + 120
    while not at.text:
        assert not at.exception
        assert time.monotonic() < end
        time.sleep(0.05)
        at.run()
    return at


def test_a_page_without_a_scan_says_so_and_makes_one(app: Open) -> None:
    at = app()
    assert "one pass of the network over 3 images" in at.info[0].value
    assert at.button(key="scan_start").label == "Scan 3 images"
    assert texts(scanned(at))[:2] == ["2 images of folder", "last: frog/frog.png"]
    assert texts(app())[0] == "2 images of folder"  # the next visitor finds it


def test_an_image_of_the_test_set_becomes_the_selected_one(app: Open) -> None:
    at = scanned(app())
    at.button[-2].click().run()
    assert texts(at)[2:] == ["selected: frog/frog.png, cat", "classes runner-up"]
    assert at.query_params["source"] == "test"
    assert at.query_params["index"] == "2"
    at.button[-1].click().run()
    assert "class" not in at.query_params


def test_scenes_are_scanned_and_selected(app: Open) -> None:
    at = app()
    choice = at.segmented_control(key="scan")
    assert [option.content for option in choice.proto.options] == ["Test set", "Drawn scenes"]
    choice.set_value("scenes").run()
    assert texts(scanned(at))[0] == "4 images of scenes"
    at.button[-2].click().run()
    assert texts(at)[2] == "selected: cat (drawn scene 3), cat"
    assert (at.query_params["source"], at.query_params["scene"]) == ("scenes", "3")


def test_a_stopped_scan_stands_and_goes_on(app: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Event()
    monkeypatch.setattr(running, "BATCH", 1)
    take = running.Recorder.run
    monkeypatch.setattr(running.Recorder, "run", lambda *given: (gate.wait(120), take(*given)))
    at = app()
    at.button(key="scan_start").click().run()
    at.button(key="scan_stop").click().run()
    assert at.button(key="scan_start").label == "Scan 3 images"
    gate.set()
    JOBS.rest()
    assert "one pass" in at.run().info[0].value
    assert texts(scanned(at))[0] == "2 images of folder"


def test_the_time_left_is_said_once_the_pace_is_known() -> None:
    first = scanning.how_far([(128, 1.5)], 10_000)
    assert first == "Scanned images: 128"
    assert scanning.how_far([(128, 1.5), (128, 1.06)], 10_000) == "256 of 10,000 images, about 0:01:37 left"
    assert scanning.how_far([(128, 1.0)] * 3 + [(16, 0.1), (0, 0.0)], 400) == "Scanned images: 400"


def test_what_an_earlier_scan_left_does_not_make_the_rest_look_fast() -> None:
    batches = [(128, 0.0)] * 30 + [(128, 1.28)] * 16
    assert scanning.how_far(batches, 46 * 128 + 6000) == "5,888 of 11,888 images, about 0:01:00 left"


def test_time_in_which_nobody_follows_the_scan_does_not_count() -> None:
    ticks = iter([0.0, 2.0, 602.0, 604.0, 1204.0])
    made = list(scanning.timed([128, 64], lambda: next(ticks)))
    assert made == [(128, 2.0), (64, 2.0)]


def test_what_went_wrong_is_said_and_can_be_tried_again(
    app: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(running.parts, "write", full)
        at = app()
        at.button(key="scan_start").click().run()
        end = time.monotonic() + 120
        while not at.error:
            assert time.monotonic() < end
            time.sleep(0.05)
            at.run()
        assert "No space left on device" in at.error[0].value
    at.button(key="scan_again").click().run()
    assert texts(scanned(at))[0] == "2 images of folder"


def test_a_larger_test_set_may_be_scanned_in_part(app: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "FEWER", 2)
    at = app()
    at.segmented_control(key="scan_count").set_value("fewer").run()
    assert at.button(key="scan_start").label == "Scan 2 images"
    assert texts(scanned(at))[0] == "1 images of folder"
    assert "This scan has 2 of the 3 images." in [each.value for each in at.caption]
    at.button(key="scan_start").click().run()
    end = time.monotonic() + 120
    while texts(at)[0] != "2 images of folder":  # the smaller scan is shown until then
        assert time.monotonic() < end
        time.sleep(0.05)
        at.run()
    assert not any(each.key == "scan_start" for each in at.button)


def test_a_damaged_scan_is_said_and_made_again(app: Open, tmp_path: Path) -> None:
    at = scanned(app())
    (path,) = (tmp_path / "scans").glob("*.safetensors")
    copy = path.with_name("a copy.safetensors")
    for place in (path, copy):
        place.write_bytes(path.read_bytes()[:-100])
    at.run()
    assert all("is not a scan that can be read" in error.value for error in at.error)
    assert len(at.error) == 2
    assert texts(scanned(at))[0] == "2 images of folder"
    assert not at.error
