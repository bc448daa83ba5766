"""A started server and a real browser for the tests in this folder.

They skip without Chromium, unless REQUIRE_BROWSER=1: then they fail.
"""

import os
import shutil
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from tests import forks

PATIENCE = 120_000  # ms, on a busy machine; what comes sooner is not waited for
expect.set_options(timeout=PATIENCE)

VIEWPORT: ViewportSize = {"width": 1280, "height": 900}
ROOT = Path(__file__).resolve().parents[2]
APP = "explorer/app.py"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

Serve = Callable[..., str]


NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first has no window to draw and takes two thirds of the CPU's time."""


def chromium() -> str | None:
    """Where Chromium is: CHROMIUM in the environment, or the system's own."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        reason = "Chromium is not installed (Debian: apt-get install chromium; or set CHROMIUM to its path)."
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") == "1" else pytest.skip)(reason)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


def opened_context(browser: Browser) -> BrowserContext:
    context = browser.new_context(viewport=VIEWPORT)
    context.set_default_timeout(PATIENCE)
    return context


@pytest.fixture
def fresh_page(browser: Browser) -> Iterator[Page]:
    """A browser page, 1280 × 900, that has seen nothing before; watched as `page` is."""
    context = opened_context(browser)
    with watched(context.new_page()) as page:
        yield page
    context.close()


@pytest.fixture(scope="session")
def tab(browser: Browser) -> Iterator[Page]:
    """One page for many tests: to load scripts and compile them is most of the work of a first visit."""
    context = opened_context(browser)
    yield context.new_page()
    context.close()


@pytest.fixture
def page(tab: Page) -> Iterator[Page]:
    """A browser page, 1280 × 900, in which only files are left of the tests before; its test fails if
    the page throws, loads what the server does not allow, or turns to another machine.
    """
    tab.set_viewport_size(VIEWPORT)
    with watched(tab):
        yield tab
    leave(tab)


def leave(page: Page) -> None:
    """Go away from the explorer, and leave nothing behind but what the browser keeps of its files."""
    if page.url.startswith("http"):
        page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
    page.goto("about:blank")
    page.context.clear_cookies()
    page.emulate_media(color_scheme="null", reduced_motion="null")


QUIET = """() => new Promise((done, failed) => {
    const app = document.querySelector("[data-testid=stApp]");
    const drawn = () => app.dataset.testScriptState === "notRunning"
        && document.getAnimations().every((each) => each.playState !== "running");
    let since = performance.now();
    const end = since + 60_000;
    const watch = new MutationObserver(() => { since = performance.now(); });
    watch.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
    const look = () => {
        if (!drawn()) since = performance.now();
        const now = performance.now();
        if (now - since < 400 && now < end) return setTimeout(look, 50);
        watch.disconnect();
        if (now < end) done(); else failed(new Error("the page goes on changing"));
    };
    look();
})"""
"""Until the script has run, what it drew has faded in, and nothing has changed since: charts draw later."""


@contextmanager
def watched(page: Page) -> Iterator[Page]:
    problems: list[str] = []
    heard: dict[Any, Callable[[Any], None]] = {
        "pageerror": lambda error: problems.append(f"script error: {error}"),
        "console": lambda message: problems.extend(_refused(message.text)),
        "request": lambda request: problems.extend(_outside(request.url)),
    }
    for event, listener in heard.items():
        page.on(event, listener)
    yield page
    for event, listener in heard.items():
        page.remove_listener(event, listener)
    assert not problems, problems


def _refused(message: str) -> list[str]:
    return [message] if "Content Security Policy" in message else []


def _outside(url: str) -> list[str]:
    parts = urlsplit(url)
    away = parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1"
    return [f"request to {parts.hostname}"] if away else []


@pytest.fixture(scope="session")
def server_processes() -> dict[str, int]:
    """The address of each server that `serve` has started, and its process."""
    return {}


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory, server_processes: dict[str, int]) -> Iterator[Serve]:
    """`serve(script, *args)` runs a Streamlit script of the project and returns its address.

    The same script with the same arguments is started once and shared.
    """
    running: dict[tuple[str, ...], tuple[forks.Started, str]] = {}

    def started(script: str | Path, *args: str) -> str:
        if script == APP and "--data-dir" not in args:
            args = (*args, "--data-dir", "nowhere")  # images that a developer has are not for tests
        name = (str(script), *args)
        if name not in running:
            log = tmp_path_factory.mktemp("server") / "log.txt"
            process, url = running[name] = _start(script, args, log)
            server_processes[url] = process.pid
        return running[name][1]

    yield started
    for process, _ in running.values():
        process.stop()


def _start(script: str | Path, args: tuple[str, ...], log: Path) -> tuple[forks.Started, str]:
    port = _free_port()
    command = ["-m", "streamlit", "run", str(ROOT / script), "--server.headless=true"]
    command += [f"--server.port={port}", "--server.address=127.0.0.1", "--server.fileWatcherType=none"]
    command += ["--browser.gatherUsageStats=false"]  # a script elsewhere has none of the explorer's settings
    process = forks.Started(*command, "--", *args, log=log)
    url = f"http://127.0.0.1:{port}"
    _wait_for(url, process, log)
    return process, url


def _wait_for(url: str, process: forks.Started, log: Path, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    process.stop()
    pytest.fail(f"The server did not start:\n{log.read_text(errors='replace')}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
