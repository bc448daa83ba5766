"""Intervals of counted fractions stay fractions."""

import pytest

from explorer.engine.intervals import interval


@pytest.mark.parametrize("count", [1, 8, 10, 59, 1000])
def test_none_and_all_begin_and_end_at_the_limits(count: int) -> None:
    low, _ = interval(0.0, count)
    _, high = interval(1.0, count)
    assert f"{low:.2%}" == "0.00%"  # not −0.00%
    assert f"{high:.2%}" == "100.00%"
    assert 0 <= low <= high <= 1
