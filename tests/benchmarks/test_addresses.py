"""The benchmarks measure the pages that they name: their addresses are those of the app."""

import pytest

from benchmarks import explorer, interactions
from explorer.ui.frame.pages import BY_PATH


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, path, _ in interactions.INTERACTIONS])
def test_an_interaction_takes_place_on_the_page_that_it_names(name: str, path: str) -> None:
    page, colon, _ = name.partition(":")
    assert BY_PATH[path].title == (page if colon else "Explain")


def test_a_first_load_ends_at_a_page_of_the_app() -> None:
    assert set(explorer.PICTURES) <= set(BY_PATH)
