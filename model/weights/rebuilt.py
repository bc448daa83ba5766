"""What stands for the calls in a pickle: tensors and plain containers where they make them, else a note."""

from collections.abc import Callable
from typing import Any

import torch

from model.weights.pickles import Global, Inert, is_key
from model.weights.stored import (
    DTYPES,
    QUANTIZED,
    Damaged,
    Leaf,
    Pool,
    Storage,
    StoredTensor,
    TooMuch,
    UnusableTensor,
    from_bytes,
    swapped,
    tensor_in,
)

# NumPy's kinds of numbers, by the letters in its dtypes.
NUMBERS = {
    "f8": torch.float64,
    "f4": torch.float32,
    "f2": torch.float16,
    "i8": torch.int64,
    "i4": torch.int32,
    "i2": torch.int16,
    "i1": torch.int8,
    "u1": torch.uint8,
    "b1": torch.bool,
}
# What a pickle names as torch.float32: only looked up here, for torch imports some of its names when asked.
TYPES = {
    name: value
    for name, value in vars(torch).items()
    if isinstance(value, torch.dtype) and value.itemsize and "q" not in name and "bits" not in name
}
ORDERS = {"<": "little", ">": "big"}


class Calls:
    """What stands for the calls in one pickle of `length` bytes, which cannot make much more of them."""

    def __init__(self, length: int) -> None:
        self.room = 4 * length + 300_000
        self.nested: dict[int, tuple[bytes, Any]] = {}

    def __call__(self, kind: Any, arguments: Any) -> Any:
        """What stands for `kind(*arguments)`. Raises Damaged."""
        if not isinstance(kind, Global) or not isinstance(arguments, tuple) or not _is_known(kind):
            return Inert(kind, arguments)
        match kind.name, arguments:
            case "_load_from_bytes", (bytes(data),):
                return self._loaded(data)
            case "_rebuild_from_type_v2", (Global() as inner, _, tuple(inner_arguments), *_):
                return _made(inner, inner_arguments)
        self.room -= len(arguments[0]) if arguments and hasattr(arguments[0], "__len__") else 0
        if self.room < 0:
            raise TooMuch("a pickle that makes much more than it holds")
        return _made(kind, arguments)

    def _loaded(self, data: bytes) -> Any:
        """A storage that stands in a pickle as a whole file of torch."""
        from model.weights.containers import storage_in  # it reads pickles itself

        if id(data) not in self.nested:
            self.nested[id(data)] = data, storage_in(data)
        return self.nested[id(data)][1]


def _made(kind: Global, arguments: tuple[Any, ...]) -> Any:
    make = CALLS.get(kind.name)
    return Inert(kind, arguments) if make is None else make(arguments)


def _is_known(kind: Global) -> bool:
    return kind.module.split(".")[0] in (
        "torch",
        "collections",
        "_codecs",
        "numpy",
        "__builtin__",
        "builtins",
    )


def storage_of(pool: Pool, identity: Any) -> Any:
    """What stands for an object that a file of torch keeps outside its pickle. Raises Damaged."""
    match identity:
        case ("module", kind, *_):
            return kind
        case ("storage", Global(name=kind), str() | int() as key, _, length, *view) if view in ([], [None]):
            return _storage(pool, kind, str(key), 0, length)
        case ("storage", Global(name=kind), str() | int() as key, _, _, (_, start, length)):
            return _storage(pool, kind, str(key), start, length)
    return Inert(None, identity)


def _storage(pool: Pool, kind: str, key: str, start: Any, length: Any) -> Storage:
    if kind not in DTYPES and kind not in QUANTIZED:
        raise Damaged("a storage of an unknown kind")
    if not all(type(number) is int and 0 <= number < 2**62 for number in (start, length)):
        raise Damaged("a storage of an impossible length")
    pool.itemsizes.setdefault(key, DTYPES[kind].itemsize if kind in DTYPES else QUANTIZED[kind])
    return Storage(pool, key, DTYPES.get(kind), start, length)


# Calls


def _third(arguments: tuple[Any, ...]) -> Any:
    """_rebuild_tensor_v3: a tensor of another dtype than its storage's."""
    storage, offset, shape, stride, _, _, dtype = arguments[:7]
    known = TYPES.get(dtype.name) if isinstance(dtype, Global) and dtype.module == "torch" else None
    return tensor_in(storage, offset, shape, stride, known) if known else UnusableTensor("quantized")


