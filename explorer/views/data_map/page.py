"""Data map: how each training image was learned, from its probabilities at every epoch of a run."""

from dataclasses import dataclass

import streamlit as st

from explorer.drawing.chart import ScatterChart
from explorer.drawing.ranges import number
from explorer.engine.data_map import DataMap, by_suspicion
from explorer.engine.samples import Sample
from explorer.ui import choices, link, markup, panels
from explorer.ui.components.command_box import command_box
from explorer.ui.markdown import literal, sentence
from explorer.ui.options import options
from explorer.views.data_map import charts, exports, image, lists, logs
from explorer.views.data_map.image import Filmed
from explorer.views.data_map.logs import LoggedRun
from model.problems import Problem
from model.provenance import in_words
from model.words import tr


@dataclass(frozen=True, eq=False)
class MapView:
    """What the page shows: a run, its scatter, the chosen image, and its Grad-CAM where there is one."""

    run: LoggedRun
    scatter: ScatterChart
    index: int
    sample: Sample | Problem
    filmed: Filmed | None


def page() -> None:
    st.header(tr("How each training image was learned"), anchor=False)
    log_files = logs.find_logs(options().run_folders)
    if not log_files:
        say_how_to_log()
        return
    with st.container(horizontal=True):
        name = logs.choose_log(log_files)
        titles = {key: tr(each.title).capitalize() for key, each in charts.COLORINGS.items()}
        color = choices.choice(tr("Color"), titles, "map_color")
    if note := logs.another_run(name, log_files):
        st.caption(note)
    try:
        run = logs.read(name, log_files[name])
    except Problem as problem:
        st.warning(sentence(problem))
        return
    if not run.map.epoch_counts.any():
        st.info(tr("No epoch of this run has been logged yet."))
        return
    view = show(run, color)
    how_to_read()
    exports.show(view)


def say_how_to_log() -> None:
    st.info(tr("There is no log of training images yet. The trainer writes one with this command:"))
    command_box("python -m model.train --log-examples --snapshot-every 5")


def show(run: LoggedRun, color: str) -> MapView:
    st.caption(about(run))
    images = image.on_hand(run)
    left, right = st.columns([3, 2], gap="large")
    with right:
        index = image.choose_image(run, int(by_suspicion(run.map)[0]))
        sample = image.sample_of(images, index)
        image.show(run, index, sample)
    with left:
        scatter = show_scatter(run, color, index)
        if text := lists.planted(run):
            st.markdown(text)
    filmed = image.through_epochs(run, index, sample)
    lists.show(run, images)
    return MapView(run, scatter, index, sample, filmed)


def about(run: LoggedRun) -> str:
    return tr(
        "{images}. Logged by the training steps of {epochs} epochs, with their augmentation and Dropout, if "
        "any.",
        images=literal(in_words(run.log.card.images)),
        epochs=run.log.epochs,
    )


def show_scatter(run: LoggedRun, color: str, index: int) -> ScatterChart:
    chart, total = charts.scatter(run, color, index), int((run.map.epoch_counts > 0).sum())
    key = f"map_{run.name}_{color}_{index}"
    panels.chart(chart, key=key, on_select=lambda: clicked(key), selection_mode="chosen")
    if len(chart.images) < total:
        st.caption(
            tr(
                "{count:,} of {total:,} images, chosen at random, so that the page stays fast; the counts "
                "and the lists below are of all. Click a point to choose its image.",
                count=len(chart.images),
                total=total,
            )
        )
    else:
        st.caption(tr("All {total:,} images. Click a point to choose its image.", total=total))
    markup.show(panels.facts("", lists.regions_in_words(run.map)))
    if run.map.is_near_chance:
        st.caption(near_chance(run.map))
    return chart


def near_chance(one: DataMap) -> str:
    return tr(
        "The mean confidence of all images is {mean}, near chance ({chance}): the network has learned too "
        "little for “likely mislabeled” to say anything of a label. Train for more epochs.",
        mean=number(one.mean_confidence),
        chance=number(one.chance),
    )


def clicked(key: str) -> None:
    """Keep the image whose point was clicked; a click beside all points changes nothing."""
    if picked := st.session_state[key].selection.get("chosen"):
        link.change("train_image", str(int(picked[0]["image"])))


def how_to_read() -> None:
    with st.expander(tr("How to read this")):
        st.markdown(
            tr(
                "Each point is a training image. Mean confidence is the mean, over the epochs, of the "
                "probability that the network gave the image’s own label; variability is its standard "
                "deviation (arXiv:2009.10795). An image is *likely mislabeled* where the mean confidence "
                "is below chance, which is 1 / classes: the network kept preferring another class. Of the "
                "others, the third of all images with the highest variability is *ambiguous*; the rest is "
                "*easy* from a mean confidence of 0.5 on, and *hard to learn* below. These are rules, not "
                "facts: look at the pictures. An image is *forgotten* each time it is predicted as its class "
                "in one epoch and not in the next in which it was seen (arXiv:1812.05159). The probabilities "
                "are those of the training steps, from augmented pictures while the weights change, so they "
                "differ from what the finished network says of the picture itself."
            )
        )


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
