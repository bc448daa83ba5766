"""The Training page while a run goes on: the browser is left alone, and shows what the trainer writes."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from model.history import About, Epoch, History, save_history

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs of this module lie."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of noise, dark and bright, 32 training and 8 test images each."""
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for split, count in (("train", 32), ("test", 8)):
        for label, name in enumerate(("dark", "bright")):
            place = root / split / name
            place.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 90, (16, 16, 3)) + 120 * label
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{number}.png")
    return root


@pytest.fixture
def url(serve: Callable[..., str], folder: Path) -> str:
    """The page's address; no run of a test before is left."""
    for path in folder.iterdir():
        path.unlink()
    return f"{serve('explorer/app.py', '--runs', str(folder))}/training"


def written(folder: Path, epochs: int, state: str = "running") -> None:
    """A run of four epochs as the trainer has written it after so many of them."""
    rows = [Epoch(n, 2 / n, 0.1 * n, 1.9 / n, 0.125 * n, 1e-3, 400.0, 20.0) for n in range(1, epochs + 1)]
    about = About(epochs=4, steps=50, state=state, checkpoint="grown.safetensors")
    losses = [2.3 - 0.01 * step for step in range(50 * epochs)]
    save_history(folder / "grown.history.json", History(losses, rows, about))


def test_a_new_epoch_appears_without_a_click(page: Page, url: str, folder: Path) -> None:
    written(folder, 1)
    page.goto(f"{url}?runs=grown")
    row = page.get_by_role("row", name="grown")
    expect(row).to_contain_text("1 of 4")
    expect(page.get_by_text("Updated every 2 seconds")).to_be_visible()
    expect(page.locator(".fx-prediction")).to_have_count(0)  # no image is looked at here
    before = loss_picture(page)
    written(folder, 2)
    expect(row).to_contain_text("2 of 4")
    expect(row).to_contain_text("25.00%")
    page.wait_for_function(
        "before => document.querySelector('[data-testid=stVegaLiteChart] svg')?.innerHTML !== before",
        arg=before,
    )
    written(folder, 4, "finished")
    expect(row).to_contain_text("finished")
    expect(page.get_by_text("Updated every")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_the_fold_stays_open_and_gives_what_is_there_while_a_run_goes_on(
    page: Page, url: str, folder: Path
) -> None:
    written(folder, 1)
    page.goto(f"{url}?runs=grown")
    fold = page.get_by_test_id("stExpander").filter(has_text="Download")
    fold.get_by_text("Download", exact=True).click()
    expect(fold.get_by_text("It prints the last test accuracy so far: 12.50%.")).to_be_visible()
    for epochs in (2, 3):
        written(folder, epochs)
        said = f"It prints the last test accuracy so far: {12.5 * epochs:.2f}%."
        expect(fold.get_by_text(said)).to_be_visible()
    page.wait_for_timeout(1000)
    with page.expect_download() as waiting:
        fold.get_by_role("button", name="Epochs, CSV").click()
    assert len(Path(waiting.value.path()).read_text().splitlines()) == 1 + 3
    expect(page.get_by_test_id("stException")).to_have_count(0)


def loss_picture(page: Page) -> str:
    """The first chart, as it is drawn."""
    drawn = page.locator("[data-testid=stVegaLiteChart] svg").first
    expect(drawn).to_be_visible()
    return drawn.inner_html()


@pytest.fixture
def run_going_on(folder: Path, images: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The trainer itself, on images small enough that an epoch takes a part of a second."""
    command = [sys.executable, "-m", "model.train", "--dataset", "folder", "--data-dir", str(images)]
    command += ["--size", "16", "--width", "4", "--epochs", "5000", "--batch-size", "4", "--device", "cpu"]
    command += ["--out", str(folder / "live.safetensors")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    yield process
    process.terminate()
    process.wait(timeout=60)


def test_a_real_run_is_followed(
    page: Page, url: str, folder: Path, run_going_on: subprocess.Popen[bytes]
) -> None:
    for _ in range(240):
        if (folder / "live.history.json").exists() or run_going_on.poll() is not None:
            break
        page.wait_for_timeout(250)
    page.goto(f"{url}?runs=live")
    row = page.get_by_role("row", name="live")
    expect(row).to_contain_text("of 5000")
    first = row.inner_text()
    expect(row).not_to_have_text(first, use_inner_text=True)
    expect(row).to_contain_text("training now")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_run_that_starts_is_announced_and_shown_by_a_click(page: Page, url: str, folder: Path) -> None:
    page.goto(url)
    expect(page.get_by_role("row", name="cifar10-course")).to_contain_text("finished")
    page.wait_for_timeout(2000)
    written(folder, 1)
    announced = page.get_by_role("button", name="Show grown, which is training now")
    expect(announced).to_be_visible()
    announced.click()
    expect(page.get_by_role("row", name="grown")).to_contain_text("1 of 4")
    written(folder, 4, "finished")
    expect(page.get_by_role("row", name="grown")).to_contain_text("finished")
    written(folder, 2)  # the same file trains again
    expect(page.get_by_role("row", name="grown")).to_contain_text("2 of 4")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_the_page_is_not_drawn_anew_while_nothing_changes(page: Page, url: str, folder: Path) -> None:
    written(folder, 4, "finished")
    runs: list[bool] = []  # of the app's script, each whether it is one of a fragment alone
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: runs.extend(ended(data))))
    page.goto(f"{url}?runs=grown")
    expect(page.get_by_role("row", name="grown")).to_contain_text("finished")
    expect(page.locator("[data-testid=stVegaLiteChart] svg").first).to_be_visible()
    page.wait_for_timeout(2_000)
    before = len(runs)
    assert runs[0] is False
    for _ in range(120):
        page.wait_for_timeout(250)
        if len(runs[before:]) > 1:  # it has looked
            break
    assert len(runs[before:]) > 1
    assert all(runs[before:])


def ended(data: str | bytes) -> list[bool]:
    """Whether a run whose end the server tells was one of a fragment alone; nothing for another message."""
    message = ForwardMsg.FromString(data) if isinstance(data, bytes) else ForwardMsg()
    if message.WhichOneof("type") != "script_finished":
        return []
    return [message.script_finished == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY]


def test_the_crosshair_hides_no_axis_and_has_no_values_of_a_run_that_had_ended(
    page: Page, url: str, folder: Path
) -> None:
    written(folder, 4, "finished")
    (folder / "a-longer-run.history.json").write_bytes((folder / "grown.history.json").read_bytes())
    written(folder, 2, "finished")
    page.goto(f"{url}?runs=grown,a-longer-run")
    chart = page.locator(".st-key-crossed_accuracy")
    chart.locator(".role-axis-title").first.wait_for()
    page.wait_for_timeout(500)
    page.locator(".fx-readout").focus()
    page.keyboard.press("End")
    tip = page.locator(".fx-crosshair .fx-tip").nth(1)
    expect(tip).to_contain_text("epoch 4")
    expect(tip.locator("dd")).to_have_text(["test", "training", "–", "–", "50.00%", "40.00%"])
    page.locator("html").dispatch_event("pointerleave", {"pointerType": "touch"})  # the finger is lifted
    page.evaluate("() => document.dispatchEvent(new Event('scroll'))")  # as a focus may
    expect(tip).to_be_visible()
    top = (tip.bounding_box() or {})["y"]
    titles = chart.locator(".role-axis-title, .role-axis-label").all()
    assert titles
    for title in titles:
        box = title.bounding_box() or {}
        assert box["y"] + box["height"] <= top
    steps = page.locator(".st-key-crossed_steps .role-frame.root path.background").first
    steps.scroll_into_view_if_needed()
    plot = steps.bounding_box() or {}
    page.mouse.move(plot["x"] + 0.43 * plot["width"], plot["y"] + 0.6 * plot["height"])  # between two epochs
    expect(page.locator(".fx-readout")).to_contain_text(re.compile(r"epoch \d\.\d"))
    expect(tip.locator("dt").first).to_have_text("epoch 2")


def test_the_command_is_copied_whole_and_none_of_its_words_is_broken(
    page: Page, serve: Callable[..., str]
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{serve('explorer/app.py')}/training")
    code, words = page.locator(".box code"), page.locator(".box .word")
    expect(words.first).to_have_text("python")
    lines = words.evaluate_all("words => new Set(words.map((word) => word.offsetTop)).size")
    assert lines > 2
    assert words.evaluate_all("words => words.every((word) => word.offsetHeight < 30)")
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == code.text_content()
