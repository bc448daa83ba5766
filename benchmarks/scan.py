"""What a scan costs beside the bare forward pass: `python -m benchmarks.scan` (`--write`: into docs/scan.md).

The same batch through the network alone and through a scan, in turn in one run, in the faster order of
memory; what each reduction takes of it; and a whole scan of 1,000 and of 10,000 images of noise, each in a
process of its own, with its files and its peak of memory.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import torch
from torch import Tensor

from benchmarks import readme
from benchmarks.networks import status
from explorer.engine.network import Network, network_of
from explorer.engine.passes import private_view
from explorer.engine.samples import ArrayTestSet
from explorer.engine.scan import running
from explorer.engine.scan.images import ScanImages, of_test_set
from explorer.engine.scan.reductions import Running
from explorer.engine.scan.running import Recorder, Scanning
from model.allocator import keep_freed_memory
from model.checkpoint import load_checkpoint

ROOT = Path(__file__).resolve().parent.parent
NAMES = {
    "cifar10-course": "course CNN",
    "cifar10-fast": "course CNN without dropout",
    "cifar10-resnet9": "ResNet-9",
}
PARTS: dict[str, tuple[Any, str]] = {
    "means, squares, maxima, zeros": (Running, "_summed"),
    "histograms": (Running, "_histogram"),
    "top images and their positions": (Running, "_found"),
    "BatchNorm's, from its input's": (Running, "add_affine"),
}
WHOLE = (1_000, 10_000)
MEGABYTES = ("result", "scanning", "merging")


def scanning_of(name: str, count: int, out: Path = Path()) -> Scanning:
    """A shipped network and images of noise, ready to be scanned."""
    checkpoint = load_checkpoint(ROOT / "checkpoints" / f"{name}.safetensors")
    network: Network = network_of(checkpoint)
    return running.prepare(network, noise(network, count), out)


def noise(network: Network, count: int) -> ScanImages:
    size = network.card.input_size
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
    labels = np.arange(count, dtype=np.int64) % len(network.card.classes)
    return of_test_set(ArrayTestSet("noise", network.card.classes, labels, pixels), network.card)


# One batch


def passes(scanning: Scanning) -> dict[str, Callable[[], object]]:
    """The bare pass and that of a scan, of the same images."""
    pictures = [scanning.images.take(number).pixels for number in range(scanning.batch)]
    x = scanning.network.card.to_inputs(pictures)
    ordered, view = x.clone(memory_format=scanning.order), private_view(scanning.net)
    recorder, numbers = Recorder(scanning), torch.arange(len(x))

    def bare() -> Tensor:
        with torch.no_grad():
            logits: Tensor = view(ordered)
            return logits

    def scan() -> None:
        recorder.run(x, numbers.add_(len(x)))

    return {"bare": bare, "scan": scan}


def times(measured: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Milliseconds of each, in turn so that noise hits all alike; two rounds warm up."""
    milliseconds: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(rounds + 2):
        for name, work in measured.items():
            started = time.perf_counter()
            work()
            milliseconds[name].append((time.perf_counter() - started) * 1e3)
    return {name: median(each[2:]) for name, each in milliseconds.items()}


def costs(scan: Callable[[], object], rounds: int) -> dict[str, float]:
    """Milliseconds of each of PARTS in a pass."""
    spent: Counter[str] = Counter()

    def timed(title: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            started, inside = time.perf_counter(), sum(spent.values())
            result = function(*arguments)
            spent[title] += time.perf_counter() - started - (sum(spent.values()) - inside)
            return result

        return run

    originals = {title: getattr(owner, name) for title, (owner, name) in PARTS.items()}
    for title, (owner, name) in PARTS.items():
        setattr(owner, name, timed(title, originals[title]))
    try:
        for _ in range(rounds):
            scan()
    finally:
        for title, (owner, name) in PARTS.items():
            setattr(owner, name, originals[title])
    return {title: 1e3 * spent[title] / rounds for title in PARTS}


# Whole scans


def whole(name: str, count: int) -> dict[str, float]:
    """Seconds of a scan with its files, the megabytes of its result, and its peaks of memory above before."""
    with tempfile.TemporaryDirectory() as folder:
        scanning = scanning_of(name, count, Path(folder))
        before = status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the highest starts anew
        started = time.perf_counter()
        for _ in running.run(scanning, scanning.shards):
            pass
        scanned = status("VmHWM") - before
        running.finish(scanning)
        return {
            "seconds": time.perf_counter() - started,
            "result": scanning.path.stat().st_size / 1e6,
            "scanning": scanned,
            "merging": status("VmHWM") - before,
        }


def whole_apart(name: str, count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.scan", "--whole", name, "--images", str(count)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    values: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return values


# The tables


def table(rounds: int) -> str:
    rows = []
    for name, title in NAMES.items():
        medians = times(passes(scanning_of(name, running.BATCH)), rounds)
        bare, scan = medians["bare"], medians["scan"]
        rows.append(f"| {title} | {bare:.0f} ms | {scan:.0f} ms | {scan / bare:.2f} |")
    head = [f"| {running.BATCH} images | bare forward pass | scan | ratio |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])


def cost_table(rounds: int) -> str:
    works = passes(scanning_of("cifar10-course", running.BATCH))
    bare = times({"bare": works["bare"]}, rounds)["bare"]
    medians = costs(works["scan"], rounds)
    rows = [f"| {title} | {cost:.1f} ms | {cost / bare:.2f} |" for title, cost in medians.items()]
    return "\n".join(["| of it, course CNN | time | of the bare pass |", "|---|---|---|", *rows])


def whole_table() -> str:
    rows = []
    for count in WHOLE:
        cost_by_name = whole_apart("cifar10-course", count)
        cells = [f"{cost_by_name['seconds']:.1f} s", *(f"{cost_by_name[name]:.0f} MB" for name in MEGABYTES)]
        rows.append(f"| {count:,} | {' | '.join(cells)} |")
    head = [
        "| course CNN, images | whole scan | result | more memory while scanning | while merging |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*head, *rows])


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.scan", description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--write", action="store_true", help="replace the tables in docs/scan.md")
    parser.add_argument("--whole", choices=NAMES, help=argparse.SUPPRESS)
    parser.add_argument("--images", type=int, default=WHOLE[0], help=argparse.SUPPRESS)
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if options.whole:
        print(json.dumps(whole(options.whole, options.images)))
        return
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    note = (
        f"Medians of {options.rounds} rounds in turn, by one run of `python -m benchmarks.scan` on "
        f"{machine}, {torch.get_num_threads()} threads."
    )
    text = "\n\n".join([table(options.rounds), cost_table(options.rounds), whole_table(), note])
    print(text)
    if options.write:
        readme.put("benchmarks/scan.py", text)


if __name__ == "__main__":
    main()
