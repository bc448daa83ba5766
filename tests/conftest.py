"""What holds for all tests: one thread a process, patience on a busy machine, a visitor of the explorer."""

from __future__ import annotations

import copy
import functools
import os
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

    from explorer.ui.exports.downloads import Offer

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch, imported later, reads it
os.environ["LC_ALL"] = "C.UTF-8"  # commands speak English, whatever the environment's language is

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

ROOT = Path(__file__).parents[1]
APP = ROOT / "explorer" / "app.py"


@pytest.fixture(autouse=True)
def jobs_rest() -> Iterator[None]:
    """What a page has begun in the background does not go on in the next test."""
    yield
    if jobs := sys.modules.get("explorer.ui.jobs"):
        jobs.JOBS.rest()


@pytest.fixture(autouse=True)
def scripts_are_compiled_once() -> None:
    """As in a server: AppTest compiles a script on every run, and looks for components on every visit."""
    if "streamlit.testing.v1.app_test" in sys.modules:
        _as_a_server()


@pytest.fixture(autouse=True)
def scenes_are_drawn_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """To draw scenes is most of the work of many pages; those of the tests of drawing are always drawn."""
    if (scenes := sys.modules.get("model.scenes")) and ROOT / "tests" / "model" not in request.path.parents:
        draw, redrawn = _remembered(scenes.draw), _remembered(scenes.redrawn)
        monkeypatch.setattr(scenes, "draw", draw)
        monkeypatch.setattr(scenes, "redrawn", redrawn)


@functools.cache
def _remembered(function: Callable[..., object]) -> Callable[..., object]:
    """The function of a scene's numbers, which computes each result once and gives copies of it."""
    kept = functools.lru_cache(4000)(function)

    def copied(label: int, seed: int, size: int = 256, without: Collection[str] | None = None) -> object:
        more = () if without is None else (tuple(without),)
        return copy.deepcopy(kept(int(label), int(seed), int(size), *more))

    return copied


@functools.cache
def _as_a_server() -> None:
    from streamlit.components.v2 import manifest_scanner
    from streamlit.runtime.scriptrunner.script_cache import ScriptCache

    compiled, get_bytecode = ScriptCache(), ScriptCache.get_bytecode

    def shared(cache: ScriptCache, path: str) -> object:
        return get_bytecode(compiled if Path(path).is_relative_to(APP.parent) else cache, path)

    ScriptCache.get_bytecode = shared  # type: ignore[method-assign]
    scan = functools.cache(manifest_scanner.scan_component_manifests)
    manifest_scanner.scan_component_manifests = scan


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A checkpoint of a small network."""
    import torch

    from model.card import Card
    from model.checkpoint import save_checkpoint
    from model.nets import NETS

    torch.manual_seed(0)
    arguments = {"widths": [4, 4, 4], "hidden": 8}
    path = tmp_path / "mine.safetensors"
    save_checkpoint(path, Card(arguments=arguments), NETS["course"](**arguments).state_dict())
    return path


@pytest.fixture
def close_folder(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """`close_folder(path)`: a folder that may not be listed; a chmod would not keep root out."""
    scandir = os.scandir

    def close(closed: Path) -> None:
        def refusing(path: str | Path = ".") -> object:
            if Path(os.fsdecode(path)) == closed:
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refusing)

    return close


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., AppTest]:
    """`visit(page, *options, **link)` opens a page with start options and a link.

    The test set is looked for in `tmp_path`, unless the options say otherwise.
    """
    from streamlit.testing.v1 import AppTest
    from streamlit.util import calc_hash

    from explorer.ui.frame.pages import PAGES

    _as_a_server()
    paths = {page.folder: page.path for page in PAGES}

    def opened(page: str = "explain", *options: str, **link: str) -> AppTest:
        monkeypatch.setattr("sys.argv", ["app.py", "--data-dir", str(tmp_path), *options])
        at = AppTest.from_file(str(APP), default_timeout=120)
        for key, value in link.items():
            at.query_params[key] = value
        at._page_hash = calc_hash(paths[page])  # a session begins at its address
        return at.run()

    return opened


WAITING = (
    "ui.effects",
    "views.interventions.other_class",
    "views.set_map.projecting",
    "views.shift.measuring",
)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages wait for what they measure, however busy the machine is."""
    for module in WAITING:
        monkeypatch.setattr(f"explorer.{module}.AT_ONCE", 60.0)


@pytest.fixture
def opened(
    monkeypatch: pytest.MonkeyPatch, visit: Callable[..., AppTest], patient: None
) -> Callable[..., tuple[AppTest, Offer]]:
    """`opened(page, *options, **link)` opens a page, and puts together what it offers for download."""
    from explorer.ui.exports import downloads

    show, offers = downloads.show, list["Offer"]()

    def keep_and_show(make: Callable[[], Offer]) -> None:
        offers.append(make())
        show(make)

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(downloads, "show", keep_and_show)

    def at_page(page: str, *options: str, **link: str) -> tuple[AppTest, Offer]:
        offers.clear()
        at = visit(page, *options, **link)
        assert not at.exception, at.exception[0].value
        return at, offers[-1]

    return at_page
