"""Long work: shared by those who ask for the same, stopped and gone on with, its mistakes seen, bounded."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, get_native_id

import pytest
from streamlit.testing.v1 import AppTest

from explorer.ui import jobs
from explorer.ui.jobs import Jobs, Work
from explorer.ui.turns import NICENESS
from model.problems import Problem


def counting(name: str = "count", steps: int = 3, made: list[int] | None = None) -> Work[int]:
    def run() -> Iterator[int]:
        for number in range(steps):
            if made is not None:
                made.append(number)
            yield number

    return Work(name, (), steps, run)


class Gated:
    """Work whose every result waits until it is let through."""

    def __init__(self, name: str = "gated", steps: int = 3) -> None:
        self.work = Work(name, (), steps, self.run)
        self.gates = [Event() for _ in range(steps)]
        self.begun: list[int] = []

    def run(self) -> Iterator[int]:
        for number, gate in enumerate(self.gates):
            self.begun.append(number)
            assert gate.wait(100)
            yield number


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_results_come_one_by_one_and_stay() -> None:
    own, gated = Jobs(1), Gated()
    assert own.follow(gated.work)[0].results == ()
    for number, gate in enumerate(gated.gates):
        gate.set()
        until(lambda count=number + 1: len(own.follow(gated.work)[0].results) == count)
    (progress,) = own.wait(gated.work)
    assert (progress.results, progress.steps, progress.finished) == ((0, 1, 2), 3, True)
    assert own.look(gated.work)[0].results == (0, 1, 2)
    assert gated.begun == [0, 1, 2]


def test_two_who_ask_for_the_same_share_it() -> None:
    own, made = Jobs(2), []
    works = [counting(made=made) for _ in range(2)]
    assert [each.results for each in own.wait(*works)] == [(0, 1, 2)] * 2
    assert made == [0, 1, 2]
    assert own.wait(counting("other", made=made))[0].finished
    assert len(made) == 6


def test_values_tell_works_apart() -> None:
    own = Jobs(1)
    one, other = (Work("same", (number, (None, "text")), 1, lambda n=number: iter([n])) for number in (1, 2))
    assert [each.results for each in own.wait(one, other)] == [(1,), (2,)]
    with pytest.raises(ValueError, match="KEYS does not say what stands for a set"):
        own.follow(Work("unknown", ({1},), 1, lambda: iter([1])))


def test_stopped_work_stands_still_and_can_go_on() -> None:
    own, gated = Jobs(1), Gated()
    own.follow(gated.work)
    until(lambda: gated.begun == [0])
    own.stop(gated.work)
    for gate in gated.gates:
        gate.set()
    until(lambda: len(own.look(gated.work)[0].results) == 1)
    time.sleep(0.05)
    assert (gated.begun, own.look(gated.work)[0].finished) == ([0], False)
    assert own.wait(gated.work)[0].results == (0, 1, 2)


def test_work_that_nobody_follows_any_longer_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "FOLLOWED", 0.05)
    own, gated = Jobs(1), Gated()
    own.follow(gated.work)
    until(lambda: gated.begun == [0])
    time.sleep(0.06)
    for gate in gated.gates:
        gate.set()
    until(lambda: len(own.look(gated.work)[0].results) == 1)
    time.sleep(0.02)
    assert gated.begun == [0]


def test_who_asked_last_comes_first_and_several_in_their_order() -> None:
    own, gated, order = Jobs(1), Gated(steps=1), []

    def noting(name: str) -> Work[str]:
        def run() -> Iterator[str]:
            order.append(name)
            yield name

        return Work(name, (), 1, run)

    own.follow(gated.work)
    until(lambda: gated.begun == [0])
    own.follow(noting("earlier"))
    time.sleep(0.01)
    own.follow(noting("first"), noting("second"))
    gated.gates[0].set()
    until(lambda: len(order) == 3)
    assert order == ["first", "second", "earlier"]


def test_no_more_threads_than_allowed() -> None:
    own, gated = Jobs(2), [Gated(f"gated {number}") for number in range(4)]
    own.follow(*(each.work for each in gated))
    until(lambda: sum(len(each.begun) for each in gated) == 2)
    time.sleep(0.02)
    assert sum(len(each.begun) for each in gated) == 2
    for each in gated:
        for gate in each.gates:
            gate.set()
    assert all(each.finished for each in own.wait(*(each.work for each in gated)))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the priority is the whole process's")
def test_a_job_has_a_lower_priority_than_a_visit() -> None:
    def run() -> Iterator[int]:
        yield os.getpriority(os.PRIO_PROCESS, get_native_id())

    before = os.getpriority(os.PRIO_PROCESS, get_native_id())
    (progress,) = Jobs().wait(Work("priority", (), 1, run))
    assert progress.results == (min(19, before + NICENESS),)
    assert os.getpriority(os.PRIO_PROCESS, get_native_id()) == before


def test_a_job_runs_where_no_priority_may_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse, raising=False)
    (progress,) = Jobs().wait(Work("refused", (), 1, lambda: iter([1])), seconds=5)
    assert progress.results == (1,)


def test_a_problem_is_shown_and_a_mistake_is_raised() -> None:
    def ends(error: Exception) -> Callable[[], Iterator[int]]:
        def run() -> Iterator[int]:
            yield 1
            raise error

        return run

    own = Jobs(1)
    problem = Problem("Choose another image.")
    (progress,) = own.wait(Work("problem", (), 2, ends(problem)))
    assert (progress.results, progress.problem, progress.finished) == ((1,), problem, True)
    mistake = Work("mistake", (), 2, ends(ZeroDivisionError("a bug")))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="a bug"):
            own.wait(mistake)
    assert own.wait(counting())[0].finished, "other work goes on"


def test_a_bounded_number_is_kept_and_what_was_asked_for_last_stays() -> None:
    own, made = Jobs(1, kept=3), []
    works = [counting(f"count {number}", 1, made) for number in range(6)]
    for work in works:
        own.wait(work)
        time.sleep(0.002)
    assert [bool(each.results) for each in own.look(*works)] == [False] * 3 + [True] * 3
    own.wait(works[0])
    assert len(made) == 7


def test_closing_waits_for_the_result_being_made_and_nothing_begins_afterwards() -> None:
    own, gated = Jobs(1), Gated()
    own.follow(gated.work)
    until(lambda: gated.begun == [0])
    own.close(0.01)
    for gate in gated.gates:
        gate.set()
    own.close()
    own.follow(gated.work)
    assert (gated.begun, own.look(gated.work)[0].results) == ([0], (0,))


PAGE = """
import streamlit as st
from explorer.ui import jobs, link
from explorer.ui.jobs import Work

link.read()
works = [Work(name, (), 2, lambda: iter("ab")) for name in ("page one", "page two")]
jobs.show(lambda all: st.write([each.results for each in all]), *works, stopped={stopped})
"""


def test_a_page_shows_what_is_there_and_does_not_begin_when_stopped(tmp_path: Path) -> None:
    script = tmp_path / "page.py"
    script.write_text(PAGE.format(stopped=True))
    at = AppTest.from_file(str(script)).run()
    assert at.json[0].value == "[[], []]"
    script.write_text(PAGE.format(stopped=False))
    at = AppTest.from_file(str(script)).run()
    jobs.JOBS.wait(*(Work(name, (), 2, lambda: iter("ab")) for name in ("page one", "page two")))
    assert at.run().json[0].value == '[["a", "b"], ["a", "b"]]'
    assert not at.exception
