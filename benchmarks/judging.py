"""The scores judged by the truth of drawn scenes: `python -m benchmarks.judging`.

`--write` puts the table into docs/scores.md and three sentences into README.md. Both come from the scoreboard
beside the checkpoint, which `python -m explorer.scoreboard --publish` measures.
"""

import argparse
from pathlib import Path

from benchmarks import readme
from explorer.engine.scoreboard import board, tables
from explorer.engine.scoreboard.board import Board
from explorer.engine.scoreboard.judging import TRUTH, Judgement
from explorer.engine.scoreboard.tables import fixed
from explorer.engine.scores import SCORES

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINT = ROOT / "checkpoints" / "scenes-course.safetensors"
PAGE = ROOT / "docs" / "scores.md"
NAME = "benchmarks/judging.py"
INTRODUCTION = """\
# How far the scores can be trusted

A score of a heat map is itself doubtful. Drawn scenes allow a test: a scene is drawn again without one part
of the object, every other pixel staying the same, so the true change of the logit is known. Of two
maps of the same scene and class by two methods, the better one is the one whose sums over the parts agree
more, by rank correlation, with these true changes. The table says in which fraction of all such pairs a score
that does not know the truth prefers the better map; a coin prefers it in 50%. Redrawing, distractibility and
target sensitivity come from the redrawn scenes themselves, so they are not judged. Intervals draw whole
scenes (bootstrap), for the {methods} methods and the one network that were measured; others can give other
numbers. A score whose interval over all methods is not above 50% is not in the strip of the page
Attributions.
"""
LIMITS = """\
What this does not say: the truth has limits too. An object has only a few parts, parts differ in size, and
what is drawn in place of a part is something that the network sees as well. A score that agrees with this
truth on average can be wrong for one image.
"""


def scores_board() -> Board:
    return board.read(board.path_beside(CHECKPOINT, "scenes"))


def page(measured: Board) -> str:
    """The page about the scores."""
    methods = sum(not row.entry.is_reference for row in measured.rows)
    parts = [INTRODUCTION.format(methods=methods), tables.judged_table(measured), ""]
    parts += [tables.unsound(measured), "", LIMITS]
    parts += [f"{tables.measured(measured)} Command:", "", "```sh", measured.command, "```", ""]
    parts += ["All scores of all maps (the text below the table says what a cell is):", ""]
    parts += [tables.table(measured), "", tables.legend(measured)]
    return "\n".join(parts) + "\n"


def sentences(measured: Board) -> str:
    """What was found, in three sentences."""
    return " ".join([_better(measured), _among_sound(measured), _methods(measured)])


def _better(measured: Board) -> str:
    """Which scores are better than a coin over all methods, and which are not."""
    over_all = {name: each.all for name, each in measured.judged.items()}
    good = {name: each for name, each in over_all.items() if each.better_than_coin}
    rest = {name: each for name, each in over_all.items() if name not in good}
    return (
        f"On {measured.images} drawn scenes, where redrawing says which of two maps is truly the better one, "
        f"{len(good)} of {len(over_all)} scores that do not use redrawing prefer it more often than a coin: "
        f"{_named(good)}; the others do not: {_named(rest)}."
    )


def _among_sound(measured: Board) -> str:
    """The same among the methods that are better than a random map."""
    good = {name: each.sound for name, each in measured.judged.items() if each.sound.better_than_coin}
    count = len(measured.unsound)
    return (
        f"Without the {count} methods that are no better than a random map, which are told from the others "
        f"easily, these are better than a coin: {_named(good)}."
    )


def _named(judged: dict[str, Judgement]) -> str:
    each = sorted(judged.items(), key=lambda item: -item[1].preferred.mean)
    named = (f"{SCORES[name].title.lower()} ({_interval(one)})" for name, one in each)
    return ", ".join(named) or "none"


def _interval(judgement: Judgement) -> str:
    preferred = judgement.preferred
    return f"{100 * preferred.mean:.0f}%, {100 * preferred.low:.0f} to {100 * preferred.high:.0f}%"


def _methods(measured: Board) -> str:
    """How many methods are better than the object's area alone, by intervals that do not overlap."""
    cells = {row.key: row.cells[TRUTH].value for row in measured.rows}
    area = cells["area"]
    methods = [cells[row.key] for row in measured.rows if not row.entry.is_reference]
    better = sum(each.low > area.high for each in methods)
    best = max((row for row in measured.rows if not row.entry.is_reference),
               key=lambda row: row.cells[TRUTH].value.mean)  # fmt: skip
    return (
        f"The area of each part alone, without any network, has a rank correlation of {fixed(area.mean)} "
        f"({fixed(area.low)} to {fixed(area.high)}) with the true effects, and {better} of {len(methods)} "
        f"methods have more by intervals that do not overlap (the highest: {best.entry.title}, "
        f"{fixed(cells[best.key].mean)})."
    )


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.judging", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/scores.md and README.md")
    options = parser.parse_args()
    measured = scores_board()
    print(page(measured), sentences(measured), sep="\n")
    if options.write:
        PAGE.write_text(page(measured), encoding="utf-8")
        readme.put(NAME, sentences(measured))


if __name__ == "__main__":
    main()
