"""Visitors over WebSockets: those who come while the server starts, and what the table counts."""

import asyncio
import itertools
import os
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from benchmarks import visitors
from benchmarks.visitors import Crowd, Visitor
from explorer.ui.frame.pages import PAGES

APP = Path(__file__).parents[2] / "explorer" / "app.py"
ALL_PAGES = tuple(page.path for page in PAGES)
AT_ONCE = 8
STARTS = int(os.environ.get("COLD_STARTS", "3"))  # twelve for the whole of it


def run_apart(work: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine gives, in another thread: browser tests leave a loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    """The first start, for the tests after it too."""
    folder = tmp_path_factory.mktemp("images")
    visitors.write_images(folder, 60)
    with visitors.served(APP, folder) as (url, pid):
        yield url, pid


@pytest.mark.parametrize("start", range(STARTS))
def test_visitors_who_come_while_the_server_starts_see_their_pages(
    start: int, request: pytest.FixtureRequest
) -> None:
    """Each start with the next pages, so that three starts have every page."""
    pages = [ALL_PAGES[(start * AT_ONCE + each) % len(ALL_PAGES)] for each in range(AT_ONCE)]
    assert len(ALL_PAGES) <= AT_ONCE * 3

    async def everybody(url: str) -> list[str]:
        crowd = [Visitor(url, page) for page in pages]
        await asyncio.gather(*(visitor.open() for visitor in crowd))
        await asyncio.gather(*(visitor.close() for visitor in crowd))
        return [fault for visitor in crowd for fault in visitor.faults]

    if start == 0:
        assert run_apart(everybody(request.getfixturevalue("server")[0])) == []
        return
    with visitors.served(APP) as (url, _):
        assert run_apart(everybody(url)) == []


def test_a_crowd_is_measured(server: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "THINK", (0.1, 0.2))
    crowd = run_apart(visitors.crowd(server[0], 2, 3.0, itertools.count(1), server[1]))
    assert crowd.visitors == 2
    assert crowd.times
    assert crowd.cpu is None or crowd.cpu > 0
    assert len(crowd.times) <= crowd.rate * 60


def test_an_image_is_new_each_time(server: tuple[str, int]) -> None:
    async def looked(url: str) -> int:
        visitor = Visitor(url, "maps", {"source": "test"})
        await visitor.open()
        for index in (30, 31):
            await visitor.look_at(index)
        await visitor.close()
        assert not visitor.faults
        return visitor.runs

    assert run_apart(looked(server[0])) == 3


def test_the_table_states_median_and_the_slow_end() -> None:
    text = visitors.table(
        [Crowd(20, [0.1] * 90 + [2.0] * 10, 6.7, 0.113), Crowd(1, [0.2, 0.2], 0.5, None)], 40
    )
    assert "| 20 | 0.10 s | 2.00 s | 6.7 | 113 ms |" in text
    assert "| 1 | 0.20 s | 0.20 s | 0.5 | – |" in text
