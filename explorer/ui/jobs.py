"""Long work in background threads, result by result: pages ask how far it is, and show what is there.

A job advances one result at a time, and only while somebody follows it; so the work of visitors who went on
to another image, or away, gives way, and stands where it is until somebody asks for it again. Visitors who
ask for the same share it. Nothing of Streamlit is touched from its threads.
"""

import atexit
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any, Generic, TypeVar

import streamlit as st

from explorer.ui import cached, link
from explorer.ui.turns import CORES, TURNS, lower_priority, use_threads
from model import words
from model.problems import Problem

R = TypeVar("R")

THREADS = max(1, (os.cpu_count() or 2) // 2)  # the rest is for the pages
CORES_OF_A_JOB = max(1, CORES // THREADS)  # while no page is computed
KEPT = 256  # jobs, finished or not
FOLLOWED = 30.0  # seconds for which a job goes on that nobody asks about
POLL = 1.0  # seconds between two looks of a page; each costs a run, with its garbage collection


@dataclass(frozen=True, eq=False)
class Work(Generic[R]):
    """Work that gives `steps` results in turn; `name` and `values` are all that they depend on.

    `run` makes an iterator of them. It is advanced in changing threads, so it must not hold anything of a
    thread, such as `torch.no_grad`, from one result to the next. What it raises ends it.
    """

    name: str
    values: tuple[Any, ...]
    steps: int
    run: Callable[[], Iterator[R]]

    @property
    def key(self) -> tuple[Any, ...]:
        """What stands for the work: equal for equal names and values."""
        return (self.name, *map(cached.key_of, self.values))


@dataclass(frozen=True, eq=False)
class Progress(Generic[R]):
    """How far a job is: its results so far, of `steps`, and whether there will be no more.

    `problem` is why it ended early. Looking at one that ended with another exception raises that.
    """

    results: tuple[R, ...]
    steps: int
    finished: bool
    problem: Problem | None = None


@dataclass(eq=False)
class _Job:
    key: tuple[Any, ...]
    steps: int
    iterator: Iterator[Any]
    results: list[Any] = field(default_factory=list)
    followed: float = -math.inf
    busy: bool = False
    finished: bool = False
    error: Exception | None = None

    def advance(self) -> None:
        """One more result, or the end."""
        try:
            self.results.append(next(self.iterator))
            self.finished = len(self.results) == self.steps
        except StopIteration:
            self.finished = True
        except Exception as error:  # raised where the page looks at it
            self.error, self.finished = error, True

    def progress(self) -> Progress[Any]:
        if self.error is not None and not isinstance(self.error, Problem):
            raise self.error
        return Progress(tuple(self.results), self.steps, self.finished, self.error)


class Jobs:
    """Jobs by key, the threads that work on them, and the lock for both."""

    def __init__(self, threads: int = THREADS, kept: int = KEPT) -> None:
        self._threads, self._kept = threads, kept
        self._jobs: dict[tuple[Any, ...], _Job] = {}
        self._changed = Condition()
        self._working = 0

    def follow(self, *works: Work[R]) -> tuple[Progress[R], ...]:
        """How far works are, which go on for a while; those that are not there begin, in this order."""
        now = time.monotonic()
        with self._changed:
            jobs = [self._job(work) for work in works]
            for job in jobs:
                job.followed = now
            self._forget()
            waiting = sum(not (job.finished or job.busy) for job in jobs)
            for _ in range(max(0, min(waiting, self._threads - self._working))):
                self._working += 1
                Thread(target=self._work, daemon=True, name="jobs").start()
            return tuple(job.progress() for job in jobs)

    def look(self, *works: Work[R]) -> tuple[Progress[R], ...]:
        """How far works are; nothing goes on because of it."""
        with self._changed:
            jobs = [self._jobs.get(work.key) for work in works]
            return tuple(
                job.progress() if job else Progress((), work.steps, False)
                for job, work in zip(jobs, works, strict=True)
            )

    def stop(self, *works: Work[Any]) -> None:
        """Let works stand where they are, after the result being made; whoever follows one lets it go on."""
        with self._changed:
            for work in works:
                if work.key in self._jobs:
                    self._jobs[work.key].followed = -math.inf

    def wait(self, *works: Work[R], seconds: float = 60.0) -> tuple[Progress[R], ...]:
        """Follow works until they are finished; TimeoutError after so many seconds."""
        end = time.monotonic() + seconds
        with TURNS.resting():
            while True:
                progress = self.follow(*works)
                if all(each.finished for each in progress):
                    return progress
                if time.monotonic() > end:
                    raise TimeoutError
                with self._changed:
                    self._changed.wait(0.1)

    def close(self, seconds: float = 10.0) -> None:
        """Let everything stand, and wait until the threads have ended: torch must not be cut off."""
        with self._changed:
            self._threads = 0
        self.rest(seconds)

    def rest(self, seconds: float = 10.0) -> None:
        """Let everything stand until somebody follows it again, and wait until no thread works."""
        end = time.monotonic() + seconds
        with self._changed:
            for job in self._jobs.values():
                job.followed = -math.inf
            while self._working and time.monotonic() < end:
                self._changed.wait(0.1)

    def _job(self, work: Work[Any]) -> _Job:
        if work.key not in self._jobs:
            self._jobs[work.key] = _Job(work.key, work.steps, work.run())
        return self._jobs[work.key]

    def _forget(self) -> None:
        """Leave the jobs that were followed last, and those being worked on."""
        by_age = sorted(self._jobs.values(), key=lambda job: -job.followed)
        for job in by_age[self._kept :]:
            if not job.busy:
                del self._jobs[job.key]

    def _next(self) -> _Job | None:
        """Of the jobs that are followed the one asked for last, the first of several asked for together."""
        limit = time.monotonic() - FOLLOWED
        waiting = (job for job in self._jobs.values() if not (job.finished or job.busy))
        return max(
            (job for job in waiting if job.followed > limit), key=lambda job: job.followed, default=None
        )

    def _work(self) -> None:
        """Advance jobs, each by one result in turn, until there is none to advance."""
        lower_priority()
        while True:
            TURNS.give_way()
            with self._changed:
                job = self._next()
                if job is None:
                    self._working -= 1
                    self._changed.notify_all()
                    return
                job.busy = True
            use_threads(1 if TURNS.is_anyone_computing() else CORES_OF_A_JOB)
            job.advance()
            with self._changed:
                job.busy = False
                self._changed.notify_all()


JOBS = Jobs()
"""The jobs of the server, for all visitors."""
atexit.register(JOBS.close)


def show(draw: Callable[[Sequence[Progress[R]]], None], *works: Work[R], stopped: bool = False) -> None:
    """Draw how far works are, anew every POLL seconds until all are finished, or none goes on if `stopped`.

    `draw` runs as a fragment: it must not write into the page around it.
    """
    if stopped or all(each.finished for each in JOBS.follow(*works)):
        draw(JOBS.look(*works))
    else:
        st.fragment(_polled, run_every=POLL)(draw, works)


def _polled(draw: Callable[[Sequence[Progress[R]]], None], works: Sequence[Work[R]]) -> None:
    words.use(link.language())  # a fragment that runs alone
    progress = JOBS.follow(*works)
    if all(each.finished for each in progress):
        st.rerun()  # which draws it without asking again and again
    draw(progress)
