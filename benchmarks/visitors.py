"""How many visitors one server takes: `python -m benchmarks.visitors` (`--write`: into docs/speed.md).

A server as users start it, and visitors as browsers are, over WebSockets of their own. Each opens a page,
then again and again asks for an image that nobody has seen, and thinks in between for 1 to 3 seconds, at
random; after five images it opens the next page. A time is from asking for an image to the end of the page's
run, everything received. Visitors run on the same machine, in this process.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import platform
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import numpy as np
from PIL import Image
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks import readme

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("", "maps", "batchnorm", "compare", "time", "augmentation")  # those with an image
COUNTS = (1, 10, 20, 50)
THINK = (1.0, 3.0)  # seconds
IMAGES_A_PAGE = 5
IMAGES = 4000
WARM = 8.0  # seconds that a server gets before its first visitor
PATIENCE = 120.0  # seconds that a visitor waits for a page


@dataclass
class Visitor:
    """A browser's session: what it has been sent, as far as a visitor needs it."""

    url: str
    page: str = ""
    query: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    number: str = ""  # the widget that chooses the image
    script: str = ""
    runs: int = 0
    socket: ClientConnection | None = None

    async def open(self) -> float:
        """Connect and open the page; seconds until it is there."""
        cookie = await asyncio.to_thread(cookies, self.url)
        self.socket = await connect(
            f"ws{self.url.removeprefix('http')}/_stcore/stream",
            subprotocols=[Subprotocol("streamlit")],
            additional_headers={"Cookie": cookie} if cookie else {},
            max_size=None,
            ping_interval=None,  # a server that starts may take its time
        )
        return await self.run(None)

    async def turn_to(self, page: str) -> float:
        """Open another page in the same session; seconds until it is there."""
        self.page, self.script, self.number = page, "", ""
        return await self.run(None)

    async def look_at(self, index: int) -> float:
        """Ask for an image by its number; seconds until the page shows it."""
        if not self.number:
            raise SystemExit(f"The page {self.page!r} does not ask for an image's number.")
        return await self.run(index)

    async def run(self, index: int | None) -> float:
        assert self.socket is not None
        request = BackMsg()
        state = request.rerun_script
        state.query_string, state.page_name = urlencode(self.query), self.page
        state.page_script_hash = self.script
        if index is not None:
            state.widget_states.widgets.add(id=self.number, double_value=index)
        started = time.perf_counter()
        await self.socket.send(request.SerializeToString())
        while not self._is_last(ForwardMsg.FromString(await self._received())):
            pass
        self.runs += 1
        return time.perf_counter() - started

    async def _received(self) -> bytes:
        assert self.socket is not None
        data = await asyncio.wait_for(self.socket.recv(), PATIENCE)
        return data if isinstance(data, bytes) else data.encode()

    def _is_last(self, message: ForwardMsg) -> bool:
        kind = message.WhichOneof("type")
        if kind == "navigation":
            self.script = message.navigation.page_script_hash
        elif kind == "delta":
            self._note(message)
        return kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN

    def _note(self, message: ForwardMsg) -> None:
        element = message.delta.new_element
        if element.WhichOneof("type") == "number_input" and element.number_input.id.endswith("-index"):
            self.number = element.number_input.id
        if element.WhichOneof("type") == "exception":
            self.faults.append(f"{self.page}: {element.exception.type} {element.exception.message}")

    async def close(self) -> None:
        if self.socket is not None:
            await self.socket.close()


def cookies(url: str) -> str:
    """What the server, or a proxy before it, wants to hear again; a browser opens the page first."""
    with urllib.request.urlopen(url, timeout=PATIENCE) as response:
        return "; ".join(
            set_cookie.split(";")[0] for set_cookie in response.headers.get_all("Set-Cookie", [])
        )


# Many of them


@dataclass(frozen=True)
class Crowd:
    """Measured with so many visitors: seconds per new image, page runs a second, CPU seconds of each."""

    visitors: int
    times: list[float]
    rate: float
    cpu: float | None


