"""What the server does ahead of time waits while a browser opens the app, and only so long."""

import math
from time import monotonic

import pytest
from starlette.types import Message, Receive, Scope, Send

from explorer.server import arrivals


def asked_for(path: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None: ...

    async def receive() -> Message:
        return {}

    async def send(_: Message) -> None: ...

    with pytest.raises(StopIteration):  # it waits for nothing; browser tests leave a loop running here
        arrivals.Arrivals(app)({"type": "http", "path": path}, receive, send).send(None)


def waited(is_computing: bool = False, patience: float = 30.0) -> float:
    started = monotonic()
    arrivals.wait_for_rest(lambda: is_computing, patience)
    return monotonic() - started


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "LOADING", 0.3)
    monkeypatch.setattr(arrivals, "_last_asked", -math.inf)


def test_nobody_comes() -> None:
    asked_for("/_stcore/health")  # a monitor asks every few seconds
    assert waited() < 0.2


def test_a_browser_loads_the_app() -> None:
    asked_for("/static/js/index.js")
    assert 0.2 < waited() < 10


def test_a_page_is_computed_for_longer_than_patience() -> None:
    assert 0.2 <= waited(is_computing=True, patience=0.2) < 10
