"""Evidence per class: Grad-CAM's heat maps and channels on average over images, and two classes compared."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st

from explorer.engine.class_evidence import Evidence, most_confused
from explorer.engine.scan.result import Scan, naming_hint
from explorer.ui import choices, jobs, link
from explorer.ui.class_names import glossed
from explorer.ui.frame import checkup
from explorer.ui.jobs import JOBS, Progress, Work
from explorer.ui.markdown import code, literal, sentence
from explorer.ui.scans import scanning
from explorer.ui.selection import Selection, current
from explorer.views.class_evidence import exports, measuring, pair, per_class
from explorer.views.class_evidence.measuring import LEAST, Groups
from model.words import N_, paragraph, tr

COUNTS = ("20", "50", "100")
MOST_CLASSES = 10
INTRODUCTION = N_(
    "Grad-CAM over many images instead of one: which channels support each class on average, and in which "
    "two classes differ."
)


def page() -> None:
    st.header(tr("Evidence per class"), anchor=False)
    st.markdown(tr(INTRODUCTION))
    selection = current()
    if not selection.blocks:
        checkup.without_maps(
            selection.opened,
            tr("No layer of this network gives feature maps, so there is no evidence by channel."),
        )
        return
    scan = scanning.scan_of(selection.network)
    if scan is None:
        return
    with_images = present(scan)
    if not with_images:
        none = tr("No image of this scan has a label among the network’s classes.")
        st.info(paragraph(filter(None, [none, naming_hint(scan)])))
        return
    with st.container(horizontal=True):
        _, _, layer = choices.choose_layer(selection, first_block=choices.last_block(selection))
        names = {count: count for count in COUNTS}
        count = int(choices.choice(tr("Images of each class, at most"), names, "per_class", "50"))
    if layer not in scan.layers or not selection.gradient_reaches(layer):
        st.info(tr("There is no evidence at {layer}: choose another layer.", layer=code(layer)))
        return
    averages = show_averages(selection, scan, layer, chosen_classes(scan, with_images), count)
    groups = choose_groups(scan, with_images, count) if len(with_images) > 1 else None
    between = None if groups is None else show_groups(selection, scan, layer, groups)
    if averages is not None:
        exports.show(selection, exports.EvidenceView(scan, layer, count, averages, between))


def present(scan: Scan) -> list[int]:
    """The classes that have images."""
    labels: list[int] = np.unique(scan.labels[scan.labels >= 0]).tolist()
    return labels


def chosen_classes(scan: Scan, labels: Sequence[int]) -> list[int]:
    """The classes to show: all, or some of them where there are many."""
    if len(labels) <= MOST_CLASSES:
        return list(labels)
    names = {scan.classes[label]: label for label in labels}
    chosen = link.several(st.multiselect, tr("Classes"), list(names), "classes", list(names)[:MOST_CLASSES],
                          max_selections=MOST_CLASSES, format_func=glossed)  # fmt: skip
    return [names[name] for name in chosen]


def show_averages(
    selection: Selection, scan: Scan, layer: str, classes: Sequence[int], count: int
) -> Evidence | None:
    st.subheader(tr("The average of each class"), anchor=False)
    work = measuring.averages(selection, scan, layer, classes, count)
    jobs.show(partial(draw_averages, scan.classes), work)
    return finished(work)


def draw_averages(classes: Sequence[str], progress: Sequence[Progress[Evidence]]) -> None:
    if (evidence := ready(progress[0])) is not None:
        per_class.show(classes, evidence)


def ready(progress: Progress[Evidence]) -> Evidence | None:
    """What is measured; before that how far it is, or why there is nothing, on the page."""
    if progress.problem is not None:
        st.info(sentence(progress.problem))
        return None
    evidence = measuring.finished(progress)
    if evidence is None:
        done = len(progress.results)
        st.progress(done / progress.steps, tr("Explaining: {done} of {steps} batches of images", done=done,
                                              steps=progress.steps))  # fmt: skip
    return evidence


def finished(work: Work[Evidence]) -> Evidence | None:
    return measuring.finished(JOBS.look(work)[0])


def choose_groups(scan: Scan, labels: Sequence[int], count: int) -> Groups:
    """Two classes, at first those that are confused most, and which images of theirs are compared."""
    st.subheader(tr("Two classes"), anchor=False)
    names = [scan.classes[label] for label in labels]
    confused = most_confused(scan.labels, scan.logits.argmax(1))
    presets = names[:2] if confused is None else [scan.classes[label] for label in confused]
    with st.container(horizontal=True):
        first = pick(tr("Class"), names, "evidence_class", presets[0])
        others = [name for name in scan.classes if name != first]
        preset = next(name for name in (*presets[::-1], *others) if name != first)
        second = pick(tr("Compared with"), others, "evidence_against", preset)
        compared = {"classes": tr("Images of both classes"), "errors": tr("Correct and confused images")}
        what = choices.choice(tr("Compare"), compared, "evidence_groups", "classes")
    at = [scan.classes.index(name) for name in (first, second)]
    return measuring.groups_of(scan, at[0], at[1], what == "errors", count)


def pick(label: str, names: Sequence[str], key: str, default: str) -> str:
    first = default if default in names else names[0]
    link.follow_default(key, first)
    return choices.pick(label, {name: glossed(name) for name in names}, key, first, width=220)


def show_groups(selection: Selection, scan: Scan, layer: str, groups: Groups) -> pair.GroupPair | None:
    if not groups.enough:
        st.info(not_enough(scan, groups))
        return None
    work = measuring.between(selection, scan, layer, groups)
    jobs.show(partial(draw_pair, selection, scan, layer, groups), work)
    evidence = finished(work)
    return None if evidence is None else pair.pair_of(scan, layer, groups, evidence)


def not_enough(scan: Scan, groups: Groups) -> str:
    first, second = (
        literal(glossed(scan.classes[groups.first])),
        literal(glossed(scan.classes[groups.second])),
    )
    one, other = map(len, groups.rows)
    fields = {"first": first, "second": second, "least": LEAST, "one": one, "other": other}
    if groups.errors:
        return tr(
            "{one} images of {first} are predicted as {first}, {other} as {second}: a comparison needs "
            "{least} of each. Choose other classes, or a scan of more images.",
            **fields,
        )
    return tr(
        "There are {one} images of {first} and {other} of {second}: a comparison needs {least} of each. "
        "Choose other classes, or a scan of more images.",
        **fields,
    )


def draw_pair(
    selection: Selection, scan: Scan, layer: str, groups: Groups, progress: Sequence[Progress[Evidence]]
) -> None:
    if (evidence := ready(progress[0])) is not None:
        pair.show(selection, scan, pair.pair_of(scan, layer, groups, evidence))


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
