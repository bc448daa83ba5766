"""The scores judged by the truth of drawn scenes: `python -m benchmarks.judging`.

`--write` puts the tables into docs/scores.md and three sentences into README.md, and both in Chinese into the
Chinese pages. All come from the scoreboards beside the checkpoints, which `python -m explorer.scoreboard
--publish` measures.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import readme
from explorer.engine.scoreboard import board, tables
from explorer.engine.scoreboard.board import Board
from explorer.engine.scoreboard.judging import TRUTH
from explorer.engine.scoreboard.tables import fixed
from explorer.engine.scores import SCORES
from model import words
from model.words import ENGLISH

ROOT = Path(__file__).resolve().parent.parent
FIRST = "scenes-course"
OTHERS = ("scenes-mislabeled", "scenes-shortcut")
NAME = "benchmarks/judging.py"
CHINESE = "zh_CN"
PAGES = {ENGLISH: ROOT / "docs" / "scores.md", CHINESE: ROOT / "docs" / "scores.zh-CN.md"}
# The templates stand here, not in the catalog, which holds what the explorer and its commands say.
INTRODUCTION = {
    ENGLISH: """\
# How far the scores can be trusted

English · [中文](scores.zh-CN.md) · [README](../README.md)

A score of a heat map is itself doubtful. Drawn scenes allow a test: a scene is drawn again without one part
of the object, every other pixel staying the same, so the true change of the logit is known. Of two
maps of the same scene and class by two methods, the better one is the one whose sums over the parts agree
more, by rank correlation, with these true changes. The table says in which fraction of all such pairs a score
that does not know the truth prefers the better map; a coin prefers it in 50%. Redrawing, distractibility and
target sensitivity come from the redrawn scenes themselves, so they are not judged. Intervals draw whole
scenes (bootstrap), for the {methods} methods and the one network that were measured; others give other
numbers (see below).
""",
    CHINESE: """\
# 评分有多可信

[English](scores.md) · 中文 · [README](../README.zh-CN.md)

热力图的评分本身也值得怀疑。绘制的场景可以检验它：去掉物体的一个部分，重新绘制场景，其余每个像素都不变，
于是 logit 的真实变化是已知的。对同一场景、同一类别、由两种方法得到的两张图，
在各部分上的和与这些真实变化更一致（按秩相关）的那张就是更好的图。下表给出：一个不知道真实变化的评分，
在所有这样的图对中，选中更好的图的比例；抛硬币为 50%。
重绘、易受干扰程度和目标敏感度本身就来自重新绘制的场景，所以不作检验。区间由抽取整个场景得到（bootstrap），
针对所测量的 {methods} 种方法和一个网络；其他方法和网络会给出其他数值（见下文）。
""",
}
LIMITS = {
    ENGLISH: """\
What this does not say: the truth has limits too. An object has only a few parts, parts differ in size, and
what is drawn in place of a part is something that the network sees as well. A score that agrees with this
truth on average can be wrong for one image.
""",
    CHINESE: """\
这不能说明什么：这里的真实变化也有局限。一个物体只有少数几个部分，各部分大小不同，
而画在去掉部分处的内容网络同样看得到。平均而言与这种真实变化一致的评分，对单张图像仍可能是错的。
""",
}
OTHER_NETWORKS = {
    ENGLISH: """\
## On other networks

`{first}` beside the other shipped networks of drawn scenes, measured by the same command on the same scenes,
all methods: `scenes-mislabeled` has a quarter of the parameters, `scenes-shortcut` has learned to look at a
mark, which these scenes do not have. A score whose interval is not above 50% on each of them is not in the
strip of the page Attributions.
""",
    CHINESE: """\
## 在其他网络上

