"""The scores judged by the truth of drawn scenes: `python -m benchmarks.judging`.

`--write` puts the tables into docs/scores.md and four sentences into README.md, and into README.zh-CN.md in
Chinese. All come from the scoreboards beside the checkpoints, which `python -m explorer.scoreboard --publish`
measures.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import readme
from explorer.engine.scoreboard import board, tables
from explorer.engine.scoreboard.board import Board
from explorer.engine.scoreboard.judging import TRUTH, Judgement
from explorer.engine.scoreboard.tables import fixed
from explorer.engine.scores import SCORES
from model import words
from model.words import ENGLISH

ROOT = Path(__file__).resolve().parent.parent
FIRST = "scenes-course"
OTHERS = ("scenes-mislabeled", "scenes-shortcut")
PAGE = ROOT / "docs" / "scores.md"
NAME = "benchmarks/judging.py"
CHINESE = "zh_CN"
INTRODUCTION = """\
# How far the scores can be trusted

A score of a heat map is itself doubtful. Drawn scenes allow a test: a scene is drawn again without one part
of the object, every other pixel staying the same, so the true change of the logit is known. Of two
maps of the same scene and class by two methods, the better one is the one whose sums over the parts agree
more, by rank correlation, with these true changes. The table says in which fraction of all such pairs a score
that does not know the truth prefers the better map; a coin prefers it in 50%. Redrawing, distractibility and
target sensitivity come from the redrawn scenes themselves, so they are not judged. Intervals draw whole
scenes (bootstrap), for the {methods} methods and the one network that were measured; others give other
numbers (see below).
"""
LIMITS = """\
What this does not say: the truth has limits too. An object has only a few parts, parts differ in size, and
what is drawn in place of a part is something that the network sees as well. A score that agrees with this
truth on average can be wrong for one image.
"""


OTHER_NETWORKS = """\
## On other networks

