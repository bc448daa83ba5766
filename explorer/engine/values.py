"""What every value of the engine can do: be compared, whatever arrays it holds, and give one row per image.

The contract for batches, the same for every function of the engine that takes images x, float (N, C, h, w):
images do not influence one another (a network that mixes them, as by a BatchNorm without running statistics,
gets them one at a time), and the value has one row per image. With N > 1 its arrays have a leading N. With
N = 1 it is row 0 without the leading N, so that one image never has to be unpacked. A docstring that says
(K,) or (C, h, w) means one image's; (N, K) and (N, C, h, w) are then a batch's. `rows()` and `row(i)` take a
batch apart into values like those of one image. A row equals the value of its image alone except for float
rounding, since some operations add up in another order when there are more images.

Statistics of a BatchNorm are taken over all N images together and say so; their `row(i)` is one image's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Value:
    """A frozen dataclass whose `==` compares arrays cell by cell; NaN equals NaN. Not hashable."""

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(_same(getattr(self, field.name), getattr(other, field.name)) for field in fields(self))

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, eq=False)
class Rows(Value):
    """A Value of one image or of a batch, by the contract above.

    `ROW` names the fields that differ between images, with the number of dimensions that one image's has; the
    first of them is always an array. All other fields are the same for every image.
    """

    ROW: ClassVar[Mapping[str, int]] = {}

    @property
    def images(self) -> int | None:
        """N for a batch, None for one image."""
        name, dimensions = next(iter(self.ROW.items()))
        array: np.ndarray[Any, Any] = getattr(self, name)
        return len(array) if array.ndim > dimensions else None

    def row(self, index: int) -> Self:
        """The value of one image of a batch; one image has row 0 only. Raises IndexError."""
        if self.images is None:
            return (self,)[index]
        return replace(self, **{name: _row(getattr(self, name), index) for name in self.ROW})

    def rows(self) -> tuple[Self, ...]:
        """The value of each image, in order; (self,) for one image."""
        return tuple(self.row(index) for index in range(self.images or 1))


R = TypeVar("R", bound=Rows)


def one_or_many(batch: R) -> R:
    """What a function returns of the batch that it computed: row 0 where there is one image only."""
    return batch.row(0) if batch.images == 1 else batch


def _row(value: Any, index: int) -> Any:
    if isinstance(value, Mapping):
        return {name: array[index] for name, array in value.items()}
    if value is None:
        return None
    return value[index].item() if value.ndim == 1 else value[index]


def _same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
