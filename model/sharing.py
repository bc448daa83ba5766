"""A command's work shared by several processes: by torchrun, or part by part with --shard."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from model.arguments import WrongValue
from model.files import claimed
from model.problems import Problem
from model.processes import rank, world_size
from model.words import N_

SHARD = N_("{flag} must be two whole numbers such as 1/4, not {text}.")
Shard = tuple[int, int]


def shard(text: str) -> Shard:
    """Reads `2/4` as (1, 4): which of how many parts, from 0."""
    index, slash, parts = text.partition("/")
    if not (slash and index.isdecimal() and parts.isdecimal() and 1 <= int(index) <= int(parts)):
        raise WrongValue(SHARD, text=text)
    return int(index) - 1, int(parts)


def part(given: Shard | None) -> Shard:
    """Which part of how many this process has: the one given by --shard, or its own of torchrun's."""
    if given is None:
        return rank(), world_size()
    if world_size() > 1:
        raise Problem("torchrun shares the images by itself; leave out --shard.")
    return given


@contextmanager
def alone(folder: Path, given: Shard | None) -> Iterator[None]:
    """Problem if another process works on the same part into the same folder."""
    index, parts = given or (0, 1)
    claim = nullcontext(True) if rank() else claimed(folder / f".lock-{index + 1}-{parts}")
    with claim as mine:
        if not mine:
            raise Problem(
                "Another process is writing to {path}; wait until it has finished, or give another --out.",
                path=folder,
            )
        yield
