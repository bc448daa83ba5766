"""What the page Scoreboard offers for download: its charts and its numbers."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from explorer.drawing import board_charts, figures
from explorer.engine.scoreboard import tables
from explorer.engine.scoreboard.board import Board
from explorer.engine.scores import SCORES
from explorer.ui.exports import downloads
from explorer.ui.exports.downloads import Offer
from explorer.ui.exports.export_parts import Arrays
from explorer.ui.exports.snippets import joined, path_text
from model.words import tr


def show(board: Board, score: str, path: Path) -> None:
    """The downloads of a board, whose file is `path`; a score is chosen on the page."""
    downloads.show(partial(offer, board, score, path))


def offer(board: Board, score: str, path: Path) -> Offer:
    charts = board_charts.charts_of(board)
    program, printed = best_map(board, score, path)
    return Offer(
        name=f"scoreboard {board.checkpoint} {board.dataset}",
        caption=caption(board),
        pictures={chart.title: partial(figures.picture, chart) for chart in charts.values()},
        tables={tr("Scoreboard"): lambda: numbers(board), tr("Judged scores"): lambda: judged(board)},
        arrays=lambda: arrays(board),
        figure=lambda: list(charts.values()),
        snippet=program,
        printed=printed,
    )


def caption(board: Board) -> str:
    """What was measured and how, and the checkpoint with its digest."""
    return " · ".join([
        figures.caption(checkpoint=board.checkpoint, digest=board.digest),
        tables.measured(board),
        tables.reading_chart(),
        tr("Command {command}", command=board.command),
    ])  # fmt: skip


def numbers(board: Board) -> pd.DataFrame:
    """One row for each map and score: means, the ends of their intervals, the number of images."""
    return pd.DataFrame([
        {"map": row.key, "score": name, "seconds_per_map": row.seconds, "images": cell.value.n}
        | {
            f"{kind}_{end}": getattr(getattr(cell, kind), end)
            for kind in ("value", "chance", "above")
            for end in ("mean", "low", "high")
        }
        for row in board.rows for name, cell in row.cells.items()
    ])  # fmt: skip


def judged(board: Board) -> pd.DataFrame:
    """One row for each judged score: how often it prefers the better of two maps."""
    columns = ["score", "methods", "preferred", "low", "high", "pairs", "images"]
    judgements = [
        (name, kind, getattr(each, kind)) for name, each in board.judged.items() for kind in ("all", "sound")
    ]
    rows = [
        (
            name,
            kind,
            each.preferred.mean,
            each.preferred.low,
            each.preferred.high,
            each.pairs,
            each.preferred.n,
        )
        for name, kind, each in judgements
    ]
    return pd.DataFrame(rows, columns=columns)


def arrays(board: Board) -> Arrays:
    rows = tr("one row per map: {names}", names=", ".join(row.key for row in board.rows))
    described: Arrays = {}
    for name in board.scores:
        cells = [row.cells[name] for row in board.rows]
        values = np.array([
            [getattr(getattr(cell, kind), end) for kind in ("value", "chance", "above")
             for end in ("mean", "low", "high")] for cell in cells
        ])  # fmt: skip
        text = tr("{score}, its chance and the fraction above chance, mean, low and high of each (maps, 9)",
                  score=tr(SCORES[name].title))  # fmt: skip
        described[name] = (values, f"{text}, {rows}")
    return described


def best_map(board: Board, score: str, path: Path) -> tuple[str, str]:
    """A program that prints the row with the best mean of a score, and the sentence that says so."""
    best = board_charts.sorted_rows(board, score)[0]
    mean = f"{best.cells[score].value.mean:.3f}"
    program = joined(
        ["from explorer.drawing.board_charts import sorted_rows",
         "from explorer.engine.scoreboard.board import read"],
        [f"best = sorted_rows(read({path_text(path)}), {score!r})[0]",
         f"print(best.key, f'{{best.cells[\"{score}\"].value.mean:.3f}}')"],
    )  # fmt: skip
    return program, tr("It prints the first row and its mean: {key} {mean}.", key=best.key, mean=mean)
