"""Scoreboard: every attribution method over many images, as measured for the chosen checkpoint."""

import math
import shlex
from dataclasses import replace
from pathlib import Path

import streamlit as st

from explorer.drawing import board_charts
from explorer.drawing.ranges import number, percent
from explorer.engine.network_source import Source
from explorer.engine.scoreboard import board, tables
from explorer.engine.scoreboard.board import Board, BoardRow
from explorer.engine.scoreboard.estimates import Estimate
from explorer.engine.scores import SCORES
from explorer.network_flags import words_of
from explorer.ui import choices, link, markup, panels
from explorer.ui.components.command_box import command_box
from explorer.ui.markdown import literal, sentence
from explorer.ui.options import ROOT, options
from explorer.ui.selection import current_network
from explorer.views.scoreboard import exports
from explorer.views.scoreboard.findings import findings
from model.names import readable
from model.problems import Problem
from model.words import N_, paragraph, tr

DIRECTIONS = {
    "higher": N_("Higher is better."),
    "lower": N_("Lower is better."),
    "none": N_("No direction is better."),
}


def page() -> None:
    st.header(tr("Scoreboard"), anchor=False)
    source = chosen_source()
    boards = {} if source is None or source.path is None else board.paths_of(source.path)
    st.markdown(
        tr(
            "Every attribution method over many images: the mean of each score, beside what chance gives and "
            "beside maps that are made without the network: random values, a centered Gaussian and, of drawn "
            "scenes, the area of the object."
        )
    )
    if not boards:
        say_how_to_measure(source)
        return
    with st.container(horizontal=True):
        path = boards[choose_board(list(boards))]
        try:
            measured = board.read(path)
        except Problem as problem:
            st.warning(sentence(problem))
            return
        network = current_network()
        if network is None or measured.network != network.network.identity:
            another_network(source)
            return
        score = choose_score(measured)
    if measured.dataset == "scenes" and network.card.config.get("shortcut") is not None:
        st.info(
            tr(
                "This network was trained and tested on scenes with marks. The scenes below have none, so "
                "its accuracy on them is not its test accuracy."
            )
        )
    show(measured, score)
    exports.show(measured, score, path)


def chosen_source() -> Source | None:
    """The network in the sidebar; None where there is none."""
    try:
        sources = options().checkpoints
    except Problem as problem:
        st.error(sentence(problem), icon=":material/error:")
        return None
    return sources.get(link.value("checkpoint", next(iter(sources), "")))


def say_how_to_measure(source: Source | None) -> None:
    if source is None or source.path is None:
        st.info(tr("A scoreboard needs a file of weights: choose a checkpoint, or give one at start."))
        return
    st.info(
        tr(
            "This checkpoint has no scoreboard yet. The command below, in the folder of this program, "
            "measures one on fresh drawn scenes and puts it beside the checkpoint. It takes minutes to "
            "hours; a stopped one goes on where it was. Your own images: `--dataset folder --data-dir DIR`."
        )
    )
    command_box(command(source, source.path))


def another_network(source: Source | None) -> None:
    st.warning(
        tr(
            "The scoreboard beside this checkpoint was measured for other weights, other classes or other "
            "settings of the input than those of the network in the sidebar, so it is not shown."
        )
    )
    if source is not None and source.path is not None:
        command_box(command(source, source.path))


def command(source: Source, path: Path) -> str:
    """What measures a scoreboard of a source's file; one beside the program is given in short."""
    file = path.absolute()
    short = file.relative_to(ROOT) if file.is_relative_to(ROOT / "checkpoints") else file
    words = ["python", "-m", "explorer.scoreboard", "--checkpoint", str(short)]
    names = source.classes and Path(source.classes)
    if names and names.is_file():
        source = replace(source, classes=str(names.absolute()))
    words += words_of(source)
    words += ["--images", "100", "--out", "scoreboard", "--publish"]
    return readable(shlex.join(words))


def choose_board(names: list[str]) -> str:
    return choices.pick(tr("Images"), {name: name for name in names}, "board", width=240)


def choose_score(measured: Board) -> str:
    titles = {name: tr(SCORES[name].title) for name in measured.scores}
    return choices.pick(tr("Score, which sorts the rows"), titles, "board_score", width=320)


def show(measured: Board, score: str) -> None:
    """One score: its chart and table, what they say, and how far the score can be trusted."""
    st.caption(literal(tables.measured(measured)))
    record, rows = SCORES[score], board_charts.sorted_rows(measured, score)
    st.subheader(tr(record.title), anchor=False)
    st.markdown(paragraph([tr(record.summary), tr(DIRECTIONS[record.direction])]))
    panels.chart(board_charts.score_chart(measured, score, rows))
    st.caption(tables.reading_chart())
    what_it_says(measured, score)
    with st.expander(tr("Numbers")):
        markup.show(table(rows, score))
    show_judged(measured)
    how_it_was_measured(measured)


def what_it_says(measured: Board, score: str) -> None:
    st.markdown("\n".join(f"- {literal(each)}" for each in findings(measured, score)))
    st.caption(paragraph([tr(SCORES[score].chance), tr(SCORES[score].pitfall)]))


def table(rows: list[BoardRow], score: str) -> str:
    """A row for every map: the score and chance with their intervals, and the fraction above chance."""
    heads = (
        tr("map"),
        tr("score (95% interval)"),
        tr("chance"),
        tr("above chance"),
        tr("images"),
        tr("CPU time per map"),
    )
    return markup.table(heads, [table_row(row, score) for row in rows])


def table_row(row: BoardRow, score: str) -> list[str]:
    cell = row.cells[score]
    is_timed = math.isfinite(row.seconds) and not row.entry.is_reference
    seconds = tr("{time} ms", time=number(1000 * row.seconds)) if is_timed else "–"
    above = percent(cell.above.mean) if cell.above.n else "–"
    texts = (interval(cell.value), interval(cell.chance), above, f"{cell.value.n:,}", seconds)
    return [row.entry.title, *texts]


def interval(estimate: Estimate) -> str:
    """A mean and its interval."""
    if not estimate.n:
        return "–"
    return tr(
        "{mean} ({low} to {high})",
        mean=tables.fixed(estimate.mean, 3),
        low=tables.fixed(estimate.low, 3),
        high=tables.fixed(estimate.high, 3),
    )


def show_judged(measured: Board) -> None:
    if not measured.judged:
        return
    st.subheader(tr("Are the scores right?"), anchor=False)
    st.markdown(
        tr(
            "Drawn scenes can be drawn again without one part of the object, so the true effect of each part "
            "is known. Of two maps of the same scene, the better one is that whose sums over the parts "
            "agree more with these effects. How often does each score prefer it? A coin does in 50% of "
            "the pairs. Scores that come from the redrawing themselves are not judged by it."
        )
    )
    markup.show(judged_table(measured))
    st.caption(literal(tables.unsound(measured)))


def judged_table(measured: Board) -> str:
    """How often each score prefers the better map, of all methods and of those that are sound."""
    heads = (tr("score"), tr("all methods"), tr("only methods better than a random map"))
    return markup.table(heads, [row[:3] for row in tables.judged_rows(measured)])


def how_it_was_measured(measured: Board) -> None:
    with st.expander(tr("How it was measured")):
        command_box(measured.command)
        st.markdown(tables.legend_of_images(measured))
        for text in tables.left_out(measured):
            st.markdown(f"- {literal(text)}")


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
