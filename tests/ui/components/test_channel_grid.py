import json
import re
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from streamlit.testing.v1 import AppTest

from explorer.drawing.colormaps import COLORMAPS
from explorer.drawing.ranges import Range
from explorer.ui.components.channel_grid.payload import payload
from explorer.ui.components.channel_grid.words import words
from model.words import ENGLISH, PSEUDO, use


def read(data):
    """The header, colors, highs and values of a payload, as the browser reads them."""
    (length,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + length])
    channels = header["shape"][0]
    at = 4 + length
    assert at % 4 == 0
    colors = np.frombuffer(data, np.uint8, 768, at).reshape(256, 3)
    highs = np.frombuffer(data, "<f4", channels, at + 768) * header["unit"]
    values = np.frombuffer(data, "<f2", offset=at + 768 + 4 * channels).astype(np.float64) * header["unit"]
    return header, colors, highs, values.reshape(header["shape"])


def maps(channels=3, height=2, width=4, size=1.0):
    return np.random.default_rng(0).normal(scale=size, size=(channels, height, width)).astype(np.float32)


def test_128_maps_of_8_by_8_stay_under_40_kilobytes():
    ranks = np.random.default_rng(1).permutation(128).tolist()
    data = payload(
        maps(128, 8, 8), signed=True, label="Block 3", orders={"mean": ranks, "contribution": ranks}
    )
    assert len(data) < 40_000


@pytest.mark.parametrize("size", [1e-30, 1e-6, 1, 3e5, 1e30])
def test_values_of_any_size_come_through(size):
    values = maps(size=size)
    header, _, highs, read_back = read(payload(values, signed=True, label=""))
    np.testing.assert_allclose(read_back, values, rtol=2**-10, atol=np.abs(values).max() * 1e-8)
    np.testing.assert_allclose(highs, np.abs(values).max((1, 2)), rtol=1e-6)
    assert header["high"] == np.abs(values).max()


@given(arrays(np.float32, (2, 2, 3), elements=st.floats(width=32)))
def test_any_values_can_be_packed(values):
    header, _, highs, read_back = read(payload(values, signed=True, label=""))
    assert np.isfinite(header["high"])
    assert np.isfinite(highs).all()
    assert np.array_equal(np.isnan(read_back), np.isnan(values))
    assert np.array_equal(np.isinf(read_back), np.isinf(values))


def test_signed_and_positive_maps_bring_their_colors():
    assert np.array_equal(read(payload(maps(), signed=True, label=""))[1], COLORMAPS["blue_red"])
    header, colors, highs, _ = read(payload(-abs(maps()), signed=False, label="Block “1”"))
    assert np.array_equal(colors, COLORMAPS["viridis"])
    assert header["high"] == 0
    assert header["label"] == "Block “1”"
    assert highs.tolist() == [0, 0, 0]


def test_a_range_can_be_locked_across_grids():
    assert read(payload(maps(), signed=True, label="", limits=Range(-9, 9, True)))[0]["high"] == 9


def test_the_same_maps_give_the_same_bytes():
    assert payload(maps(), signed=True, label="a") == payload(maps(), signed=True, label="a")


def test_an_order_by_index_is_not_offered_twice():
    header = read(payload(maps(), signed=True, label="", orders={"Index": [0, 1, 2]}, order="Index"))[0]
    assert header["orders"] == {}
    assert header["order"] == "index"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"maps": np.zeros((2, 2))}, r"shape \(C,h,w\) with cells in them, not \(2, 2\)"),
        ({"maps": np.zeros((0, 2, 2))}, r"not \(0, 2, 2\)"),
        ({"scale": "log"}, "no scale 'log'; choose one of shared, channel"),
        ({"order": "mean"}, "no order 'mean'; choose one of index"),
        ({"orders": {"mean": [0, 1]}}, "order 'mean' must name each of the 3 channels once"),
        ({"orders": {"mean": [0, 1, 1]}}, "order 'mean' must name each"),
    ],
)
def test_what_does_not_fit_is_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        payload(**({"maps": maps(), "signed": True, "label": ""} | wrong))


def script():
    import numpy as np
    import streamlit as st

    from explorer.ui.components.channel_grid import channel_grid

    shape = st.session_state.get("shape", (4, 3, 5))
    told = st.session_state.setdefault("told", [])
    selected = st.session_state.get("selected", 1)
    choice = channel_grid(
        np.zeros(shape, np.float32), key="grid", signed=True, label="", selected=selected, cells=True,
        on_change=told.append,
    )  # fmt: skip
    st.session_state["request"] = st.session_state["grid: request for choice"]
    st.text(f"{choice.channel} {choice.cell}")


@pytest.fixture
def app():
    return AppTest.from_function(script, default_timeout=120)


def choose(app, **choice):
    app.session_state["grid"] = {"choice": choice}
    return app.run().text[0].value


