"""Back and Forward: one press undoes one choice, or leaves the page; address and page always agree."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from model.cifar10 import CLASSES
from tests.browser.navigation import follow


@pytest.fixture
def opened(page: Page, serve: Callable[..., str]) -> Page:
    page.goto(f"{serve('explorer/app.py')}/explain?sample=horse")
    settle(page)
    return page


def settle(page: Page) -> None:
    """Wait until nothing runs; a run that a click asked for has begun by then."""
    page.wait_for_timeout(300)
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible()
    expect(page.locator('img[alt^="The image: "]')).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)


def open_page(page: Page, name: str) -> None:
    follow(page, name)
    settle(page)


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option, exact=True).click()
    settle(page)


def state(page: Page) -> tuple[str, ...]:
    """The address without its host, and what the page shows: its heading, the image, the class to explain."""
    image = page.locator('img[alt^="The image: "]').get_attribute("alt") or ""
    chosen = page.get_by_role("combobox", name="Class to explain").input_value()
    heading = page.locator("[data-testid=stMainBlockContainer] h2").first.inner_text()
    return page.url.split("/", 3)[3], heading, image, chosen


def changed(page: Page, before: tuple[str, ...]) -> tuple[str, ...]:
    """The state that the page comes to rest in with another address, within half a minute."""
    for _ in range(60):
        settle(page)
        if state(page)[0] != before[0]:
            break
        page.wait_for_timeout(500)
    settle(page)
    return state(page)


def settled(page: Page, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The state that the page comes to rest in; a slow machine has half a minute for the wanted one."""
    for _ in range(60):
        settle(page)
        if state(page) == wanted:
            break
        page.wait_for_timeout(500)
    settle(page)
    return state(page)


def test_every_press_of_back_undoes_one_thing(opened: Page) -> None:
    page, seen = opened, []
    seen.append(state(page))
    acts: list[Callable[[], None]] = [
        lambda: choose(page, "Class to explain", "ship"),
        lambda: open_page(page, "Feature maps"),
        lambda: page.get_by_role("button", name="Next").click(),
        lambda: choose(page, "Class to explain", "Predicted class"),
        lambda: open_page(page, "Time machine"),
    ]
    for act in acts:
        act()
        seen.append(changed(page, seen[-1]))
    assert len(set(seen)) == len(seen)
    for before in reversed(seen[:-1]):
        page.go_back()
        assert settled(page, before) == before
    for after in seen[1:]:
        page.go_forward()
        assert settled(page, after) == after


def test_back_from_a_channel_leads_to_the_page_that_opened_it(opened: Page) -> None:
    page, before = opened, state(opened)
    page.locator(".st-key-cards_supporting button").first.click()
    expect(page.get_by_role("heading", name=re.compile("^Channel .* of"))).to_be_visible()
    settle(page)
    page.go_back()
    assert settled(page, before) == before


def test_the_chosen_channel_is_undone_in_the_grid(opened: Page) -> None:
    page = opened
    open_page(page, "Feature maps")
    jump = page.locator(".jump input").first
    first = channel_heading(page)
    for channel in ("3", "5"):
        jump.fill(channel)
        page.wait_for_timeout(1_000)
        settle(page)
        expect(page.get_by_role("heading", name=f"Channel {channel} of")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Channel 3 of")).to_be_visible()
    assert page.url.endswith("channel=3")
    page.go_back()
    expect(page.get_by_role("heading", name=first)).to_be_visible()
    assert "channel" not in page.url


def channel_heading(page: Page) -> str:
    return page.locator("h2", has_text=re.compile(r"^Channel \d")).first.inner_text()


def shows(page: Page, sample: str) -> None:
    """The page and its address come to rest at a sample."""
    expect(page.get_by_alt_text(f"The image: {sample} (drawn)")).to_be_visible()
    expect(page).to_have_url(re.compile(rf"\?sample={sample}$"))
    settle(page)
    assert state(page)[::2] == (f"explain?sample={sample}", f"The image: {sample} (drawn)")


def test_eight_quick_clicks_all_count(opened: Page) -> None:
    page = opened
    for _ in range(8):
        page.get_by_role("button", name="Next").click(no_wait_after=True)
        page.wait_for_timeout(100)
    shows(page, "dog")  # the eighth after the horse
    for _ in range(8):
        page.keyboard.press("p")
        page.wait_for_timeout(100)
    shows(page, "horse")


def test_no_message_refers_to_one_that_the_browser_may_have_dropped(
    page: Page, serve: Callable[..., str]
) -> None:
    kinds: list[str] = []
    received = lambda frame: kinds.append(kind_of(frame))  # noqa: E731
    page.on("websocket", lambda socket: socket.on("framereceived", received))
    page.goto(f"{serve('explorer/app.py')}/explain?sample=horse")
    settle(page)
    for name in ("Next", "Previous"):
        page.get_by_role("button", name=name).click()
        settle(page)
    shows(page, "horse")
    assert kinds.count("delta") > 50
    assert "ref_hash" not in kinds  # “Connection error” if the browser's copy is gone: seen with quick clicks


def kind_of(frame: bytes | str) -> str:
    assert isinstance(frame, bytes)
    return ForwardMsg.FromString(frame).WhichOneof("type") or ""


def test_eight_quick_clicks_on_a_number_all_count(opened: Page) -> None:
    page = opened
    open_page(page, "BatchNorm")
    field = page.get_by_role("spinbutton", name="Channel")
    before = int(field.input_value())
    way, name = (1, "Increment") if before < 50 else (-1, "Decrement")
    for _ in range(8):
        page.locator(".st-key-norm_channel").get_by_role("button", name=name).click(no_wait_after=True)
        page.wait_for_timeout(100)
    settle(page)
    wanted = str(before + 8 * way)
    expect(field).to_have_value(wanted)
    expect(page.get_by_role("heading", name=f"Channel {wanted}, before and after BatchNorm")).to_be_visible()


def test_the_class_shown_is_the_class_explained(opened: Page) -> None:
    """Step through all images: the box under which a class was predicted before shows no other's name."""
    page = opened
    for n in range(1, 11):
        page.get_by_role("button", name="Next").click()
        sample = CLASSES[(CLASSES.index("horse") + n) % 10]
        expect(page.get_by_alt_text(f"The image: {sample} (drawn)")).to_be_visible()
        settle(page)
        assert page.get_by_role("combobox", name="Class to explain").input_value() == "Predicted class"
        predicted = page.locator(".fx-prediction .name").inner_text()
        expect(page.get_by_text(f"Prediction: {predicted}", exact=True)).to_be_visible()
        expect(page.get_by_alt_text(f"Grad-CAM of {predicted} at").first).to_be_visible()


SAMPLE_HEIGHT = """() => {
    window.heights = new Set();
    const sample = () => {
        const field = document.querySelector("[class*=st-key-norm_channel]");
        window.heights.add(Math.round(field.getBoundingClientRect().top));
        requestAnimationFrame(sample);
    };
    sample();
}"""


def test_a_number_field_stays_under_the_pointer_while_it_is_clicked(opened: Page) -> None:
    """A chart above that is drawn anew keeps its height: otherwise a click lands beside the button."""
    page = opened
    open_page(page, "BatchNorm")
    button = page.locator("[class*=st-key-norm_channel]").get_by_role("button", name="Increment")
    button.scroll_into_view_if_needed()
    page.evaluate(SAMPLE_HEIGHT)
    for _ in range(3):
        button.click()
        settle(page)
    assert len(page.evaluate("[...window.heights]")) == 1
