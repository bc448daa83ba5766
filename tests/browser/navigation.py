"""How a visitor goes to a page: by its link in the menu, in a section where it is in one."""

from playwright.sync_api import Page, expect

SECTIONS = {
    "Channel": "Data set",
    "Channels of a layer": "Data set",
    "Evidence per class": "Data set",
    "Map of the test set": "Data set",
    "Shifted data": "Data set",
    "Errors": "Data set",
    "Training runs": "Training",
    "Time machine": "Training",
    "Augmentation": "Training",
    "Data map": "Training",
    "Shortcut": "Evaluation",
    "Scoreboard": "Evaluation",
    "Convolution arithmetic": "Lessons",
    "Optimizers and schedulers": "Lessons",
}


def follow(page: Page, name: str) -> None:
    """Click the menu's link to a page."""
    if name not in SECTIONS:
        page.get_by_test_id("stTopNavLink").filter(has_text=name).click()
        return
    page.get_by_test_id("stTopNavSection").filter(has_text=SECTIONS[name]).click()
    link = page.get_by_test_id("stTopNavDropdownLink").filter(has=page.get_by_text(name, exact=True))
    link.click()
    expect(link).to_have_count(0)  # the section has closed
