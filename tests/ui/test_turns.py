"""Only a visit that is alone uses every core, and background work gives way to it."""

import time
from collections.abc import Callable, Iterator
from threading import Event, Thread

import pytest
import torch

from explorer.ui import jobs, turns
from explorer.ui.jobs import Jobs, Work
from explorer.ui.turns import Turns


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> Turns:
    made = Turns()
    monkeypatch.setattr(turns, "CORES", 2)
    monkeypatch.setattr(jobs, "TURNS", made)
    return made


def in_a_thread(do: Callable[[], object]) -> object:
    results: list[object] = []
    thread = Thread(target=lambda: results.append(do()))
    thread.start()
    thread.join(300)
    return results[0]


def test_a_visit_alone_uses_every_core_and_only_while_it_computes(mine: Turns) -> None:
    def visit() -> list[int]:
        mine.use_all_cores()  # before it computes: nothing
        seen = [torch.get_num_threads()]
        with mine.computing():
            seen.append(torch.get_num_threads())
            mine.use_all_cores()
            seen.append(torch.get_num_threads())
        return [*seen[1:], torch.get_num_threads()]

    assert in_a_thread(visit) == [1, 2, 1]


def test_beside_another_visit_it_uses_one_core(mine: Turns) -> None:
    def second() -> int:
        with mine.computing():
            mine.use_all_cores()
            return torch.get_num_threads()

    def first() -> tuple[object, int]:
        with mine.computing():
            mine.use_all_cores()
            return in_a_thread(second), torch.get_num_threads()

    assert in_a_thread(first) == (1, 2)


def test_after_an_error_the_turn_is_over(mine: Turns) -> None:
    @mine.computing()
    def fails() -> None:
        mine.use_all_cores()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    started = time.monotonic()
    mine.give_way(300)
    assert time.monotonic() - started < 100


def one_result(done: Event) -> Work[int]:
    def run() -> Iterator[int]:
        done.set()
        yield torch.get_num_threads()

    return Work("one", (), 1, run)


def test_background_work_waits_for_visits_and_has_one_thread(
    mine: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, all_jobs = Event(), Jobs(threads=1)
    monkeypatch.setattr(Turns.give_way, "__defaults__", (300.0,))
    with mine.computing():
        mine.use_all_cores()
        all_jobs.follow(one_result(done))
        assert not done.wait(0.3)
    assert done.wait(100)
    assert all_jobs.wait(one_result(done), seconds=1000)[0].results == (1,)


def test_a_visit_that_waits_for_background_work_lets_it_run(
    mine: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Turns.give_way, "__defaults__", (300.0,))
    with mine.computing():
        mine.use_all_cores()
        assert Jobs(threads=1).wait(one_result(Event()), seconds=100)[0].finished


def test_under_constant_load_background_work_gets_on(mine: Turns) -> None:
    with mine.computing():
        mine.use_all_cores()
        started = time.monotonic()
        mine.give_way(0.2)
        assert 0.15 < time.monotonic() - started < 100


def test_background_work_runs_beside_a_visit_on_one_core(mine: Turns) -> None:
    with mine.computing():
        started = time.monotonic()
        mine.give_way(300)
        assert time.monotonic() - started < 100


def test_a_part_of_a_page_counts_once_and_also_where_it_runs_alone(mine: Turns) -> None:
    @mine.computing()
    def part() -> int:
        mine.use_all_cores()
        return torch.get_num_threads()

    with mine.computing():
        assert part() == 2
        assert torch.get_num_threads() == 2  # the page goes on
    assert in_a_thread(part) == 2
    with mine.computing():
        assert in_a_thread(part) == 1


def test_a_job_uses_every_core_of_its_own_only_while_no_page_is_computed(
    mine: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "CORES_OF_A_JOB", 2)

    def threads(key: int) -> int:
        work = Work("threads", (key,), 1, lambda: (torch.get_num_threads() for _ in range(1)))
        (progress,) = Jobs().wait(work)
        return progress.results[0]

    def while_a_page_is_computed() -> int:
        with mine.computing():
            return in_a_thread(lambda: threads(1))  # type: ignore[return-value]

    assert (threads(0), while_a_page_is_computed()) == (2, 1)
