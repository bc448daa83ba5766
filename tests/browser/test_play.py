"""Play by keyboard, and where the system asks for less motion: then nothing moves, there are only steps."""

from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

APP = "tests/browser/play_app.py"
BOX = ".right .box"


def opened(page: Page, url: str) -> Page:
    page.goto(url)
    expect(page.get_by_text("Step 1 of 3")).to_be_visible()
    return page


def style(page: Page, selector: str) -> str:
    return str(page.locator(selector).get_attribute("style"))


def test_play_by_keyboard(page: Page, serve: Callable[..., str]) -> None:
    opened(page, serve(APP))
    play = page.get_by_role("group", name="Step by step from the picture to the class")
    page.get_by_label("Speed").select_option("4")
    play.focus()
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.get_by_text("Step 2 of 3")).to_be_visible()  # it went on by itself
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    held = style(page, BOX), page.locator(".rows .later").count()
    page.wait_for_timeout(300)
    assert (style(page, BOX), page.locator(".rows .later").count()) == held  # a pause holds it
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("Step 1 of 3")).to_be_visible()
    expect(page.get_by_role("button", name="Back")).to_be_disabled()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", name="Convolution")).to_be_visible()
    assert "top: 50%" in style(page, BOX)  # a step shows all of it, the window at its place
    expect(page.locator(".rows .later")).to_have_count(0)
    expect(page.locator(".total")).to_have_text("sum= 0.5")
    page.keyboard.press("End")
    expect(page.get_by_text("Step 3 of 3")).to_be_visible()
    assert page.locator(".dot").inner_text() == "0"
    page.keyboard.press(" ")  # from the end it begins again
    expect(page.get_by_text("Step 1 of 3")).to_be_visible()
    page.keyboard.press(" ")
    found = Axe().run(page).response["violations"]
    assert not [rule["id"] for rule in found if rule["impact"] in ("serious", "critical")]


def test_with_less_motion_there_are_only_steps(browser: Browser, serve: Callable[..., str]) -> None:
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 390, "height": 844})
    page = opened(context.new_page(), serve(APP))
    expect(page.get_by_text("Your system asks for less motion")).to_be_attached()
    expect(page.locator(".go")).to_be_hidden()
    page.get_by_role("group", name="Step by step from the picture to the class").focus()
    page.keyboard.press(" ")
    expect(page.get_by_text("Step 2 of 3")).to_be_visible()
    before = style(page, BOX)
    assert "top: 50%" in before
    page.wait_for_timeout(700)
    assert style(page, BOX) == before
    expect(page.get_by_text("Step 2 of 3")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0
    page.get_by_role("button", name="Next step").first.click()
    expect(page.get_by_text("Step 3 of 3")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
