"""From a scan made on the page to a confusion, an image of it on Explain, a channel's page, and back."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from model import scenes
from tests.browser.conftest import QUIET
from tests.browser.test_back import settle

EACH = 4  # of ten classes


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A test set of a few drawn scenes."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(EACH * len(scenes.CLASSES)):
        label = number % len(scenes.CLASSES)
        place = folder / "test" / scenes.CLASSES[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scenes.draw(label, number, 32).pixels).save(place / f"{number}.png")
    return folder


def test_a_scan_leads_to_a_confusion_its_image_and_a_channel_and_back(
    page: Page, serve: Callable[..., str], pictures: Path
) -> None:
    folders = ("--data-dir", str(pictures), "--scans", str(pictures / "scans"))
    page.goto(f"{serve('explorer/app.py', *folders)}/errors?checkpoint=cifar10-course")
    page.get_by_role("button", name="Scan 40 images").click()

    cells = page.get_by_role("button", name=re.compile(r"^(\w+) predicted as (?!\1\b)\w+: [1-9]"))
    expect(cells.first).to_be_visible()
    name = cells.first.get_attribute("aria-label") or ""
    true, predicted, count = re.findall(r"(\w+) predicted as (\w+): (\d+)", name)[0]
    chosen = page.get_by_role("button", name=f"{true} predicted as {predicted}: ")
    chosen.click()
    heading = page.get_by_text(f"{true} predicted as {predicted}: {count} image").first
    expect(heading).to_be_visible()
    expect(page).to_have_url(re.compile(f"err_true={true}&err_predicted={predicted}"))
    shown = page.locator(".pictures button")
    expect(shown).to_have_count(int(count))
    chosen.press("Home")
    expect(page.get_by_role("rowheader").get_by_role("button", name=f"class {true}")).to_be_focused()

    shown.first.click()
    why = page.get_by_role("heading", name=f"Why “{true}”?")
    expect(why).to_be_visible()
    expect(page.get_by_text(f"(wrong: labeled {true})")).to_be_visible()
    expect(page.get_by_role("combobox", name="Class to explain")).to_have_value(true)
    expect(page).to_have_url(re.compile("source=test"))
    settle(page)

    expect(page.get_by_text("switched off: logit").first).to_be_visible()  # all is measured
    page.get_by_role("radio", name="Channel", exact=True).click()
    page.get_by_role("button", name=re.compile(r"^Open channel \d+ of relu3 on Channel")).first.click()
    expect(page.get_by_role("heading", name="An image made for this channel")).to_be_visible()
    expect(page.get_by_text("Largest value of the map, over 40 test images")).to_be_visible()
    settle(page)
    page.go_back()
    expect(why).to_be_visible()


WHOLE = """names => names.every((name) => {
    const text = document.createRange();
    text.selectNodeContents(name);
    const [box, words] = [name.getBoundingClientRect(), [...text.getClientRects()]];
    return name.scrollWidth <= name.clientWidth && name.scrollHeight <= name.clientHeight + 1
        && words.every((line) => line.left >= box.left - 1 && line.bottom <= box.bottom + 1);
})"""


FIRST_WORD_UNBROKEN = """name => {
    const [text, word] = [name.firstChild, document.createRange()];
    word.setStart(text, 0);
    word.setEnd(text, text.data.indexOf(" "));
    return word.getClientRects().length === 1;
}"""


def test_the_names_of_the_rows_are_whole_on_a_phone(
    page: Page, serve: Callable[..., str], pictures: Path
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    folders = ("--data-dir", str(pictures), "--scans", str(pictures / "phone"))
    page.goto(f"{serve('explorer/app.py', *folders)}/errors?checkpoint=cifar10-course&lang=zh_CN")
    page.get_by_role("button", name=re.compile("40 张图像")).click()
    names = page.get_by_role("rowheader").locator("span")
    expect(names).to_have_count(10)
    page.evaluate(QUIET)
    assert names.nth(1).inner_text().split() == ["automobile", "汽车"]
    assert names.evaluate_all(WHOLE)
    assert names.nth(1).evaluate(FIRST_WORD_UNBROKEN)
    predicted = page.locator(".pictures .title b:last-child")
    expect(predicted.first).to_contain_text(re.compile("[一-鿿]"))
    assert predicted.evaluate_all("all => all.every((each) => each.offsetHeight < 24)")  # in one line
