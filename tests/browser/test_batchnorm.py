"""The chart of all channels as a visitor uses it: a click chooses a channel, and the link keeps it."""

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import QUIET


@pytest.fixture
def opened(page: Page, serve: Callable[..., str]) -> Page:
    page.goto(f"{serve('explorer/app.py')}/batchnorm?norm=bn2&of=scenes&images=16")
    settled(page)
    return page


def settled(page: Page) -> None:
    expect(page.get_by_text("before and after BatchNorm")).to_be_visible()
    expect(page.locator(".fx-chart")).to_have_count(4)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def click_column(page: Page, fraction: float, before: str) -> str:
    """Click at a fraction of the chart's width; the channel that is then looked at, another than before."""
    chart = page.locator(".fx-chart .plot").first
    chart.scroll_into_view_if_needed()
    page.evaluate(QUIET)  # nothing moves it any longer
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + fraction * box["width"], box["y"] + 60)
    page.mouse.down()
    page.mouse.up()
    expect(page.get_by_text(before)).to_have_count(0)
    settled(page)
    return page.get_by_text("before and after BatchNorm").inner_text()


def test_a_click_chooses_a_channel_again_and_again_and_the_link_keeps_it(opened: Page) -> None:
    first = opened.get_by_text("before and after BatchNorm").inner_text()
    second = click_column(opened, 0.4, first)
    third = click_column(opened, 0.7, second)
    assert len({first, second, third}) == 3
    number = re.findall(r"\d+", third)[0]
    opened.wait_for_url(re.compile(rf"channel={number}\b"))
    other = opened.context.browser.new_context().new_page()  # type: ignore[union-attr]
    other.goto(opened.url)
    settled(other)
    assert other.get_by_text("before and after BatchNorm").inner_text() == third
    assert "16 drawn scenes" in other.get_by_text("Largest distance:").inner_text()
    other.context.close()


def test_a_channel_can_be_typed(opened: Page) -> None:
    opened.get_by_role("spinbutton", name="Channel").fill("7")
    opened.keyboard.press("Enter")
    expect(opened.get_by_text("Channel 7, before and after BatchNorm")).to_be_visible()
    opened.wait_for_url(re.compile(r"channel=7\b"))


def test_axe_finds_nothing_serious_on_a_batch(opened: Page) -> None:
    found = Axe().run(opened).response["violations"]
    assert not [rule["id"] for rule in found if rule["impact"] in ("serious", "critical")]
