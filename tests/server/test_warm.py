"""The server warms up before anybody comes, quietly, and takes visitors whatever happens there."""

import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from streamlit.testing.v1 import AppTest

from explorer.engine import attribution, samples
from explorer.server import warm
from explorer.ui import cached
from explorer.ui.options import Options
from tests import forks

APP = Path(__file__).parents[2] / "explorer" / "app.py"


def test_the_first_visitor_finds_everything_done(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["app.py"])
    thread = Thread(target=warm.warm, name="warm")
    thread.start()
    thread.join()
    assert "ScriptRunContext" not in capfd.readouterr().err

    asked: list[str] = []
    monkeypatch.setattr(attribution, "class_gradients", lambda *_: asked.append("class_gradients"))
    monkeypatch.setattr(samples, "scene", lambda *_: asked.append("scene"))
    at = AppTest.from_file(str(APP), default_timeout=120).run()
    assert not at.exception
    assert not asked
    for label in range(10):
        assert cached.scene(label).label == label
    assert not asked


def test_a_visit_begins_once_everything_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads that import packages with cycles at once may get halves of them."""
    monkeypatch.setattr(sys, "argv", ["app.py"])
    at = AppTest.from_file(str(APP), default_timeout=120)
    warm.loaded.clear()
    try:
        visit = Thread(target=at.run)
        visit.start()
        visit.join(1.5)
        assert visit.is_alive()
    finally:
        warm.loaded.set()
    visit.join()
    assert not at.exception


def test_visitors_come_in_also_where_the_imports_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ImportError

    monkeypatch.setattr(warm, "load", fail)
    warm.loaded.clear()
    with pytest.raises(ImportError):
        warm.warm()
    assert warm.loaded.is_set()


@pytest.mark.parametrize("given", [["--nonsense"], ["--checkpoint", "missing.safetensors"]])
def test_what_is_wrong_is_left_to_the_page(given: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["app.py", *given])
    warm.warm()


def test_no_checkpoint_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Options, "checkpoints", {})
    monkeypatch.setattr(sys, "argv", ["app.py"])
    warm.warm()


def test_streamlit_takes_its_server_from_the_app() -> None:
    from streamlit.web.server.app_discovery import discover_asgi_app

    found = discover_asgi_app(APP)
    assert found.import_string == "app:app"


def test_after_it_a_page_leaves_little_to_collect() -> None:
    """Streamlit collects all garbage after every run: what is not frozen then costs every visitor."""
    script = f"""
import gc, sys
sys.argv = ["app.py"]
from explorer.server import warm
warm.warm()
from explorer.ui.frame.pages import PAGES
from streamlit.testing.v1 import AppTest
before = set(sys.modules)
at = AppTest.from_file({str(APP)!r}, default_timeout=120).run()
new = set(sys.modules) - before
for page in [page.folder for page in PAGES]:
    at.switch_page(f"views/{{page}}/page.py").run()
gc.collect()
print(gc.get_freeze_count(), len(gc.get_objects()), *new)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=APP.parents[1], capture_output=True, text=True, check=True
    )
    frozen, left, *imported = done.stdout.split("\n")[-2].split()
    assert int(left) < int(frozen) / 10
    large = (
        "explorer",
        "model",
        "torch",
        "PIL",
        "matplotlib",
        "pyarrow",
        "streamlit.emojis",
        "streamlit.material",
    )
    assert not [name for name in imported if name.startswith(large)]  # in the first visit


def test_only_the_app_decides_on_threads() -> None:
    """Importing a module changes no setting of torch; a page runs with one thread an operation."""
    script = f"""
import sys, torch
torch.set_num_threads(2)
sys.argv = ["app.py"]
from explorer.ui import cached
imported = torch.get_num_threads()
from streamlit.testing.v1 import AppTest
assert not AppTest.from_file({str(APP)!r}, default_timeout=120).run().exception
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor() as pool:  # a thread takes the setting over when it first computes
    print(imported, pool.submit(torch.get_num_threads).result())
"""
    done = forks.run("-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[-2] == "2 1"
