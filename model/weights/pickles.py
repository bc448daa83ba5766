"""A pickle read as plain data: nothing that it names is imported, and nothing in it is called.

Every opcode of every protocol is understood, but what a pickle would import is only a name (`Global`), and
what it would call or build is only noted (`Inert`), except for tensors and the containers that hold them
(`rebuilt.py`). Time and memory are bounded by the pickle's length and by MOST_OPERATIONS.
"""

import codecs
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model.weights.stored import Damaged, TooMuch

MOST_OPERATIONS = 2_000_000
LONGEST_LINE = 100_000  # bytes; of text opcodes, such as the name of a class
SCALARS = (str, int, float, bool, bytes, type(None))


@dataclass(frozen=True, slots=True)
class Global:
    """The name of a class or function that a pickle would import."""

    module: str
    name: str


class Inert:
    """What a pickle would make by calling `kind` with `arguments`; `state`, `items` as it would set them."""

    __slots__ = ("arguments", "entries", "items", "kind", "state")

    def __init__(self, kind: Any, arguments: Any = ()) -> None:
        self.kind, self.arguments, self.state = kind, arguments, None
        self.items: list[Any] | None = None
        self.entries: dict[Any, Any] | None = None


Called = Callable[[Any, Any], Any]
Persistent = Callable[[Any], Any]


def unpickle(data: bytes, start: int, called: Called, persistent: Persistent) -> tuple[Any, int]:
    """The value of the pickle that begins at `start`, and where it ends. Raises Damaged.

    `called(kind, arguments)` says what stands for a call, `persistent(id)` what for an object kept elsewhere.
    """
    machine = _Machine(data, start, called, persistent)
    try:
        return machine.run(), machine.position
    except (LookupError, ValueError, TypeError, ArithmeticError, struct.error, AttributeError) as error:
        raise error if isinstance(error, Damaged) else Damaged("not a pickle") from error


class _Machine:
    """The stack, the memo and the place in the data while a pickle is read."""

    def __init__(self, data: bytes, start: int, called: Called, persistent: Persistent) -> None:
        self.data, self.position = data, start
        self.called, self.persistent = called, persistent
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        data, operations = self.data, OPERATIONS
        for _ in range(MOST_OPERATIONS):
            code = data[self.position]
            self.position += 1
            if code == 0x2E:  # STOP
                return self.stack.pop()
            operations[code](self)
        raise TooMuch("too many operations")

    def read(self, count: int) -> bytes:
        end = self.position + count
        if count < 0 or end > len(self.data):
            raise Damaged("cut off")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def unpacked(self, layout: str) -> Any:
        return struct.unpack(layout, self.read(struct.calcsize(layout)))[0]

    def line(self) -> bytes:
        end = self.data.find(b"\n", self.position, self.position + LONGEST_LINE)
        if end < 0:
            raise Damaged("a line without an end")
        line = self.data[self.position : end]
        self.position = end + 1
        return line

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marked.pop()
        return items

    def push(self, value: Any) -> None:
        self.stack.append(value)


# Values


def _integer(machine: _Machine) -> None:
    text = machine.line()
    machine.push(text == b"01" if text in (b"00", b"01") else int(text, 0))


def _long(machine: _Machine) -> None:
    machine.push(int(machine.line().rstrip(b"L"), 0))


def _binary_long(layout: str) -> "Operation":
    def push(machine: _Machine) -> None:
        machine.push(int.from_bytes(machine.read(machine.unpacked(layout)), "little", signed=True))

    return push


def _number(layout: str) -> "Operation":
    return lambda machine: machine.push(machine.unpacked(layout))


def _text(layout: str) -> "Operation":
    def push(machine: _Machine) -> None:
        machine.push(machine.read(machine.unpacked(layout)).decode("utf-8", "surrogatepass"))

    return push


def _old_text(layout: str) -> "Operation":
    """Of Python 2, where a text and bytes are the same."""
    return lambda machine: machine.push(machine.read(machine.unpacked(layout)).decode("latin-1"))


def _bytes(layout: str) -> "Operation":
    return lambda machine: machine.push(machine.read(machine.unpacked(layout)))


def _quoted(machine: _Machine) -> None:
    line = machine.line()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise Damaged("a text without quotes")
    machine.push(codecs.escape_decode(line[1:-1])[0].decode("latin-1"))


def _constant(make: Callable[[], Any]) -> "Operation":
    return lambda machine: machine.push(make())


# Containers


def _tuple(count: int) -> "Operation":
    def push(machine: _Machine) -> None:
        if len(machine.stack) < count:
            raise Damaged("an empty stack")
        machine.stack[-count:] = [tuple(machine.stack[-count:])]

    return push


