"""What is chosen on the map: one image with its nearest neighbors, and the images within an outline."""

from functools import partial

import numpy as np
import streamlit as st

from explorer.drawing.pictures import data_uri, reduced
from explorer.drawing.ranges import number, percent, probability
from explorer.engine.intervals import interval
from explorer.engine.projection import Projection, inside, nearest
from explorer.engine.samples import Sample
from explorer.engine.scan.result import Scan
from explorer.engine.values import Integers
from explorer.ui import link, markup, panels
from explorer.ui.class_names import glossed, glossed_all
from explorer.ui.components.picture_grid import Picture, picture_grid
from explorer.ui.components.point_map import Choice
from explorer.ui.frame import way_back
from explorer.ui.markdown import literal
from explorer.ui.scans import scanning
from explorer.views.set_map.coloring import MapImages
from model.problems import Problem
from model.words import ngettext, paragraph, tr

MOST, NEIGHBORS = 24, 12  # thumbnails
LISTED = 12  # classes in the table
SIDE = 72


def rows_of(projection: Projection, choice: Choice) -> Integers:
    """The rows of the images within the outline, ascending; none without one."""
    if choice.outline is None:
        return np.zeros(0, np.int64)
    return np.flatnonzero(inside(projection.points, choice.outline))


def show(images: MapImages, projection: Projection, choice: Choice) -> None:
    if choice.point is not None:
        show_point(images, choice.point)
    if choice.outline is not None:
        show_selection(images, rows_of(projection, choice))
    if choice.point is None and choice.outline is None:
        st.caption(
            tr(
                "Nothing is selected yet: click or tap a point of the map, or drag to draw an outline around "
                "some."
            )
        )


def select(images: MapImages, row: int) -> None:
    """Make a row's image the selected one, and say so, in a callback of a widget."""
    scanning.select(images.scan, row)
    name = literal(scanning.sample_of(images.scan, row).name)
    st.toast(tr("Now selected on every page: {image}", image=name), icon=":material/check:")


# One image


def show_point(images: MapImages, row: int) -> None:
    """The image of a point, what is known of it, and its nearest neighbors by all of the features."""
    st.subheader(tr("The image of the point"), anchor=False)
    try:
        sample = scanning.sample_of(images.scan, row)
    except Problem as problem:
        st.info(literal(str(problem)))
        return
    picture, about = st.columns([1, 3], gap="medium")
    with picture:
        markup.show(markup.figure(sample.pixels, sample.name, markup.text(sample.name), fill=True))
    with about:
        markup.show(panels.facts("", facts(images, row)))
        with st.container(horizontal=True):
            st.button(
                tr("Select this image on every page"),
                on_click=partial(select, images, row),
                key="set_map_select",
            )
            chosen = partial(scanning.select, images.scan, row)
            if st.button(tr("Explain this image"), on_click=chosen, key="set_map_explain"):
                way_back.depart("set_map")
                link.open_page("explain")
    st.markdown(
        tr(
            "**Nearest by all {count} features**, not by distance on the map:",
            count=images.scan.features.shape[1],
        )
    )
    grid(images, nearest(images.scan.features, row, NEIGHBORS), "set_map_neighbors")


def facts(images: MapImages, row: int) -> list[tuple[str, str]]:
    scan = images.scan
    label = int(scan.labels[row])
    rows = [
        (tr("prediction"), prediction(scan, row)),
        (tr("confidence"), confidence(images, row)),
        (tr("label"), glossed(scan.classes[label]) if label >= 0 else tr("none that the network knows")),
    ]
    return [*rows, (tr("loss"), number(float(images.loss[row])))] if label >= 0 else rows


# The images within an outline


def show_selection(images: MapImages, rows: Integers) -> None:
    """Counts by class beside the whole set's, and thumbnails."""
    st.subheader(tr("The selected images"), anchor=False)
    if not len(rows):
        st.info(tr("No point is within the outline: draw it around some points."))
        return
    st.markdown(summary(images, rows))
    st.markdown(table(images, rows))
    order = by_loss(images, rows)
    first_rows = order[:MOST]
    if len(first_rows) < len(rows):
        st.caption(
            tr(
                "The {count} of {total:,} with the largest loss. A click makes an image the selected one on "
                "every page.",
                count=len(first_rows),
                total=len(rows),
            )
        )
    else:
        st.caption(tr("The largest loss first. A click makes an image the selected one on every page."))
    grid(images, first_rows, "set_map_selected")


