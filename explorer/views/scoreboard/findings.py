"""What a scoreboard says of a score in sentences, and what it does not say."""

from explorer.drawing.board_charts import sorted_rows
from explorer.engine.scoreboard.board import Board, Row
from explorer.engine.scoreboard.estimates import Estimate
from explorer.engine.scores import SCORES
from model.words import ngettext, tr


def findings(board: Board, score: str) -> list[str]:
    """Whole sentences, from the means and their intervals."""
    rows = [row for row in sorted_rows(board, score) if row.cells[score].value.n]
    methods = [row for row in rows if not row.entry.is_reference]
    references = [row for row in rows if row.entry.is_reference]
    sentences = []
    if SCORES[score].direction != "none" and methods:
        sentences = [_best(methods, score), *_beside_references(methods, references, score)]
    sentences.append(
        tr(
            "These are means over images: they do not say which map is right for one image, and for another "
            "network or other images the order can differ."
        )
    )
    return sentences


def _best(methods: list[Row], score: str) -> str:
    """The method with the best mean, and how many others it cannot be told from."""
    best, *others = methods
    close = [row for row in others if not apart(best.cells[score].value, row.cells[score].value)]
    if not close:
        return tr("{method} has the best mean, and no other method’s interval overlaps with its own.",
                  method=best.entry.title)  # fmt: skip
    return ngettext(
        "{method} has the best mean; the interval of {n} other method overlaps with its own.",
        "{method} has the best mean; the intervals of {n} other methods overlap with its own.",
        len(close),
        method=best.entry.title,
    )


def _beside_references(methods: list[Row], references: list[Row], score: str) -> list[str]:
    """For every reference, how many methods are better by intervals that do not overlap."""
    sign = -1 if SCORES[score].direction == "lower" else 1
    sentences = []
    for reference in references:
        beside = reference.cells[score].value
        better = [row for row in methods if apart(row.cells[score].value, beside)
                  and sign * (row.cells[score].value.mean - beside.mean) > 0]  # fmt: skip
        sentences.append(
            ngettext(
                "{n} of {count} methods is better than “{reference}” by intervals that do not overlap.",
                "{n} of {count} methods are better than “{reference}” by intervals that do not overlap.",
                len(better),
                count=len(methods),
                reference=reference.entry.title,
            )
        )
    return sentences


def apart(one: Estimate, other: Estimate) -> bool:
    """Whether two intervals have nothing in common."""
    return one.low > other.high or other.low > one.high
