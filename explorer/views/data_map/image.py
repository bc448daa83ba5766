"""One training image: its picture where it is on hand, its numbers, and Grad-CAM through the epochs."""

from dataclasses import dataclass, replace

import streamlit as st

from explorer.drawing.ranges import number, percent
from explorer.engine.data_map import REGIONS
from explorer.engine.samples import Sample
from explorer.engine.timeline import Course, Timeline
from explorer.engine.training_images import LoggedImages, wrong_of
from explorer.ui import cached, choices, link, markup, panels, pictures
from explorer.ui.cached import Opened
from explorer.ui.class_names import glossed, glossed_all
from explorer.ui.frame import checkup, presentation, way_back
from explorer.ui.markdown import literal, sentence
from explorer.ui.options import options
from explorer.ui.selection import Selection
from explorer.views.data_map import charts
from explorer.views.data_map.logs import LoggedRun, is_own, opened_for
from explorer.views.time_machine import films
from explorer.views.time_machine.films import Film
from model.problems import Problem
from model.words import ngettext, paragraph, tr

SIDE = 224


@dataclass(frozen=True, eq=False)
class Filmed:
    """Grad-CAM of a training image through the snapshots of a network."""

    selection: Selection
    timeline: Timeline
    course: Course
    film: Film


def on_hand(run: LoggedRun) -> LoggedImages | Problem:
    """The training images of a run, or the sentence that says what is missing."""
    try:
        return cached.logged_images(run.path, options().data_dir)
    except Problem as problem:
        return problem


def sample_of(images: LoggedImages | Problem, index: int) -> Sample | Problem:
    """The picture of a training image, or why there is none."""
    if isinstance(images, Problem):
        return images
    try:
        sample = images.sample(index)
    except Problem as problem:
        return problem
    name = glossed(images.log.card.classes[int(images.log.labels[index])])
    return replace(sample, name=tr("training image {index} ({name})", index=index, name=name))


def choose_image(run: LoggedRun, default: int) -> int:
    """A training image by its index: typed, or clicked elsewhere on the page."""
    label = tr("Training image (0 to {last:,})", last=len(run.log.labels) - 1)
    return link.number(
        label, 0, len(run.log.labels) - 1, "train_image", default, width=presentation.pixels(220)
    )


def show(run: LoggedRun, index: int, sample: Sample | Problem) -> None:
    """The picture, what the map says of it, and its probability at every epoch."""
    title = tr("Training image {index}", index=index)
    pieces = [markup.text(title, tag="h3")]
    if isinstance(sample, Sample):
        name = glossed(run.log.card.classes[int(run.log.labels[index])])
        alt = tr("Training image {index}: {name}", index=index, name=name)
        pieces.append(f'<div class="fx-logged">{markup.image(sample.pixels, alt, fill=True)}</div>')
    markup.show(*pieces, panels.facts("", facts(run, index)))
    if isinstance(sample, Problem):
        st.info(sentence(sample))
    drawn = charts.curve(run.log, index)
    st.markdown(f"**{literal(drawn.title)}**")
    panels.chart(drawn, key=f"curve_{index}")
    st.caption(tr("The dashed line is chance: 1 / classes. A tooltip says whether the class was predicted."))


def facts(run: LoggedRun, index: int) -> list[tuple[str, str]]:
    """What the map says of an image, as names and values."""
    one, names = run.map, glossed_all(run.log.card.classes)
    label = names[int(run.log.labels[index])]
    if not one.epoch_counts[index]:
        return [(tr("label in training"), label), (tr("epochs seen"), "0")]
    learned = int(one.learned[index])
    return [
        (tr("label in training"), label),
        (tr("region"), tr(REGIONS[int(one.region[index])])),
        (tr("mean confidence"), number(float(one.confidence[index]))),
        (tr("variability"), number(float(one.variability[index]))),
        (
            tr("predicted as its class"),
            tr("{percent} of epochs", percent=percent(float(one.correctness[index]), 0)),
        ),
        (tr("first predicted in epoch"), str(learned) if learned else tr("never")),
        (tr("forgotten"), ngettext("{n} time", "{n} times", int(one.forgetting[index]))),
        *changed_label(run, index),
    ]


def changed_label(run: LoggedRun, index: int) -> list[tuple[str, str]]:
    """Whether the run changed this label on purpose; nothing for a run that changed none."""
    wrong = wrong_of(run.log)
    if wrong is None:
        return []
    return [(tr("label changed by --wrong-labels"), tr("yes") if index in wrong else tr("no"))]