`{first}` beside the other shipped networks of drawn scenes, measured by the same command on the same scenes,
all methods: `scenes-mislabeled` has a quarter of the parameters, `scenes-shortcut` has learned to look at a
mark, which these scenes do not have. A score whose interval is not above 50% on each of them is not in the
strip of the page Attributions.
"""


def scores_board(name: str = FIRST) -> Board:
    return board.read(board.path_beside(ROOT / "checkpoints" / f"{name}.safetensors", "scenes"))


def scores_boards() -> dict[str, Board]:
    """Of each network of drawn scenes, the first one first."""
    return {name: scores_board(name) for name in (FIRST, *OTHERS)}


def page(boards: Mapping[str, Board]) -> str:
    """The page about the scores."""
    measured = boards[FIRST]
    methods = sum(not row.entry.is_reference for row in measured.rows)
    parts = [INTRODUCTION.format(methods=methods), tables.judged_table(measured), ""]
    parts += [tables.unsound(measured), "", on_other_networks(boards), "", LIMITS]
    parts += [f"{tables.measured(measured)} Command:", "", "```sh", measured.command, "```", ""]
    parts += ["All scores of all maps (the text below the table says what a cell is):", ""]
    parts += [tables.table(measured), "", tables.legend(measured)]
    return "\n".join(parts) + "\n"


def on_other_networks(boards: Mapping[str, Board]) -> str:
    """How often each score prefers the better of two maps on each network, as a section of the page."""
    rows = {name: {row[0]: row[1] for row in tables.judged_rows(each)} for name, each in boards.items()}
    heads = ["Score", *(f"`{name}`" for name in boards)]
    lines = [heads, ["---"] * len(heads)]
    lines += [[score, *(each[score] for each in rows.values())] for score in rows[FIRST]]
    lines += [["Accuracy on the scenes", *(f"{each.accuracy:.1%}" for each in boards.values())]]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([OTHER_NETWORKS.format(first=FIRST), table, "", _on_others(boards)])


def sentences(boards: Mapping[str, Board], language: str = ENGLISH) -> str:
    """What was found, in four sentences of a language."""
    before = words.language()
    words.use(language)
    measured = boards[FIRST]
    try:
        said = [_better(measured), _among_sound(measured), _on_others(boards), _methods(measured)]
    finally:
        words.use(before)
    return (" " if language == ENGLISH else "").join(said)


# The templates stand here, not in the catalog, which holds what the explorer and its commands say.
BETTER = {
    ENGLISH: (
        "On {images} drawn scenes, where redrawing says which of two maps is truly the better one, {good} of "
        "{count} scores that do not use redrawing prefer it more often than a coin: {named}; the others do "
        "not: {rest}."
    ),
    CHINESE: (
        "在 {images} 个绘制的场景上，重新绘制能说明两张图中哪一张确实更好。"
        "不使用重新绘制的 {count} 个评分中，有 {good} 个选中更好的那张比抛硬币更常见：{named}；"
        "其余的不是：{rest}。"
    ),
}
AMONG_SOUND = {
    ENGLISH: (
        "Without the {count} methods that are no better than a random map, which are told from the others "
        "easily, these are better than a coin: {named}."
    ),
    CHINESE: (
        "去掉不比随机图更好的 {count} 种方法（它们很容易与其他方法区分）之后，比抛硬币更好的评分是：{named}。"
    ),
}
ON_OTHERS = {
    ENGLISH: (
        "Better than a coin on each of {count} networks, over all methods: {named}; on some of them only: "
        "{some}; on none: {none}."
    ),
    CHINESE: (
        "在全部 {count} 个网络上（所有方法）都比抛硬币更好的是：{named}；"
        "只在其中一些网络上的是：{some}；都不是的是：{none}。"
    ),
}
METHODS = {
    ENGLISH: (
        "The area of each part alone, without any network, has a rank correlation of {area} ({low} to "
        "{high}) with the true effects, and {better} of {count} methods have more by intervals that do not "
        "overlap (the highest: {best}, {highest})."
    ),
    CHINESE: (
        "仅用每个部分的面积、不用任何网络，与真实作用的秩相关为 {area}（{low} 到 {high}）；"
        "{count} 种方法中有 {better} 种更高，且区间不重叠（最高的是 {best}，{highest}）。"
    ),
}
SCORE = {
    ENGLISH: "{score} ({mean:.0f}%, {low:.0f} to {high:.0f}%)",
    CHINESE: "{score}（{mean:.0f}%，{low:.0f}% 到 {high:.0f}%）",
}
BETWEEN = {ENGLISH: ", ", CHINESE: "、"}
NONE = {ENGLISH: "none", CHINESE: "没有"}


def _better(measured: Board) -> str:
    """Which scores are better than a coin over all methods, and which are not."""
    over_all = {name: each.all for name, each in measured.judged.items()}
    good = {name: each for name, each in over_all.items() if each.better_than_coin}
    rest = {name: each for name, each in over_all.items() if name not in good}
    return BETTER[words.language()].format(
        images=measured.images, good=len(good), count=len(over_all), named=_named(good), rest=_named(rest)
    )


def _among_sound(measured: Board) -> str:
    """The same among the methods that are better than a random map."""
    good = {name: each.sound for name, each in measured.judged.items() if each.sound.better_than_coin}
    return AMONG_SOUND[words.language()].format(count=len(measured.unsound), named=_named(good))


def _on_others(boards: Mapping[str, Board]) -> str:
    """Which scores are better than a coin on each of the networks, on some of them and on none."""
    good = {
        name: sum(each.judged[name].all.better_than_coin for each in boards.values())
        for name in boards[FIRST].judged
    }

    def titles(wanted: Callable[[int], bool]) -> str:
        names = [words.tr(SCORES[name].title).lower() for name, count in good.items() if wanted(count)]
        return BETWEEN[words.language()].join(names) or NONE[words.language()]

    return ON_OTHERS[words.language()].format(
        count=len(boards),
        named=titles(lambda count: count == len(boards)),
        some=titles(lambda count: 0 < count < len(boards)),
        none=titles(lambda count: not count),
    )


def _named(judged: dict[str, Judgement]) -> str:
    language = words.language()
    each = sorted(judged.items(), key=lambda item: -item[1].preferred.mean)
    return BETWEEN[language].join(_score(name, one) for name, one in each) or NONE[language]


def _score(name: str, judgement: Judgement) -> str:
    preferred = judgement.preferred
    return SCORE[words.language()].format(
        score=words.tr(SCORES[name].title).lower(),
        mean=100 * preferred.mean,
        low=100 * preferred.low,
        high=100 * preferred.high,
    )


def _methods(measured: Board) -> str:
    """How many methods are better than the object's area alone, by intervals that do not overlap."""
    cells = {row.key: row.cells[TRUTH].value for row in measured.rows}
    area = cells["area"]
    rows = [row for row in measured.rows if not row.entry.is_reference]
    best = max(rows, key=lambda row: cells[row.key].mean)
    return METHODS[words.language()].format(
        area=fixed(area.mean),
        low=fixed(area.low),
        high=fixed(area.high),
        better=sum(cells[row.key].low > area.high for row in rows),
        count=len(rows),
        best=words.tr(best.entry.title),
        highest=fixed(cells[best.key].mean),
    )


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.judging", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/scores.md and both README")
    options = parser.parse_args()
    boards = scores_boards()
    print(page(boards), sentences(boards), sep="\n")
    if options.write:
        PAGE.write_text(page(boards), encoding="utf-8")
        readme.put(NAME, sentences(boards), sentences(boards, CHINESE))


if __name__ == "__main__":
    main()
