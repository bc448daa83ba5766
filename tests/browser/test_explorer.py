"""The explorer as a visitor meets it."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.navigation import follow

PAGES = ("Explain", "Feature maps", "BatchNorm", "Compare")


@pytest.fixture
def explorer(serve: Callable[..., str]) -> str:
    return serve("explorer/app.py")


def settle(page: Page) -> None:
    """Wait until the page shows its answer and nothing runs any more; no exception box may be there."""
    expect(page.locator(".fx-prediction")).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


def portrait() -> bytes:
    """A picture of 60 × 40 pixels: red at the left, blue at the right."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :30, 0] = pixels[:, 30:, 2] = 220
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def open_page(page: Page, name: str) -> None:
    follow(page, name)
    settle(page)


def test_a_grad_cam_is_on_the_first_screen(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/explain")
    settle(page)
    cam = page.get_by_alt_text("Grad-CAM of").first
    expect(cam).to_be_in_viewport()
    assert cam.evaluate("image => image.complete && image.naturalWidth") >= 32


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_from_the_menu(page: Page, explorer: str, name: str) -> None:
    page.goto(f"{explorer}/explain")
    settle(page)
    open_page(page, name)
    expect(page.locator("[data-testid=stMainBlockContainer] h2").first).to_be_visible()


def test_an_uploaded_picture_stays_through_every_page(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/explain?source=upload")
    page.locator("input[type=file]").set_input_files(
        {"name": "flag.png", "mimeType": "image/png", "buffer": portrait()}
    )
    for name in PAGES:
        settle(page)
        expect(page.get_by_alt_text("The image: flag.png")).to_be_visible()
        open_page(page, name)


def test_the_first_page_is_found_under_its_name_too(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/network?sample=ship")
    expect(page.locator("[data-testid=stMainBlockContainer] h2").first).to_be_visible()
    expect(page).to_have_url(f"{explorer}/?sample=ship")


def test_two_visitors_see_their_own_images(page: Page, explorer: str) -> None:
    other = page.context.browser.new_context().new_page()  # type: ignore[union-attr]
    page.goto(f"{explorer}/explain?sample=horse")
    other.goto(f"{explorer}/explain?sample=ship")
    settle(page)
    settle(other)
    expect(page.get_by_alt_text("The image: horse (drawn)")).to_be_visible()
    expect(other.get_by_alt_text("The image: ship (drawn)")).to_be_visible()
    other.context.close()
