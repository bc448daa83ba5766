"""Tables with numbers: a true minus sign is shown, and the values stay numbers."""

import json

import numpy as np
import pandas as pd
import pytest

from explorer.drawing.ranges import MINUS
from explorer.ui import number_table

FRAME = pd.DataFrame({"channel": [0, 1, 2], "mean": [-1.5, 0.25, np.nan], "shift": [-0.125, 0.5, 2.0]})


def shown(written: object) -> list[list[str]]:
    context = written._translate(False, False)  # type: ignore[attr-defined]
    return [
        [cell["display_value"] for cell in row if cell["type"] == "td" and cell["is_visible"]]
        for row in context["body"]
    ]


def test_a_minus_is_a_minus_and_values_stay_numbers() -> None:
    written = number_table.written(FRAME, {"mean": "{:.2f}", "shift": "{:+.3f} σ", "other": "{:.1f}"})
    assert [row[1:] for row in shown(written)] == [
        [f"{MINUS}1.50", f"{MINUS}0.125 σ"], ["0.25", "+0.500 σ"], ["–", "+2.000 σ"]
    ]  # fmt: skip
    pd.testing.assert_frame_equal(written.data, FRAME)
    assert "-1.5" in json.dumps(written.data["mean"].tolist())


def test_a_table_that_is_too_large_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with pd.option_context("styler.render.max_elements", 5):
        assert number_table.written(FRAME, {"mean": "{:.2f}"}) is FRAME
