"""Tensors as a file describes them: their shape is known at once, memory is taken when they are loaded."""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

MOST_DIMENSIONS = 64

# Storage class → dtype, as torch names them in every version; an untyped storage counts bytes.
DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexDoubleStorage": torch.complex128,
    "ComplexFloatStorage": torch.complex64,
    "UntypedStorage": torch.uint8,
}
# Storage class of quantized numbers → bytes of each.
QUANTIZED = {
    "QInt8Storage": 1,
    "QUInt8Storage": 1,
    "QInt32Storage": 4,
    "QUInt4x2Storage": 1,
    "QUInt2x4Storage": 1,
}


class Damaged(ValueError):
    """The file is not what it claims to be, or ends too early; `kind` is that of the sentence for it."""

    kind = "cut"


class Compressed(Damaged):
    """An archive of torch that something else has packed."""

    kind = "compressed"


class TooMuch(Damaged):
    """A pickle of more than is read."""

    kind = "too much"


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A dense tensor in a file; `load` gives its values, contiguous, or raises Damaged."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    load: Callable[[], Tensor]


@dataclass(frozen=True)
class UnusableTensor:
    """A tensor that no network takes here: `kind` is quantized, sparse, nested, meta or expanded."""

    kind: str


Leaf = StoredTensor | UnusableTensor


@dataclass(eq=False)
class Pool:
    """The storages of a file by key; each takes memory once, however many tensors look into it.

    `itemsizes` is how many bytes each number of a storage has, as its first tensor says.
    """

    contents: Mapping[str, memoryview | bytes | str] = field(default_factory=dict)
    itemsizes: dict[str, int] = field(default_factory=dict)
    swapped: bool = False  # whether the bytes of a number stand in the other order than here
    loaded: dict[str, Tensor] = field(default_factory=dict)

    def storage(self, key: str, itemsize: int) -> Tensor:
        """The bytes of a storage, uint8 (n,). Raises Damaged."""
        if key not in self.loaded:
            if key not in self.contents:
                raise Damaged("a storage is missing")
            content = self.contents[key]
            data = bytearray(content.encode("latin-1") if isinstance(content, str) else content)
            if self.swapped and itemsize > 1:
                data = bytearray(np.frombuffer(data, f"u{itemsize}").byteswap().tobytes())
            self.loaded[key] = torch.frombuffer(data, dtype=torch.uint8) if data else torch.zeros(0).byte()
        return self.loaded[key]


@dataclass(frozen=True, eq=False)
class Storage:
    """`length` elements of a storage in a pool, from `start` on. A quantized one has no dtype."""

    pool: Pool
    key: str
    dtype: torch.dtype | None
    start: int
    length: int


def swapped(byte_order: str) -> bool:
    """Whether numbers in this order have to be turned round here."""
    return byte_order in ("little", "big") and byte_order != sys.byteorder


def tensor_in(storage: Any, offset: Any, shape: Any, stride: Any, dtype: torch.dtype | None = None) -> Leaf:
    """A tensor over a storage, as `_rebuild_tensor` takes it. Damaged if it would look outside."""
    if not isinstance(storage, Storage):
        raise Damaged("a tensor without a storage")
    stored = storage.dtype
    if stored is None:
        return UnusableTensor("quantized")
    wanted = dtype or stored
    shape, stride = _sizes(shape), _sizes(stride)
    length = storage.length * stored.itemsize // wanted.itemsize
    if not _is_size(offset) or len(shape) != len(stride):
        raise Damaged("a tensor of impossible shape")
    count = math.prod(shape)
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if count and last >= length:
        raise Damaged("a tensor that looks outside its storage")
    if count > length:  # few bytes can claim terabytes
        return UnusableTensor("expanded")

    def load() -> Tensor:
        begin, size = storage.start * stored.itemsize, length * wanted.itemsize
        data = storage.pool.storage(storage.key, wanted.itemsize)[begin : begin + size]
        if len(data) < size or begin % wanted.itemsize:
            raise Damaged("a storage is shorter than it claims")
        if not count:
            return torch.zeros(shape, dtype=wanted)
        return data.view(wanted).as_strided(shape, stride, offset).contiguous()

    return StoredTensor(wanted, shape, load)


def from_bytes(
    data: bytes | str, dtype: torch.dtype, shape: Any, reverse: bool = False, fortran: bool = False
) -> Leaf:
    """A tensor of its own bytes, as a NumPy array is kept; `reverse` as `swapped`. Raises Damaged.

    Python 2 and old protocols keep bytes as a text of as many characters.
    """
    sizes = _sizes(shape)
    count = math.prod(sizes)
    if len(data) != count * dtype.itemsize:
        raise Damaged("an array of another size than its bytes")
    pool = Pool({"": data}, swapped=reverse)
    return tensor_in(Storage(pool, "", dtype, 0, count), 0, sizes, _strides(sizes, fortran))


def of_tensor(value: Tensor) -> Leaf:
    """A tensor that is in memory already."""
    return StoredTensor(value.dtype, tuple(value.shape), value.contiguous)


def _strides(shape: tuple[int, ...], fortran: bool) -> tuple[int, ...]:
    steps, step = [], 1
    for size in shape if fortran else reversed(shape):
        steps.append(step)
        step *= size
    return tuple(steps if fortran else reversed(steps))


def _sizes(values: Any) -> tuple[int, ...]:
    if (
        not isinstance(values, list | tuple)
        or len(values) > MOST_DIMENSIONS
        or not all(map(_is_size, values))
    ):
        raise Damaged("an impossible shape")
    return tuple(values)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**62