def _append(machine: _Machine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if isinstance(target, Inert):
        target.items = target.items if target.items is not None else []
        target = target.items
    if isinstance(target, list):
        target.extend(items)


def _set(machine: _Machine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if isinstance(target, Inert):
        target.entries = target.entries if target.entries is not None else {}
        target = target.entries
    if isinstance(target, dict):
        _fill(target, items)


def is_key(value: Any) -> bool:
    """Whether a value is plain and quick to hash."""
    return isinstance(value, SCALARS) and (not isinstance(value, int) or value.bit_length() <= 64)


def _fill(target: dict[Any, Any], items: list[Any]) -> None:
    """Pairs into a dict; a key that is no plain value is left out: hashing it may take any time."""
    for key, value in zip(items[::2], items[1::2], strict=True):
        if is_key(key):
            target[key] = value


def _dict_of(machine: _Machine) -> None:
    items, made = machine.since_mark(), dict[Any, Any]()
    _fill(made, items)
    machine.push(made)


def _pair(machine: _Machine) -> list[Any]:
    value, key = machine.stack.pop(), machine.stack.pop()
    return [key, value]


# Names, calls and states


def _global(machine: _Machine) -> None:
    module, name = machine.line().decode(), machine.line().decode()
    machine.push(Global(module, name))


def _stack_global(machine: _Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise Damaged("a name that is no text")
    machine.push(Global(module, name))


def _extension(layout: str) -> "Operation":
    return lambda machine: machine.push(Global("copyreg", f"extension {machine.unpacked(layout)}"))


def _reduce(machine: _Machine) -> None:
    arguments = machine.stack.pop()
    machine.stack[-1] = machine.called(machine.stack[-1], arguments)


def _new(machine: _Machine, keywords: bool) -> None:
    if keywords:
        machine.stack.pop()
    _reduce(machine)


def _instance(machine: _Machine) -> None:
    _global(machine)
    kind = machine.stack.pop()
    machine.push(machine.called(kind, tuple(machine.since_mark())))


def _object(machine: _Machine) -> None:
    kind, *arguments = machine.since_mark()
    machine.push(machine.called(kind, tuple(arguments)))


def _build(machine: _Machine) -> None:
    state = machine.stack.pop()
    if isinstance(machine.stack[-1], Inert):
        machine.stack[-1].state = state


# The memo


def _put(machine: _Machine, index: int) -> None:
    machine.memo[index] = machine.stack[-1]


def _pop(machine: _Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.since_mark()


def _mark(machine: _Machine) -> None:
    machine.marked.append(machine.stack)
    machine.stack = []


Operation = Callable[[_Machine], object]
OPERATIONS: dict[int, Operation] = {
    ord(code): operation
    for code, operation in {
        "(": _mark,
        "0": _pop,
        "1": lambda machine: machine.since_mark(),
        "2": lambda machine: machine.push(machine.stack[-1]),
        # numbers
        "I": _integer,
        "L": _long,
        "F": lambda machine: machine.push(float(machine.line())),
        "J": _number("<i"),
        "K": _number("<B"),
        "M": _number("<H"),
        "G": _number(">d"),
        "\x8a": _binary_long("<B"),
        "\x8b": _binary_long("<i"),
        "N": _constant(lambda: None),
        "\x88": _constant(lambda: True),
        "\x89": _constant(lambda: False),
        # texts and bytes
        "S": _quoted,
        "T": _old_text("<i"),
        "U": _old_text("<B"),
        "V": lambda machine: machine.push(machine.line().decode("raw-unicode-escape")),
        "X": _text("<I"),
        "\x8c": _text("<B"),
        "\x8d": _text("<Q"),
        "B": _bytes("<I"),
        "C": _bytes("<B"),
        "\x8e": _bytes("<Q"),
        "\x96": _bytes("<Q"),
        # containers; a set is kept as a list
        ")": _constant(tuple),
        "t": lambda machine: machine.push(tuple(machine.since_mark())),
        "\x85": _tuple(1),
        "\x86": _tuple(2),
        "\x87": _tuple(3),
        "]": _constant(list),
        "l": lambda machine: machine.push(machine.since_mark()),
        "\x8f": _constant(list),
        "\x91": lambda machine: machine.push(machine.since_mark()),
        "a": lambda machine: _append(machine, [machine.stack.pop()]),
        "e": lambda machine: _append(machine, machine.since_mark()),
        "\x90": lambda machine: _append(machine, machine.since_mark()),
        "}": _constant(dict),
        "d": _dict_of,
        "s": lambda machine: _set(machine, _pair(machine)),
        "u": lambda machine: _set(machine, machine.since_mark()),
        # names, calls and states
        "c": _global,
        "\x93": _stack_global,
        "\x82": _extension("<B"),
        "\x83": _extension("<H"),
        "\x84": _extension("<i"),
        "R": _reduce,
        "\x81": lambda machine: _new(machine, keywords=False),
        "\x92": lambda machine: _new(machine, keywords=True),
        "i": _instance,
        "o": _object,
        "b": _build,
        "P": lambda machine: machine.push(machine.persistent(machine.line().decode())),
        "Q": lambda machine: machine.push(machine.persistent(machine.stack.pop())),
        # the memo
        "p": lambda machine: _put(machine, int(machine.line())),
        "q": lambda machine: _put(machine, machine.unpacked("<B")),
        "r": lambda machine: _put(machine, machine.unpacked("<I")),
        "\x94": lambda machine: _put(machine, len(machine.memo)),
        "g": lambda machine: machine.push(machine.memo[int(machine.line())]),
        "h": lambda machine: machine.push(machine.memo[machine.unpacked("<B")]),
        "j": lambda machine: machine.push(machine.memo[machine.unpacked("<I")]),
        # frames are only a hint of how much to read at once
        "\x80": lambda machine: machine.unpacked("<B"),
        "\x95": lambda machine: machine.unpacked("<Q"),
    }.items()
}
