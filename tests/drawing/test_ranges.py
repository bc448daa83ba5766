import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from explorer.drawing.ranges import (
    MINUS,
    Range,
    adding_up,
    before_and_after,
    column,
    from_to,
    in_full,
    number,
    per_channel,
    plain_number,
    plainly,
    positive,
    shared,
    symmetric,
    text,
    texts,
)
from model import words

floats = arrays(np.float32, array_shapes(max_dims=3, max_side=4), elements=st.floats(width=32))

SIZES = st.floats(-9999, 9999).filter(lambda value: value == 0 or abs(value) > 0.01)


def decimal(shown: str) -> Decimal:
    return Decimal(shown.replace(MINUS, "-"))


@given(SIZES, SIZES)
def test_a_reader_who_subtracts_gets_the_change_shown(before: float, after: float) -> None:
    shown = before_and_after(before, after)
    first, last, change = map(decimal, shown)
    sizes = [abs(before), abs(after), abs(after - before)]
    if min(sizes) > 0.02 * max(sizes):  # else the smallest may have digits of its own
        assert last - first == change
    least = 10.0 ** -min(len(each.partition(".")[2]) for each in shown)
    assert abs(float(first) - before) <= 0.5001 * least
    assert abs(float(last) - after) <= 0.5001 * least
    assert abs(float(change) - (after - before)) <= 1.0001 * least
    assert shown[2].startswith("+") == (after > before)


def test_the_example_that_did_not_agree() -> None:
    assert (number(2.3052), number(1.1149), number(1.1149 - 2.3052)) == ("2.31", "1.11", f"{MINUS}1.19")
    assert before_and_after(2.3052, 1.1149) == ("2.305", "1.115", f"{MINUS}1.190")


@given(st.lists(SIZES, min_size=2, max_size=3))
def test_terms_add_up_to_the_sum_as_shown(terms: list[float]) -> None:
    total, *parts = map(decimal, adding_up(sum(terms), *terms))
    sizes = [abs(each) for each in (sum(terms), *terms)]
    if min(sizes) > 0.02 * max(sizes):  # else the smallest may have digits of its own
        assert sum(parts) == total


@pytest.mark.parametrize("values", [(math.nan, 1.0), (math.inf, 2.0), (1e9, 2e9), (0.0, 0.0), (1e-9, 2e-9)])
def test_what_cannot_be_added_in_decimals_is_shown_as_anywhere(values: tuple[float, float]) -> None:
    assert before_and_after(*values)[:2] == tuple(map(number, values))


@given(st.lists(SIZES, min_size=1, max_size=6))
def test_numbers_in_a_column_have_equally_many_decimals(values: list[float]) -> None:
    shown = column(values)
    plain = [each for each in shown if each not in ("0", "about 0")]
    decimals = {len(each.partition(".")[2]) for each in plain}
    assert len(decimals) <= 1
    for value, each in zip(values, shown, strict=True):
        if each == "about 0":
            assert 0 < abs(value) < 0.006 * max(map(abs, values))
        elif each == "0":
            assert value == 0
        else:
            assert abs(float(decimal(each)) - value) <= 0.50001 * 10.0 ** -max(decimals)


def test_ranges_beside_one_another_have_equally_many_decimals() -> None:
    beside = [Range(0, 4.11), Range(0, 3.4), Range(-5.481, 5.481, signed=True), Range(0, 0)]
    assert texts(beside) == ["0 … 4.11", "0 … 3.40", f"{MINUS}5.48 … 5.48", "all 0"]


def test_a_column_has_no_powers_of_ten_for_what_is_nothing_beside_the_rest() -> None:
    assert column([4.89e-14, -0.0269]) == ["about 0", f"{MINUS}0.0269"]
    assert column([0.61, -2.31, 2, 0]) == ["0.61", f"{MINUS}2.31", "2.00", "0"]
    assert column([math.nan, 3]) == ["nan", "3.00"]
    assert column([]) == []


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


TINY = st.floats(1e-30, 9e-5)


@given(TINY, st.booleans())
def test_a_sentence_has_no_power_of_ten(size: float, negative: bool) -> None:
    value = -size if negative else size
    assert "e" in number(value)
    assert plain_number(value) == (f"between {MINUS}0.0001 and 0" if negative else "less than 0.0001")
    assert float(in_full(value).replace(MINUS, "-")) == pytest.approx(value, rel=6e-3)
    assert "e" not in in_full(value)
    assert from_to(value, 2.0) == ("about 0", "2")
    assert from_to(-2.0, value) == (f"{MINUS}2", "about 0")


@given(SIZES, st.floats(1.5e-3, 1))
def test_the_ends_of_a_map_have_the_digits_of_its_color_bar(size: float, part: float) -> None:
    assert from_to(-size, part * size) == (number(-size), number(part * size))


@given(SIZES)
def test_other_numbers_are_said_as_a_caption_has_them(value: float) -> None:
    assert plain_number(value) == in_full(value) == plainly(number(value)) == number(value)


def test_a_large_number_is_written_out() -> None:
    assert (plain_number(1234567.0), plain_number(-2e7)) == ("1,230,000", f"{MINUS}20,000,000")
