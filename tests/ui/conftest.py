"""A visitor of the explorer, for the tests of every page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

APP = Path(__file__).parents[2] / "explorer" / "app.py"


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
