"""Every page against axe-core's rules, light and dark."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

PAGES = (
    "",
    "maps",
    "batchnorm",
    "compare",
    "compare?b_own=checkpoint",
    "compare?compare=classes",
    "training",
    "time",
    "augmentation",
)

DRAWN = """() => document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "notRunning"
    && document.getAnimations().every((each) => each.playState !== "running")"""
"""What Streamlit has just drawn fades in, with less contrast until it is there."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious(page: Page, serve: Callable[..., str], path: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{serve('explorer/app.py')}/{path}")
    expect(page.locator("[data-testid=stMainBlockContainer] h2").first).to_be_visible(timeout=60_000)
    page.wait_for_timeout(1000)  # charts and components draw after the script has run
    page.wait_for_function(DRAWN, timeout=60_000)
    found = Axe().run(page).response["violations"]
    serious = [(rule["id"], [node["html"][:200] for node in rule["nodes"]])
               for rule in found if rule["impact"] in ("serious", "critical")]  # fmt: skip
    assert not serious, serious
