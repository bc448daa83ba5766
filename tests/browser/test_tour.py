"""A link to a station of the tour, and one to a page as it is shown to others."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

Serve = Callable[..., str]


def station(page: Page, number: int, title: str) -> None:
    """The page comes to rest at a station, and the address says so."""
    expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile(rf"[?&]tour={number}(&|$)"))
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_link_opens_its_station_and_back_leads_to_the_one_before(page: Page, serve: Serve) -> None:
    address = serve("explorer/app.py")
    page.goto(f"{address}/?sample=horse&tour=3")
    station(page, 3, "What does BatchNorm do?")
    expect(page).to_have_url(re.compile(r"/batchnorm\?"))
    page.get_by_role("button", name="Next station").click()
    station(page, 4, "What does ReLU cut?")
    expect(page.get_by_role("heading", name=re.compile(r"^Channel \d+ of relu1"))).to_be_visible()
    shared = page.url
    page.go_back()
    station(page, 3, "What does BatchNorm do?")
    other = page.context.new_page()
    other.goto(shared)
    station(other, 4, "What does ReLU cut?")
    expect(other.get_by_alt_text("The image: horse (drawn)")).to_be_visible()


def test_a_page_is_shown_alone_and_large(page: Page, serve: Serve) -> None:
    address = serve("explorer/app.py")
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto(f"{address}/training?size=large&show=page")
    back = page.get_by_role("button", name="Show sidebar and menu")
    expect(back).to_be_visible()
    expect(page.get_by_role("heading", name="Training runs").last).to_be_visible()
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    expect(page.get_by_test_id("stTopNavLink").first).to_be_hidden()
    expect(page.locator("html")).to_have_css("font-size", "22px")
    width = page.get_by_test_id("stMainBlockContainer").bounding_box()
    assert width is not None
    assert width["width"] == page.evaluate("innerWidth")
    back.click()
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?size=large$"))
