"""The explorer on a phone: pages in sight, a sidebar that gets out of the way, nothing cut off."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import QUIET, leave
from tests.browser.navigation import PATHS

PAGES = {page.title: path for path, page in PATHS.items()}
VIEWS = (
    *PAGES.values(),
    "maps?block=3",
    "maps?checkpoint=cifar10-resnet9",
    "interventions?change=patch",
    "batchnorm?norm=bn3",
    "batchnorm?norm_part=averaged",
    "compare?compare=classes",
    "compare?b_own=both",
    "time?checkpoint=cifar10-fast",
    "time?checkpoint=cifar10-fast&over_time=norm",
)

WITHIN_THE_WINDOW = """() => [document.documentElement, document.querySelector("[data-testid=stMain]")]
    .every((each) => each.scrollWidth <= each.clientWidth)"""

# The visible controls that reach over the window's edge, or over the edge of a frame that cuts them off.
CUT_OFF = """() => {
    const roles = "[role=slider], [role=radio], [role=combobox]";
    const controls = `button, a, input:not([type=range]), select, summary, ${roles}`;
    const main = document.querySelector("[data-testid=stMain]");
    const shown = (each) => each.checkVisibility({visibilityProperty: true}) && each.getClientRects().length;
    const outside = (each) => {
        const box = each.getBoundingClientRect();
        return box.right > innerWidth + 1 || box.left < -1;
    };
    const clipped = (each) => {
        for (let outer = each.parentElement; outer && outer !== main; outer = outer.parentElement) {
            const style = getComputedStyle(outer);
            if (style.overflowX === "visible" || style.position === "absolute") continue;
            const [box, frame] = [each.getBoundingClientRect(), outer.getBoundingClientRect()];
            if (frame.width && (box.right > frame.right + 2 || box.left < frame.left - 2)) return true;
        }
        return false;
    };
    return [...main.querySelectorAll(controls)].filter(shown)
        .filter((each) => !each.closest("[data-testid=stDataFrame], .vega-embed"))
        .filter((each) => outside(each) || clipped(each))
        .map((each) => `${each.tagName} ${each.getAttribute("aria-label") ?? each.textContent}`.slice(0, 80));
}"""


@pytest.fixture(scope="module")
def held(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(has_touch=True, is_mobile=True)
    yield context.new_page()
    context.close()


WIDTHS = (390, 360)


@pytest.fixture
def phone(held: Page) -> Iterator[Page]:
    held.set_viewport_size({"width": WIDTHS[0], "height": 844})
    yield held
    leave(held)


@pytest.fixture
def explorer(serve: Callable[..., str]) -> str:
    return serve("explorer/app.py")


def settle(page: Page) -> None:
    expect(page.locator("[data-testid=stMainBlockContainer] h2").first).to_be_visible()
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_have_count(1)
    page.evaluate(QUIET)  # between two runs it is at rest for a moment, too
    expect(page.get_by_test_id("stException")).to_have_count(0)


def sidebar(page: Page) -> Locator:
    return page.get_by_test_id("stSidebar")


def open_sidebar(page: Page) -> None:
    page.get_by_test_id("stExpandSidebarButton").tap()
    expect(sidebar(page)).to_have_attribute("data-collapsed", "false")


@pytest.mark.parametrize("path", VIEWS)
def test_no_control_is_cut_off(phone: Page, explorer: str, path: str) -> None:
    phone.goto(f"{explorer}/{path}")
    settle(phone)
    for width in WIDTHS:
        phone.set_viewport_size({"width": width, "height": 844})
        phone.evaluate(QUIET)
        phone.wait_for_function(WITHIN_THE_WINDOW)
        assert phone.evaluate(CUT_OFF) == []


def test_every_page_is_behind_one_button(phone: Page, explorer: str) -> None:
    """It names the page in sight, and opens a list of all others by section."""
    phone.goto(f"{explorer}/explain?sample=frog")
    settle(phone)
    for name in ("Network", "Feature maps", "Shifted data", "Training runs", "Shortcut", "Explain"):
        phone.locator(".st-key-pages button").tap()
        links = phone.get_by_test_id("stPopoverBody")
        expect(links.get_by_text("Data set", exact=True)).to_be_visible()
        expect(links.get_by_role("link")).to_have_count(len(PAGES) - 1)
        links.get_by_role("link", name=name, exact=True).tap()
        expect(phone.locator(".st-key-pages button")).to_contain_text(name)
        settle(phone)
        assert phone.url.split("?")[0] == f"{explorer}/{PAGES[name]}"


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_the_last_page_of_the_list_is_in_sight(phone: Page, explorer: str, language: str) -> None:
    phone.goto(f"{explorer}/errors?lang={language}")
    settle(phone)
    phone.locator(".st-key-pages button").tap()
    panel = phone.get_by_test_id("stPopoverBody")
    last = panel.get_by_role("link").last
    expect(last).to_contain_text("MLP")
    phone.evaluate(QUIET)
    assert bottom(last) <= bottom(panel)


def bottom(element: Locator) -> float:
    box = element.bounding_box()
    assert box
    return box["y"] + box["height"]


def test_all_of_what_is_averaged_is_in_sight(phone: Page, explorer: str) -> None:
    phone.goto(f"{explorer}/batchnorm?norm_part=averaged&norm=bn3")
    settle(phone)
    table = phone.locator(".fx-axes")
    assert table.evaluate("each => each.scrollWidth <= each.clientWidth")
    assert table.get_by_role("columnheader").last.inner_text() == "LayerNorm"


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_all_columns_of_the_moved_scenes_are_in_sight(phone: Page, explorer: str, language: str) -> None:
    phone.goto(f"{explorer}/mlp?lang={language}")
    settle(phone)
    table = phone.locator(".fx-runs").last
    expect(table).to_contain_text("95.")  # not only its head
    assert table.evaluate("each => each.scrollWidth <= each.clientWidth")


@pytest.mark.parametrize("path", ["arithmetic", "mlp", "scoreboard"])
def test_long_chinese_titles_leave_all_columns_in_sight(phone: Page, explorer: str, path: str) -> None:
    phone.goto(f"{explorer}/{path}?lang=zh_CN")
    settle(phone)
    tables = phone.locator(".fx-runs").all()
    assert all(each.evaluate("each => each.scrollWidth <= each.clientWidth") for each in tables)
    assert tables


def test_no_title_of_a_column_has_one_letter_a_line(phone: Page, explorer: str) -> None:
    phone.goto(f"{explorer}/optimizers?lang=zh_CN")
    settle(phone)
    rate = phone.locator(".fx-runs").last.get_by_role("columnheader", name="学习率", exact=True)
    assert rate.evaluate(LINES) == 1


LINES = """each => {
    const words = document.createRange();
    words.selectNodeContents(each);
    return words.getClientRects().length;
}"""


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_all_columns_of_the_marks_are_in_sight(phone: Page, explorer: str, language: str) -> None:
    phone.goto(f"{explorer}/shortcut?lang={language}")
    settle(phone)
    table = phone.locator("[data-testid=stMarkdownContainer]:has(> table)").first
    assert table.evaluate("each => each.scrollWidth <= each.clientWidth")


def test_no_chinese_letter_is_upside_down(phone: Page, explorer: str) -> None:
    phone.goto(f"{explorer}/batchnorm?norm_part=averaged&lang=zh_CN")
    settle(phone)
    name = phone.locator(".fx-axes").get_by_role("columnheader").last
    expect(name).to_have_css("rotate", "none")
    assert name.evaluate("each => each.scrollHeight <= each.clientHeight")


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_the_key_of_a_channel_s_effect_is_whole(phone: Page, explorer: str, language: str) -> None:
    """Each sign and its words, in one line, end where the numbers of their column end."""
    phone.goto(f"{explorer}/maps?lang={language}")
    settle(phone)
    keys = phone.locator(".fx-without .key")
    expect(keys).to_have_count(2)
    for key in keys.all():
        assert key.evaluate(ONE_LINE_IN_PLACE)


ONE_LINE_IN_PLACE = """key => {
    const words = document.createRange();
    words.selectNodeContents(key.lastChild);
    const [line, box, sign] = [words.getBoundingClientRect(), key.getBoundingClientRect(),
                               key.querySelector("i").getBoundingClientRect()];
    const whole = line.left >= box.left - 0.5 && line.right <= box.right + 0.5;
    return words.getClientRects().length === 1 && whole && Math.abs(sign.right - line.right) < 1;
}"""


def test_the_sidebar_closes_once_an_image_is_chosen(phone: Page, explorer: str) -> None:
    phone.goto(f"{explorer}/explain")
    settle(phone)
    open_sidebar(phone)
    sidebar(phone).get_by_role("radio", name="horse").tap()
    expect(sidebar(phone)).to_have_attribute("data-collapsed", "true")
    expect(phone.get_by_alt_text("The image: horse (drawn)")).to_be_in_viewport()


def test_the_sidebar_closes_once_a_checkpoint_is_chosen(phone: Page, explorer: str) -> None:
    phone.goto(f"{explorer}/explain")
    settle(phone)
    open_sidebar(phone)
    sidebar(phone).get_by_test_id("stSelectbox").first.tap()
    phone.get_by_role("option", name="scenes-course").tap()
    expect(sidebar(phone)).to_have_attribute("data-collapsed", "true")


def test_the_sidebar_stays_while_the_image_is_still_to_be_chosen(phone: Page, explorer: str) -> None:
    phone.goto(f"{explorer}/explain")
    settle(phone)
    open_sidebar(phone)
    sidebar(phone).get_by_role("radio", name="Upload").tap()
    expect(sidebar(phone).locator("input[type=file]")).to_have_count(1)
    phone.wait_for_timeout(1000)
    expect(sidebar(phone)).to_have_attribute("data-collapsed", "false")


def test_on_a_desktop_the_sidebar_stays(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/explain")
    settle(page)
    expect(page.locator(".st-key-pages")).to_be_hidden()
    sidebar(page).get_by_role("radio", name="horse").click()
    expect(page.get_by_alt_text("The image: horse (drawn)")).to_be_visible()
    settle(page)
    expect(sidebar(page)).to_have_attribute("data-collapsed", "false")


def test_the_sidebar_closes_once_a_picture_is_uploaded_and_stays_once_it_is_removed(
    phone: Page, explorer: str, tmp_path: Path
) -> None:
    Image.new("RGB", (64, 64), (200, 60, 30)).save(tmp_path / "red.png")
    phone.goto(f"{explorer}/explain")
    settle(phone)
    open_sidebar(phone)
    sidebar(phone).get_by_role("radio", name="Upload").tap()
    sidebar(phone).locator("input[type=file]").set_input_files(tmp_path / "red.png")
    expect(sidebar(phone)).to_have_attribute("data-collapsed", "true")
    settle(phone)
    open_sidebar(phone)
    sidebar(phone).get_by_role("button", name="Remove this picture").tap()
    expect(phone.get_by_alt_text("The image: ")).to_have_count(0)
    phone.wait_for_timeout(1000)
    expect(sidebar(phone)).to_have_attribute("data-collapsed", "false")


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_the_ways_through_the_tour_stand_beside_each_other(phone: Page, explorer: str, language: str) -> None:
    phone.goto(f"{explorer}/maps?tour=5&lang={language}")
    settle(phone)
    phone.evaluate(QUIET)
    buttons = [phone.locator(f".st-key-tour_{name} button") for name in ("previous", "next")]
    assert len({bottom(button) for button in buttons}) == 1
