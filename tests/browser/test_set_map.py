"""The map of a scan in a browser: points are hovered, clicked and drawn around."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from explorer.engine.network import network_of
from explorer.engine.scan.images import scan_images
from explorer.engine.scan.result import save
from explorer.engine.scan.running import scan
from model.checkpoint import load_checkpoint
from tests.browser.conftest import QUIET

ROOT = Path(__file__).parents[2]
COUNT = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan of a few scenes."""
    made = tmp_path_factory.mktemp("scans")
    network = network_of(load_checkpoint(ROOT / "checkpoints" / "scenes-course.safetensors"))
    save(scan(network, scan_images("scenes", network.card, made, limit=COUNT)), made / "few.safetensors")
    return made


def test_an_outline_selects_and_a_click_opens_an_image(
    page: Page, serve: Callable[..., str], folder: Path
) -> None:
    page.goto(f"{serve('explorer/app.py', '--scans', str(folder))}/set_map?checkpoint=scenes-course")
    canvas = page.get_by_role("application", name=f"PCA of {COUNT} images")
    expect(canvas).to_be_visible()
    page.evaluate(QUIET)  # nothing moves it any longer
    area = canvas.bounding_box()
    assert area is not None
    left, top, width, height = (area[name] for name in ("x", "y", "width", "height"))
    corners = [(2, 2), (width - 3, 2), (width - 3, height - 3), (2, height - 3)]
    page.mouse.move(left + 2, top + 2)
    page.mouse.down()
    for x, y in corners[1:]:
        page.mouse.move(left + x, top + y, steps=5)
    page.mouse.up()
    expect(page.get_by_text(f"{COUNT} of {COUNT} images are selected")).to_be_visible()
    picture = page.locator(".st-key-set_map_selected button, [class*=set_map_selected] button").first
    expect(picture).to_be_visible()
    picture.click()
    expect(page.get_by_text("Now selected on every page")).to_be_visible()
    expect(page.get_by_text("Thin ring: the selected image")).to_be_visible()
    expect(page).to_have_url(re.compile("source=scenes"))
    page.get_by_role("button", name="Clear the selection").click()
    expect(page.get_by_text("Nothing is selected yet")).to_be_visible()
    by_keyboard(page, canvas)


def test_a_finger_scrolls_the_page_past_the_map_and_draws_sideways(
    browser: Browser, serve: Callable[..., str], folder: Path
) -> None:
    context = browser.new_context(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 780})
    page = context.new_page()
    page.goto(f"{serve('explorer/app.py', '--scans', str(folder))}/set_map?checkpoint=scenes-course")
    canvas = page.get_by_role("application", name=f"PCA of {COUNT} images")
    expect(canvas).to_be_visible()
    expect(page.get_by_text("Nothing is selected yet")).to_be_visible()
    canvas.scroll_into_view_if_needed()
    before = top_of(canvas)
    swipe(page, canvas, 0, -250)
    assert top_of(canvas) < before - 150
    expect(page.get_by_text("Nothing is selected yet")).to_be_visible()
    canvas.scroll_into_view_if_needed()
    page.get_by_role("button", name="Zoom in").tap()
    page.get_by_role("button", name="Drag to move").tap()
    before = top_of(canvas)
    swipe(page, canvas, 0, -100)
    assert top_of(canvas) == pytest.approx(before, abs=2)
    context.close()


def top_of(canvas: Locator) -> float:
    area = canvas.bounding_box()
    assert area is not None
    return area["y"]


def swipe(page: Page, canvas: Locator, across: int, down: int) -> None:
    """A finger on the middle of the map, moved so many pixels."""
    area = canvas.bounding_box()
    assert area is not None
    x, y = area["x"] + area["width"] / 2, area["y"] + area["height"] / 2
    session = page.context.new_cdp_session(page)
    for kind, points in (
        ("touchStart", [(x, y)]),
        *(("touchMove", [(x + across * part / 10, y + down * part / 10)]) for part in range(1, 11)),
        ("touchEnd", []),
    ):
        touches = [{"x": left, "y": top} for left, top in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
        page.wait_for_timeout(30)
    page.wait_for_timeout(500)


def by_keyboard(page: Page, canvas: Locator) -> None:
    """A rectangle is moved, enlarged and chosen; the view is enlarged and shows all again."""
    canvas.focus()
    page.keyboard.press("ArrowRight")
    count = page.get_by_role("status").filter(has_text="Points in the rectangle: ")
    expect(count).to_be_visible()
    before = int(count.inner_text().split()[-1])
    page.keyboard.press("+")
    expect(page.get_by_role("button", name="Show all")).to_be_visible()
    assert int(count.inner_text().split()[-1]) <= before
    page.keyboard.press("0")
    expect(page.get_by_role("button", name="Show all")).to_be_hidden()
    expect(count).to_have_text(f"Points in the rectangle: {before}")
    for _ in range(40):
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowUp")
    for _ in range(80):
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Shift+ArrowDown")
    expect(count).to_have_text(f"Points in the rectangle: {COUNT}")
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"{COUNT} of {COUNT} images are selected")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Nothing is selected yet")).to_be_visible()
