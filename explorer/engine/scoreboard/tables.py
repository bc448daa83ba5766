"""A scoreboard as text: CSV for programs, Markdown for people."""

import csv
import io
import math
from collections.abc import Sequence

from explorer.engine.scoreboard.board import Board, BoardRow, Cell
from explorer.engine.scoreboard.entries import entry
from explorer.engine.scoreboard.estimates import Estimate
from explorer.engine.scoreboard.judging import Judgement
from explorer.engine.scores import SCORES
from model.provenance import in_words
from model.words import ngettext, paragraph, tr

COLUMNS = ("score", "score low", "score high", "chance", "chance low", "chance high", "above chance",
           "above chance low", "above chance high", "images")  # fmt: skip


def to_csv(board: Board) -> str:
    """One line for each row and score: means, the ends of their 95% intervals, and the number of images."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "measure", *COLUMNS, "seconds per map"])
    for row in board.rows:
        for name, cell in row.cells.items():
            numbers = [number for each in (cell.value, cell.chance, cell.above) for number in _three(each)]
            writer.writerow([row.key, name, *map(_digits, numbers), cell.value.n, _digits(row.seconds)])
    return text.getvalue()


def _three(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.mean, estimate.low, estimate.high


def _digits(number: float) -> str:
    return f"{number:.6g}" if math.isfinite(number) else ""


def to_markdown(board: Board) -> str:
    """How it was measured, one table of all rows and scores, what was left out, and the judged scores."""
    parts = [f"# {board.checkpoint}, {board.dataset}", "", measured(board), "", f"`{board.command}`", ""]
    parts += [table(board), "", legend(board), ""]
    parts += [f"- {sentence}" for sentence in left_out(board)]
    if board.judged:
        parts += ["", judged_table(board), "", unsound(board)]
    return "\n".join(parts).rstrip() + "\n"


def measured(board: Board) -> str:
    """In a sentence, on what a board was measured."""
    return ngettext(
        "Measured on {n} image ({provenance}), for the predicted class; accuracy on it: {accuracy:.1f}%.",
        "Measured on {n} images ({provenance}), for the predicted class; accuracy on them: {accuracy:.1f}%.",
        board.images,
        provenance=in_words(board.provenance),
        accuracy=100 * board.accuracy,
    )


def reading_chart() -> str:
    """What the marks of a chart are."""
    return tr(
        "Dot and line: mean over images and its 95% interval (gray: maps that are made without the "
        "network). Diamond: the mean of what chance gives for the same map and images."
    )


def legend(board: Board) -> str:
    """What the numbers of the table are."""
    cells = tr(
        "Each cell: the mean of the score ± half of its 95% interval, then the mean of what chance gives on "
        "the same images."
    )
    return f"{cells} {legend_of_images(board)}"


def legend_of_images(board: Board) -> str:
    """How intervals are made, and which scores have fewer images than the others."""
    sentences = [
        tr(
            "Intervals: bootstrap over images. CPU times were measured beside other work and are for "
            "comparison only."
        )
    ]
    for name, (few, many) in _fewer(board).items():
        sentences.append(
            tr("{score}: on {few} of {many} images.", score=tr(SCORES[name].title), few=few, many=many)
        )
    return paragraph(sentences)


def _fewer(board: Board) -> dict[str, tuple[int, int]]:
    """Score → images that it was measured on, where these are much fewer than all."""
    counts = {name: max(row.cells[name].value.n for row in board.rows) for name in board.scores}
    return {name: (count, board.images) for name, count in counts.items() if count < 0.9 * board.images}


def table(board: Board) -> str:
    """The rows as a Markdown table, the scores as its columns."""
    heads = [tr("Map"), *(tr(SCORES[name].title) for name in board.scores), tr("CPU time per map")]
    lines = [_line(heads), _line(["---"] * len(heads))]
    return "\n".join([*lines, *(_line(_cells(row, board.scores)) for row in board.rows)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(row: BoardRow, scores: Sequence[str]) -> list[str]:
    is_timed = math.isfinite(row.seconds) and not row.entry.is_reference
    seconds = f"{1000 * row.seconds:.3g} ms" if is_timed else ""
    return [row.entry.title, *(written(row.cells[name]) for name in scores), seconds]


def written(cell: Cell) -> str:
    """A cell in a few letters, such as `0.41 ± 0.02 (0.10)`; a dash where nothing was measured."""
    if not cell.value.n:
        return "–"
    half = (cell.value.high - cell.value.low) / 2
    return tr("{mean} ± {half} ({chance})", mean=fixed(cell.value.mean), half=fixed(half),
              chance=fixed(cell.chance.mean))  # fmt: skip


def fixed(number: float, digits: int = 2) -> str:
    """A number with that many digits after the point, a true minus sign, zero without one; a dash for NaN.

    >>> fixed(-0.314), fixed(-0.004), fixed(0.5, 3)
    ('−0.31', '0.00', '0.500')
    """
    if not math.isfinite(number):
        return "–"
    return f"{number:z.{digits}f}".replace("-", "\N{MINUS SIGN}")


def left_out(board: Board) -> list[str]:
    """A sentence for everything that was not measured."""
    methods = [
        tr("{method} is left out: {reason}", method=name, reason=why)
        for name, why in board.methods_left_out.items()
    ]
    scores = [
        tr("{score} is left out: {reason}", score=tr(SCORES[name].title), reason=why)
        for name, why in board.scores_left_out.items()
    ]
    return [*methods, *scores, *board.images_left_out]


def judged_table(board: Board) -> str:
    """How often each score prefers the better of two maps, as a Markdown table."""
    heads = [
        tr("Score"),
        tr("Prefers the better map, all methods"),
        tr("Only methods better than a random map"),
        tr("Pairs"),
        tr("Images"),
    ]
    lines = [_line(heads), _line(["---"] * len(heads)), *map(_line, judged_rows(board))]
    return "\n".join(lines)


def judged_rows(board: Board) -> list[list[str]]:
    """A row for each judged score: its title, both fractions with their intervals, pairs and images."""
    return [
        [
            tr(SCORES[name].title),
            _preference(each.all),
            _preference(each.sound),
            f"{each.all.pairs:,}",
            f"{each.all.preferred.n:,}",
        ]
        for name, each in board.judged.items()
    ]


def _preference(judgement: Judgement) -> str:
    preferred = judgement.preferred
    if not preferred.n:
        return "–"
    return tr(
        "{mean}% ({low} to {high})",
        mean=f"{100 * preferred.mean:.1f}",
        low=f"{100 * preferred.low:.1f}",
        high=f"{100 * preferred.high:.1f}",
    )


def unsound(board: Board) -> str:
    """Which methods the second column leaves out."""
    if not board.unsound:
        return tr("All methods are better than a random map by redrawing.")
    names = tr(", ").join(entry(key).title for key in board.unsound)
    return tr(
        "No better than a random map by redrawing, and left out of the second column: {names}.", names=names
    )
