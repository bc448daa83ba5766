"""The same random numbers in every forward pass, so that all results for one image agree.

A network that draws random numbers in eval mode, as functional dropout does, would otherwise give another
prediction each time. Torch's generator is one for all threads: passes of such a network wait for one another.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from weakref import WeakSet

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
    states: list[list[Tensor]] = []

    def start(*_: object) -> None:
        _LOCK.acquire()
        states.append(_states())
        _seed(seed)
        states.append(_states())

    def finish(*_: object) -> None:
        seeded, before = states.pop(), states.pop()
        drawn = any(not torch.equal(*both) for both in zip(_states(), seeded, strict=True))
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
    if _has_gpus():
        torch.cuda.manual_seed_all(seed)


def _states() -> list[Tensor]:
    """The state of the generator of the CPU and of each GPU in use, copied."""
    gpus = torch.cuda.get_rng_state_all() if _has_gpus() else []
    return [torch.get_rng_state(), *gpus]


def _set_states(states: list[Tensor]) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state_all(states[1:])
