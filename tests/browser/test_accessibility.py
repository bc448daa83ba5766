"""Every page against axe-core's rules, light and dark; headings, and where the navigation says one is."""

import itertools
import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import QUIET
from tests.browser.navigation import PATHS, SECTIONS, follow

PAGES = (
    *PATHS,
    "compare?b_own=checkpoint",
    "compare?compare=classes",
    "batchnorm?norm_part=averaged",
)


MODES = (
    *PAGES,
    "explain?method=layer_cam&evidence=signed&cam_scale=own",
    "explain?source=upload",
    "maps?stage=pool",
    *(f"interventions?change={part}" for part in ("patch", "effect", "other")),
    "maps?checkpoint=cifar10-resnet9",
    "batchnorm?checkpoint=cifar10-resnet9",
    "compare?b_own=image",
    "time?checkpoint=cifar10-fast",
    *(f"time?checkpoint=cifar10-fast&over_time={kind}" for kind in ("maps", "filters", "norm")),
    *(f"augmentation?transforms={group}" for group in ("pixel", "semantic")),
)
NAMES = {path: page.title for path, page in PATHS.items()}

HEADINGS = """() => {
    const all = (root) => [...root.querySelectorAll("*")]
        .flatMap((each) => [each, ...(each.shadowRoot ? all(each.shadowRoot) : [])]);
    return all(document)
        .filter((each) => /^H[1-6]$/.test(each.tagName) && each.checkVisibility())
        .map((each) => [Number(each.tagName[1]), each.textContent.trim()]);
}"""
"""Those inside components too, which a screen reader reads in the same order."""


def drawn(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("[data-testid=stMainBlockContainer] h2").first).to_be_visible()
    page.evaluate(QUIET)


@pytest.mark.parametrize("path", MODES)
def test_a_page_is_accessible(page: Page, serve: Callable[..., str], path: str) -> None:
    """By axe-core's rules in light, and where colors matter in dark; its headings, its title, its link."""
    page.emulate_media(color_scheme="light")
    drawn(page, f"{serve('explorer/app.py')}/{path}")
    name = NAMES[path.split("?")[0]]
    check_headings(page, name)
    check_navigation(page, name)
    assert not serious(page)
    if path in PAGES:
        page.emulate_media(color_scheme="dark")
        expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", "dark")
        page.evaluate(QUIET)
        assert not serious(page, "color-contrast", "link-in-text-block")


LUMINANCES = """() => {
    const channel = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const numbers = (color) => color.match(/[\\d.]+/g).slice(0, 3).map((each) => Number(each) / 255);
    const luminance = (color) => [0.2126, 0.7152, 0.0722]
        .reduce((sum, weight, index) => sum + weight * channel(color[index]), 0);
    const behind = numbers(getComputedStyle(document.querySelector("[data-testid=stApp]")).backgroundColor);
    return [...document.querySelectorAll("svg.marks text")].map((text) => {
        const style = getComputedStyle(text), opacity = Number(style.fillOpacity);
        const seen = numbers(style.fill).map((each, index) => opacity * each + (1 - opacity) * behind[index]);
        return [luminance(seen), luminance(behind)];
    });
}"""
"""Of each word of the charts that Vega draws, and of what is behind it."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_of_charts_have_enough_contrast(page: Page, serve: Callable[..., str], scheme: str) -> None:
    """axe-core leaves out text in SVG."""
    page.emulate_media(color_scheme=scheme)
    drawn(page, f"{serve('explorer/app.py')}/training")
    expect(page.locator("svg.marks text").first).to_be_visible()
    expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", scheme)
    ratios = [(max(pair) + 0.05) / (min(pair) + 0.05) for pair in page.evaluate(LUMINANCES)]
    assert min(ratios) >= 4.5, ratios


def serious(page: Page, *rules: str) -> list[tuple[str, list[str]]]:
    """What axe-core finds that is serious or critical, by these rules or by all: each rule and elements."""
    options = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    found = Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
    return [(rule["id"], [node["html"][:200] for node in rule["nodes"]])
            for rule in found if rule["impact"] in ("serious", "critical")]  # fmt: skip


def check_headings(page: Page, name: str) -> None:
    headings = page.evaluate(HEADINGS)
    levels = [level for level, _ in headings]
    assert all(words for _, words in headings), headings
    assert [words for level, words in headings if level == 1] == [name]
    assert levels[0] == 1
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels)), headings


def check_navigation(page: Page, name: str) -> None:
    """One link of the menu is marked; where the page is in a section, that, and it shows the page's name."""
    here = page.locator("[aria-current=page]").locator("visible=true")
    expect(here.filter(has_text=re.compile(f"{SECTIONS.get(name, name)}$"))).to_be_visible()
    expect(here).to_have_count(1)  # the one before is still marked while the page comes
    if name in SECTIONS:
        expect(here.locator("p")).to_have_attribute("data-page", name)
    expect(page).to_have_title(f"{name} · Feature-map explorer")


def test_the_navigation_says_where_one_is(page: Page, serve: Callable[..., str]) -> None:
    """After a click in the menu, too: on each page that stands alone, on a first and a last of a section."""
    drawn(page, serve("explorer/app.py"))
    firsts = {section: name for name, section in reversed(SECTIONS.items())}
    alone = [name for name in list(NAMES.values())[1:] if name not in SECTIONS]
    for name in (*alone, *firsts.values(), list(SECTIONS)[-1], "Network"):
        follow(page, name)
        check_navigation(page, name)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_focus_in_the_navigation_is_seen(page: Page, serve: Callable[..., str], scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    drawn(page, serve("explorer/app.py"))
    link = page.get_by_test_id("stTopNavLink").filter(has_text="BatchNorm")
    link.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(link).to_be_focused()
    expect(link).to_have_css("outline-style", "solid")
    expect(link).to_have_css("outline-width", "2px")
