"""How fast training is: `python -m benchmarks.train --data-dir DIR` (`--write` puts it into docs/speed.md).

The course's listing (`benchmarks/listing.py`), our `course` and `fast` recipes and a short run (`--recipe
fast --epochs 5 --augment flip --dropout 0.25`) train the same network in turn in one process, a few steps
each, so that noise hits all alike: images a second are medians over the rounds. Peak memory is that of a
process of its own for each. The time to an accuracy is measured: the short run is trained until it passes
it. `--race` trains the listing in full beside it, epoch by epoch in turn (`benchmarks/race.py`; half an
hour), and with `--write` keeps that as `benchmarks/logs/race.log`, which the table and what is said below it
come from. Of the other recipes it is the epochs that a whole run's log tells times the images, over the
images a second: ≈.
"""

import argparse
import math
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks import listing, race, readme
from model.allocator import keep_freed_memory
from model.batches import batches, images_of
from model.recipes import Config, choose
from model.training.run import start
from model.training.step import step

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "benchmarks" / "logs"
RACE = LOGS / "race.log"
IMAGES = 50_000
RECIPE_FLAGS: dict[str, dict[str, object]] = {
    "course": {},
    "fast": {"recipe": "fast"},
    "fast, short": {"recipe": "fast", "epochs": 5, "augment": "flip", "dropout": 0.25},
}
LOG_OF = {
    "listing": "listing-seed0.log",
    "course": "cifar10-course-seed1.log",
    "fast": "cifar10-fast-seed0.log",
    "fast, short": "fast-short-seed0.log",
}
NAMES = tuple(LOG_OF)
SHORT = "fast, short"
Steps = Iterator[int]


def steps_of_listing(data_dir: Path) -> Steps:
    """Train by the listing for ever; how many images each step had."""
    torch.manual_seed(0)
    net, (train, _) = listing.Listing().train(), listing.images(data_dir)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    while True:
        for count, _, _ in listing.steps(net, train, optimizer):
            yield count


def steps_of_recipe(name: str, data_dir: Path) -> Steps:
    """Train by a recipe of ours for ever; how many images each step had."""
    config = configured(name, data_dir)
    train, test = images_of(config)
    run, epoch = start(config, train, test), 0
    run.net.train()
    while True:
        epoch += 1
        for x, y in batches(train, config, epoch, run.device):
            step(run, x.to(memory_format=torch.channels_last), y)
            yield len(y)


def configured(name: str, data_dir: Path, limit: int = 0) -> Config:
    return choose(RECIPE_FLAGS[name] | {"dataset": "folder", "data_dir": str(data_dir), "limit": limit})


def contestant(name: str, data_dir: Path) -> Steps:
    return steps_of_listing(data_dir) if name == "listing" else steps_of_recipe(name, data_dir)


def advance(steps: Steps, images: int) -> float:
    """Images a second over the next `images` or a few more."""
    started, done = time.perf_counter(), 0
    while done < images:
        done += next(steps)
    return done / (time.perf_counter() - started)


def speeds(data_dir: Path, rounds: int, images: int) -> dict[str, list[float]]:
    """Images a second of each contestant in each round, in turn; the first round only warms up."""
    running = {name: contestant(name, data_dir) for name in NAMES}
    rates: dict[str, list[float]] = {name: [] for name in NAMES}
    for _ in range(rounds + 1):
        for name, steps in running.items():
            rates[name].append(advance(steps, images))
    return {name: values[1:] for name, values in rates.items()}


