"""The start page's picture: a click on a thumbnail draws its lines, and the keyboard does the same."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect


def test_a_thumbnail_is_chosen_by_click_and_by_keyboard(page: Page, serve: Callable[..., str]) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{serve('explorer/app.py')}/?sample=horse")
    threads, chosen = page.locator(".threads .thread"), page.locator('.tile[aria-pressed="true"]')
    expect(chosen).to_have_count(1, timeout=60_000)
    assert threads.count() > 8
    assert threads.first.evaluate("line => getComputedStyle(line).animationName") == "none"
    tile = page.get_by_role("button", name="of conv2: from").nth(1)
    tile.click()
    expect(tile).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".status b")).to_contain_text("of conv2", timeout=30_000)
    expect(page).to_have_url(re.compile("flow=conv2(~|%7E)"), timeout=30_000)
    tile.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".status b")).to_contain_text("of bn2", timeout=30_000)
    expect(threads).not_to_have_count(0)
    page.keyboard.press("Enter")  # once more opens it
    expect(page.get_by_role("heading", name="of bn2")).to_be_visible(timeout=60_000)


def test_a_press_counts_although_the_picture_is_drawn_anew_before_the_release(
    page: Page, serve: Callable[..., str]
) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{serve('explorer/app.py')}/?size=large&sample=horse")
    tile = page.locator('[data-at="tile 4 3"]')
    expect(tile).to_be_visible(timeout=60_000)
    percent = page.locator(".answer > span > span:last-child").first.bounding_box()
    frame = page.locator(".network .frame").bounding_box()
    assert percent
    assert frame
    assert percent["x"] + percent["width"] <= frame["x"] + frame["width"]  # nothing to scroll for
    channel = re.match(r"Channel \d+ of pool1", tile.get_attribute("data-tip") or "")
    assert channel
    tile.hover()
    page.mouse.down()
    page.keyboard.press("n")
    expect(page.locator(".status")).to_contain_text("ship", timeout=30_000)
    page.mouse.up()
    expect(page.locator(".status b")).to_have_text(channel[0], timeout=30_000)
