"""What can end a run, beside its last epoch: errors, in one sentence each, and signals."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import torch

from model.builders import reason_of
from model.problems import Problem
from model.words import tr


def sentence_of(error: Exception) -> str:
    """What was wrong and what to do; "" for an error of the program itself, which deserves its traceback."""
    if isinstance(error, Problem):
        return str(error)
    if is_out_of_memory(error):
        return tr("There is not enough memory for this run; reduce --batch-size, --size or --limit.")
    if isinstance(error, OSError):
        reason = error.strerror or error
        return tr(
            "{file} cannot be written or read ({reason}); check the path and the free space.",
            file=error.filename,
            reason=reason,
        )
    if is_from_compiling(error):
        return tr(
            "torch.compile failed for this network ({reason}); train without --compile.",
            reason=reason_of(error),
        )
    if is_of_lost_process(error):
        return tr("Another process of this run has ended; read its last message, and continue with --resume.")
    return ""


def exit_code(
    work: Callable[[], None], sentence: Callable[[Exception], str] = sentence_of, stopped: str = ""
) -> int:
    """Do the work of a command; its exit code: 1 after a sentence, 130 after Ctrl-C, 143 after SIGTERM, or 0.

    `sentence` says what was wrong, "" for an error of the program itself, which is raised; `stopped` is
    printed after a stop.
    """
    try:
        with stopped_once():
            work()
    except KeyboardInterrupt as stop:
        if stopped:
            print(stopped, flush=True)
        return 143 if isinstance(stop, Terminated) else 130
    except Exception as error:
        if not (text := sentence(error)):
            raise
        print(tr("error: {sentence}", sentence=text), file=sys.stderr)
        return 1
    return 0


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out: on the CPU torch says so in a RuntimeError like any other."""
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)


def is_from_compiling(error: Exception) -> bool:
    """Whether torch.compile failed, as without a C++ compiler; told by name: importing it takes long."""
    return any(kind.__module__.startswith(("torch._dynamo", "torch._inductor")) for kind in type(error).mro())


def is_of_lost_process(error: Exception) -> bool:
    """Whether one process of several no longer answers: gloo says so in a RuntimeError like any other."""
    gone = ("Connection closed by peer", "Connection reset by peer", "gloo")
    return isinstance(error, torch.distributed.DistError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in gone)
    )


class Terminated(KeyboardInterrupt):
    """The system asks the process to end (SIGTERM), which is answered as Ctrl-C is."""


@contextmanager
def stopped_once() -> Iterator[None]:
    """Let the first SIGINT or SIGTERM end what is done here, and none after it cut short what is then saved.

    A signal that is ignored stays so, as Ctrl-C is in the background of a script.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    replaced = {number: before for number, before in handlers.items() if before is not signal.SIG_IGN}

    def stop(number: int, frame: FrameType | None) -> None:
        for each in replaced:
            signal.signal(each, signal.SIG_IGN)
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    for number in replaced:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, before in replaced.items():
            signal.signal(number, before)
