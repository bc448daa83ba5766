"""Map of the test set: the features of a scan's images in two dimensions."""

import numpy as np
import streamlit as st

from explorer.drawing.ranges import percent
from explorer.engine.projection import NEAREST, PROJECTIONS, SAMPLED, Projection
from explorer.engine.samples import FromScene, FromTestSet
from explorer.engine.scan.result import Scan
from explorer.ui import choices, jobs, markup
from explorer.ui.class_names import glossed_all
from explorer.ui.components.point_map import Choice, point_map
from explorer.ui.jobs import JOBS
from explorer.ui.markdown import literal, sentence
from explorer.ui.scans import scanning
from explorer.ui.selection import Selection, current
from explorer.views.set_map import chosen, exports, projecting
from explorer.views.set_map.coloring import COLORINGS, Colored, MapImages
from model.words import N_, paragraph, tr

INTRODUCTION = N_(
    "Each point is an image; its place comes from the features that the network’s last layer reads. The text "
    "below the map says how many near neighbors here are also near neighbors for the network."
)


def page() -> None:
    selection = current()
    st.header(tr("Map of the test set"), anchor=False)
    st.markdown(tr(INTRODUCTION))
    which, what = st.columns(2)
    with which:
        scan = scanning.scan_of(selection.network)
    if scan is None:
        return
    with what, st.container(horizontal=True):
        method = projecting.choose()
        names = {name: tr(title) for name, (title, _) in COLORINGS.items()}
        coloring = choices.choice(tr("Color"), names, "map_color", "label")
    work = projecting.work(scan, method)
    (progress,) = JOBS.look(work)
    if not progress.finished:
        jobs.show(projecting.show_progress, work)
    elif progress.problem is not None:
        st.info(sentence(progress.problem))
    else:
        show(selection, scan, progress.results[0], coloring)


def show(selection: Selection, scan: Scan, projection: Projection, coloring: str) -> None:
    """The map, what is chosen on it, and the downloads."""
    images = MapImages(scan, selection.net)
    title, make = COLORINGS[coloring]
    colored = make(images)
    choice = draw(selection, images, projection, colored)
    markup.show(colored.legend)
    st.caption(paragraph([*marked_text(selection, scan), *reading(scan, projection)]))
    projecting.explain_missing()
    chosen.show(images, projection, choice)
    rows = chosen.rows_of(projection, choice)
    exports.show(exports.SetMapView(selection, images, projection, colored, tr(title), rows))


def draw(selection: Selection, images: MapImages, projection: Projection, colored: Colored) -> Choice:
    scan = images.scan
    method = tr(PROJECTIONS[projection.method].title)
    return point_map(
        projection.points,
        colored.colors,
        colored.order,
        key="set_map_points",
        label=tr("{method} of {count:,} images, one point for each", method=method, count=len(scan)),
        names=glossed_all(scan.classes),
        of={tr("label"): scan.labels, tr("prediction"): scan.predicted},
        title=f"{projection.method} {scan.network} {scan.images} {len(scan)}",
        marked=row_of(selection, scan),
    )


def row_of(selection: Selection, scan: Scan) -> int | None:
    """The row of the selected image; None where it is not in the scan."""
    match selection.sample.origin:
        case FromTestSet(index=index, digest=digest) if digest == scan.images:
            wanted = index
        case FromScene(seed=seed) if scan.dataset == "scenes":
            wanted = seed
        case _:
            return None
    return next(iter(np.flatnonzero(scan.ids == wanted).tolist()), None)


def marked_text(selection: Selection, scan: Scan) -> list[str]:
    """What the ring is, where there is one."""
    if row_of(selection, scan) is None:
        return []
    return [tr("Thin ring: the selected image, {image}.", image=literal(selection.sample.name))]


def reading(scan: Scan, projection: Projection) -> list[str]:
    """What distances in this map mean, and how much of the features is in it, as Markdown."""
    sentences = [tr(PROJECTIONS[projection.method].meaning)]
    if scan.card.get("features") is None:
        sentences.append(tr("No layer’s weights give the logits: here the logits stand for the features."))
    if len(projection.explained):
        first, second = projection.explained.tolist()
        sentences.append(
            tr(
                "The two axes hold {first} and {second} of the variance of the {count} features; {rest} is "
                "not in the map.",
                first=percent(first),
                second=percent(second),
                count=scan.features.shape[1],
                rest=percent(max(0.0, 1 - first - second)),
            )
        )
    sentences.append(
        tr(
            "Of an image’s {nearest} nearest neighbors by all features, {kept} are among its {nearest} "
            "nearest here (the mean over {images} images; by chance {chance}).",
            images=min(SAMPLED, len(scan)),
            nearest=min(NEAREST, len(scan) - 1),
            kept=percent(projection.neighbor_preservation),
            chance=percent(projection.chance_preservation),
        )
    )
    return sentences


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
