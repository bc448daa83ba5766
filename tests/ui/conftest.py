"""A visitor of the explorer, for the tests of every page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer.ui import takeaway
from explorer.ui.takeaway import Offer

ROOT = Path(__file__).parents[2]
APP = ROOT / "explorer" / "app.py"


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., AppTest]:
    """`visit(page, *options, **link)` opens a page with start options and a link.

    The test set is looked for in `tmp_path`, unless the options say otherwise.
    """

    def opened(page: str = "explain.py", *options: str, **link: str) -> AppTest:
        monkeypatch.setattr("sys.argv", ["app.py", "--data-dir", str(tmp_path), *options])
        at = AppTest.from_file(str(APP), default_timeout=120)
        for key, value in link.items():
            at.query_params[key] = value
        at.run()
        return at if page == "explain.py" else at.switch_page(f"views/{page}").run()

    return opened


@pytest.fixture
def opened(
    monkeypatch: pytest.MonkeyPatch, visit: Callable[..., AppTest]
) -> Callable[..., tuple[AppTest, Offer]]:
    """`opened(page, *options, **link)` opens a page, and puts together what it offers to take away."""
    monkeypatch.chdir(ROOT)

    def at_page(page: str, *options: str, **link: str) -> tuple[AppTest, Offer]:
        offers: list[Offer] = []
        monkeypatch.setattr(takeaway, "show", lambda make: offers.append(make()))
        at = visit(page, *options, **link)
        assert not at.exception, at.exception[0].value
        return at, offers[-1]

    return at_page