def test_the_page_chooses_first_and_then_the_visitor(app):
    assert app.run().text[0].value == "1 None"
    assert choose(app, channel=2, cell=None) == "2 None"
    assert choose(app, channel=3, cell=[2, 4]) == "3 (2, 4)"
    assert not app.exception


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ({"channel": 4, "cell": None}, "None None"),
        ({"channel": -1, "cell": None}, "None None"),
        ({"channel": "2", "cell": None}, "None None"),
        ({"channel": True, "cell": None}, "None None"),
        ({"channel": None, "cell": [0, 0]}, "None None"),
        ({"channel": 2, "cell": [3, 0]}, "2 None"),
        ({"channel": 2, "cell": [0]}, "2 None"),
        ({"channel": 2, "cell": "00"}, "2 None"),
        ({"channel": [2]}, "None None"),
        ({}, "None None"),
    ],
)
def test_a_choice_that_does_not_exist_is_dropped(app, choice, text):
    app.run()
    assert choose(app, **choice) == text
    assert not app.exception


def test_a_choice_comes_back_when_maps_have_it_again(app):
    app.run()
    app.session_state["shape"] = (2, 3, 5)
    assert choose(app, channel=3, cell=None) == "None None"
    app.session_state["shape"] = (4, 3, 5)
    assert choose(app, channel=3, cell=None) == "3 None"


def test_a_new_request_of_the_page_overrides_the_visitor_and_begins_a_turn(app):
    first = app.run().session_state["request"].turn
    assert choose(app, channel=3, cell=None, turn=first) == "3 None"
    assert app.session_state["request"].turn == first
    app.session_state["selected"] = 0
    assert choose(app, channel=3, cell=None, turn=first) == "0 None"
    assert app.session_state["request"].turn != first


def test_a_page_that_follows_the_visitor_begins_no_turn(app):
    first = app.run().session_state["request"].turn
    choose(app, channel=3, cell=None, turn=first)
    app.session_state["selected"] = 3
    assert choose(app, channel=3, cell=None, turn=first) == "3 None"
    assert app.session_state["request"].turn == first
    assert app.session_state["request"].sent.channel == 1


def test_a_forgotten_answer_begins_a_turn(app):
    first = app.run().session_state["request"].turn
    choose(app, channel=3, cell=None, turn=first)
    assert choose(app, channel=2, cell=None, turn="another") == "1 None"
    assert app.session_state["request"].turn != first


def test_every_text_of_the_grid_is_translated_with_its_fields_left_to_the_browser():
    use(PSEUDO)
    try:
        translated = words((64, 8, 8))
    finally:
        use(ENGLISH)
    assert translated["size"] == "⟦64 maps of 8 × 8 positions.⟧"
    assert translated["about_position"] == "⟦**Row {row}, column {column}**: {value}⟧"
    assert all(text.startswith("⟦") for text in translated.values())
    assert words((1, 8, 8))["size"] == "One map of 8 × 8 positions."


def marking():
    import numpy as np
    import streamlit as st

    from explorer.ui.components.channel_grid import channel_grid

    marked = st.session_state.get("marked", (1,))
    told = st.session_state.setdefault("told", [])
    maps = np.zeros((4, 3, 5), np.float32)
    choice = channel_grid(maps, key="grid", signed=True, label="", marked=marked, on_change=told.append)
    st.session_state["turn"] = st.session_state["grid: request for marks"].turn
    st.text(str(choice.marked))


@pytest.fixture
def marks():
    return AppTest.from_function(marking, default_timeout=120)


def mark(app, channels, **turn):
    app.session_state["grid"] = {"marks": {"channels": channels} | turn}
    return app.run().text[0].value


def test_hints_are_true_with_a_finger_as_well():
    hints = words((64, 8, 8))
    for name in ("hover", "hover_small", "click_channel", "click_position", "click_mark"):
        assert re.search(r"\btap\b", hints[name]), hints[name]
        assert "hover" not in hints[name]
    assert "With a mouse, drag over several" in hints["click_mark"]


def test_marks_are_the_pages_first_and_then_the_visitors(marks):
    assert marks.run().text[0].value == "(1,)"
    assert mark(marks, [3, 0, 3]) == "(0, 3)"
    assert mark(marks, []) == "()"
    assert not marks.exception


@pytest.mark.parametrize("channels", [[4], [-1], ["2"], [True], [[1]], [None], [1.0]])
def test_marks_that_do_not_exist_are_dropped(marks, channels):
    marks.run()
    assert mark(marks, channels) == "()"


def test_a_page_that_takes_marks_back_begins_a_turn_and_one_that_follows_does_not(marks):
    first = marks.run().session_state["turn"]
    mark(marks, [1, 2], turn=first)
    marks.session_state["marked"] = (1, 2)
    assert mark(marks, [1, 2], turn=first) == "(1, 2)"
    assert marks.session_state["turn"] == first
    marks.session_state["marked"] = (1,)  # as Undo does
    assert mark(marks, [1, 2], turn=first) == "(1,)"
    assert marks.session_state["turn"] != first
