"""The charts of a scoreboard: one for each score, its rows from the best to the worst."""

from collections.abc import Sequence

import numpy as np

from explorer.drawing.chart import DotChart, axis, doubles
from explorer.engine.scoreboard.board import Board, BoardRow
from explorer.engine.scores import SCORES
from model.words import tr


def sorted_rows(board: Board, score: str) -> list[BoardRow]:
    """The rows by the mean of a score, the best first; those without one last, in their order."""
    sign = 1 if SCORES[score].direction == "lower" else -1
    means = [row.cells[score].value.mean for row in board.rows]
    order = np.argsort([np.inf if np.isnan(mean) else sign * mean for mean in means], kind="stable")
    return [board.rows[index] for index in order]


def score_chart(board: Board, score: str, rows: Sequence[BoardRow] | None = None) -> DotChart:
    """The chart of a score, its rows in the given order, or sorted."""
    rows = sorted_rows(board, score) if rows is None else rows
    cells = [row.cells[score] for row in rows]
    mean, low, high = (
        doubles([getattr(cell.value, name) for cell in cells]) for name in ("mean", "low", "high")
    )
    chance, title = doubles([cell.chance.mean for cell in cells]), tr(SCORES[score].title)
    return DotChart(
        title=title,
        alt=tr("{score} of {count} maps, means over images with 95% intervals", score=title, count=len(rows)),
        x=axis(_direction(score), [mean, low, high, chance], zero=True, rounded=True, most=6),
        names=tuple(row.entry.title for row in rows),
        mean=mean,
        low=low,
        high=high,
        chance=chance,
        quiet=np.array([row.entry.is_reference for row in rows]),
    )


def _direction(score: str) -> str:
    """The title of the x-axis: which end is better."""
    direction = SCORES[score].direction
    if direction == "none":
        return tr("mean over images")
    return (
        tr("mean over images, higher is better")
        if direction == "higher"
        else tr("mean over images, lower is better")
    )


def charts_of(board: Board) -> dict[str, DotChart]:
    """Score → its chart."""
    return {score: score_chart(board, score) for score in board.scores}
