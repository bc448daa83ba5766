import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from explorer.drawing.ranges import Range, number, per_channel, positive, shared, symmetric, text
from model import words

floats = arrays(np.float32, array_shapes(max_dims=3, max_side=4), elements=st.floats(width=32))


@given(floats)
def test_symmetric_holds_every_finite_number_and_nothing_more(values):
    chosen = symmetric(values)
    finite = np.abs(values[np.isfinite(values)].astype(np.float64))
    assert chosen.low == -chosen.high
    assert chosen.signed
    assert chosen.high == (finite.max() if finite.size else 0)


@given(floats)
def test_positive_goes_from_zero_to_the_largest(values):
    chosen = positive(values)
    finite = values[np.isfinite(values)]
    assert chosen.low == 0
    assert not chosen.signed
    assert chosen.high == (max(0, float(finite.max())) if finite.size else 0)


@given(floats, floats, st.booleans())
def test_a_shared_range_is_the_widest_of_its_parts(first, second, signed):
    both = shared(first, second, signed=signed)
    assert both.high == max(shared(first, signed=signed).high, shared(second, signed=signed).high)


def test_each_channel_has_its_own_range():
    maps = np.stack([np.full((2, 3), 1.0), np.full((2, 3), -5.0), np.zeros((2, 3))])
    assert per_channel(maps, signed=True) == (Range(-1, 1, True), Range(-5, 5, True), Range(0, 0, True))
    assert per_channel(maps, signed=False) == (Range(0, 1), Range(0, 0), Range(0, 0))


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, -math.inf], [0.0, -0.0]])
@pytest.mark.parametrize("choose", [symmetric, positive])
def test_without_anything_to_tell_apart_the_range_is_constant(choose, values):
    chosen = choose(values)
    assert chosen.constant
    assert chosen.low == chosen.high == 0
    assert math.copysign(1, chosen.low) == 1
    assert text(chosen) == "all 0"
    words.use("zh_CN")
    try:
        assert text(chosen, "S") == "全部为 0，S"
    finally:
        words.use(words.ENGLISH)


def test_all_negative_data_has_nothing_positive():
    assert positive([-3.0, -1.0]) == Range(0, 0)
    assert symmetric([-3.0, -1.0]) == Range(-3, 3, True)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (-1.8432, "−1.84"),
        (0, "0"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (123.4, "123"),
        (12345.6, "12346"),
        (-0.00004, "−4e−5"),
        (2.5e7, "2.5e7"),
        (math.nan, "nan"),
        (-math.inf, "−inf"),
    ],
)
def test_numbers_read_well(value, said):
    assert number(value) == said


def test_a_caption_states_range_and_scale():
    assert text(symmetric([1.84, -0.2]), "shared") == "−1.84 … 1.84, shared"
    assert text(positive([0.5])) == "0 … 0.5"
