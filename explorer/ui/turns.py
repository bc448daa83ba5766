"""Which visits compute now: one alone may use every core, and background work gives way to it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Condition, get_native_id, local

import torch

CORES = torch.get_num_threads()  # what torch begins with: OMP_NUM_THREADS, or the cores of the machine
PATIENCE = 2.0  # seconds that background work waits for such a visit; under constant load it must get on

NICENESS = 5  # of background work: a visit that competes with it for a core gets three times as much


def lower_priority() -> None:
    """Let this thread compute where no visit does, from now on. Nothing happens on systems other than Linux,
    where setpriority knows whole processes only.
    """
    if sys.platform == "linux":
        thread = get_native_id()
        with suppress(OSError):  # a container may forbid it
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)


def use_threads(count: int) -> None:
    """Let torch compute each operation of this thread in so many.

    torch keeps that number for each thread; one that has not asked for it yet would get the number that
    another thread has set last.
    """
    torch.get_num_threads()
    torch.set_num_threads(count)


class Turns:
    """How many visits compute now. Each has a thread of its own, with torch's own number of threads."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._computing = 0
        self._on_all_cores = 0
        self._mine = local()

    @contextmanager
    def computing(self) -> Iterator[None]:
        """While a visit's page is made, or a part of it that runs alone."""
        if self._is_mine:
            yield
            return
        use_threads(1)
        self._mine.computing, self._mine.all_cores = True, False
        self._add(1, 0)
        try:
            yield
        finally:
            self._add(-1, -self._mine.all_cores)
            self._mine.computing = False
            use_threads(1)

    @property
    def _is_mine(self) -> bool:
        return getattr(self._mine, "computing", False)

    def use_all_cores(self) -> None:
        """Let torch use every core in this visit, unless another computes; it pays where passes are long."""
        with self._changed:
            if not self._is_mine or self._computing != 1 or self._mine.all_cores:
                return
            self._on_all_cores += 1
        self._mine.all_cores = True
        use_threads(CORES)

    @contextmanager
    def resting(self) -> Iterator[None]:
        """While a visit waits for background work; elsewhere nothing."""
        if not self._is_mine:
            yield
            return
        self._add(-1, -self._mine.all_cores)
        try:
            yield
        finally:
            self._add(1, self._mine.all_cores)

    def give_way(self, seconds: float = PATIENCE) -> None:
        """Wait until no visit uses every core, at most so long: called by background work."""
        with self._changed:
            self._changed.wait_for(lambda: not self._on_all_cores, seconds)

    def is_anyone_computing(self) -> bool:
        """Whether a page or a part of one is computed now."""
        return self._computing > 0

    def _add(self, computing: int, on_all_cores: int) -> None:
        with self._changed:
            self._computing += computing
            self._on_all_cores += on_all_cores
            self._changed.notify_all()


TURNS = Turns()
"""The turns of the server, for all visitors."""