def _ordered(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    """A dict of pairs, or of a dict; Python 2 wrote an OrderedDict as a list of pairs."""
    pairs = arguments[0] if arguments else ()
    if isinstance(pairs, dict):
        return dict(pairs)
    made = dict[Any, Any]()
    for pair in pairs if isinstance(pairs, list | tuple) else ():
        if isinstance(pair, list | tuple) and len(pair) == 2 and is_key(pair[0]):
            made[pair[0]] = pair[1]
    return made


def _encoded(arguments: tuple[Any, ...]) -> Any:
    """Bytes, as protocols before 3 write them."""
    match arguments:
        case (str(text), "latin1" | "latin-1"):
            return text.encode("latin-1")
    return Inert(Global("_codecs", "encode"), arguments)


def _wrapped(arguments: tuple[Any, ...]) -> Any:
    """A Parameter or Variable of very old files: its tensor."""
    tensor = isinstance(arguments[0], StoredTensor | UnusableTensor) if arguments else False
    return arguments[0] if tensor else Inert(Global("torch.nn.parameter", "Parameter"), arguments)


def _buffer_array(arguments: tuple[Any, ...]) -> Any:
    """A NumPy array of protocol 5."""
    match arguments:
        case (bytes(data), Inert() as dtype, tuple(shape), str(order)):
            return _array(data, dtype, shape, order == "F")
    return Inert(Global("numpy", "_frombuffer"), arguments)


def _unusable(kind: str) -> Callable[[tuple[Any, ...]], Leaf]:
    return lambda _: UnusableTensor(kind)


CALLS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "_rebuild_tensor": lambda arguments: tensor_in(*arguments[:4]),
    "_rebuild_tensor_v2": lambda arguments: tensor_in(*arguments[:4]),
    "_rebuild_tensor_v3": _third,
    "_rebuild_parameter": lambda arguments: arguments[0],
    "_rebuild_parameter_with_state": lambda arguments: arguments[0],
    "_rebuild_device_tensor_from_cpu_tensor": lambda arguments: arguments[0],
    "_rebuild_device_tensor_from_numpy": lambda arguments: arguments[0],
    "_rebuild_xla_tensor": lambda arguments: arguments[0],
    "_rebuild_qtensor": _unusable("quantized"),
    "_rebuild_sparse_tensor": _unusable("sparse"),
    "_rebuild_sparse_csr_tensor": _unusable("sparse"),
    "_rebuild_nested_tensor": _unusable("nested"),
    "_rebuild_meta_tensor_no_storage": _unusable("meta"),
    "Parameter": _wrapped,
    "Buffer": _wrapped,
    "Variable": _wrapped,
    "Size": lambda arguments: arguments[0] if arguments else (),
    "OrderedDict": _ordered,
    "Counter": _ordered,
    "defaultdict": lambda _: {},
    "encode": _encoded,
    "_frombuffer": _buffer_array,
}


# Objects


def tensor_of(thing: Inert) -> Leaf | None:
    """The tensor that an object is, as NumPy and the first versions of torch write it. Raises Damaged."""
    if not isinstance(thing.kind, Global) or not _is_known(thing.kind):
        return None
    match thing.state:
        case (1, tuple(shape), Inert() as dtype, bool(fortran), bytes() | str() as data) if (
            thing.kind.name == "_reconstruct"
        ):
            return _array(data, dtype, shape, fortran)
        case (Storage() as storage, offset, shape, stride) if thing.kind.name.endswith("Tensor"):
            return tensor_in(storage, offset, shape, stride)
    return None


def _array(data: bytes | str, dtype: Inert, shape: tuple[Any, ...], fortran: Any) -> Leaf | None:
    """A NumPy array of numbers; None for one of objects or texts."""
    name = dtype.arguments[0] if isinstance(dtype.arguments, tuple) and dtype.arguments else None
    number = NUMBERS.get(name) if isinstance(name, str) else None
    if number is None:
        return None
    order = dtype.state[1] if isinstance(dtype.state, tuple) and len(dtype.state) > 1 else "<"
    return from_bytes(data, number, shape, swapped(ORDERS.get(order, "")), bool(fortran))
