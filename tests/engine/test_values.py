import pickle
from dataclasses import dataclass

import numpy as np

from explorer.engine.values import Value


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