`{first}` 与另外两个随附的、在绘制的场景上训练的网络并列，用同样的命令在同样的场景上测量，包括所有方法：
`scenes-mislabeled` 的参数只有四分之一，`scenes-shortcut` 学会了看一个标记，而这些场景没有标记。
只要在其中一个网络上区间不高于 50%，该评分就不出现在“归因”页面的评分条中。
""",
}
ACCURACY = {ENGLISH: "Accuracy on the scenes", CHINESE: "在这些场景上的准确率"}
COMMAND = {ENGLISH: "{measured} Command:", CHINESE: "{measured}命令："}
ALL = {
    ENGLISH: "All scores of all maps (the text below the table says what a cell is):",
    CHINESE: "所有图的所有评分（表下的文字说明每个单元格的含义）：",
}


def scores_board(name: str = FIRST) -> Board:
    return board.read(board.path_beside(ROOT / "checkpoints" / f"{name}.safetensors", "scenes"))


def scores_boards() -> dict[str, Board]:
    """Of each network of drawn scenes, the first one first."""
    return {name: scores_board(name) for name in (FIRST, *OTHERS)}


def page(boards: Mapping[str, Board], language: str = ENGLISH) -> str:
    """The page about the scores in a language."""
    with _speaking(language):
        return _page(boards[FIRST], boards, language)


@contextmanager
def _speaking(language: str) -> Iterator[None]:
    before = words.language()
    words.use(language)
    try:
        yield
    finally:
        words.use(before)


def _page(measured: Board, boards: Mapping[str, Board], language: str) -> str:
    methods = sum(not row.entry.is_reference for row in measured.rows)
    parts = [INTRODUCTION[language].format(methods=methods), tables.judged_table(measured), ""]
    parts += [tables.unsound(measured), "", on_other_networks(boards, language), "", LIMITS[language]]
    command = COMMAND[language].format(measured=tables.measured(measured))
    parts += [command, "", "```sh", measured.command, "```", "", ALL[language], ""]
    parts += [tables.table(measured), "", tables.legend(measured)]
    return "\n".join(parts) + "\n"


def on_other_networks(boards: Mapping[str, Board], language: str) -> str:
    """How often each score prefers the better of two maps on each network, as a section of the page."""
    rows = {name: {row[0]: row[1] for row in tables.judged_rows(each)} for name, each in boards.items()}
    heads = [words.tr("Score"), *(f"`{name}`" for name in boards)]
    lines = [heads, ["---"] * len(heads)]
    lines += [[score, *(each[score] for each in rows.values())] for score in rows[FIRST]]
    lines += [[ACCURACY[language], *(f"{each.accuracy:.1%}" for each in boards.values())]]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([OTHER_NETWORKS[language].format(first=FIRST), table, "", _on_others(boards, language)])


def sentences(boards: Mapping[str, Board], language: str = ENGLISH) -> str:
    """What was found, in three sentences of a language."""
    with _speaking(language):
        said = [_judged(boards, language), _better(boards, language), _methods(boards[FIRST], language)]
    return (" " if language == ENGLISH else "").join(said)


JUDGED = {
    ENGLISH: (
        "A scene drawn again without one of its parts tells which of two maps is truly the better one; by "
        "this, {count} scores that do not know it were judged on {images} scenes and {networks} networks."
    ),
    CHINESE: (
        "去掉一个部分重新绘制场景，就能知道两张图中哪一张确实更好；据此在 {images} 个场景、{networks} 个网络"
        "上检验了不知道答案的 {count} 个评分。"
    ),
}
BETTER = {
    ENGLISH: (
        "{good} of them are right more often than a coin on every network: {named}; without the {unsound} "
        "methods that are no better than a random map, the best is right for {most:.0f}% of them."
    ),
    CHINESE: (
        "其中 {good} 个在每个网络上都比抛硬币更常选对：{named}；"
        "去掉不优于随机图的 {unsound} 种方法后，最好的评分选对 {most:.0f}%。"
    ),
}
METHODS = {
    ENGLISH: (
        "{better} of {count} methods follow the true effects more closely than the mere area of the parts, "
        "which needs no network (rank correlation, by intervals that do not overlap: {best} {highest}, area "
        "{area})."
    ),
    CHINESE: (
        "{count} 种方法中有 {better} 种比各部分的面积（不需要网络）更符合真实作用"
        "（秩相关，区间不重叠：{best} {highest}，面积 {area}）。"
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
FIRST_FRACTION = {
    ENGLISH: "{score} ({mean:.0f}% of the pairs on `{network}`)",
    CHINESE: "{score}（在 `{network}` 上 {mean:.0f}%）",
}
FRACTION = {ENGLISH: "{score} ({mean:.0f}%)", CHINESE: "{score}（{mean:.0f}%）"}
NONE = {ENGLISH: "none", CHINESE: "没有"}


def _judged(boards: Mapping[str, Board], language: str) -> str:
    """By what the scores were judged."""
    measured = boards[FIRST]
    return JUDGED[language].format(count=len(measured.judged), images=measured.images, networks=len(boards))


def _better(boards: Mapping[str, Board], language: str) -> str:
    """Which scores are better than a coin on every network, and how good the best is among sound methods."""
    measured = boards[FIRST]
    means = {name: 100 * each.all.preferred.mean for name, each in measured.judged.items()}
    names = [name for name, count in _good(boards).items() if count == len(boards)]
    named = [
        (FRACTION if place else FIRST_FRACTION)[language].format(
            score=_title(name), mean=means[name], network=FIRST
        )
        for place, name in enumerate(sorted(names, key=lambda name: -means[name]))
    ]
    return BETTER[language].format(
        good=len(names),
        named=_listed(named, language),
        unsound=len(measured.unsound),
        most=100 * max(each.sound.preferred.mean for each in measured.judged.values()),
    )


def _on_others(boards: Mapping[str, Board], language: str) -> str:
    """Which scores are better than a coin on each of the networks, on some of them and on none."""

    def titles(wanted: Callable[[int], bool]) -> str:
        return _listed([_title(name) for name, count in _good(boards).items() if wanted(count)], language)

    return ON_OTHERS[language].format(
        count=len(boards),
        named=titles(lambda count: count == len(boards)),
        some=titles(lambda count: 0 < count < len(boards)),
        none=titles(lambda count: not count),
    )


def _good(boards: Mapping[str, Board]) -> dict[str, int]:
    """Score → the number of networks on which it is better than a coin."""
    return {
        name: sum(each.judged[name].all.better_than_coin for each in boards.values())
        for name in boards[FIRST].judged
    }


def _title(name: str) -> str:
    return words.tr(SCORES[name].title).lower()


def _listed(texts: Sequence[str], language: str) -> str:
    return words.tr(", ").join(texts) or NONE[language]


def _methods(measured: Board, language: str) -> str:
    """How many methods are better than the object's area alone, by intervals that do not overlap."""
    cells = {row.key: row.cells[TRUTH].value for row in measured.rows}
    area = cells["area"]
    rows = [row for row in measured.rows if not row.entry.is_reference]
    best = max(rows, key=lambda row: cells[row.key].mean)
    return METHODS[language].format(
        better=sum(cells[row.key].low > area.high for row in rows),
        count=len(rows),
        best=words.tr(best.entry.title),
        highest=fixed(cells[best.key].mean),
        area=fixed(area.mean),
    )


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.judging", description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help="write docs/scores.md and README.md, and both in Chinese"
    )
    options = parser.parse_args()
    boards = scores_boards()
    print(page(boards), sentences(boards), sep="\n")
    if options.write:
        for language, path in PAGES.items():
            path.write_text(page(boards, language), encoding="utf-8")
        readme.put(NAME, sentences(boards), sentences(boards, CHINESE))


if __name__ == "__main__":
    main()
