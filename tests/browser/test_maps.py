"""From the grid to a channel to a cell, as a visitor goes: with the mouse, by keyboard, by link."""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect


@pytest.fixture
def maps(page: Page, serve: Callable[..., str]) -> Page:
    page.goto(f"{serve('explorer/app.py')}/maps?sample=horse&block=3&channel=20")
    shows(page, "Channel 20 of relu3")
    return page


def shows(page: Page, heading: str | re.Pattern[str]) -> None:
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.get_by_text("The network computed")).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def walked(page: Page, cell: str) -> Locator:
    """The walk to a cell, once it is that cell's: the heading above it is drawn first."""
    walk = page.locator(".fx-walk")
    expect(walk).to_contain_text(f"Receptive field of {cell}")
    return walk


def settled(page: Page, **link: object) -> None:
    """Wait until the address says so."""
    wanted = {key: [str(value)] for key, value in link.items()}
    page.wait_for_url(lambda url: wanted.items() <= parse_qs(urlsplit(url).query).items())


def grid(page: Page) -> Locator:
    return page.get_by_role("slider", name="The 128 feature maps of relu3")


def large_map(page: Page) -> Locator:
    return page.get_by_role("slider", name=re.compile("Feature map .* of relu3"))


def click_cell(page: Page, row: int, column: int) -> None:
    box = large_map(page).locator("canvas").bounding_box()
    assert box is not None
    side = box["width"] / 8
    large_map(page).click(position={"x": (column + 0.5) * side, "y": (row + 0.5) * side})


def test_a_clicked_cell_is_walked_and_its_link_opens_elsewhere(maps: Page) -> None:
    click_cell(maps, 2, 5)
    shows(maps, "How the value at row 2, column 5 is computed")
    settled(maps, channel=20, cell="2-5")
    other = maps.context.browser.new_context().new_page()  # type: ignore[union-attr]
    other.goto(maps.url)
    shows(other, "Channel 20 of relu3")
    shows(other, "How the value at row 2, column 5 is computed")
    walk = walked(maps, "(2, 5)").text_content()  # not inner_text: that depends on how the page is laid out
    expect(walked(other, "(2, 5)")).to_have_text(walk or "none")
    other.context.close()


def test_keys_move_from_cell_to_cell_and_channel_to_channel(maps: Page) -> None:
    click_cell(maps, 2, 5)
    settled(maps, channel=20, cell="2-5")
    for row in (3, 4):
        large_map(maps).press("ArrowDown")
        settled(maps, channel=20, cell=f"{row}-5")
        shows(maps, f"How the value at row {row}, column 5 is computed")
    for channel in (21, 22):
        grid(maps).press("ArrowRight")
        settled(maps, channel=channel)
        shows(maps, f"Channel {channel} of relu3")


def test_the_walk_ends_in_the_value_on_the_map(maps: Page) -> None:
    click_cell(maps, 4, 4)
    shows(maps, "How the value at row 4, column 4 is computed")
    settled(maps, cell="4-4")
    here = re.compile(r"[Rr]ow 4, column 4: ")
    expect(large_map(maps)).to_have_attribute("aria-valuetext", here)
    shown = large_map(maps).get_attribute("aria-valuetext") or ""
    relu = walked(maps, "(4, 4)").locator("li", has_text="ReLU").locator(".fx-result").inner_text()
    assert float(shown.split(": ")[1]) == pytest.approx(float(relu.removeprefix("= ")), rel=0.01, abs=1e-3)


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_page(maps: Page, width: int) -> None:
    maps.set_viewport_size({"width": width, "height": 900})
    shows(maps, "Channel 20 of relu3")
    wide = maps.evaluate(
        """() => [...document.querySelectorAll(".fx *, .fx")]
            .filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.className)"""
    )
    assert not wide
    assert maps.evaluate("document.documentElement.scrollWidth <= innerWidth")


def in_view(part: Locator) -> None:
    expect(part).to_be_visible()
    box, size = part.bounding_box(), part.page.viewport_size
    assert box is not None
    assert size is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size["width"]
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= size["height"]


def shows_the_channel(page: Page, channel: int, layer: str) -> None:
    """Its map, its numbers and what the logits are without it, all in the window."""
    expect(page.get_by_role("heading", name=f"Channel {channel} of {layer}")).to_be_visible()
    named = page.get_by_role("slider", name=f"Feature map {channel} of {layer}")
    in_view(named.locator("canvas"))
    panel = page.locator(".st-key-channel")
    for part in panel.locator(".fx-facts, .fx-without > :not(details)").all():
        in_view(part)
    expect(panel.get_by_role("heading", name="Without this channel")).to_be_visible()


def click_somewhere(page: Page, layer: str) -> int:
    """Click a tile of the grid where it stands, without scrolling; the channel that it is."""
    whole = page.get_by_role("slider", name=re.compile(f"The .* feature maps of {layer}"))
    box = whole.bounding_box()
    assert box is not None
    y = min(max(box["y"], 200) + 120, 700)
    page.mouse.click(box["x"] + box["width"] / 3, y)
    said = re.match(r"Channel (\d+)", whole.get_attribute("aria-valuetext") or "")
    assert said
    return int(said[1])


@pytest.fixture(params=[(1, "relu1"), (2, "relu2"), (3, "relu3")], ids=["32", "64", "128"])
def small(request: pytest.FixtureRequest, page: Page, serve: Callable[..., str]) -> tuple[Page, str]:
    """The page at 1280 × 720 on each block, with the sidebar beside it; and the layer's name."""
    block, layer = request.param
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{serve('explorer/app.py')}/maps?block={block}&channel=0")
    shows(page, f"Channel 0 of {layer}")
    expect(page.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "false")
    return page, layer


def test_a_click_in_the_grid_changes_what_stands_beside_it(small: tuple[Page, str]) -> None:
    page, layer = small
    shows_the_channel(page, 0, layer)
    channel = click_somewhere(page, layer)
    assert channel
    shows_the_channel(page, channel, layer)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0


def test_it_stays_in_view_while_the_grid_is_read(small: tuple[Page, str]) -> None:
    page, layer = small
    page.locator(".st-key-tiles").evaluate("tiles => { tiles.scrollIntoView(); tiles.scrollTop = 1e6; }")
    page.wait_for_timeout(300)
    channel = click_somewhere(page, layer)
    assert channel
    shows_the_channel(page, channel, layer)
