"""Every tensor in what a file holds, by the names of all that it lies in, joined by dots."""

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any

from model.names import readable
from model.weights.pickles import Inert
from model.weights.rebuilt import tensor_of
from model.weights.stored import Leaf, StoredTensor, UnusableTensor

MOST_ENTRIES = 100_000  # looked at
MOST_TENSORS = 20_000  # a ResNet-152 with its optimizer and averages has about 4,000
MOST_VISITS = 8  # of the same container: a module may be shared, and a container may lie in itself
DEEPEST = 40
LONGEST_NAME = 1_000  # characters


def entries_of(value: Any) -> dict[str, Leaf]:
    """Name → tensor of everything in a value that a pickle gave, the outermost first. Raises Damaged.

    The tensors of a whole module have the names that its state_dict gives them.
    """
    leaves: dict[str, Leaf] = {}
    visits: dict[int, int] = {}
    queue = deque([("", value, 0)])
    room = MOST_ENTRIES
    while queue and len(leaves) < MOST_TENSORS:
        name, thing, depth = queue.popleft()
        leaf = _leaf(thing)
        if leaf is not None:
            leaves.setdefault(in_one_line(name), leaf)
        elif depth < DEEPEST and len(name) < LONGEST_NAME and visits.get(id(thing), 0) < MOST_VISITS:
            visits[id(thing)] = visits.get(id(thing), 0) + 1
            inside = list(islice(_within(thing), room))
            room -= len(inside)
            queue.extend((_joined(name, key), inner, depth + 1) for key, inner in inside)
    return leaves


def in_one_line(name: str) -> str:
    """A name as it can stand in a sentence."""
    return " ".join(readable(name).split())


def _leaf(thing: Any) -> Leaf | None:
    if isinstance(thing, StoredTensor | UnusableTensor):
        return thing
    return tensor_of(thing) if isinstance(thing, Inert) else None


def _joined(name: str, key: str) -> str:
    return f"{name}.{key}" if name and key else name or key


def _within(thing: Any) -> Iterator[tuple[str, Any]]:
    """What lies directly in a container; the values of no others."""
    match thing:
        case dict():
            yield from ((_text(key), inner) for key, inner in thing.items() if _may_hold(inner))
        case [(str(), _), *_] if all(map(_is_named, thing)):  # the items of a dict
            yield from ((name, inner) for name, inner in thing if _may_hold(inner))
        case list() | tuple():
            yield from ((str(index), inner) for index, inner in enumerate(thing) if _may_hold(inner))
        case Inert():
            yield from _within_object(thing)


def _text(key: Any) -> str:
    """A key as text: old converters wrote bytes."""
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)


def _is_named(thing: Any) -> bool:
    return isinstance(thing, list | tuple) and len(thing) == 2 and isinstance(thing[0], str)


def _within_object(thing: Inert) -> Iterator[tuple[str, Any]]:
    state = thing.state
    if isinstance(state, dict) and isinstance(state.get("_modules"), dict | Inert):
        yield from _within_module(state)
        return
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)  # with slots
    for part in (thing.arguments, thing.items, thing.entries, *parts):
        yield from _within(part)


def _within_module(state: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    """A module's own tensors and submodules by name, without what its state_dict leaves out."""
    left_out = state.get("_non_persistent_buffers_set")
    names = _texts(left_out)
    yield from _within({"_packed_params": state.get("_packed_params")})  # of a quantized layer
    for part in ("_parameters", "_buffers", "_modules"):
        for name, inner in _within(state.get(part)):
            if part != "_buffers" or name not in names:
                yield name, inner


def _texts(value: Any) -> set[str]:
    """The texts of a set, which is a list here, or was made by a call."""
    if isinstance(value, Inert):
        value = value.arguments[0] if isinstance(value.arguments, tuple) and value.arguments else None
    return {each for each in value if isinstance(each, str)} if isinstance(value, list | tuple) else set()


def _may_hold(value: Any) -> bool:
    return isinstance(value, dict | list | tuple | Inert | StoredTensor | UnusableTensor)
