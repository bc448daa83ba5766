"""A board as a file: the same value again, and a sentence for everything else."""

import csv
import io
import math
from dataclasses import replace
from pathlib import Path

import pytest

from explorer.engine.scoreboard import board, tables
from explorer.engine.scoreboard.board import Board, BoardRow, Cell, rows_of
from explorer.engine.scoreboard.chunks import Chunk
from explorer.engine.scoreboard.entries import entry
from explorer.engine.scoreboard.estimates import Estimate
from explorer.engine.scoreboard.judging import Judged, Judgement
from model.problems import Problem

NOTHING = Estimate(math.nan, math.nan, math.nan, 0)
ROWS = (
    BoardRow(
        "grad_cam@relu3",
        0.01,
        {"deletion": Cell(*(Estimate(m, round(m - 0.1, 3), round(m + 0.1, 3), 40) for m in (0.4, 0.0, 0.9)))},
    ),
    BoardRow("random", 0.0, {"deletion": Cell(NOTHING, NOTHING, NOTHING)}),
)
BOARD = Board(
    checkpoint="mine",
    digest="0123",
    dataset="scenes",
    provenance="drawn",
    layer="relu3",
    seed=0,
    images=40,
    accuracy=0.75,
    command="python -m …",
    rows=ROWS,
    methods_left_out={"lrp": "No rule."},
    scores_left_out={"stability": "None."},
    images_left_out=("a.png cannot be read.",),
    judged={"deletion": Judged(*2 * (Judgement(ROWS[0].cells["deletion"].value, 99),))},
    unsound=("lrp",),
    network="0123456789abcdef",
)


def test_a_board_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = board.path_beside(tmp_path / "mine.safetensors", "scenes")
    board.write(BOARD, path)
    again = board.read(path)
    assert board.to_json(again) == path.read_bytes() == board.to_json(BOARD)
    assert again.rows[0].cells["deletion"].value == Estimate(0.4, 0.3, 0.5, 40)
    assert again.judged == BOARD.judged
    assert math.isnan(again.rows[1].cells["deletion"].value.mean)
    assert board.paths_of(tmp_path / "mine.safetensors") == {"scenes": path}
    assert board.paths_of(tmp_path / "my.safetensors") == {}
    assert board.paths_of(tmp_path / "none" / "mine.safetensors") == {}


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"version": 1}', b'{"version": 99}', b"\xff"])
def test_anything_else_ends_in_a_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "mine.scoreboard-scenes.json"
    path.write_bytes(data)
    with pytest.raises(Problem, match="is not a scoreboard that can be read"):
        board.read(path)


def test_csv_has_every_cell() -> None:
    lines = list(csv.DictReader(io.StringIO(tables.to_csv(BOARD))))
    assert [line["row"] for line in lines] == ["grad_cam@relu3", "random"]
    assert float(lines[0]["score high"]) == 0.5
    assert (lines[1]["score"], lines[1]["images"]) == ("", "0")


def test_markdown_says_how_it_was_measured_and_what_is_left_out() -> None:
    text = tables.to_markdown(BOARD)
    assert "| Grad-CAM at relu3 | 0.40 ± 0.10 (0.00) | 10 ms |" in text
    assert "| Random map | – |" in text
    for part in ("python -m …", "75.0%", "No rule.", "a.png cannot be read.", "40.0%"):
        assert part in text


def test_a_map_that_was_computed_beside_the_cpu_has_no_cpu_time() -> None:
    cells = {"deletion": {"value": [0.5] * 10, "chance": [0.0] * 10, "above": [1.0] * 10}}
    measured = [
        Chunk(start, start + 10, 10, 9, (), {"saliency": {"seconds": seconds, "cells": cells}})
        for start, seconds in ((0, 0.1), (10, 0.3), (20, None))
    ]
    (timed,) = rows_of(measured[:2], [entry("saliency")], ["deletion"])
    assert timed.seconds == pytest.approx(0.2)
    assert "| 200 ms |" in tables.table(replace(BOARD, rows=(timed,)))
    (row,) = rows_of(measured, [entry("saliency")], ["deletion"])
    assert math.isnan(row.seconds)
    assert "| 0.50 ± 0.00 (0.00) |  |" in tables.table(replace(BOARD, rows=(row,)))


def test_numbers_have_a_true_minus_sign_and_zero_has_none() -> None:
    numbers = (-0.314, -0.004, -0.0, 0.005, -0.005001, math.nan)
    assert [tables.fixed(each) for each in numbers] == ["−0.31", "0.00", "0.00", "0.01", "−0.01", "–"]
    one, chance = Estimate(-0.25, -0.35, -0.15, 40), Estimate(-0.001, -0.002, 0, 40)
    assert tables.written(Cell(one, chance, chance)) == "−0.25 ± 0.10 (0.00)"
