"""The start page's picture: a click on a thumbnail draws its lines, and the keyboard does the same."""

import re
from collections.abc import Callable
from itertools import pairwise

from playwright.sync_api import Page, expect

from tests.browser.conftest import QUIET


def test_a_thumbnail_is_chosen_by_click_and_by_keyboard(page: Page, serve: Callable[..., str]) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{serve('explorer/app.py')}/?sample=horse")
    threads, chosen = page.locator(".threads .thread"), page.locator('.tile[aria-pressed="true"]')
    expect(chosen).to_have_count(1)
    assert threads.count() > 8
    assert threads.first.evaluate("line => getComputedStyle(line).animationName") == "none"
    tile = page.get_by_role("button", name="of conv2: from").nth(1)
    tile.click()
    expect(tile).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".status b")).to_contain_text("of conv2")
    expect(page).to_have_url(re.compile("flow=conv2(~|%7E)"))
    tile.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".status b")).to_contain_text("of bn2")
    expect(threads).not_to_have_count(0)
    page.keyboard.press("Enter")  # once more opens it
    expect(page.get_by_role("heading", name="of bn2")).to_be_visible()


def test_a_press_counts_although_the_picture_is_drawn_anew_before_the_release(
    page: Page, serve: Callable[..., str]
) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{serve('explorer/app.py')}/?size=large&sample=horse")
    tile = page.locator('[data-at="tile 4 3"]')
    expect(tile).to_be_visible()
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
    expect(page.locator(".status")).to_contain_text("ship")
    page.mouse.up()
    expect(page.locator(".status b")).to_have_text(channel[0])


def test_the_classes_stay_in_sight_where_the_stages_scroll(page: Page, serve: Callable[..., str]) -> None:
    page.set_viewport_size({"width": 1000, "height": 720})
    page.goto(f"{serve('explorer/app.py')}/?checkpoint=cifar10-resnet9&sample=cat")
    frame, percent = page.locator(".network .frame"), page.locator(".answer > span > span:last-child").first
    expect(percent).to_be_visible()
    assert frame.evaluate(SCROLLS)
    for scrolled in (0, 80, 10_000):
        frame.evaluate("(frame, to) => frame.scrollTo(to, 0)", scrolled)
        assert percent.evaluate(ON_TOP), scrolled
    last = page.locator(".tile").last
    frame.evaluate("frame => frame.scrollTo(0, 0)")
    last.focus()  # its column is brought out from below the classes
    assert last.locator(".face").evaluate(ON_TOP)


def test_the_chosen_channel_is_whole_where_the_stages_scroll(page: Page, serve: Callable[..., str]) -> None:
    page.set_viewport_size({"width": 1000, "height": 720})
    page.goto(f"{serve('explorer/app.py')}/?sample=cat")
    frame, classes = page.locator(".network .frame"), page.locator(".answers")
    chosen = page.locator('.tile[aria-pressed="true"]')
    expect(chosen).to_have_count(1)
    assert frame.evaluate(SCROLLS)
    tile = page.locator('[data-at="tile 6 2"]')
    frame.evaluate("frame => frame.scrollTo(0, 0)")
    at = tile.evaluate("tile => tile.getBoundingClientRect().x") - classes.evaluate(LEFT)
    frame.evaluate("(frame, to) => frame.scrollTo(to, 0)", at + 8)  # 8 of its pixels are in sight
    tile.click(position={"x": 4, "y": 8})
    expect(tile).to_have_attribute("aria-pressed", "true")
    assert tile.evaluate("tile => tile.getBoundingClientRect().right") <= classes.evaluate(LEFT)


LEFT = "element => element.getBoundingClientRect().left"


