"""How far the shift moves the statistics: every layer, and the channels of one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from explorer.drawing.ranges import plain_number
from explorer.engine.shift import NormDrift
from explorer.engine.shift_measuring import SeverityResult, first_beyond
from explorer.ui import choices, link, number_table, panels
from explorer.ui.markdown import code, literal
from explorer.ui.turns import TURNS
from explorer.views.shift import charts
from explorer.views.shift.measuring import ShiftQuestion
from explorer.views.shift.ranking import RANKINGS, Ranking
from model import words
from model.words import ngettext, paragraph, tr

MOST_NAMED = 4


@dataclass(frozen=True, eq=False)
class Look:
    """What the charts show: a severity, a layer, and by what its channels are ranked."""

    step: SeverityResult
    layer: str
    ranking: Ranking


def choose(question: ShiftQuestion, shifted: Sequence[SeverityResult]) -> Look:
    where, which, by = st.columns([2, 2, 3], vertical_alignment="bottom")
    with where:
        names = {str(n): question.severity(step) for n, step in enumerate(shifted)}
        step = shifted[int(choices.pick(tr("Severity"), names, "shift_step", str(len(shifted) - 1)))]
    with which:
        layer = choices.pick(tr("Layer"), {name: name for name in step.layers}, "shift_layer")
    with by:
        titles = {name: tr(each.title) for name, each in RANKINGS.items()}
        ranking = RANKINGS[choices.choice(tr("Rank channels by"), titles, "shift_by", "mean")]
    return Look(step, layer, ranking)


def show(question: ShiftQuestion, steps: Sequence[SeverityResult]) -> Look:
    """The charts of one severity and one layer; what was chosen is returned."""
    look = choose(question, steps[1:])
    channels = charts.channels(question, look.step, look.layer, look.ranking)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**{tr('Every layer')}**")
        panels.chart(charts.layers(question, look.step, look.ranking))
    with right:
        st.markdown(f"**{literal(channels.title)}**")
        panels.chart(channels)
    st.markdown(paragraph(sentences(question, steps[1:], look)))
    st.caption(look.ranking.explained())
    numbers(question, steps[1:], look)
    return look


def sentences(question: ShiftQuestion, shifted: Sequence[SeverityResult], look: Look) -> list[str]:
    """How many channels move, which first, and how their spread changes, as Markdown."""
    layer, one = look.layer, look.step.layers[look.layer]
    beyond = tr(
        look.ranking.beyond_text,
        n=int(look.ranking.beyond(one).sum()),
        severity=question.severity(look.step),
        count=len(one.shift),
        layer=code(layer),
    )
    first = first_beyond(tuple(shifted), layer)
    spread = tr(
        "The standard deviation becomes {factor} times as large (median over channels).",
        factor=plain_number(float(np.median(one.widening))),
    )
    by_mean = look.ranking is RANKINGS["mean"]
    return [beyond, *(_earliest(question, shifted, first, layer) if by_mean else []), spread]


def _earliest(
    question: ShiftQuestion, shifted: Sequence[SeverityResult], first: np.ndarray, layer: str
) -> list[str]:
    """The channels that are beyond chance at the mildest severity, and stay there."""
    if len(shifted) < 2 or not (first >= 0).any():
        return []
    index = int(first[first >= 0].min())
    one = shifted[index].layers[layer]
    early = np.flatnonzero(first == index)
    order = early[np.argsort(-np.abs(one.shift[early]), kind="stable")]
    named = tr(", ").join(
        tr("channel {channel} ({shift} σ)", channel=channel, shift=plain_number(one.shift[channel]))
        for channel in order[:MOST_NAMED]
    )
    return [
        ngettext(
            "First to move, from {severity} on: {n} channel; at {severity} {names}.",
            "First to move, from {severity} on: {n} channels; at {severity} most of all {names}.",
            len(early),
            severity=question.severity(shifted[index]),
            names=named,
        )
    ]


@st.fragment
@TURNS.computing()
def numbers(question: ShiftQuestion, shifted: Sequence[SeverityResult], look: Look) -> None:
    """The table of all channels, folded away; it is made once it is opened."""
    words.use(link.language())  # a fragment that runs alone
    with st.expander(
        tr("Every channel in numbers, largest shift first"), on_change="rerun", key="shift_numbers"
    ) as fold:
        if fold.open:
            names = [question.severity(each) for each in shifted]
            table = channel_table(tuple(shifted), look)
            table["first"] = [names[index] if index >= 0 else "" for index in table["first"]]
            shown = number_table.written(table, FORMATS)
            st.dataframe(shown, hide_index=True, height=320, column_config=columns())


def channel_table(shifted: tuple[SeverityResult, ...], look: Look) -> pd.DataFrame:
    """One row for each channel of a layer at a severity; `first` is the index of a step, -1 for none."""
    one, first = look.step.layers[look.layer], first_beyond(shifted, look.layer)
    order = look.ranking.order(one)
    columns = {"channel": np.arange(len(order)), **arrays(one), "first": first}
    return pd.DataFrame(columns).iloc[order]


def arrays(one: NormDrift) -> dict[str, np.ndarray]:
    """What the table has of each channel, (C,) each, by name."""
    names = ("shift", "low", "high", "chance", "moved", "between_halves", "widening", "distance", "spread",
             "running_mean", "running_std", "plain_mean", "plain_std", "mean", "std")  # fmt: skip
    return {name: getattr(one, name) for name in names}


FORMATS = dict.fromkeys(
    ("chance", "between_halves", "running_mean", "running_std", "plain_mean", "plain_std", "mean", "std"),
    "{:.3f}",
) | {
    "shift": "{:+.3f} σ",
    "low": "{:+.3f}",
    "high": "{:+.3f}",
    "moved": "{:.3f} σ",
    "widening": "{:.2f}",
    "distance": "{:+.3f} σ",
    "spread": "{:.2f}",
}


def columns() -> dict[str, object]:
    def numbered(label: str, help: str) -> object:
        return st.column_config.NumberColumn(label, help=help)

    return {
        "channel": st.column_config.NumberColumn(tr("channel"), width="small"),
        "shift": numbered(tr("shift"), tr("(shifted mean − unshifted mean) / running σ")),
        "low": numbered(tr("from"), tr("95% interval of the shift over images")),
        "high": numbered(tr("to"), tr("95% interval of the shift over images")),
        "chance": numbered(tr("chance"), tr("95% of what resampling gives is smaller")),
        "moved": numbered(tr("W₁"), tr("Wasserstein-1 distance of the distributions, in running σ")),
        "between_halves": numbered(tr("W₁ of halves"), tr("the largest between random halves, unshifted")),
        "widening": numbered(tr("σ ratio"), tr("standard deviation, shifted / unshifted")),
        "distance": numbered(tr("distance"), tr("(unshifted mean − running mean) / running σ")),
        "spread": numbered(tr("spread"), tr("unshifted standard deviation / running σ")),
        "running_mean": numbered(tr("running mean"), tr("learned in training")),
        "running_std": numbered(tr("running σ"), tr("√(running variance + ε)")),
        "plain_mean": numbered(tr("unshifted mean"), tr("observed on the unshifted images")),
        "plain_std": numbered(tr("unshifted σ"), tr("observed on the unshifted images")),
        "mean": numbered(tr("shifted mean"), tr("observed on the shifted images")),
        "std": numbered(tr("shifted σ"), tr("observed on the shifted images")),
        "first": st.column_config.TextColumn(
            tr("first beyond"), help=tr("the mildest severity from which on the shift stays beyond chance")
        ),
    }
