"""On a small laptop's screen no control covers another, and what belongs together is in sight together."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

# The pairs of visible controls on the page, with their labels, whose rectangles overlap.
OVERLAPPING = """() => {
    const lists = "[role=combobox], [aria-haspopup=listbox]";
    const controls = `[role=radio], [role=slider], [data-testid=stWidgetLabel], ${lists}`;
    const main = document.querySelector("[data-testid=stMain]");
    const boxes = [...main.querySelectorAll(controls)]
        .filter((each) => each.checkVisibility({visibilityProperty: true}) && each.getClientRects().length)
        .map((each) => [each, each.getBoundingClientRect()]);
    const name = (each) => each.getAttribute("aria-label") ?? each.textContent;
    return boxes.flatMap(([one, a], n) => boxes.slice(n + 1)
        .filter(([other]) => !one.contains(other) && !other.contains(one))
        .filter(([, b]) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
            && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2)
        .map(([other]) => `${name(one)} and ${name(other)}`));
}"""


@pytest.fixture
def laptop(page: Page) -> Page:
    page.set_viewport_size({"width": 1280, "height": 720})
    return page


def opened(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("[data-testid=stMainBlockContainer] h2").first).to_be_visible()
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_have_count(1)


@pytest.mark.parametrize("path", ["maps", "maps?block=8", "compare"])
@pytest.mark.parametrize("width", [1280])
def test_no_two_controls_overlap(laptop: Page, serve: Callable[..., str], path: str, width: int) -> None:
    laptop.set_viewport_size({"width": width, "height": 720})
    sign = "&" if "?" in path else "?"
    opened(laptop, f"{serve('explorer/app.py')}/{path}{sign}checkpoint=cifar10-resnet9")
    expect(laptop.get_by_role("radio", name="BatchNorm").first).to_be_visible()
    laptop.wait_for_timeout(500)  # components draw after the script has run
    assert laptop.evaluate(OVERLAPPING) == []


def test_the_slider_and_the_picture_of_its_epoch_are_in_sight_together(
    laptop: Page, serve: Callable[..., str]
) -> None:
    opened(laptop, f"{serve('explorer/app.py')}/time?checkpoint=cifar10-fast")
    picture = laptop.locator(".st-key-film figure")
    expect(picture).to_be_visible()
    frames = [
        each.bounding_box()
        for each in (laptop.get_by_test_id("stHeader"), laptop.get_by_test_id("stSlider"), picture)
    ]
    top, slider, figure = (frame or {"y": 0.0, "height": 0.0} for frame in frames)
    assert 0 < slider["height"] < figure["y"] + figure["height"] - slider["y"] <= 720 - top["height"]


def test_the_whole_picture_and_its_prediction_are_in_sight_on_a_small_screen(
    laptop: Page, serve: Callable[..., str]
) -> None:
    laptop.set_viewport_size({"width": 1280, "height": 720})
    opened(laptop, f"{serve('explorer/app.py')}/time?checkpoint=cifar10-fast")
    picture = laptop.locator(".st-key-film figure")
    expect(picture).to_be_visible()
    frame = picture.bounding_box()
    assert frame is not None
    assert frame["y"] + frame["height"] < 720


def test_a_press_on_a_snapshot_chooses_its_epoch(laptop: Page, serve: Callable[..., str]) -> None:
    opened(laptop, f"{serve('explorer/app.py')}/time?checkpoint=cifar10-fast")
    snapshots = laptop.locator(".st-key-snapshots").get_by_role("radio")
    expect(snapshots.last).to_be_checked()
    snapshots.nth(1).click()
    expect(laptop.get_by_text("epoch 3: ")).to_be_visible()
    expect(snapshots.nth(1)).to_be_checked()
    expect(laptop.get_by_test_id("stSlider")).to_have_count(1)  # the film shows it before the page is done
    expect(laptop.get_by_test_id("stSlider")).to_contain_text("3")
    assert "epoch=3" in laptop.url