def test_names_and_counts_of_stages_keep_clear_of_each_other_and_of_lines(
    page: Page, serve: Callable[..., str]
) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{serve('explorer/app.py')}/?checkpoint=cifar10-resnet9&sample=cat")
    expect(page.locator(".threads .thread").first).to_be_attached()
    assert not page.locator(".network .frame").evaluate(SCROLLS)  # all of it is in sight
    assert page.locator(".heads .head > *").evaluate_all(WHOLE)
    names = sorted(page.locator(".heads .name").evaluate_all(TEXT_SPANS))
    assert len(names) > 15
    assert all(before[1] + 2 <= after[0] for before, after in pairwise(names)), names
    counts = page.locator(".rest").evaluate_all(TEXT_SPANS)
    starts = page.locator(".threads .thread.others").evaluate_all(LEFT_ENDS)
    assert starts
    assert all(not left < start < right for start in starts for left, right in counts)


SCROLLS = "frame => frame.scrollWidth > frame.clientWidth"
WHOLE = "elements => elements.every((each) => each.scrollWidth <= each.clientWidth)"
ON_TOP = """element => {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  const hit = element.getRootNode().elementFromPoint((left + right) / 2, (top + bottom) / 2);
  return element === hit || element.contains(hit) || hit?.contains(element);
}"""
TEXT_SPANS = """elements => elements.map((element) => {
  const range = document.createRange();
  range.selectNodeContents(element);
  const { left, right } = range.getBoundingClientRect();
  return [left, right];
})"""
LEFT_ENDS = """lines => lines.map((line) => {
  const { x } = line.getPointAtLength(0);
  return line.ownerSVGElement.getBoundingClientRect().left + x;
})"""


WHOLE = """names => names.every(
    (name) => name.scrollWidth <= name.clientWidth && name.scrollHeight <= name.clientHeight + 1)"""


def test_the_names_of_the_classes_are_whole_on_a_phone(page: Page, serve: Callable[..., str]) -> None:
    """A name that is too long for its line goes on in a second one, no word of it broken."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{serve('explorer/app.py')}/?sample=automobile&lang=zh_CN")
    names = page.locator(".answer .called")
    expect(names.first).to_be_visible()
    page.evaluate(QUIET)
    assert "automobile 汽车" in names.all_inner_texts()
    assert names.evaluate_all(WHOLE)
    line = names.filter(has_text="飞机").bounding_box()
    name = names.filter(has_text="汽车").bounding_box()
    assert line
    assert name
    assert name["height"] < 2.5 * line["height"]


def test_a_projector_shows_whole_names_in_larger_type(page: Page, serve: Callable[..., str]) -> None:
    page.set_viewport_size({"width": 1920, "height": 1080})
    sizes = []
    for look in ("", "size=large", "size=large&show=page&lang=zh_CN"):
        page.goto(f"{serve('explorer/app.py')}/?{look}")
        names = page.locator(".network .head .name")
        expect(names.first).to_be_visible()
        page.evaluate(QUIET)
        assert "flatten" in names.all_inner_texts()
        assert names.evaluate_all(WHOLE), look
        sizes.append(names.first.evaluate("name => parseFloat(getComputedStyle(name).fontSize)"))
    assert sizes[0] < sizes[1] < sizes[2]


IN_SIGHT = """each => {
    const box = each.getBoundingClientRect();
    return box.top >= 0 && box.bottom <= innerHeight;
}"""


def test_play_is_in_sight_at_first_and_shows_what_it_plays(page: Page, serve: Callable[..., str]) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{serve('explorer/app.py')}/?sample=horse")
    start = page.locator(".st-key-play_from_here button")
    expect(start).to_be_in_viewport()
    page.evaluate(QUIET)
    start.click()
    expect(page.get_by_role("button", name="Pause")).to_be_in_viewport()
    expect(page.get_by_text("Step 2 of")).to_be_visible()  # it plays
    assert page.locator(".play").evaluate(IN_SIGHT)
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("radio", name="dog").click()  # another image does not play by itself
    expect(page.get_by_text("Step 1 of")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)


def test_a_step_is_in_sight(page: Page, serve: Callable[..., str]) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{serve('explorer/app.py')}/?sample=horse")
    steps = page.locator(".play")
    expect(steps).to_be_attached()
    page.evaluate(QUIET)
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 550)")
    assert not steps.evaluate(IN_SIGHT)
    page.get_by_role("button", name="Next step").click()
    page.evaluate(QUIET)
    assert steps.evaluate(IN_SIGHT)
