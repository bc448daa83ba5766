"""How fast the explorer is: `python -m benchmarks.explorer` (`--write` puts the table into docs/speed.md).

Everything is measured in one run on one thread, ours and the usual way in turn; medians. A page's script is
compiled once, as in a server.
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from PIL import Image
from playwright.sync_api import sync_playwright
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.testing.v1 import AppTest, app_test, local_script_runner
from torch import nn

from benchmarks import readme, visitors
from explorer.engine.attribution import Heatmap, class_gradients, heat_from
from explorer.engine.tracing import trace
from explorer.ui.components.channel_grid.payload import payload
from explorer.ui.frame.pages import PAGES
from model.checkpoint import load_checkpoint
from model.nets import CourseCNN

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("relu1", "relu2", "relu3")
WARM = 6  # seconds that a server has been up: after that its own warming up is over
PICTURES = {  # path of a page, what a visitor waits for, and where it is in the document
    "": ("the network's feature maps", ".network .tiles button.tile"),
    "explain": ("a visible Grad-CAM", "img[alt^='Grad-CAM of']"),
}
Row = tuple[str, str, str]


def medians(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Milliseconds of each work, measured in turn so that noise hits all alike."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, milliseconds in zip(works, times, strict=True):
            started = time.perf_counter()
            work()
            milliseconds.append((time.perf_counter() - started) * 1e3)
    return [median(milliseconds[1:]) for milliseconds in times]  # the first round warms up


def engine_rows(rounds: int) -> list[Row]:
    net = load_checkpoint(ROOT / "checkpoints" / "cifar10-course.safetensors").build()
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    forward, traced = medians(rounds, lambda: net(x), lambda: trace(net, x))
    ours, theirs = medians(rounds, lambda: heat_maps(net, x), torchcam_of(x))
    maps = trace(net, x).maps["relu2"]
    grid, subplots = medians(
        max(3, rounds // 5), lambda: payload(maps, signed=False, label=""), plots_of(maps)
    )
    return [
        ("a trace of every layer", f"{traced:.1f} ms", f"a bare forward pass: {forward:.1f} ms"),
        ("Grad-CAM at all three blocks", f"{ours:.1f} ms", f"torchcam, once a block: {theirs:.1f} ms"),
        ("64 feature maps, ready to show", f"{grid:.1f} ms", f"matplotlib subplots: {subplots:.0f} ms"),
        ("payload of 128 maps of 8 × 8", f"{payload_size() / 1e3:.1f} kB", "")
    ]  # fmt: skip


def heat_maps(net: nn.Module, x: torch.Tensor) -> list[Heatmap]:
    """As Explain computes them: from the one pass that serves every method and the channel evidence."""
    gradients = class_gradients(net, x, LAYERS, (3,))
    return [heat_from(net, one, "grad_cam") for (one,) in gradients.values()]


def torchcam_of(x: torch.Tensor) -> Callable[[], object]:
    from torchcam.methods import GradCAM

    net = CourseCNN().eval()

    def work() -> None:
        for layer in LAYERS:
            with GradCAM(net, layer) as extractor:
                extractor(3, net(x), normalized=False)

    return work


def plots_of(maps: np.ndarray) -> Callable[[], object]:
    from matplotlib.figure import Figure

    def work() -> None:
        figure = Figure(figsize=(12, 12))
        for axes, values in zip(figure.subplots(8, 8).ravel(), maps, strict=True):
            axes.imshow(values, cmap="viridis", interpolation="nearest")
            axes.set_axis_off()
        figure.savefig(BytesIO(), format="png")

    return work


def payload_size() -> int:
    maps = np.random.default_rng(0).standard_normal((128, 8, 8)).astype(np.float32)
    orders = {"mean activation": list(range(128)), "contribution": list(range(128))}
    return len(payload(maps, signed=True, label="128 maps", orders=orders))


def page_rows(rounds: int, folder: Path) -> list[Row]:
    """A whole script run of each page: with an image never seen, and with the same one again."""
    compile_once()
    names = sorted(page.folder for page in PAGES)
    write_images(folder, rounds * len(names) + 1)
    sys.argv = ["app.py", "--data-dir", str(folder)]
    rows, index = [], 0
    for name in names:
        at = AppTest.from_file(str(ROOT / "explorer" / "app.py"), default_timeout=60)
        at.query_params["source"] = "test"
        at.run()
        at.switch_page(f"views/{name}/page.py").run()
        new, again = [], []
        for _ in range(rounds):
            index += 1
            fields = [each for each in at.number_input if str(each.key).startswith("index")]
            for field in fields:
                field.set_value(index)
            new.append(timed(at))
            again.append(timed(at))
        assert not at.exception, at.exception
        label = f"page `{name}`, new image" if fields else f"page `{name}`, which shows no image"
        rows.append((label, f"{median(new):.0f} ms", f"cached: {median(again):.0f} ms"))
    return rows


def compile_once() -> None:
    """Have AppTest compile a script once, as a server does, and not on every run."""
    compiled = ScriptCache()
    for module in (app_test, local_script_runner):
        module.ScriptCache = lambda: compiled  # type: ignore[attr-defined]


def browser_rows() -> list[Row]:
    """From the address typed to a visible picture, in Chromium, on servers just started."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return []
    rows = []
    for path, (what, picture) in PICTURES.items():
        at_once, _ = visits(chromium, path, picture, wait=0)
        later, second = visits(chromium, path, picture, wait=WARM)
        rows.append(
            (
                f"first load of a server up for {WARM} s, to {what}",
                f"{later:.1f} s",
                f"as soon as it answers: {at_once:.1f} s; next visitor: {second:.1f} s",
            )
        )
    return rows


def visits(chromium: str, path: str, picture: str, wait: float) -> list[float]:
    """Seconds of two visits to a server of its own, `wait` seconds after it answers."""
    with visitors.served(ROOT / "explorer" / "app.py", wait=wait) as (url, _):
        return loads(chromium, f"{url}/{path}", picture)


def loads(chromium: str, url: str, picture: str) -> list[float]:
    times = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(2):
            page = browser.new_context().new_page()
            started = time.perf_counter()
            page.goto(url, wait_until="commit")
            page.locator(picture).first.wait_for()
            times.append(time.perf_counter() - started)
        browser.close()
    return times


def timed(at: AppTest) -> float:
    started = time.perf_counter()
    at.run()
    return (time.perf_counter() - started) * 1e3


def write_images(folder: Path, count: int) -> None:
    class_folder = folder / "test" / "cat"
    class_folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(class_folder / f"{number:04}.png")


def table(rows: list[Row]) -> str:
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, one thread"
    lines = [
        "| what | time | beside it |\n|---|---|---|\n"
        + "\n".join("| " + " | ".join(row) + " |" for row in rows)
    ]
    return "\n".join([*lines, "", f"Medians of one run of `python -m benchmarks.explorer` on {machine}."])


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.explorer", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--write", action="store_true", help="replace the table in docs/speed.md")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        text = table(
            [*engine_rows(given.rounds * 5), *page_rows(given.rounds, Path(folder)), *browser_rows()]
        )
    print(text)
    if given.write:
        readme.put("benchmarks/explorer.py", text)


if __name__ == "__main__":
    main()
