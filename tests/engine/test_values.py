import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from explorer.engine.values import Rows, Value, one_or_many


@dataclass(frozen=True, eq=False)
class Thing(Value):
    name: str
    cells: np.ndarray
    more: dict[str, np.ndarray]
    places: tuple[np.ndarray, ...] = ()


def thing(**other: object) -> Thing:
    fields = {"name": "a", "cells": np.array([1.0, np.nan]), "more": {"x": np.arange(3), "y": np.arange(2)}}
    return Thing(**{**fields, **other})


def test_equal_cell_by_cell() -> None:
    assert thing() == thing()
    assert thing(places=(np.ones(2),)) == thing(places=(np.ones(2),))
    assert pickle.loads(pickle.dumps(thing())) == thing()


def test_different_in_any_field() -> None:
    for other in (
        {"name": "b"},
        {"cells": np.array([1.0, 2.0])},
        {"cells": np.array([1.0, np.nan], np.float32)},
        {"cells": np.array([1.0])},
        {"more": {"y": np.arange(2), "x": np.arange(3)}},
        {"more": {"x": np.arange(3)}},
        {"places": (np.ones(2),)},
    ):
        assert thing() != thing(**other)
    assert thing() != "a"


@dataclass(frozen=True, eq=False)
class Things(Rows):
    name: str
    cells: np.ndarray
    more: dict[str, np.ndarray]
    kind: int | np.ndarray = 0
    other: np.ndarray | None = None

    ROW: ClassVar[Mapping[str, int]] = {"cells": 1, "more": 2, "kind": 0, "other": 0}


def test_a_batch_is_taken_apart_into_rows() -> None:
    cells, maps = np.arange(6.0).reshape(3, 2), np.arange(12.0).reshape(3, 2, 2)
    batch = Things("a", cells, {"x": maps}, np.array([7, 8, 9]))
    assert batch.images == 3
    assert batch.row(1) == Things("a", cells[1], {"x": maps[1]}, 8)
    assert batch.rows() == (batch.row(0), batch.row(1), batch.row(2))
    assert batch.row(-1) == batch.row(2)
    assert type(batch.row(1).kind) is int
    with pytest.raises(IndexError):
        batch.row(3)
    assert one_or_many(batch) is batch


def test_one_image_is_its_own_row() -> None:
    one = Things("a", np.arange(2.0), {"x": np.ones((2, 2))}, 7)
    assert one.images is None
    assert one.rows() == (one,)
    assert one.row(0) is one
    with pytest.raises(IndexError):
        one.row(1)
    alone = Things("a", np.arange(2.0)[None], {"x": np.ones((1, 2, 2))}, np.array([7]))
    assert alone.images == 1
    assert one_or_many(alone) == one