def peak_memory(name: str, data_dir: Path) -> float:
    """MB that a process holds at most while it trains 2,000 images."""
    command = [sys.executable, "-m", "benchmarks.train", "--data-dir", str(data_dir), "--alone", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def alone(name: str, data_dir: Path) -> None:
    if name in RECIPE_FLAGS:
        keep_freed_memory()  # as the trainer does
    advance(contestant(name, data_dir), 2000)
    print(highest() / 1e3)


def highest() -> float:
    """The most memory this process has held, in kB; getrusage would tell of the parent before its exec."""
    match = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    if match is None:
        raise SystemExit("This system does not tell a process's peak memory in /proc.")
    return float(match[1])


def bound(name: str, data_dir: Path, steps: int = 40, most: int = 8) -> str:
    """Where a recipe's time goes: the operations that take most of it, from torch's profiler."""
    running = contestant(name, data_dir)
    for _ in range(10):
        next(running)
    with profile(activities=[ProfilerActivity.CPU]) as watched:
        for _ in range(steps):
            next(running)
    rows = sorted(watched.key_averages(), key=lambda row: -row.self_cpu_time_total)
    total = sum(row.self_cpu_time_total for row in rows)
    return ", ".join(f"`{row.key}` {row.self_cpu_time_total / total:.0%}" for row in rows[:most])


def epochs_to(name: str, accuracy: float) -> int | None:
    """The first epoch whose test accuracy, from 0 to 1, is at least `accuracy` in a whole run's log."""
    log = LOGS / LOG_OF[name]
    if not log.exists():
        return None
    rows = re.findall(r"^ *(\d+) +[\d.]+ +[\d.]+% +[\d.]+ +([\d.]+)%", log.read_text(), re.MULTILINE)
    return next(
        (int(epoch) for epoch, reached_accuracy in rows if float(reached_accuracy) >= accuracy * 100), None
    )


def reached(name: str, accuracy: float, speed: float, rows: list[race.Row]) -> tuple[str, str]:
    """How many epochs and how much time a contestant takes to an accuracy, as they stand in the table."""
    if raced := race.passing(rows, name, accuracy):
        epochs, seconds = (median(getattr(each, kind) for each in raced) for kind in ("epoch", "seconds"))
        return ("–", "not reached") if math.isinf(seconds) else (f"{epochs:g}", f"{seconds:.0f} s")
    epochs = epochs_to(name, accuracy)
    return (str(epochs), f"≈ {epochs * IMAGES / speed:.0f} s") if epochs else ("–", "not reached")


def table(data_dir: Path, rounds: int, images: int, accuracy: float) -> str:
    rates = speeds(data_dir, rounds, images)
    usual = median(rates["listing"])
    raced = race.read(RACE.read_text(encoding="utf-8")) if RACE.exists() else []
    lines = [
        f"| what | images a second | of the listing | peak memory | epochs to {accuracy:.2%} | time to it |",
        "|---|---|---|---|---|---|",
    ]
    for name in NAMES:
        speed = median(rates[name])
        epochs, spent = reached(name, accuracy, speed, raced)
        memory = f"{peak_memory(name, data_dir):.0f} MB"
        cells = (name, f"{speed:,.0f}", f"{speed / usual:.1f} ×", memory, epochs, spent)
        lines.append("| " + " | ".join(cells) + " |")
    caption = (
        f"Medians of {rounds} rounds of `python -m benchmarks.train --data-dir DIR` on {race.machine()}."
    )
    lines += ["", caption]
    if raced:
        lines += ["", "In turn, epoch by epoch, measuring included (`--race`, `benchmarks/logs/race.log`):"]
        lines += [race.verdict(raced, SHORT, accuracy), ""]
    lines += [f"“{name}” spends its time in {bound(name, data_dir)}." for name in RECIPE_FLAGS]
    return "\n".join(lines)


def printed(rows: Iterator[race.Row]) -> list[race.Row]:
    """The rows, printed as they come."""
    print(race.HEAD, flush=True)
    printed_rows = []
    for row in rows:
        print(row, flush=True)
        printed_rows.append(row)
    return printed_rows


def raced_in_full(data_dir: Path, accuracy: float, length: int, limit: int) -> str:
    """Race, printing; the log of it."""
    print(race.machine())
    rows = printed(race.race(data_dir, SHORT, configured(SHORT, data_dir, limit), length))
    verdict = race.verdict(rows, SHORT, accuracy)
    print(verdict)
    return "\n".join([race.machine(), race.HEAD, *map(str, rows), verdict, ""])


def timed(data_dir: Path, accuracy: float, limit: int) -> None:
    """Train the short run until it passes an accuracy, printing."""
    last = printed(race.alone(SHORT, configured(SHORT, data_dir, limit), accuracy))[-1]
    what = "passed" if last.test_accuracy >= accuracy else "did not reach"
    took = f"{last.epoch} epochs and {last.seconds:.0f} s, measuring included"
    print(f"“{SHORT}” {what} {accuracy:.2%} in {took}.")


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.train", description=__doc__)
    parser.add_argument(
        "--data-dir", type=Path, required=True, help="DIR/train/<class>/* and DIR/test/<class>/*"
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=4096, help="a round's, for each")
    parser.add_argument("--accuracy", type=float, default=0.7775, help="to reach, from 0 to 1")
    parser.add_argument("--alone", choices=NAMES, help=argparse.SUPPRESS)
    parser.add_argument("--race", action="store_true", help="train the listing in full beside the short run")
    parser.add_argument("--epochs", type=int, default=20, help="of the listing in the race")
    parser.add_argument("--limit", type=int, default=0, help="images of the race; 0: all")
    parser.add_argument(
        "--write", action="store_true", help="keep the race's log and the table in docs/speed.md"
    )
    options = parser.parse_args()
    if options.alone:
        return alone(options.alone, options.data_dir)
    if options.write and options.limit:
        parser.error("--write is for all images; leave --limit out")
    if options.race:
        log = raced_in_full(options.data_dir, options.accuracy, options.epochs, options.limit)
        if not options.write:
            return None
        RACE.write_text(log, encoding="utf-8")
    else:
        timed(options.data_dir, options.accuracy, options.limit)
    text = table(options.data_dir, options.rounds, options.images, options.accuracy)
    print(text)
    if options.write:
        readme.put("benchmarks/train.py", text)
    return None


if __name__ == "__main__":
    main()
