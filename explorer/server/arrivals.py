"""Whether somebody opens the app just now: a first page comes before what the server does ahead of time."""

import math
from collections.abc import Callable
from time import monotonic, sleep

from starlette.types import ASGIApp, Receive, Scope, Send

LOADING = 2.0  # seconds that a browser may need from one file of the app to the next, or to its visit
PATIENCE = 5.0  # seconds that one piece of work waits; under constant load it must get on
STEP = 0.05  # seconds between two looks

_last_asked = -math.inf


class Arrivals:
    """Middleware that notes when a browser asks for a file of the app; nothing passes differently."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "/static/" in scope["path"]:
            note()
        await self.app(scope, receive, send)


def note() -> None:
    """A browser asks for a file of the app now."""
    global _last_asked
    _last_asked = monotonic()


def wait_for_rest(is_computing: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Wait until no browser loads the app and no page is computed, at most `patience` seconds."""
    end = monotonic() + patience
    while monotonic() < end and (is_computing() or monotonic() - _last_asked < LOADING):
        sleep(STEP)
