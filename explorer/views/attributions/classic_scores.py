"""The scores that most papers report, once for each baseline; in an expander, since the baseline decides."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from explorer.drawing.ranges import number
from explorer.engine.attribution.baseline import BASELINES
from explorer.engine.scores import Scored
from explorer.engine.scores.classic import LOWER_IS_BETTER, SUMMARIES, TITLES, RemovalCurve
from explorer.ui import jobs, markup, panels
from explorer.ui.jobs import Progress
from explorer.ui.selection import Selection
from explorer.views.attributions import charts
from explorer.views.attributions.map_choice import MapChoice
from explorer.views.attributions.measuring import Explained, classic_work
from model.words import paragraph, tr

Progresses = Sequence[Progress[dict[str, Scored]]]


def show(selection: Selection, explained: Explained, chosen: Sequence[MapChoice]) -> None:
    """The expander; its scores are computed once it is open."""
    label = tr("Classic scores: deletion, insertion, infidelity")
    with st.expander(label, on_change="rerun", key="classic_scores") as fold:
        if fold.open:
            st.markdown(
                tr(
                    "**The baseline decides the winner.** These scores put a baseline in the place of what "
                    "they remove, which the network has never seen in training: with another baseline, "
                    "another map can be the best one. So they are not in the strips above."
                )
            )
            works = [classic_work(explained, choice) for choice in chosen]
            jobs.show(lambda progress: show_scores(selection, chosen, progress), *works)


def show_scores(selection: Selection, chosen: Sequence[MapChoice], progress: Progresses) -> None:
    """The table, the curves of the first map, and what each score is."""
    markup.show(markup.element("div", table(chosen, progress), cls="fx-runs"))
    for name, summary in SUMMARIES.items():
        better = tr("Lower is better.") if LOWER_IS_BETTER[name] else tr("Higher is better.")
        st.caption(paragraph([tr(summary), better]))
    st.caption(
        tr(
            "Bold: the best in its column. In parentheses: the median of what the map gets in the wrong "
            "place."
        )
    )
    first = dict(zip(BASELINES, progress[0].results, strict=False))
    if first:
        curves = {
            name: {kind: one for kind, one in scores.items() if isinstance(one, RemovalCurve)}
            for name, scores in first.items()
        }
        panels.chart(charts.classic(curves, chosen[0].title, selection.target_name))


def table(chosen: Sequence[MapChoice], progress: Progresses) -> str:
    """One row for each map, and a column for each score with each baseline, as html."""
    columns = [(name, index) for name in TITLES for index in range(len(BASELINES))]
    baselines = [tr(each.title) for each in BASELINES.values()]
    kinds = "".join(
        f'<th colspan="{len(BASELINES)}">{markup.text(tr(t), tag="span")}</th>' for t in TITLES.values()
    )
    heads = [markup.text(baseline, tag="th") for _ in TITLES for baseline in baselines]
    cells = [column(name, index, progress) for name, index in columns]
    rows = [
        markup.element("tr", markup.text(choice.title, tag="th"), *(cell[row] for cell in cells))
        for row, choice in enumerate(chosen)
    ]
    above = markup.element("tr", "<th></th>", kinds) + markup.element("tr", "<th></th>", *heads)
    return markup.element("table", markup.element("thead", above), markup.element("tbody", *rows))


def column(name: str, index: int, progress: Progresses) -> list[str]:
    """The cells of a score with one baseline, the best one bold; those that are to come have a sign."""
    scores = [each.results[index][name] if index < len(each.results) else None for each in progress]
    values = [np.nan if one is None else float(one.value) for one in scores]
    finite = [value for value in values if np.isfinite(value)]
    best = (min if LOWER_IS_BETTER[name] else max)(finite, default=None)
    return [markup.element("td", cell(one, value == best)) for one, value in zip(scores, values, strict=True)]


def cell(one: Scored | None, best: bool) -> str:
    if one is None:
        return "…"
    by_chance = tr("({value})", value=number(float(np.median(one.chance))))
    return markup.text(number(float(one.value)), "strong" if best else "", "span") + markup.text(
        f" {by_chance}", "muted", "span"
    )
