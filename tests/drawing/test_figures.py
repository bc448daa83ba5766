import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from explorer.drawing import figures
from explorer.drawing.chart import Axis, Line, LineChart, doubles
from explorer.drawing.figures import Drawing, Panel, caption, figure, in_a_row, mapped
from explorer.drawing.palette import SERIES
from explorer.drawing.ranges import Range, positive, symmetric

HEAT = np.array([[-1.0, 0.5, 2.0], [0.0, 1.0, -0.25]])
PANELS = (
    Panel(np.full((2, 3, 3), 90, np.uint8), "ship costs $5 and $6"),
    mapped(HEAT, symmetric(HEAT), "Raw", "shared"),
    mapped(-np.abs(HEAT), positive(-np.abs(HEAT)), "No positive evidence"),
)
CAPTION = caption(
    checkpoint="course", digest="0123456789abcdef", layer="conv3", method="Grad-CAM", target="cat",
    range=Range(-2, 2, True), scale="shared",
)  # fmt: skip


def test_the_caption_says_all_that_is_needed_to_trace_a_figure_back():
    assert CAPTION == (
        "Method Grad-CAM · Layer conv3 · Class cat · Range −2 … 2, shared · Checkpoint course (0123456789ab)"
    )


def test_png_and_pdf_are_made_the_same_twice():
    picture = Image.open(io.BytesIO(figure(PANELS, CAPTION)))
    assert picture.format == "PNG"
    assert picture.width > picture.height
    assert figure(PANELS, CAPTION, "pdf").startswith(b"%PDF")
    assert figure(PANELS, CAPTION, "pdf") == figure(PANELS, CAPTION, "pdf")


def test_one_tall_panel():
    picture = Image.open(io.BytesIO(figure([Panel(np.zeros((9, 3, 3), np.uint8), "tall")], "", dpi=50)))
    assert picture.height > picture.width


def test_many_panels_stand_in_rows_and_charts_beside_pictures():
    few, many = (Image.open(io.BytesIO(figure(PANELS[:1] * count, "", dpi=50))) for count in (3, 6))
    assert abs(few.width - many.width) < 10
    assert many.height > 1.6 * few.height
    assert [in_a_row(count) for count in (4, 5, 6, 13)] == [[4], [3, 2], [3, 3], [4, 3, 3, 3]]
    drawn: list[str] = []
    chart = Drawing(lambda axes: drawn.append(axes.get_title()), "its title")
    assert figure([PANELS[0], chart], CAPTION, "pdf").startswith(b"%PDF")
    assert drawn == ["its title"]


def test_rows_are_kept_as_they_are_given() -> None:
    drawn = figures._laid_out([PANELS[:1] * 2, PANELS[:1] * 3], "")
    drawn.draw_without_rendering()
    left = [axes.get_position().x0 for axes in drawn.axes]
    assert len(left) == 5
    assert left[:2] == pytest.approx(left[2:4], abs=0.01)


def test_a_chart_alone_in_its_row_is_as_wide_as_the_figure() -> None:
    chart = LineChart("alone", "", Axis("x", (0, 1), ()), Axis("y", (0, 1), ()), ())
    drawn = figures._laid_out([[chart], PANELS[:1] * 3], "")
    drawn.draw_without_rendering()
    alone, *row = [axes.get_position() for axes in drawn.axes]
    assert alone.width > 0.9 * (row[-1].x1 - row[0].x0)


def test_charts_below_a_tall_picture_are_no_taller_than_others() -> None:
    tall = Panel(np.zeros((40, 10, 3), np.uint8), "tall")
    chart = LineChart("a chart", "", Axis("x", (0, 1), ()), Axis("y", (0, 1), ()), ())
    drawn = figures._laid_out([tall] * 2 + [chart] * 7, "")
    drawn.draw_without_rendering()
    width, height = drawn.get_size_inches()
    charts = [axes.get_position() for axes in drawn.axes[2:]]
    assert all(0.3 < each.height * height / (each.width * width) < 1.2 for each in charts)
    assert max(each.width for each in charts) < 1.5 * min(each.width for each in charts)


def test_the_numbers_of_color_bars_stay_apart_and_do_not_shrink_the_pictures() -> None:
    panels = [Panel(PANELS[0].pixels, "", Range(-0.000123, 0.000123, True)) for _ in range(3)]
    drawn = figures._laid_out(panels, "")
    drawn.draw_without_rendering()
    ends = [[text.get_window_extent() for text in axes.get_xticklabels()] for axes in drawn.axes[3:]]
    gaps = [right[0].x0 - left[-1].x1 for left, right in pairwise(ends)]
    assert min(gaps) > 0.12 * drawn.dpi
    assert drawn.axes[0].get_position().width * drawn.get_size_inches()[0] > 2.2


def test_long_names_beside_a_chart_do_not_push_the_pictures_above_it_apart() -> None:
    names = Drawing(lambda axes: axes.set_yticks([0.5], ["a very long name of a class"]), "names")
    drawn = figures._laid_out([PANELS[0]] * 5 + [names], "")
    drawn.draw_without_rendering()
    first, second, third = (axes.get_position() for axes in drawn.axes[:3])
    assert second.x0 - first.x1 == pytest.approx(third.x0 - second.x1, abs=0.01)


def test_a_long_title_stays_above_its_own_panel():
    titles: list[str] = []
    title = "Most first against least first: Guided Grad-CAM at relu3"
    draw = Drawing(lambda axes: titles.append(axes.get_title()), title)
    figure([draw] * 3, CAPTION, dpi=50)
    assert {each.replace("\n", " ") for each in titles} == {title}
    assert max(len(line) for line in titles[0].split("\n")) <= 34  # about 2.4 inches of 8 points


def test_a_figure_without_pictures_is_refused():
    with pytest.raises(ValueError, match="at least one picture"):
        figure([], CAPTION)


def test_a_line_of_chinese_is_filled_and_does_not_begin_with_a_closing_mark() -> None:
    text = "图像：小猫（绘制） · 学习率从 0.1 降到 0.05。损失会下降，再上升；只有一个种子。"
    lines = figures.wrapped(text, 20)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(width(line) <= 20 for line in lines)
    assert all(width(line) >= 15 for line in lines[:-1])
    assert not any(line[0] in "，。；：）" or line[-1] in "（" for line in lines)


def width(line: str) -> int:
    return sum(2 if letter > "\u2e80" else 1 for letter in line)


def test_a_legend_does_not_reach_into_the_next_chart() -> None:
    names = ("SGD", "SGD with momentum", "RMSprop", "Adam", "AdamW", "CosineAnnealingLR")
    ends, axis = doubles([0, 1]), Axis("x", (0, 1), (0, 1), "whole")
    lines = tuple(Line(name, ends, ends, color) for name, color in zip(names, SERIES, strict=False))
    chart = LineChart("loss", "", axis, axis, lines, legend=True)
    wide = Drawing(lambda axes: axes.set_yticks([0.5], ["n" * 30]), "names")
    drawn = figures._laid_out([chart, chart, wide], "")
    drawn.draw_without_rendering()
    left, right = (axes.get_legend().get_window_extent() for axes in drawn.axes[:2])
    assert left.x1 < right.x0
