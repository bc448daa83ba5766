"""The Scoreboard page without a browser: with results, without any, and with damaged ones."""

import math
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer import scoreboard
from explorer.drawing.board_charts import score_chart, sorted_rows
from explorer.engine.network import network_of
from explorer.engine.network_source import Source
from explorer.engine.opening import open_source
from explorer.engine.scoreboard import board
from explorer.engine.scoreboard.board import Board, BoardRow, Cell
from explorer.engine.scoreboard.estimates import Estimate
from explorer.engine.scoreboard.judging import Judged, Judgement
from explorer.engine.scores import SCORES
from explorer.network_flags import source_of
from explorer.ui.options import ROOT
from explorer.views.scoreboard.findings import findings
from explorer.views.scoreboard.page import command
from tests.components import component

Open = Callable[..., AppTest]


def about(mean: float, half: float = 0.05, n: int = 40) -> Estimate:
    return Estimate(mean, mean - half, mean + half, n)


def cell(mean: float) -> Cell:
    return Cell(about(mean), about(0), about(0.9))


MEANS = {"grad_cam@relu3": (0.4, 0.7), "saliency": (0.6, 0.2), "lrp": (0.58, 0.9), "random": (0.0, 1.0),
         "gaussian": (0.45, 0.3)}  # fmt: skip
BOARD = Board(
    checkpoint="mine",
    digest="0123456789ab",
    dataset="scenes",
    provenance="drawn",
    layer="relu3",
    seed=0,
    images=40,
    accuracy=0.75,
    command="python -m explorer.scoreboard",
    rows=tuple(
        BoardRow(key, 0.01, {"deletion": cell(one), "class_sensitivity": cell(other)})
        for key, (one, other) in MEANS.items()
    ),
    methods_left_out={"deep_lift": "A module is used twice."},
    scores_left_out={},
    images_left_out=(),
    judged={"deletion": Judged(*2 * (Judgement(about(0.6), 100),))},
    unsound=("saliency",),
    network="",
)


@pytest.fixture
def mine(mine: Path) -> Path:
    """A checkpoint with a scoreboard beside it."""
    opening = open_source(Source(mine))
    made = replace(BOARD, network=network_of(opening.checkpoint, opening.checkup).identity)
    board.write(made, board.path_beside(mine, "scenes"))
    return mine


def shown(at: AppTest) -> str:
    assert not at.exception, at.exception[0].value
    html = (piece.proto.body for piece in at.get("html"))
    return " ".join([*html, *(each.value for each in (*at.markdown, *at.caption, *at.info, *at.warning))])


def test_results_are_shown_with_what_they_say(visit: Open, mine: Path) -> None:
    text = shown(visit("scoreboard", "--checkpoint", str(mine)))
    assert "Of the methods, Saliency has the best mean; the interval of 1 other overlaps" in text
    assert "2 of 3 methods are better than “Centered Gaussian”" in text
    assert "0.600 (0.550 to 0.650)" in text
    assert "60.0% (55.0 to 65.0)" in text
    assert "A module is used twice" in text


@pytest.mark.parametrize(("checkpoint", "marks"), [("scenes-shortcut", True), ("scenes-course", False)])
def test_scenes_without_the_marks_of_training_are_said(visit: Open, checkpoint: str, marks: bool) -> None:
    text = shown(visit("scoreboard", checkpoint=checkpoint))
    assert "Measured on 500 images" in text
    assert ("was trained and tested on scenes with marks. The scenes below have none" in text) == marks


def test_a_board_of_the_network_opened_otherwise_is_not_shown(visit: Open, mine: Path) -> None:
    for options in (("--std", "0.25"), ("--classes", "a,b,c,d,e,f,g,h,i,j")):
        at = visit("scoreboard", "--checkpoint", str(mine), *options)
        assert "was measured for other weights, other classes or other settings" in shown(at)
        assert "Saliency" not in shown(at)
        assert options[0] in component(at, "command")["text"]


def test_every_shipped_board_is_of_the_checkpoint_beside_it() -> None:
    paths = sorted((ROOT / "checkpoints").glob("*.safetensors"))
    shipped = [(path, each) for path in paths for each in board.paths_of(path).values()]
    assert len(shipped) >= 4
    for path, each in shipped:
        opening = open_source(Source(path))
        network = network_of(opening.checkpoint, opening.checkup)
        made = board.read(each)
        assert (made.network, made.digest) == (network.identity, network.digest)


