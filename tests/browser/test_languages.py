"""Two languages: the browser's first, a switch, the link; and no Chinese text that is cut off."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from explorer.drawing import typefaces

DESKTOP, PHONE = {"width": 1280, "height": 720}, {"width": 390, "height": 844}
VIEWS = ("?class=dog&evidence=signed", "maps", "batchnorm", "training")

# Chinese letters as wide as people see them, also where no Chinese typeface is installed.
LETTERS = """const bytes = Uint8Array.from(atob("%s"), (letter) => letter.charCodeAt(0));
const face = new FontFace("Source Sans", bytes, {unicodeRange: "U+2E80-9FFF, U+FF00-FFEF"});
document.fonts.add(face);
face.load();"""

# The texts that reach over the edge of a frame that hides what is beyond it.
CUT_OFF = """(within) => {
    const walker = document.createTreeWalker(document.querySelector(within), NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    const found = [];
    while (walker.nextNode()) {
        const text = walker.currentNode;
        const holder = text.parentElement;
        if (!text.data.trim() || holder.closest("style, script, .fx-unseen, [aria-hidden=true]")) continue;
        if (!holder.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue;
        range.selectNodeContents(text);
        const box = range.getBoundingClientRect();
        for (let frame = holder; box.width && frame !== document.body; frame = frame.parentElement) {
            const style = getComputedStyle(frame);
            if (["auto", "scroll"].includes(style.overflowX)) break;
            if (style.overflowX === "visible" || frame.clientWidth < 2) continue;
            if (box.right > frame.getBoundingClientRect().right + 1) { found.push(text.data); break; }
        }
    }
    return found;
}"""
WITHIN_THE_WINDOW = """() => [document.documentElement, document.querySelector("[data-testid=stMain]")]
    .every((each) => each.scrollWidth <= each.clientWidth)"""


@pytest.fixture
def chinese(browser: Browser) -> Iterator[Page]:
    """A page in a browser whose language is Chinese."""
    context = browser.new_context(locale="zh-CN", viewport=DESKTOP)
    font = base64.b64encode(typefaces.BUNDLED.read_bytes()).decode()
    context.add_init_script(LETTERS % font)
    yield context.new_page()
    context.close()


def opened(page: Page, url: str, view: str) -> None:
    page.goto(f"{url}/{view}")
    page.locator("[data-testid=stMain] h2").first.wait_for()
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    page.wait_for_timeout(300)  # widths settle


def test_a_visitor_sees_the_browsers_language_and_chooses_another(
    chinese: Page, serve: Callable[..., str], tmp_path: Path
) -> None:
    url = serve("explorer/app.py")
    opened(chinese, url, "maps?block=2")
    menu = chinese.get_by_test_id("stTopNavLink").filter(has_text="特征图")
    expect(menu).to_be_visible()
    expect(chinese.locator("html")).to_have_attribute("lang", "zh-CN")
    assert "lang" not in parse_qs(urlsplit(chinese.url).query)
    chinese.get_by_role("radio", name="English").click()
    expect(chinese.get_by_test_id("stTopNavLink").filter(has_text="Feature maps")).to_be_visible()
    expect(chinese.locator("html")).to_have_attribute("lang", "en")
    expect(chinese.get_by_role("heading", name="What each channel responds to")).to_be_visible()
    chinese.wait_for_url("**lang=en**")
    assert parse_qs(urlsplit(chinese.url).query) == {"lang": ["en"], "block": ["2"]}
    chinese.get_by_role("radio", name="中文").click()
    expect(menu).to_be_visible()


def test_no_chinese_text_is_cut_off(chinese: Page, serve: Callable[..., str]) -> None:
    url = serve("explorer/app.py")
    for view in VIEWS:
        chinese.set_viewport_size(DESKTOP)
        opened(chinese, url, view)
        for size, within in ((DESKTOP, "body"), (PHONE, "[data-testid=stMain]")):  # there the sidebar is away
            chinese.set_viewport_size(size)
            chinese.wait_for_timeout(300)
            assert chinese.evaluate(CUT_OFF, within) == [], f"{view} at {size['width']} pixels"
            assert chinese.evaluate(WITHIN_THE_WINDOW), f"{view} at {size['width']} pixels"
