"""The same random numbers in every forward pass, so that all results for one image agree.

A network that draws random numbers in eval mode, as functional dropout does, would otherwise give another
prediction each time. The generators of torch, NumPy and Python are one for all threads: passes of such a
network wait for one another.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import Any
from weakref import WeakSet

import numpy as np
import torch
from torch import Tensor, nn

SEED = 0

# Networks whose forward pass was seen to draw random numbers, and those that drew none.
_RANDOM: "WeakSet[nn.Module]" = WeakSet()
_FIXED: "WeakSet[nn.Module]" = WeakSet()
_LOCK = RLock()


def seed_passes(net: nn.Module, view: nn.Module, seed: int = SEED) -> None:
    """Let every forward pass of a private view of `net` draw the random numbers of a seed.

    What everybody else draws stays undisturbed. A network whose first pass draws none is let be from then on.
    """
    if net in _FIXED:
        return
    states: list[_States] = []

    def start(*_: object) -> None:
        _LOCK.acquire()
        states.append(_states())
        _seed(seed)
        states.append(_states())

    def finish(*_: object) -> None:
        seeded, before = states.pop(), states.pop()
        drawn = not _states().same_as(seeded)
        _set_states(before)
        _LOCK.release()
        if drawn:
            _RANDOM.add(net)
            _FIXED.discard(net)
        elif net not in _RANDOM:
            _FIXED.add(net)

    view.register_forward_pre_hook(start, prepend=True)
    view.register_forward_hook(finish, always_call=True)


@contextmanager
def drawing(seed: int) -> Iterator[None]:
    """Draw the random numbers of a seed while no other thread does; what others draw stays undisturbed."""
    with _LOCK:
        before = _states()
        _seed(seed)
        try:
            yield
        finally:
            _set_states(before)


def is_random(net: nn.Module) -> bool:
    """Whether a forward pass of a private view of `net` was seen to draw random numbers."""
    return net in _RANDOM


def _has_gpus() -> bool:
    """Whether a GPU is in use, so that random numbers can come from it."""
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def _seed(seed: int) -> None:
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    if _has_gpus():
        torch.cuda.manual_seed_all(seed)


@dataclass(frozen=True, eq=False)
class _States:
    """Copies of the states of the generators that all share: torch's, on each device in use, and others'."""

    tensors: tuple[Tensor, ...]
    numpy: tuple[Any, ...]
    python: tuple[Any, ...]

    def same_as(self, other: "_States") -> bool:
        return (
            all(map(torch.equal, self.tensors, other.tensors))
            and all(map(np.array_equal, self.numpy, other.numpy))
            and self.python == other.python
        )


def _states() -> _States:
    gpus = torch.cuda.get_rng_state_all() if _has_gpus() else []
    return _States((torch.get_rng_state(), *gpus), tuple(np.random.get_state()), random.getstate())


def _set_states(states: _States) -> None:
    torch.set_rng_state(states.tensors[0])
    np.random.set_state(states.numpy)
    random.setstate(states.python)
    if len(states.tensors) > 1:
        torch.cuda.set_rng_state_all(list(states.tensors[1:]))
