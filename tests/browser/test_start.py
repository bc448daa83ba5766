"""A server started from anywhere is the same: it listens on this machine only, and sends nothing out."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

ROOT = Path(__file__).resolve().parents[2]
PLACES = {
    "root": (ROOT, "explorer/app.py"),
    "explorer": (ROOT / "explorer", "app.py"),
    "elsewhere": (Path("/"), str(ROOT / "explorer" / "app.py")),
}
Start = Callable[[str], int]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(place)` runs `streamlit run` from there with an empty home; the port that it answers at."""
    running: list[subprocess.Popen[bytes]] = []

    def started(place: str) -> int:
        (cwd, script), port = PLACES[place], _free_port()
        command = [sys.executable, "-m", "streamlit", "run", script, "--server.headless=true"]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMLIT_")}
        process = subprocess.Popen(
            [*command, f"--server.port={port}"],
            cwd=cwd,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=kept | {"HOME": str(tmp_path), "OMP_NUM_THREADS": "1"},
        )
        running.append(process)
        _wait_for(port, process)
        return port

    yield started
    for process in running:
        process.terminate()
        process.wait(timeout=60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        if answers("127.0.0.1", port):
            return
        time.sleep(0.1)
    pytest.fail("The server did not start.")


def answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="only there is all of 127.* this machine")
@pytest.mark.parametrize("place", PLACES)
def test_it_listens_on_this_machine_only(start: Start, place: str) -> None:
    port = start(place)
    assert not answers("127.0.0.2", port)  # a server on all interfaces answers here too
    assert not answers("::1", port)


def test_from_elsewhere_it_looks_the_same_and_asks_nobody_else(start: Start, fresh_page: Page) -> None:
    page = fresh_page
    page.goto(f"http://127.0.0.1:{start('elsewhere')}/explain")
    expect(page.get_by_alt_text("Grad-CAM of").first).to_be_visible()
    page.wait_for_timeout(2000)  # what Streamlit tells its makers it tells after the first run
    color = page.get_by_test_id("stApp").evaluate("app => getComputedStyle(app).backgroundColor")
    assert color == "rgb(252, 251, 248)"  # the fixture fails a request to another machine


def test_every_answer_says_what_a_page_may_load(serve: Callable[..., str]) -> None:
    with urllib.request.urlopen(serve("explorer/app.py")) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in policy
    assert "img-src 'self' data: blob:" in policy
    assert "unsafe-eval" not in policy


def test_a_picture_from_elsewhere_is_refused_whoever_asks(
    browser: Browser, serve: Callable[..., str]
) -> None:
    page = browser.new_page()
    page.goto(serve("explorer/app.py"))
    refused = page.evaluate(
        """() => new Promise(done => {
            document.addEventListener("securitypolicyviolation", event => done(event.violatedDirective));
            document.body.append(Object.assign(new Image(), {src: "http://127.0.0.1:9/leak.png"}));
        })"""
    )
    page.close()
    assert refused == "img-src"
