"""Pictures of one's own stay for the whole visit, whatever is looked at meanwhile."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.navigation import follow


def file(name: str, shade: int) -> dict[str, object]:
    made = io.BytesIO()
    Image.fromarray(np.full((40, 40, 3), shade, np.uint8)).save(made, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": made.getvalue()}


@pytest.fixture
def opened(page: Page, serve: Callable[..., str]) -> Page:
    page.goto(f"{serve('explorer/app.py')}/explain?source=upload")
    expect(page.get_by_test_id("stFileUploader")).to_be_visible()
    return page


def upload(page: Page, *files: dict[str, object]) -> None:
    page.locator("input[type=file]").first.set_input_files(list(files))  # type: ignore[arg-type]


def shows(page: Page, name: str) -> None:
    expect(page.get_by_alt_text(f"The image: {name}")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)


def source(page: Page, name: str) -> None:
    page.locator(".st-key-sources").get_by_role("radio", name=name).click()


def open_page(page: Page, name: str) -> None:
    follow(page, name)


def test_uploads_are_there_again_after_another_source_and_another_page(opened: Page) -> None:
    page = opened
    upload(page, file("a.png", 40), file("b.png", 120))
    shows(page, "a.png")
    upload(page, file("c.png", 200))
    shows(page, "c.png")
    source(page, "Samples")
    shows(page, "cat (drawn)")
    source(page, "Upload")
    shows(page, "c.png")
    page.get_by_role("button", name="Next").click()
    shows(page, "a.png")
    open_page(page, "Training runs")
    expect(page.get_by_role("heading", name="Training runs", level=2)).to_be_visible()
    open_page(page, "Feature maps")
    shows(page, "a.png")
    page.get_by_role("button", name="Remove this picture").click()
    shows(page, "b.png")
    page.go_back()
    expect(page.get_by_role("heading", name="Training runs", level=2)).to_be_visible()
    page.go_back()
    shows(page, "b.png")


def test_the_side_b_keeps_its_own(page: Page, serve: Callable[..., str]) -> None:
    url = serve("explorer/app.py")
    page.goto(f"{url}/compare?b_own=image&b_source=upload")
    expect(page.get_by_test_id("stFileUploader")).to_be_visible()
    upload(page, file("b.png", 120))
    expect(page.get_by_alt_text("The input of the network: b.png")).to_be_visible()
    open_page(page, "BatchNorm")
    shows(page, "cat (drawn)")
    open_page(page, "Compare")
    expect(page.get_by_alt_text("The input of the network: b.png")).to_be_visible()
