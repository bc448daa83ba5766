"""The page Convolution arithmetic: starts as in the network, follows the link, and says what cannot be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from explorer.drawing.windows import output_map, padded_input
from explorer.engine.arithmetic import FREE, Settings
from explorer.engine.geometry import window
from explorer.views.arithmetic.results import findings, own_parameters
from explorer.views.arithmetic.settings import WhatIf


def html(at: object) -> str:
    return " ".join(piece.proto.body for piece in at.get("html"))


def value(at: object, label: str) -> int:
    return next(int(field.value) for field in at.number_input if field.label == label)


def test_it_starts_as_in_the_network_and_another_layer_starts_anew(visit: Callable) -> None:
    at = visit("arithmetic", cv_layer="conv2", cv_stride="2", cv_kernel="5")
    assert (value(at, "Stride"), value(at, "Kernel"), value(at, "Channels in")) == (2, 5, 32)
    assert "⌊(16 + 1 + 1 − 5) / 2⌋ + 1 = 7" in html(at)
    assert "64·32·5·5 + 64 = 51,264" in html(at)
    assert "4 + (5 − 1)·2 = 12" in html(at)
    assert "stops at `fc1`: it takes 2,048 values, but would get 128" in at.warning[0].value
    layer = next(box for box in at.selectbox if box.label == "Layer")
    at = layer.set_value("conv3").run()
    assert (value(at, "Stride"), value(at, "Kernel"), value(at, "Input size")) == (1, 3, 8)
    assert not at.warning


def test_as_in_the_network_resets(visit: Callable) -> None:
    at = visit("arithmetic", cv_layer="conv2", cv_stride="2")
    button = next(each for each in at.button if each.label == "As in the network")
    at = button.click().run()
    assert (value(at, "Stride"), "cv_stride" in at.query_params) == (1, False)


def test_settings_without_output_end_in_one_sentence(visit: Callable) -> None:
    at = visit("arithmetic", cv_layer="conv3", cv_size="3", cv_kernel="7", cv_padding="1")
    assert [each.value for each in at.info] == [
        "There is no output: the window reaches over 7 positions, but the input has only 5 with its padding. "
        "Choose a larger input or padding, or a smaller kernel or dilation."
    ]
    at = visit("arithmetic", cv_layer="conv2", cv_groups="3")
    assert "3 groups do not divide 32 channels in and 64 channels out evenly" in at.info[0].value


def test_every_field_that_the_browser_refuses_has_a_sentence(visit: Callable) -> None:
    """The browser keeps a number outside a field's limits to itself and turns the field red."""
    limits = html(visit("arithmetic", cv_layer="conv2"))
    assert "Dilation: enter a whole number from 1 to 16; the number in red is not used." in limits
    assert "Padding: enter a whole number from 0 to 16; the number in red is not used." in limits


def test_what_is_left_out_and_where_the_center_lies_is_said(visit: Callable) -> None:
    at = visit("arithmetic", cv_layer="conv2", cv_kernel="2", cv_stride="3", cv_padding="0", cv_row="1")
    text = " ".join(each.value for each in at.markdown)
    assert "its center lies between two positions" in text
    assert "are in no window" in text
    assert "its center is at row 3.5, column 0.5" in html(at)


def test_a_last_window_behind_the_input_is_said_to_be_left_out() -> None:
    axis = window(4, 2, 4, (0, 0), 1, ceil_mode=True)
    assert axis.output == nn.MaxPool2d(2, 4, ceil_mode=True)(torch.zeros(1, 1, 4, 4)).shape[-1] == 1
    sentence, *_ = findings(Settings("max", axis, axis, (1, 1)))
    assert sentence.startswith("(4 − 2) / 4 = 0.5 is rounded up, but the last window")


def test_numbers_that_the_table_does_not_count_are_named() -> None:
    plain = nn.Sequential(nn.Conv2d(3, 32, 3))
    assert own_parameters(plain, WhatIf("0", FREE, FREE)) == []
    normed = nn.Sequential(weight_norm(nn.Conv2d(3, 32, 3)))  # one g for each channel out
    (sentence,) = own_parameters(normed, WhatIf("0", FREE, FREE))
    assert sentence.startswith("In the network 0 learns 928 numbers")


def test_a_network_without_windows_still_has_the_page(visit: Callable) -> None:
    at = visit(
        "arithmetic", "--net", "tests.engine.odd_networks:perceptron", "--classes", "5", "--input-size", "32"
    )
    assert not at.exception
    assert "a convolution of no network" in at.info[0].value
    assert "32·3·3·3 + 32 = 896" in html(at)


def test_the_drawing_marks_what_a_position_reads() -> None:
    axis = window(6, 2, 3, (1, 1), 1)
    pixels, made = padded_input(axis, axis, 1, 0), output_map(axis, axis, 1, 0)
    size = pixels.shape[0] // 8
    centers = pixels[size // 2 :: size, size // 2 :: size].astype(int)
    greenish = (centers[..., 1] - centers[..., 0]) > 40
    expected = np.zeros((8, 8), bool)
    expected[3:5, 0:2] = True  # rows 2 and 3 of the input, the first two columns with padding
    assert np.array_equal(greenish, expected)
    orange = (centers[..., 0] - centers[..., 2]) > 60
    rows = set(axis.unread + 1)
    assert rows == {2, 5}
    assert set(np.flatnonzero(orange.any(1) & orange[:, 1:7].all(1))) == rows
    assert made.shape[0] == made.shape[1]