# Through the epochs


def through_epochs(run: LoggedRun, index: int, sample: Sample | Problem) -> Filmed | None:
    """Grad-CAM of the image at each snapshot, or one sentence that says what is missing."""
    st.subheader(tr("Grad-CAM through the epochs"), anchor=False)
    if isinstance(sample, Problem):
        st.info(tr("Grad-CAM needs the picture of the training image, which is not available."))
        return None
    try:
        opened = opened_for(run)
        timeline = None if opened is None else cached.timeline(opened)
    except Problem as problem:
        st.info(sentence(problem))
        return None
    filmed = None
    if opened is None or timeline is None:
        st.info(without_snapshots(run, opened))
    else:
        filmed = show_film(run, index, sample, opened, timeline)
    explain_button(run, index, sample, opened)
    return filmed


def without_snapshots(run: LoggedRun, opened: Opened | None) -> str:
    """What helps: a run whose own checkpoint is there is shown by no other."""
    if opened is not None and is_own(run, opened):
        return tr(
            "There are no snapshots of this run beside its checkpoint: train with --snapshot-every to keep "
            "some."
        )
    return tr(
        "There are no snapshots of this run beside its log; train with --snapshot-every to keep some, or "
        "choose a checkpoint that has snapshots in the sidebar."
    )


def show_film(
    run: LoggedRun, index: int, sample: Sample, opened: Opened, timeline: Timeline
) -> Filmed | None:
    selection = Selection(opened, sample)
    if not selection.blocks:
        checkup.without_maps(
            opened, tr("No layer of this network gives feature maps, so there is nothing to explain here.")
        )
        return None
    target = choose_target(selection, int(run.log.labels[index]))
    layer = choices.last_layer(selection, [block.explained for block in selection.blocks])
    course = cached.course(timeline, selection.input)
    heat = cached.heat_over_time(timeline, selection.input, layer, target)
    name = glossed(opened.card.classes[target])
    film = films.heat(*panels.picture_around(selection, layer), heat, layer, name, False)
    figures = [
        markup.figure(film.small(at), tr("{title}, epoch {epoch}", title=film.title, epoch=epoch),
                      *_notes(selection, course, at), fill=True)
        for at, epoch in enumerate(timeline.epochs)
    ]  # fmt: skip
    markup.show(
        markup.element("div", *figures, cls="fx-cards fx-film"), markup.scale(film.ranges[0], film.scale)
    )
    st.caption(about_film(run, opened, film))
    return Filmed(selection, timeline, course, film)


def _notes(selection: Selection, course: Course, at: int) -> tuple[str, str]:
    best = int(course.probabilities[at].argmax())
    text = tr(
        "{name} {percent}",
        name=glossed(selection.card.classes[best]),
        percent=percent(float(course.probabilities[at, best]), 0),
    )
    epoch = tr("epoch {epoch}", epoch=course.epochs[at])
    return markup.text(epoch, tag="strong"), markup.text(text)


def choose_target(selection: Selection, label: int) -> int:
    """The class that Grad-CAM explains: the label of the training, or what the network predicts now."""
    names, predicted = selection.class_names, selection.predicted
    if predicted == label:
        return label
    titles = {
        "label": tr("{name} (label in training)", name=names[label]),
        "predicted": tr("{name} (prediction)", name=names[predicted]),
    }
    return label if choices.choice(tr("Class"), titles, "map_class") == "label" else predicted


def about_film(run: LoggedRun, opened: Opened, film: Film) -> str:
    parts = [
        tr(
            "{title}, positive evidence, for the picture without augmentation; below each its prediction at "
            "that epoch.",
            title=literal(film.title),
        )
    ]
    if not is_own(run, opened):
        parts.append(
            tr(
                "The run of this log has no checkpoint here: these are snapshots of {checkpoint}, the "
                "checkpoint in the sidebar, which is another run.",
                checkpoint=literal(opened.name),
            )
        )
    return paragraph(parts)


def explain_button(run: LoggedRun, index: int, sample: Sample, opened: Opened | None) -> None:
    """The image as a picture of the visitor's own on every page, with the network that is shown here, or that
    of the sidebar.
    """
    if st.button(tr("Open this image on Explain"), icon=":material/target:", key="open_logged"):
        pictures.add(tr("{run}, training image {index}", run=run.name, index=index), sample.pixels)
        if opened is not None and opened.name in options().checkpoints:
            link.change("checkpoint", opened.name)
        way_back.depart("data_map")
        link.open_page("explain")
