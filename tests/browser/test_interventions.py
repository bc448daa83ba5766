"""Brushing the grid of channels and dragging the square, as a visitor does."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import QUIET


def at(page: Page, selector: str) -> tuple[float, float, float]:
    """Where it is, once nothing above it moves it any longer."""
    page.evaluate(QUIET)
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"], box["y"], box["width"]


def test_channels_are_brushed_by_mouse_and_keyboard_and_a_square_is_dragged(
    page: Page, serve: Callable[..., str]
) -> None:
    page.set_viewport_size({"width": 1280, "height": 1500})
    page.goto(f"{serve('explorer/app.py')}/interventions?sample=cat")
    expect(page.locator(".stage canvas")).to_be_visible()
    expect(page.get_by_text("No channel is marked")).to_be_visible()
    left, top, _ = at(page, ".stage canvas")
    page.mouse.move(left + 25, top + 40)
    page.mouse.down()
    page.mouse.move(left + 200, top + 40, steps=2)
    page.mouse.up()
    says(page, "relu3: 0–3")
    page.mouse.click(left + 25, top + 40)
    says(page, "relu3: 1–3")
    with_shift(page, left + 200, top + 40)
    says(page, "relu3: 0–3")
    expect(page.locator(".marks .mark")).to_have_count(4)
    page.get_by_role("button", name="Undo").click()
    says(page, "relu3: 1–3")
    expect(page.locator(".marks .mark")).to_have_count(3)
    page.locator(".stage").focus()
    page.keyboard.press("End")
    page.keyboard.press("Space")
    says(page, "relu3: 1–3, 127")
    expect(page).to_have_url(re.compile("marked=relu3~1-3.127"))
    page.get_by_text("Cover a part of the image").click()
    says(page, "Covered: 8 × 8 pixels of the input, from row 12 and column 12 on.")
    left, top, side = at(page, ".board")
    page.mouse.move(left + side / 2, top + side / 2)
    page.mouse.down()
    page.mouse.move(left + side / 2 - 5 * side / 32, top + side / 2 + 3 * side / 32, steps=4)
    page.mouse.up()
    says(page, "Covered: 8 × 8 pixels of the input, from row 15 and column 7 on.")
    page.keyboard.press("+")
    says(page, "Covered: 9 × 9 pixels of the input, from row 15 and column 7 on.")
    expect(page).to_have_url(re.compile("patch=15.7.9"))


def says(page: Page, text: str) -> None:
    expect(page.get_by_text(text).last).to_be_visible()


def with_shift(page: Page, x: float, y: float) -> None:
    page.keyboard.down("Shift")
    page.mouse.click(x, y)
    page.keyboard.up("Shift")
