"""How long a map and its trust strip take on the page Attributions: `python -m benchmarks.strips` (`--write`:
into docs/attributions.md).

As the page has them computed: by a job that is alone, for an image never seen, at the last activation; in
turn, medians. A strip is without redrawing, which only drawn scenes have.
"""

import argparse
import os
import platform
import time
import warnings
from statistics import median

import torch

from benchmarks.readme import ROOT, put
from explorer.engine.attribution import METHODS
from explorer.engine.network import Input, Network, network_of
from explorer.engine.tracing import blocks, trace
from explorer.ui.jobs import CORES_OF_A_JOB, JOBS
from explorer.views.attributions.map_choice import MapChoice, map_choice
from explorer.views.attributions.measuring import Explained, map_work, strip_work
from model.checkpoint import load_checkpoint
from model.scenes import draw

NETWORKS = {"course CNN": "cifar10-course", "ResNet-9": "cifar10-resnet9"}
BASELINE = "mean"


def choices(network: Network, input: Input) -> list[MapChoice]:
    """Every method, at the last activation where it needs a layer."""
    layer = blocks(network.net, trace(network.net, input.x))[-1].act
    named = METHODS.items()
    return [map_choice(name, layer if one.needs_layer else None, BASELINE, ()) for name, one in named]


def times(checkpoint: str, rounds: int) -> dict[str, str]:
    """The cells of a map and of its strip by method, without those that the network does not allow; the first
    round, which warms up, does not count.
    """
    network = network_of(load_checkpoint(ROOT / "checkpoints" / f"{checkpoint}.safetensors"))
    maps: dict[str, list[float]] = {}
    strips: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        input = Input(network.card.to_input(draw(number % 10, number).pixels))
        one = Explained(network, input, number % 10, None, None)
        for choice in choices(network, input):
            started = time.perf_counter()
            (heat,) = JOBS.wait(map_work(one, choice))
            made = time.perf_counter()
            if heat.problem is None:
                JOBS.wait(strip_work(one, choice), seconds=600)
                maps.setdefault(choice.method, []).append(made - started)
                strips.setdefault(choice.method, []).append(time.perf_counter() - made)
    return {name: f"{milliseconds(maps[name])} | {milliseconds(strips[name])}" for name in maps}


def milliseconds(seconds: list[float]) -> str:
    return f"{1e3 * median(seconds[1:]):.0f} ms"


def table(rounds: int) -> str:
    heads = [f"{title}: {what}" for title in NETWORKS for what in ("map", "strip")]
    measured = [times(checkpoint, rounds) for checkpoint in NETWORKS.values()]
    rows = [
        " | ".join([record.title, *(each.get(name, "none | none") for each in measured)])
        for name, record in METHODS.items()
    ]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    threads = f"{CORES_OF_A_JOB} thread" + "s" * (CORES_OF_A_JOB > 1)
    note = f"Medians of {rounds} rounds of `python -m benchmarks.strips` on {machine}, {threads}."
    head, *lines = [f"| {line} |" for line in (" | ".join(["method", *heads]), *rows)]
    return "\n".join([head, "|" + 5 * "---|", *lines, "", note])


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.strips", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the table into docs/attributions.md")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # Captum's, of every call
    text = table(options.rounds)
    print(text)
    if options.write:
        put("benchmarks/strips.py", text)


if __name__ == "__main__":
    main()
