"""Lists of images to look at: likely mislabeled, hardest to learn, most often forgotten."""

import pandas as pd
import streamlit as st

from explorer.drawing.ranges import percent
from explorer.engine.data_map import (
    RANKINGS,
    REGIONS,
    DataMap,
    by_last_loss,
    by_suspicion,
    region_counts,
    retrieval_among_first,
)
from explorer.engine.intervals import interval
from explorer.engine.training_images import LoggedImages, wrong_of
from explorer.engine.values import Integers
from explorer.ui import cached, choices, link, number_table
from explorer.ui.class_names import glossed_all
from explorer.ui.markdown import code
from explorer.ui.options import options
from explorer.views.data_map.logs import LoggedRun
from model.problems import Problem
from model.words import N_, ngettext, tr

MOST = 50
TITLES = {
    "suspects": N_("Likely mislabeled"),
    "hardest": N_("Hardest"),
    "forgotten": N_("Most often forgotten"),
}
NONE = {
    "suspects": N_("No image has a mean confidence below chance."),
    "hardest": N_("No image is hard to learn by this rule."),
    "forgotten": N_("No image was forgotten."),
}


def show(run: LoggedRun, images: LoggedImages | Problem) -> None:
    """One of the lists; a row that is selected chooses its image."""
    st.subheader(tr("Images to look at"), anchor=False)
    titles = {name: tr(title) for name, title in TITLES.items()}
    which = choices.choice(tr("List"), titles, "map_list")
    order = RANKINGS[which](run.map)
    if not len(order):
        st.info(tr(NONE[which]))
        return
    rows = order[:MOST]
    key = f"list_{which}_{run.name}"
    formats = {tr("mean confidence"): "{:.3f}", tr("variability"): "{:.3f}", tr("predicted"): "{:.0%}"}
    st.dataframe(
        number_table.written(table(run, rows, images), formats),
        hide_index=True,
        height=320,
        key=key,
        on_select=lambda: choose(key, rows),
        selection_mode="single-row",
        column_config={tr("picture"): st.column_config.ImageColumn(width="small")},
    )
    st.caption(
        ngettext(
            "{shown} of {n} image; select a row to choose its image.",
            "{shown} of {n} images; select a row to choose its image.",
            len(order),
            shown=len(rows),
        )
    )


def choose(key: str, rows: Integers) -> None:
    """Keep the image whose row was selected."""
    if picked := st.session_state[key].selection.rows:
        link.change("train_image", str(int(rows[picked[0]])))


def table(run: LoggedRun, rows: Integers, images: LoggedImages | Problem) -> pd.DataFrame:
    """A row for each image, the foremost first, with its picture where that is on hand."""
    one, names = run.map, glossed_all(run.log.card.classes)
    columns: dict[str, object] = {}
    if not isinstance(images, Problem):
        columns[tr("picture")] = cached.logged_pictures(run.path, options().data_dir, rows)
    columns |= {
        tr("image"): rows,
        tr("label in training"): [names[label] for label in run.log.labels[rows].tolist()],
        tr("mean confidence"): one.confidence[rows],
        tr("variability"): one.variability[rows],
        tr("predicted"): one.correctness[rows],
        tr("forgotten"): one.forgetting[rows],
    }
    if (wrong := wrong_of(run.log)) is not None:
        columns[tr("label changed")] = [index in wrong for index in rows.tolist()]
    return pd.DataFrame(columns)


# In words


def regions_in_words(one: DataMap) -> list[tuple[str, str]]:
    """Each region with how many of the images are in it."""
    total = max(int((one.epoch_counts > 0).sum()), 1)
    return [
        (tr(REGIONS[region]), tr("{count:,} ({percent})", count=count, percent=percent(count / total)))
        for region, count in region_counts(one).items()
    ]


def planted(run: LoggedRun) -> str:
    """How many of the labels changed on purpose the map finds, beside the last loss and chance; else “”."""
    wrong = wrong_of(run.log)
    if wrong is None or not len(wrong):
        return ""
    count, total = len(wrong), len(run.log.labels)
    by_map = retrieval_among_first(by_suspicion(run.map), wrong, count)
    by_loss = retrieval_among_first(by_last_loss(run.map), wrong, count)
    low, high = interval(by_map.precision, count)
    return tr(
        "This run changed {count:,} of {total:,} labels on purpose ({flag}). Of the {count:,} images "
        "with the lowest mean confidence, {map} have a changed label (95% interval {low} to {high}); of "
        "the {count:,} with the largest loss in the last epoch, {loss}; of {count:,} images taken at "
        "random, {chance} on average. As many images are taken as labels were changed, so precision and "
        "recall are the same number.",
        flag=code("--wrong-labels"),
        count=count,
        total=total,
        map=percent(by_map.precision),
        low=percent(low),
        high=percent(high),
        loss=percent(by_loss.precision),
        chance=percent(count / total),
    )
