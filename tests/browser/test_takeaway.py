"""Taking things away by clicking, links opened elsewhere, and stepping by keyboard, in a real browser."""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

VIEW = "maps?sample=horse&class=ship&block=2&stage=norm&channel=20&cell=3-4&scale=channel&order=mean"


@pytest.fixture
def explorer(serve: Callable[..., str]) -> str:
    return serve("explorer/app.py")


@pytest.fixture
def elsewhere(browser: Browser) -> Iterator[Page]:
    """A second browser context, as on another machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def settle(page: Page) -> None:
    expect(page.locator(".fx-prediction")).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def unfold(page: Page) -> Locator:
    fold = page.get_by_test_id("stExpander").filter(has_text="Download")
    fold.get_by_text("Download", exact=True).click()
    expect(fold.get_by_text("Python program")).to_be_visible()
    fold.get_by_text("Python program").hover()  # scrolls there, also if it is drawn anew meanwhile
    return fold


def taken(page: Page, fold: Locator, label: str) -> tuple[str, bytes]:
    """The name and the bytes of what a button gives."""
    with page.expect_download() as waiting:
        fold.get_by_role("button", name=label).first.click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def address(page: Page) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(page.url).query).items()}


def says(page: Page, **link: str) -> None:
    """Wait until the address holds these choices."""
    for key, value in link.items():
        expect(page).to_have_url(re.compile(rf"[?&]{key}={value}(&|$)"))


# Files


def test_each_kind_of_file_is_downloaded_and_opens(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/{VIEW}")
    settle(page)
    fold = unfold(page)
    name, data = taken(page, fold, "This picture, PNG")
    assert name == "maps-horse-drawn-bn2-channel-20-all-channels.png"
    assert Image.open(io.BytesIO(data)).width > 1000
    name, data = taken(page, fold, "Channels, CSV")
    assert len(pd.read_csv(io.BytesIO(data))) == 64
    name, data = taken(page, fold, "Without this channel, CSV")
    assert len(pd.read_csv(io.BytesIO(data))) == 10
    name, data = taken(page, fold, "Arrays, NPZ")
    assert np.load(io.BytesIO(data), allow_pickle=False)["maps"].shape == (64, 16, 16)
    name, data = taken(page, fold, "All pictures, ZIP")
    assert len(zipfile.ZipFile(io.BytesIO(data)).namelist()) == 7
    name, data = taken(page, fold, "Figure, PNG")
    assert Image.open(io.BytesIO(data)).format == "PNG"
    name, data = taken(page, fold, "Figure, PDF")
    assert name.endswith("figure.pdf")
    assert data.startswith(b"%PDF-")


@pytest.mark.parametrize(
    "path", ["explain", "batchnorm", "compare", "compare?b_own=checkpoint", "compare?compare=classes"]
)
def test_a_picture_and_a_figure_from_every_other_page(page: Page, explorer: str, path: str) -> None:
    page.goto(f"{explorer}/{path}")
    settle(page)
    fold = unfold(page)
    assert Image.open(io.BytesIO(taken(page, fold, "This picture, PNG")[1])).format == "PNG"
    assert taken(page, fold, "Figure, PDF")[1].startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("path", "table", "rows", "array", "shape"),
    [
        ("training?runs=cifar10-course", "Epochs", 20, "epochs_cifar10-course", (20, 8)),
        ("time?checkpoint=cifar10-fast&epoch=6", "Epochs", 6, "probabilities", (6, 10)),
        ("augmentation", "Labels", 64, "draws_rotate", (6, 32, 32, 3)),
    ],
)
def test_each_kind_of_file_from_the_pages_of_a_run(
    page: Page, explorer: str, path: str, table: str, rows: int, array: str, shape: tuple[int, ...]
) -> None:
    page.goto(f"{explorer}/{path}")
    expect(page.get_by_text("Download", exact=True)).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    fold = unfold(page)
    assert Image.open(io.BytesIO(taken(page, fold, "This picture, PNG")[1])).format == "PNG"
    pictures = zipfile.ZipFile(io.BytesIO(taken(page, fold, "All pictures, ZIP")[1]))
    for name in pictures.namelist():
        assert name == "caption.txt" or Image.open(io.BytesIO(pictures.read(name))).format == "PNG"
    assert "Checkpoint cifar10-" in pictures.read("caption.txt").decode()
    assert len(pd.read_csv(io.BytesIO(taken(page, fold, f"{table}, CSV")[1]))) == rows
    held = np.load(io.BytesIO(taken(page, fold, "Arrays, NPZ")[1]), allow_pickle=False)
    assert held[array].shape == shape
    assert Image.open(io.BytesIO(taken(page, fold, "Figure, PNG")[1])).width > 800
    assert taken(page, fold, "Figure, PDF")[1].startswith(b"%PDF-")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_another_picture_is_chosen_in_the_fold(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/explain")
    settle(page)
    fold = unfold(page)
    box, option = fold.get_by_role("combobox"), page.get_by_role("option", name="relu3, raw map")
    for _ in range(5):  # a list that opens while the page still scrolls closes again
        box.click()
        page.wait_for_timeout(400)
        if option.count():
            break
    option.click()
    expect(fold.get_by_role("combobox")).to_have_value("relu3, raw map")
    # Before that the button is still the one of the picture that was chosen before.
    expect(fold.locator("[class*=st-key-take_][class*=relu3-raw-map]")).to_be_visible()
    name, data = taken(page, fold, "This picture, PNG")
    assert name == "grad_cam-cat-drawn-cat-relu3-raw-map.png"
    assert Image.open(io.BytesIO(data)).size == (256, 256)


# Links


def grid_shows(page: Page, order: str, scale: str) -> None:
    grid = page.get_by_role("slider", name="The 64 feature maps of bn2")
    expect(grid).to_have_attribute("aria-valuetext", re.compile("Channel 20 "))
    for name in (order, scale):
        expect(page.get_by_role("radio", name=name, exact=True).first).to_be_checked()


def view_of(page: Page) -> list[str]:
    """What a visitor sees of a view on «Feature maps», in words and pictures."""
    expect(page.get_by_role("heading", name="Channel 20 of bn2")).to_be_visible()
    expect(page.get_by_text("The network computed")).to_be_visible()
    canvas = page.locator("canvas").first.evaluate("canvas => canvas.toDataURL()")
    words = [page.locator(place).first.inner_text() for place in (".fx-walk", ".fx-facts", ".fx-prediction")]
    return [canvas, *words]


def test_a_link_shows_the_same_view_elsewhere(page: Page, elsewhere: Page, explorer: str) -> None:
    page.goto(f"{explorer}/maps?sample=horse&class=ship&block=2&stage=norm&channel=20&cell=3-4")
    settle(page)
    grid_shows(page, "Index", "Shared scale")
    page.get_by_text("Per channel", exact=True).first.click()
    says(page, scale="channel")
    page.get_by_text("Mean activation").click()
    says(page, order="mean")
    assert address(page) == {
        "sample": "horse", "class": "ship", "block": "2", "stage": "norm", "channel": "20", "cell": "3-4",
        "scale": "channel", "order": "mean",
    }  # fmt: skip
    elsewhere.goto(page.url)
    settle(elsewhere)
    grid_shows(elsewhere, "Mean activation", "Per channel")
    settle(page)
    assert view_of(elsewhere) == view_of(page)


def test_a_view_of_heat_maps_is_the_same_elsewhere(page: Page, elsewhere: Page, explorer: str) -> None:
    page.goto(f"{explorer}/explain?sample=dog&class=truck")
    settle(page)
    page.get_by_text("Positive and negative").click()
    says(page, evidence="signed")
    page.get_by_text("Shared scale", exact=True).click()
    says(page, cam_scale="shared")
    page.get_by_test_id("stSelectbox").filter(has_text="Method").get_by_role("combobox").click()
    page.get_by_role("option", name="LayerCAM").click()
    says(page, method="layer_cam")
    settle(page)
    elsewhere.goto(page.url)
    settle(elsewhere)
    pictures = "() => [...document.querySelectorAll('.fx-panels img')].map(image => image.src)"
    seen = page.evaluate(pictures)
    assert len(seen) == 6
    assert elsewhere.evaluate(pictures) == seen


def test_both_sides_of_a_comparison_take_the_scale(page: Page, elsewhere: Page, explorer: str) -> None:
    page.goto(f"{explorer}/compare?b_own=image&b_sample=dog")
    settle(page)
    page.get_by_text("Per channel", exact=True).nth(1).click()
    for side in (0, 1):
        expect(page.get_by_role("radio", name="Per channel").nth(side)).to_be_checked()
    says(page, scale="channel")
    elsewhere.goto(page.url)
    settle(elsewhere)
    for side in (0, 1):
        expect(elsewhere.get_by_role("radio", name="Per channel").nth(side)).to_be_checked()


def test_the_last_of_quick_choices_stays_in_the_address(page: Page, explorer: str) -> None:
    """Each choice is sent before the browser's address has followed the one before it."""
    for _ in range(3):
        page.goto(f"{explorer}/compare?b_own=image&b_sample=dog")
        settle(page)
        expect(page.get_by_text("Download", exact=True)).to_be_visible()
        for scale in ("Per channel", "Shared scale", "Per channel"):
            page.get_by_text(scale).first.click()
            page.wait_for_timeout(50)
        page.wait_for_timeout(1000)  # an address that is right at first may still be undone
        says(page, scale="channel")


