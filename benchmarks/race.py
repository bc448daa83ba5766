"""Our short run and the course's listing, epoch by epoch in turn, each in a process of its own.

So both meet the same machine, and neither the other's memory or settings. A run's seconds are its wall time
since it began: reading its images (ours from what was decoded on the first use of a folder), training,
measuring and saving; not the time in which the other one trains. When a run of ours is over, the next begins
with the next seed, for as long as the listing goes on.
"""

import contextlib
import io
import math
import multiprocessing
import os
import platform
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import torch
from torch.utils.data import Subset

from benchmarks import listing
from model.allocator import keep_freed_memory
from model.batches import images_of
from model.recipes import Config
from model.training.loop import epochs
from model.training.run import begin, start

LISTING = "listing"
HEAD = "run          seed  epoch  train loss  train acc  test loss  test acc  seconds"
LINE = re.compile(r"(\S.*?) +(\d+) +(\d+) +([\d.]+) +([\d.]+)% +([\d.]+) +([\d.]+)% +([\d.]+)")
Figures = tuple[float, float, float, float]


@dataclass(frozen=True)
class Row:
    """An epoch of a run: losses in nats, accuracies from 0 to 1, wall seconds since the run began."""

    name: str
    seed: int
    epoch: int
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.name:11}  {self.seed:4}  {self.epoch:5}  {self.train_loss:10.4f}  "
            f"{self.train_accuracy:9.2%}  {self.test_loss:9.4f}  {self.test_accuracy:8.2%}  "
            f"{self.seconds:7.1f}"
        )


def read(log: str) -> list[Row]:
    """The rows in a log of a race."""
    rows = [match.groups() for line in log.splitlines() if (match := LINE.fullmatch(line.strip()))]
    return [
        Row(name, int(seed), int(epoch), float(a), float(b) / 100, float(c), float(d) / 100, float(seconds))
        for name, seed, epoch, a, b, c, d, seconds in rows
    ]


# The runs


def by_listing(data_dir: Path, length: int, limit: int, seed: int) -> Iterator[Figures]:
    """The listing's run of `length` epochs, on at most `limit` images of each split (0: all of them)."""
    train, test = (first(each, limit) for each in listing.images(data_dir))
    for row in listing.epochs(train, test, length, seed):
        yield row[:4]


def first(data: listing.Images, limit: int) -> listing.Images:
    """At most `limit` of the images, from every class: a folder's order goes class by class."""
    count = len(data)  # type: ignore[arg-type]
    return Subset(data, range(0, count, -(-count // limit))) if 0 < limit < count else data


def by_us(config: Config) -> Iterator[Figures]:
    """A run of our trainer as its command makes it, saving included, in a folder that is then removed."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        train, test = images_of(config)
        run = start(replace(config, out=f"{folder}/run.safetensors"), train, test)
        begin(run)
        for row in epochs(run, train, test):
            yield row.train_loss, row.train_accuracy, row.test_loss, row.test_accuracy


# In turn


class Racer:
    """A run in a process of its own that does one epoch when it is told to."""

    def __init__(self, name: str, seed: int, run: Sequence[object]) -> None:
        self.name, self.seed, self.epoch = name, seed, 0
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=obey, args=(theirs, run), daemon=True)
        self.process.start()
        theirs.close()
        self.pipe.recv()  # all is imported

    def go(self) -> Row:
        """Its next epoch. SystemExit if it failed; what it said then stands on standard error."""
        self.pipe.send(True)
        self.epoch += 1
        try:
            figures, seconds = self.pipe.recv()
        except EOFError:
            raise SystemExit(
                f"“{self.name}” ended in epoch {self.epoch}, so the runs cannot be compared; start again."
            ) from None
        return Row(self.name, self.seed, self.epoch, *figures, seconds)

    def stop(self) -> None:
        self.pipe.close()
        self.process.join()


def obey(pipe: Connection, run: Sequence[object]) -> None:
    """Do an epoch of a run, made by `run[0](*run[1:])`, whenever something comes; end when nothing can."""
    make, *arguments = run
    rows, seconds = make(*arguments), 0.0  # type: ignore[operator]
    pipe.send(True)
    with contextlib.suppress(EOFError):
        while pipe.recv():
            began = time.perf_counter()
            figures = next(rows)
            seconds += time.perf_counter() - began
            pipe.send((figures, seconds))
    rows.close()


def race(data_dir: Path, name: str, config: Config, length: int = 20) -> Iterator[Row]:
    """The listing over `length` epochs and, in turn, our runs of `config`, one after another."""
    theirs = Racer(LISTING, 0, (by_listing, data_dir, length, config.limit, 0))
    ours = Racer(name, 0, (by_us, config))
    try:
        for _ in range(length):
            yield theirs.go()
            if ours.epoch == config.epochs:
                ours.stop()
                ours = Racer(name, ours.seed + 1, (by_us, replace(config, seed=ours.seed + 1)))
            yield ours.go()
        while ours.epoch < config.epochs:  # the last of them to its end
            yield ours.go()
    finally:
        theirs.stop()
        ours.stop()


def alone(name: str, config: Config, accuracy: float) -> Iterator[Row]:
    """A run of ours until it passes an accuracy, or to its end."""
    ours = Racer(name, config.seed, (by_us, config))
    try:
        for _ in range(config.epochs):
            row = ours.go()
            yield row
            if row.test_accuracy >= accuracy:
                return
    finally:
        ours.stop()


# What came of it


@dataclass(frozen=True)
class Passing:
    """When a run passed an accuracy: its epoch and seconds, both infinite if it ended without."""

    epoch: float
    seconds: float


def passing(rows: Sequence[Row], name: str, accuracy: float) -> list[Passing]:
    """For each run of that name, by seed, when it passed the accuracy."""
    passings = []
    for seed in sorted({row.seed for row in rows if row.name == name}):
        mine = [row for row in rows if (row.name, row.seed) == (name, seed)]
        passed = next((row for row in mine if row.test_accuracy >= accuracy), None)
        if passed is not None:
            passings.append(Passing(passed.epoch, passed.seconds))
        else:
            passings.append(Passing(math.inf, math.inf))
    return passings


def verdict(rows: Sequence[Row], name: str, accuracy: float) -> str:
    """Who passed `accuracy` when, and the same for the accuracy that the listing ended with."""
    theirs = [row for row in rows if row.name == LISTING]
    end = theirs[-1]
    whole = f"{end.epoch} epochs and {end.seconds:,.0f} s"
    lines = [f"“{LISTING}” ended at {end.test_accuracy:.2%} after {whole}."]
    for goal in sorted({accuracy, end.test_accuracy}):
        when = passing(theirs, LISTING, goal)[0].seconds
        lines.append(_compared(passing(rows, name, goal), name, goal, when, end.seconds))
    return "\n".join(lines)


def _compared(ours: Sequence[Passing], name: str, goal: float, when: float, whole: float) -> str:
    usual = median(each.seconds for each in ours) if ours else math.inf
    if math.isinf(usual):
        return f"“{name}” did not reach {goal:.2%}."
    each = ", ".join(f"{one.seconds:.0f}" if one.seconds < math.inf else "never" for one in ours)
    sentence = f"“{name}” passed {goal:.2%} after {usual:.0f} s (median of {len(ours)}: {each}), "
    if math.isinf(when):
        return (
            sentence + f"“{LISTING}” not in its {whole:,.0f} s: at least {whole / usual:.1f} times as long."
        )
    return sentence + f"“{LISTING}” after {when:,.0f} s: {when / usual:.1f} times as long."


def machine() -> str:
    """What it ran on, in a line."""
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads"
    )