def by_loss(images: MapImages, rows: Integers) -> Integers:
    """Rows, the largest loss first; those without a label last."""
    return rows[np.argsort(-np.nan_to_num(images.loss[rows], nan=-1.0), kind="stable")]


def summary(images: MapImages, rows: Integers) -> str:
    """How many are selected, and their accuracy beside that of the whole set, as Markdown."""
    scan = images.scan
    count = ngettext(
        "**{n:,}** of {total:,} images is selected.",
        "**{n:,}** of {total:,} images are selected.",
        len(rows),
        total=len(scan),
    )
    known = rows[scan.labeled[rows]]
    if not len(known):
        return count
    inner, whole = float(scan.correct[known].mean()), float(scan.correct[scan.labeled].mean())
    low, high = interval(inner, len(known))
    accuracy = tr(
        "Their accuracy is **{value}** ({low} to {high}, Wilson’s 95% interval, n = {n:,}), that of the "
        "whole set {whole}. A region drawn because it looks bad is not a random sample: the interval does "
        "not account for that choice.",
        value=percent(inner),
        low=percent(low),
        high=percent(high),
        n=len(known),
        whole=percent(whole),
    )
    return paragraph([count, accuracy])


def table(images: MapImages, rows: Integers) -> str:
    """How many of the selected images have each class, beside the whole set, as Markdown."""
    scan = images.scan
    names = [*glossed_all(scan.classes), tr("no label that the network knows")]
    counts, whole = (np.bincount(numbers % len(names), minlength=len(names))
                     for numbers in (scan.labels[rows], scan.labels))  # fmt: skip
    order = [index for index in np.argsort(-counts, kind="stable")[:LISTED].tolist() if counts[index]]
    head = [tr("Class"), tr("Selected"), tr("Of the selection"), tr("Of the whole set")]
    lines = [
        [literal(names[index]), f"{counts[index]:,}", percent(counts[index] / len(rows)),
         percent(whole[index] / len(scan))]
        for index in order
    ]  # fmt: skip
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines])


# Thumbnails


def grid(images: MapImages, rows: Integers, key: str) -> None:
    """Thumbnails of rows that make their image the selected one; unreadable ones are left out."""
    pictures = [picture for row in rows.tolist() if (picture := thumbnail(images, row)) is not None]
    picture_grid(pictures, key=key, on_open=partial(select, images), side=SIDE)
    st.caption(tr("Below each image: the predicted class, with ✗ where it is wrong."))


def thumbnail(images: MapImages, row: int) -> Picture | None:
    try:
        sample = scanning.sample_of(images.scan, row)
    except Problem:
        return None
    return Picture(
        row, data_uri(reduced(sample.pixels, 2 * SIDE)), in_words(images, row, sample), (line(images, row),)
    )


def prediction(scan: Scan, row: int) -> str:
    """The predicted class of an image, in words where its logits are not finite."""
    predicted = int(scan.predicted[row])
    return glossed(scan.classes[predicted]) if predicted >= 0 else tr("no prediction")


def confidence(images: MapImages, row: int) -> str:
    value = float(images.confidence[row])
    return probability(value) if value == value else "–"


def line(images: MapImages, row: int) -> str:
    """The predicted class; a wrong one with a sign before it."""
    scan = images.scan
    predicted = prediction(scan, row)
    wrong = scan.labeled[row] and not scan.correct[row]
    return tr("✗ {name}", name=predicted) if wrong else predicted


def in_words(images: MapImages, row: int, sample: Sample) -> str:
    scan = images.scan
    fields = {
        "image": sample.name,
        "predicted": prediction(scan, row),
        "confidence": confidence(images, row),
    }
    if not scan.labeled[row]:
        return tr("{image}: prediction {predicted} ({confidence})", **fields)
    label = glossed(scan.classes[scan.labels[row]])
    return tr("{image}: label {label}, prediction {predicted} ({confidence})", label=label, **fields)
