"""Every page has one name: in the menu, above its content, and in its first heading where it has it."""

import re
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from explorer.ui.frame.pages import PAGES, Page


@pytest.mark.parametrize("page", PAGES, ids=[page.folder for page in PAGES])
def test_a_page_in_a_section_shows_the_name_that_the_menu_has(
    visit: Callable[..., AppTest], page: Page
) -> None:
    at = visit(page.folder)
    assert not at.exception
    kind, title = re.search(r'<h1 class="([\w-]+)">(.*?)</h1>', at.get("html")[0].proto.body).groups()
    assert title == page.title
    seen = kind == "fx-title"
    headings = [each.value for each in at.main.header]
    assert seen or headings[0] == page.title or not page.section
    assert headings.count(page.title) <= 1
    assert not (seen and page.title in headings)


def test_no_two_pages_have_one_name() -> None:
    assert len({page.title for page in PAGES}) == len(PAGES)
