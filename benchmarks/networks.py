"""What large networks cost: `python -m benchmarks.networks` (`--write` puts the table into docs/speed.md).

One new image of 224 pixels, random weights. Times are medians of one run, beside a bare forward pass in turn.
Memory is what a process of its own takes at its highest, more than before it began; it is read from Linux.
"""

import argparse
import ctypes
import json
import os
import pickle
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import nn

from benchmarks import readme
from explorer.engine.attribution import class_gradients
from explorer.engine.attribution.kept_pass import keep_pass
from explorer.engine.batchnorm import batchnorms, summary
from explorer.engine.tracing import blocks, trace
from model import torchvision_repair

NETWORKS = {
    "ResNet-50": "resnet50",
    "DenseNet-121": "densenet121",
    "ConvNeXt-T": "convnext_tiny",
    "EfficientNet-B0": "efficientnet_b0",
}
BARE, TRACE, BATCHNORM = "bare forward pass", "trace", "one BatchNorm"
EXPLAIN = "trace with Explain’s gradients"
SIZE = 224
Works = dict[str, Callable[[], object]]


def works(name: str, size: int) -> Works:
    """What is measured of a network: by name, a function that does it once for an image of its own."""
    net, x = built(name), torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    seen = trace(net, x, ())
    all_blocks = blocks(net, seen)
    quarters = [
        all_blocks[-(-len(all_blocks) * quarter // 4) - 1] for quarter in (1, 2, 3, 4)
    ]  # as the page has at first
    layers, norms = [block.act or block.name for block in quarters], batchnorms(net, seen)
    measured: Works = {
        BARE: lambda: forward(net, x),
        TRACE: lambda: trace(net, x, ()),
        EXPLAIN: lambda: class_gradients(net, x, layers, (1,), keep_pass(net, x)),
    }
    return measured | ({BATCHNORM: lambda: summary(net, x, norms[-1])} if norms else {})


def built(name: str) -> nn.Module:
    torchvision_repair.repair()
    from torchvision import models

    torch.manual_seed(0)
    net: nn.Module = models.get_model(name, weights=None)
    return net.eval()


def forward(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = net(x)
        return logits


def times(measured: Works, rounds: int) -> dict[str, float]:
    """Milliseconds of each, in turn so that noise hits all alike; the first round warms up."""
    milliseconds: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(rounds + 1):
        for name, work in measured.items():
            started = time.perf_counter()
            work()
            milliseconds[name].append((time.perf_counter() - started) * 1e3)
    return {name: median(each[1:]) for name, each in milliseconds.items()}


def memory(measured: Works) -> dict[str, float]:
    """Megabytes that each takes at its highest, more than before it."""
    peaks = {}
    for name, work in measured.items():
        ctypes.CDLL(None).malloc_trim(0)  # what was freed is given back
        before = status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the highest starts anew
        work()
        peaks[name] = max(0.0, status("VmHWM") - before)
    return peaks


def status(entry: str) -> float:
    """An entry of this process's status in megabytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith(f"{entry}:"))


def memory_apart(name: str, size: int) -> dict[str, float]:
    """`memory` of a network in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.networks", "--memory-of", name, "--size", str(size)]
    process = subprocess.run(command, check=True, capture_output=True, text=True)
    peaks: dict[str, float] = json.loads(process.stdout.splitlines()[-1])
    return peaks


def row(title: str, name: str, rounds: int, size: int) -> str:
    """A network's line: time and memory of each, and the size of what is kept of a trace."""
    measured = works(name, size)
    medians, peaks = times(measured, rounds), memory_apart(name, size)
    cells = [
        f"{medians[work]:.0f} ms, {peaks[work]:.0f} MB" if work in medians else "none"
        for work in (BARE, TRACE, EXPLAIN, BATCHNORM)
    ]
    trace_size = len(pickle.dumps(measured[TRACE]())) / 1e3
    return "| " + " | ".join([title, *cells, f"{trace_size:.0f} kB"]) + " |"


def table(rounds: int, size: int = SIZE) -> str:
    heads = ["network", BARE, TRACE, EXPLAIN, BATCHNORM, "kept of a trace"]
    rows = [row(title, name, rounds, size) for title, name in NETWORKS.items()]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    threads = torch.get_num_threads()
    note = (
        f"Medians of {rounds} rounds by one run of `python -m benchmarks.networks` on {machine}, "
        f"{threads} {'thread' if threads == 1 else 'threads'}; one image of {size} pixels, random weights."
    )
    return "\n".join([f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *rows, "", note])


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.networks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--size", type=int, default=SIZE, help="the side of the image in pixels")
    parser.add_argument("--write", action="store_true", help="replace the table in docs/speed.md")
    parser.add_argument("--memory-of", choices=NETWORKS.values(), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory_of:
        print(json.dumps(memory(works(given.memory_of, given.size))))
        return
    text = table(given.rounds, given.size)
    print(text)
    if given.write:
        readme.put("benchmarks/networks.py", text)


if __name__ == "__main__":
    main()
