"""What a scoreboard says of a score in sentences, and what it does not say."""

from explorer.drawing.board_charts import sorted_rows
from explorer.engine.scoreboard.board import Board, BoardRow
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
        beside = _fixed if SCORES[score].remakes else _beside_references
        sentences = [_best(methods, score), *beside(methods, references, score)]
    sentences.append(
        tr(
            "These are means over images: they do not say which map is right for one image, and for another "
            "network or other images the order can differ."
        )
    )
    return sentences


def _best(methods: list[BoardRow], score: str) -> str:
    """The method with the best mean, and how many others it cannot be told from."""
    best, *others = methods
    close = [row for row in others if not apart(best.cells[score].value, row.cells[score].value)]
    if not close:
        return tr(
            "Of the methods, {method} has the best mean, and no other’s interval overlaps with its own.",
            method=best.entry.title,
        )
    return ngettext(
        "Of the methods, {method} has the best mean; the interval of {n} other overlaps with its own.",
        "Of the methods, {method} has the best mean; the intervals of {n} others overlap with its own.",
        len(close),
        method=best.entry.title,
    )


def _fixed(methods: list[BoardRow], references: list[BoardRow], score: str) -> list[str]:
    """Why no method is compared with the references by a score that remakes the map."""
    if not references:
        return []
    return [
        tr(
            "The maps that are made without the network do not change with the network, the class or noise, "
            "so this score gives them a fixed value: it is no bar for the methods."
        )
    ]


def _beside_references(methods: list[BoardRow], references: list[BoardRow], score: str) -> list[str]:
    """Which references are above every method, and how many methods are better than each."""
    return [*_higher(methods[0], references, score), *(_better(methods, each, score) for each in references)]


def _higher(best: BoardRow, references: list[BoardRow], score: str) -> list[str]:
    """Which references have a better mean than the best method."""
    mean = best.cells[score].value.mean
    return [
        tr("“{reference}”, which is made without the network, has a better mean than every method.",
           reference=row.entry.title)
        for row in references
        if _sign(score) * (row.cells[score].value.mean - mean) > 0
    ]  # fmt: skip


def _better(methods: list[BoardRow], reference: BoardRow, score: str) -> str:
    """How many methods are better than a reference by intervals that do not overlap."""
    beside = reference.cells[score].value
    better = [row for row in methods if apart(row.cells[score].value, beside)
              and _sign(score) * (row.cells[score].value.mean - beside.mean) > 0]  # fmt: skip
    return ngettext(
        "{n} of {count} methods is better than “{reference}” by intervals that do not overlap.",
        "{n} of {count} methods are better than “{reference}” by intervals that do not overlap.",
        len(better),
        count=len(methods),
        reference=reference.entry.title,
    )


def _sign(score: str) -> int:
    return -1 if SCORES[score].direction == "lower" else 1


def apart(one: Estimate, other: Estimate) -> bool:
    """Whether two intervals have nothing in common."""
    return one.low > other.high or other.low > one.high