def test_an_upload_says_that_it_cannot_be_linked(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/explain")
    settle(page)
    page.get_by_role("radio", name="Upload").click()
    expect(page.get_by_text("It is not part of the link")).to_be_visible()
    picture = io.BytesIO()
    Image.new("RGB", (40, 40), "teal").save(picture, "PNG")
    page.locator("input[type=file]").set_input_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    )
    expect(page.get_by_alt_text("The image: mine.png")).to_be_visible()
    page.get_by_text("Positive and negative").click()
    says(page, evidence="signed")
    assert address(page) == {"evidence": "signed"}


# Keyboard


def test_samples_are_stepped_through_by_keyboard(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/maps?sample=horse")
    settle(page)
    expect(page.get_by_role("button", name="Next")).to_be_visible()
    expect(page.get_by_text("Download", exact=True)).to_be_visible()  # the end: keys are listened to
    for key, name in (("n", "ship"), ("n", "truck"), ("p", "ship")):
        page.keyboard.press(key)
        expect(page.get_by_alt_text(f"The image: {name} (drawn)")).to_be_visible()
        says(page, sample=name)
        settle(page)


def test_a_picture_s_name_that_is_cut_short_ends_in_an_ellipsis(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/compare?compare=classes&against=automobile&lang=zh_CN")
    settle(page)
    page.locator(".st-key-take_away summary").click()
    name = page.locator(".st-key-take_picture input")
    expect(name).to_be_visible()
    assert name.evaluate("input => getComputedStyle(input).textOverflow") == "ellipsis"
