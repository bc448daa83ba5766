"""Precision, recall and F1 of each class beside what chance gives."""

import pandas as pd
import streamlit as st

from explorer.ui import panels
from explorer.ui.class_names import glossed_all
from explorer.views.errors import charts
from explorer.views.errors.evaluation import Evaluation
from model.words import N_, tr

PERCENT = "%.1f%%"
HELP = {
    "images": N_("How many images have this class as their label."),
    "recall": N_("The fraction of the images of this class that is predicted as it."),
    "predicted": N_("How many images are predicted as this class."),
    "precision": N_("The fraction of the images predicted as this class that have it as their label."),
    "f1": N_("The harmonic mean of precision and recall."),
    "chance": N_("What the same predictions give on average when they are assigned to the images at random."),
    "interval": N_("Wilson’s 95% interval."),
}


def show(evaluation: Evaluation) -> None:
    table = page_table(scores(evaluation))
    st.dataframe(table, hide_index=True, column_config=columns(), height=min(35 * len(table) + 38, 460))
    st.caption(
        tr(
            "A click on a heading sorts by it. Chance: what the same predictions give on average when they "
            "are assigned to the images at random. The intervals are Wilson’s for 95%; with many classes, "
            "some true values lie outside of theirs."
        )
    )
    panels.chart(charts.recall_chart(evaluation))
    st.caption(tr(charts.ABOUT_RECALL))


def scores(evaluation: Evaluation) -> pd.DataFrame:
    """One row for each class, unrounded; fractions from 0 to 1."""
    one = evaluation.scores
    return pd.DataFrame({
        "class": evaluation.classes,
        "images": one.images,
        "recall": one.recall,
        "recall_low": one.recall_interval[:, 0],
        "recall_high": one.recall_interval[:, 1],
        "chance_recall": one.chance_recall,
        "predicted": one.predicted,
        "precision": one.precision,
        "precision_low": one.precision_interval[:, 0],
        "precision_high": one.precision_interval[:, 1],
        "chance_precision": one.chance_precision,
        "f1": one.f1,
        "chance_f1": one.chance_f1,
    })  # fmt: skip


def page_table(table: pd.DataFrame) -> pd.DataFrame:
    """The table of the page: percent, and each interval in one column."""
    each = table.copy()
    each["class"] = glossed_all(each["class"])
    fractions = ["recall", "precision", "f1", "chance_recall", "chance_precision", "chance_f1"]
    each[fractions] *= 100
    for name in ("recall", "precision"):
        ends = zip(each[f"{name}_low"], each[f"{name}_high"], strict=True)
        each.insert(
            int(each.columns.get_loc(f"{name}_low")),  # type: ignore[arg-type]
            f"{name}_interval",
            [interval(low, high) for low, high in ends],
        )
        each = each.drop(columns=[f"{name}_low", f"{name}_high"])
    return each


def interval(low: float, high: float) -> str:
    return tr("{low} to {high}", low=f"{100 * low:.1f}", high=f"{100 * high:.1f}") if low == low else "–"


def columns() -> dict[str, object]:
    """The headings of the table and how its numbers are written."""
    fraction, text, count = (
        st.column_config.NumberColumn,
        st.column_config.TextColumn,
        st.column_config.NumberColumn,
    )
    chance = tr("by chance")
    return {
        "class": text(tr("class"), pinned=True),
        "images": count(tr("images"), help=tr(HELP["images"]), format="localized"),
        "recall": fraction(tr("recall"), help=tr(HELP["recall"]), format=PERCENT),
        "recall_interval": text(tr("interval, %"), help=tr(HELP["interval"])),
        "chance_recall": fraction(chance, help=tr(HELP["chance"]), format=PERCENT),
        "predicted": count(tr("predicted"), help=tr(HELP["predicted"]), format="localized"),
        "precision": fraction(tr("precision"), help=tr(HELP["precision"]), format=PERCENT),
        "precision_interval": text(tr("interval, %"), help=tr(HELP["interval"])),
        "chance_precision": fraction(chance, help=tr(HELP["chance"]), format=PERCENT),
        "f1": fraction(tr("F1"), help=tr(HELP["f1"]), format=PERCENT),
        "chance_f1": fraction(chance, help=tr(HELP["chance"]), format=PERCENT),
    }
