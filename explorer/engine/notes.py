"""What is known of a network beside its modules, such as the grid of its tokens; every copy keeps it."""

from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class _Note:
    """A hook that does nothing: whatever copies a network copies its hooks too."""

    name: str
    value: Any

    def __call__(self, *_: object) -> None:
        pass


def write_note(net: nn.Module, name: str, value: object) -> nn.Module:
    """The network itself, with a fixed value under a name; an empty one is not kept."""
    if value:
        net.register_forward_pre_hook(_Note(name, value))
    return net


def note_of(net: nn.Module, name: str) -> Any:
    """The value that `write_note` first kept under this name; None if there is none."""
    notes = (hook for hook in net._forward_pre_hooks.values() if isinstance(hook, _Note))
    return next((note.value for note in notes if note.name == name), None)
