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
    before: list[Tensor] = []

    def start(*_: object) -> None:
        _LOCK.acquire()
        before.append(torch.get_rng_state())
        torch.default_generator.manual_seed(seed)

    def finish(*_: object) -> None:
        drawn = not torch.equal(torch.get_rng_state(), _state_of(seed))
        torch.set_rng_state(before.pop())
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
    with _LOCK, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def is_random(net: nn.Module) -> bool:
    """Whether a forward pass of a private view of `net` was seen to draw random numbers."""
    return net in _RANDOM


def _state_of(seed: int) -> Tensor:
    return torch.Generator().manual_seed(seed).get_state()