async def crowd(url: str, count: int, seconds: float, images: Iterator[int], pid: int | None) -> Crowd:
    """So many visitors at once, measured for some seconds once all have opened their page."""
    query = {"source": "test", "checkpoint": "cifar10-fast"}
    visitors = [Visitor(url, PAGES[number % len(PAGES)], dict(query)) for number in range(count)]
    await asyncio.gather(*(visitor.open() for visitor in visitors))
    opened, began, used = runs(visitors), time.perf_counter(), cpu_seconds(pid)
    end = began + seconds
    looks = await asyncio.gather(*(look(*one, end, images) for one in enumerate(visitors)))
    elapsed, spent = time.perf_counter() - began, cpu_seconds(pid)
    await asyncio.gather(*(visitor.close() for visitor in visitors))
    if faults := [fault for visitor in visitors for fault in visitor.faults]:
        raise SystemExit("\n".join(faults))
    page_runs = runs(visitors) - opened
    cpu = None if spent is None or used is None else (spent - used) / page_runs
    return Crowd(count, list(itertools.chain.from_iterable(looks)), page_runs / elapsed, cpu)


def runs(visitors: list[Visitor]) -> int:
    return sum(visitor.runs for visitor in visitors)


async def look(start: int, visitor: Visitor, end: float, images: Iterator[int]) -> list[float]:
    """Think and look at the next image, now and then on the next page; seconds of each until `end`."""
    times: list[float] = []
    chance = random.Random(start)
    while True:
        await asyncio.sleep(chance.uniform(*THINK))
        if time.perf_counter() > end:
            return times
        if times and len(times) % IMAGES_A_PAGE == 0:
            start += 1
            await visitor.turn_to(PAGES[start % len(PAGES)])
        times.append(await visitor.look_at(next(images)))


def cpu_seconds(pid: int | None) -> float | None:
    """CPU time of a process so far, all its threads; None where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# The server


@contextlib.contextmanager
def served(app: Path, folder: Path | None = None, wait: float = 0.0) -> Iterator[tuple[str, int]]:
    """A server of its own on test images from `folder`: its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(app), "--server.headless=true"]
    options = ["--", "--data-dir", str(folder)] if folder else []
    server = subprocess.Popen(
        [*command, f"--server.port={port}", *options],
        cwd=app.parent.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        time.sleep(wait)
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        server.terminate()
        server.wait()


def wait_for(url: str) -> None:
    for _ in range(1200):
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("The server did not start within 60 s.")


def write_images(folder: Path, count: int = IMAGES) -> None:
    """Noise of 32 × 32 pixels in two classes."""
    chance = np.random.default_rng(0)
    for number in range(count):
        class_folder = folder / "test" / ("cat", "dog")[number % 2]
        class_folder.mkdir(parents=True, exist_ok=True)
        pixels = chance.integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(class_folder / f"{number:05}.png")


# Words


def row(crowd: Crowd) -> str:
    late = float(np.percentile(crowd.times, 95))
    cpu = f"{crowd.cpu * 1e3:.0f} ms" if crowd.cpu is not None else "–"
    return f"| {crowd.visitors} | {median(crowd.times):.2f} s | {late:.2f} s | {crowd.rate:.1f} | {cpu} |"


def table(crowds: list[Crowd], seconds: float) -> str:
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    return "\n".join(
        [
            "| visitors at once | new image, median | 95% within | page runs a second | CPU time of a run |",
            "|---|---|---|---|---|",
            *map(row, crowds),
            "",
            f"One run of `python -m benchmarks.visitors` on {machine}, {seconds:.0f} s each: visitors to "
            f"{len(PAGES)} pages ask for images that nobody has seen, and think for {THINK[0]:.0f} to "
            f"{THINK[1]:.0f} s in between. They run on the same cores; CPU time is the server's.",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.visitors", description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="how many visitors at once")
    parser.add_argument("--seconds", type=float, default=40.0, help="how long each crowd is measured")
    parser.add_argument("--app", type=Path, default=ROOT / "explorer" / "app.py", help="another checkout's")
    parser.add_argument("--url", help="a server that runs already, with enough test images")
    parser.add_argument("--write", action="store_true", help="replace the table in docs/speed.md")
    options = parser.parse_args()
    images = itertools.count(1)
    with contextlib.ExitStack() as stack:
        if options.url:
            url, pid = options.url, None
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            write_images(folder)
            url, pid = stack.enter_context(served(options.app, folder, WARM))
        asyncio.run(Visitor(url, "", {"source": "test"}).open())  # the first one has the images decoded
        crowds = [asyncio.run(crowd(url, count, options.seconds, images, pid)) for count in options.counts]
    text = table(crowds, options.seconds)
    print(text)
    if options.write:
        readme.put("benchmarks/visitors.py", text)


if __name__ == "__main__":
    main()