def test_another_score_sorts_anew(visit: Open, mine: Path) -> None:
    text = shown(visit("scoreboard", "--checkpoint", str(mine), board_score="class_sensitivity"))
    assert "0.200 (0.150 to 0.250)" in text
    assert "Lower is better" in text


def test_a_checkpoint_without_results_has_the_command(visit: Open, mine: Path) -> None:
    board.path_beside(mine, "scenes").unlink()
    at = visit("scoreboard", "--checkpoint", str(mine))
    assert "no scoreboard yet" in shown(at)
    words = shlex.split(component(at, "command")["text"])
    options = scoreboard.parser().read(words[words.index("explorer.scoreboard") + 1 :])
    assert options.checkpoint == mine
    assert options.net is None


def test_the_command_finds_a_file_anywhere_and_the_builder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    path = Path("tmp/my files/it's.pt")
    words = shlex.split(command(Source(path, net="mine:net"), path))
    options = scoreboard.parser().read(words[3:])
    assert (options.checkpoint, options.net) == (Path("/") / path, "mine:net")
    shipped = ROOT / "checkpoints" / "scenes-course.safetensors"
    assert "--checkpoint checkpoints/scenes-course.safetensors --images" in command(Source(shipped), shipped)


def test_the_command_finds_a_file_of_class_names_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text("a\nb\n")
    words = shlex.split(command(Source(tmp_path / "a.pt", classes="names.txt"), tmp_path / "a.pt"))
    assert words[words.index("--classes") + 1] == str(tmp_path / "names.txt")
    words = shlex.split(command(Source(tmp_path / "a.pt", classes="cat,dog"), tmp_path / "a.pt"))
    assert words[words.index("--classes") + 1] == "cat,dog"


def test_the_command_describes_the_network_as_it_was_given(visit: Open, mine: Path) -> None:
    board.path_beside(mine, "scenes").unlink()
    at = visit("scoreboard", "--checkpoint", str(mine), "--std", "0.25", "--resize", "40")
    words = shlex.split(component(at, "command")["text"])
    options = scoreboard.parser().read(words[words.index("explorer.scoreboard") + 1 :])
    assert source_of(options) == Source(mine, std=(0.25,) * 3, resize=40)
    assert "needs a file of weights" in shown(visit("scoreboard", "--net", "model.nets:course"))


def test_a_damaged_file_is_a_sentence(visit: Open, mine: Path) -> None:
    board.path_beside(mine, "scenes").write_text("{")
    assert "is not a scoreboard that can be read" in shown(visit("scoreboard", "--checkpoint", str(mine)))


def test_rows_go_from_best_to_worst_and_what_has_no_number_last() -> None:
    assert [row.key for row in sorted_rows(BOARD, "deletion")][:2] == ["saliency", "lrp"]
    assert sorted_rows(BOARD, "class_sensitivity")[0].key == "saliency"
    nothing = Estimate(math.nan, math.nan, math.nan, 0)
    empty = BoardRow("occlusion", math.nan, {"deletion": Cell(nothing, nothing, nothing)})
    board_with = Board(**{**vars(BOARD), "rows": (empty, *BOARD.rows)})
    assert sorted_rows(board_with, "deletion")[-1] is empty
    assert "Occlusion" not in findings(board_with, "deletion")[0]
    assert score_chart(board_with, "deletion").names[-1] == "Occlusion"


def test_intervals_that_overlap_decide_nothing() -> None:
    sentences = findings(BOARD, "deletion")
    assert "2 of 3 methods are better than “Centered Gaussian” by intervals that do not overlap." in sentences
    assert "3 of 3 methods are better than “Random map” by intervals that do not overlap." in sentences


def test_a_reference_above_every_method_is_named() -> None:
    rows = tuple(row for row in BOARD.rows if row.key in ("grad_cam@relu3", "gaussian"))
    best, higher, *rest = findings(replace(BOARD, rows=rows), "deletion")
    assert best.startswith("Of the methods, Grad-CAM")
    assert higher.startswith("“Centered Gaussian”")
    assert "better mean than every method" in higher
    assert rest[0].startswith("0 of 1 methods")
    assert not any("than every method" in each for each in findings(BOARD, "deletion"))


@pytest.mark.parametrize("score", [name for name, each in SCORES.items() if each.remakes])
def test_where_references_are_fixed_no_method_is_compared_with_them(score: str) -> None:
    rows = tuple(replace(row, cells={score: row.cells["deletion"]}) for row in BOARD.rows)
    best, fixed, last = findings(replace(BOARD, rows=rows), score)
    assert best.startswith("Of the methods, ")
    assert "a fixed value" in fixed
    assert "These are means over images" in last
