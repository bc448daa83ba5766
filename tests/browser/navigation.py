"""How a visitor goes to a page: by its link in the menu, in a section where it is in one."""

from playwright.sync_api import Page, expect

from explorer.ui.frame.pages import PAGES

PATHS = {page.path: page for page in PAGES}
"""A page by its path in the address."""
SECTIONS = {page.title: page.section for page in PAGES if page.section}


def follow(page: Page, name: str) -> None:
    """Click the menu's link to a page."""
    if name not in SECTIONS:
        page.get_by_test_id("stTopNavLink").filter(has_text=name).click()
        return
    page.get_by_test_id("stTopNavSection").filter(has_text=SECTIONS[name]).click()
    link = page.get_by_test_id("stTopNavDropdownLink").filter(has=page.get_by_text(name, exact=True))
    link.click()
    expect(link).to_have_count(0)  # the section has closed
