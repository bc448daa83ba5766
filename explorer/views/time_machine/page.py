"""Time machine: one image through the snapshots of the run, all epochs on one color scale unless asked."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from explorer.drawing.chart import LineChart
from explorer.drawing.pictures import data_uri
from explorer.drawing.ranges import probability, text
from explorer.engine.runs import command_from, has_snapshots
from explorer.engine.timeline import Course, Timeline
from explorer.ui import cached, choices, link, markup, panels
from explorer.ui.components.command_box import command_box
from explorer.ui.components.film import Frame
from explorer.ui.components.film import film as playable
from explorer.ui.frame import header
from explorer.ui.markdown import literal, sentence
from explorer.ui.options import options
from explorer.ui.selection import Selection, current
from explorer.views.time_machine import charts, exports, films
from explorer.views.time_machine.films import Film
from explorer.views.time_machine.over_time import (
    CHOICES,
    KINDS,
    NormHistory,
    TimeView,
    choose_channel,
    norms,
)
from model.problems import Problem
from model.snapshots import folder_of
from model.words import N_, ngettext, paragraph, tr

PATH = "time"  # of this page, as app.py has it
ANIMATIONS = {
    "gif": (N_("Animation, GIF"), "gif", "image/gif"),
    "png": (N_("Animation, APNG"), "png", "image/apng"),
}


def page() -> None:
    selection = current()
    try:
        timeline = cached.timeline(selection.opened)
    except Problem as problem:
        header.show(selection, PATH)
        title()
        st.warning(sentence(problem))
        return
    if timeline is None:
        header.show(selection, PATH)
        title()
        without(selection)
        return
    course = cached.course(timeline, selection.input)
    show_header(selection, course)
    title()
    for reason in timeline.left_out:
        st.warning(sentence(reason))
    view = show(selection, timeline, course)
    how_to_read()
    if view is not None:
        exports.show(selection, view)


def title() -> None:
    st.header(tr("One image through training"), anchor=False)


def show_header(selection: Selection, course: Course) -> None:
    """The strip on top, with the prediction at the chosen epoch, or while the film plays at its own."""
    header.strip_of_film(
        [at_epoch(selection, course, index) for index in range(len(course.epochs))],
        [tr("Prediction at epoch {epoch}", epoch=epoch) for epoch in course.epochs],
        chosen_index(course.epochs),
    )
    header.below_strip(selection, PATH)


def at_epoch(selection: Selection, course: Course, index: int) -> Selection:
    """The selection with the outputs of the network at one epoch; the explained class stays."""
    seen = replace(selection.seen, logits=course.logits[index], probabilities=course.probabilities[index])
    other = selection.explaining(selection.target)
    vars(other).update(seen=seen, predicted=int(seen.logits.argmax()))
    return other


def chosen_index(epochs: Sequence[int]) -> int:
    """Which of the epochs is chosen, before the slider is drawn; at first the last one."""
    names = [str(epoch) for epoch in epochs]
    return names.index(link.current("epoch", names, names[-1]))


def without(selection: Selection) -> None:
    """What to do where there are no snapshots, and which networks have some."""
    st.info(no_snapshots(selection))
    command = command_from(selection.card) or "python -m model.train"
    command_box(f"{command} --snapshot-every 1")
    path = selection.opened.source.path
    others = [
        name
        for name, source in options().checkpoints.items()
        if source.path is not None and source.path != path and has_snapshots(source.path)
    ]
    if others:
        st.markdown(
            ngettext("Another checkpoint has snapshots:", "Other checkpoints have snapshots:", len(others))
        )
        with st.container(horizontal=True):
            for name in others:
                label = tr("Open {checkpoint}", checkpoint=literal(name))
                st.button(label, on_click=open_checkpoint, args=(name,), key=f"open_{name}")


def no_snapshots(selection: Selection) -> str:
    path = selection.opened.source.path
    if path is None:
        return tr(
            "There are no snapshots from this network’s training. The trainer saves one after every epoch "
            "with this command:"
        )
    return tr(
        "There are no snapshots from this network’s training. The trainer saves one after every epoch, into "
        "{folder} beside the checkpoint, with this command:",
        folder=literal(folder_of(path).name),
    )


def open_checkpoint(name: str) -> None:
    """Choose another checkpoint, as the sidebar does."""
    link.change("checkpoint", name)


def show(selection: Selection, timeline: Timeline, course: Course) -> TimeView | None:
    """The picture of one epoch beside the choices, all epochs as a strip, and the probabilities.

    None where there is nothing to see, after a sentence that says why.
    """
    left, right = st.columns(2, gap="large")
    with right:
        index = choose_epoch(timeline)
        with st.container(horizontal=True):
            kind = choices.choice(tr("Show"), {kind: tr(title) for kind, title in KINDS.items()}, "over_time")
            make = CHOICES[kind](selection, timeline)
    if make is None:
        return None
    try:
        film = make()
    except Problem as problem:
        st.info(sentence(problem))
        return None
    predictions = [prediction_text(selection, course, each) for each in range(len(timeline.epochs))]
    with left:
        large(film, timeline.epochs, index, predictions)
    with right:
        if kind == "cam":
            panels.explain_dimmed(selection)
    strip(film, timeline.epochs, index)
    animations(selection, film, predictions)
    chart = probabilities(selection, course, timeline.epochs[index])
    history = over_the_epochs(selection, timeline, index) if kind == "norm" else None
    return TimeView(film, timeline, course, index, predictions, chart, history)


def choose_epoch(timeline: Timeline) -> int:
    """The slider over the snapshots; the index of the chosen one among them."""
    names = [str(epoch) for epoch in timeline.epochs]
    if len(names) == 1:
        st.caption(tr("There is only one snapshot, of epoch {epoch}.", epoch=names[0]))
        return 0
    label = tr("Epoch (0 is the untrained network)")
    chosen = link.choose(st.select_slider, label, names, "epoch", names[-1], label_visibility="visible")
    if timeline.listed > len(names) + len(timeline.left_out):
        st.caption(
            tr(
                "Showing {count} of the {total} snapshots, evenly spaced: more would need too much memory.",
                count=len(names),
                total=timeline.listed,
            )
        )
    return names.index(chosen)


def prediction_text(selection: Selection, course: Course, index: int) -> str:
    """The prediction at one epoch in a line, with the explained class where it is another."""
    names, values = selection.class_names, course.probabilities[index]
    best, target = int(values.argmax()), selection.target
    epoch, percent = course.epochs[index], probability(values[best], 0)
    if best == target:
        return tr("epoch {epoch}: {best} {percent}", epoch=epoch, best=names[best], percent=percent)
    return tr(
        "epoch {epoch}: {best} {percent}, {target} {target_percent}",
        epoch=epoch,
        best=names[best],
        percent=percent,
        target=names[target],
        target_percent=probability(values[target], 0),
    )


def large(film: Film, epochs: Sequence[int], index: int, predictions: Sequence[str]) -> None:
    """The picture of the chosen epoch, played on request, with its color scale."""
    range = film.ranges[index]
    frames = [
        Frame(
            (prediction, film.note(each)),
            tr("{title}, {prediction}", title=film.title, prediction=prediction),
        )
        for each, prediction in enumerate(predictions)
    ]
    markup.show(markup.text(film.title, tag="h3"))
    playable(
        frames,
        lambda each: data_uri(film.large(each)),
        index,
        key="film",
        digest=film.digest,
        on_choose=lambda each: link.change("epoch", str(epochs[each])),
    )
    range_text = tr("Range {range}: {scale}.", range=text(range), scale=film.scale)
    markup.show(markup.scale(range, film.scale) if film.bar else markup.text(range_text, "muted"))


def always_drawn(selection: Selection) -> list[int]:
    """The classes that are always drawn: the explained one, and the image's label."""
    label = selection.sample.label
    return [selection.target] + ([label] if label is not None else [])


def strip(film: Film, epochs: Sequence[int], index: int) -> None:
    """Every epoch small; a press on one chooses it, as the slider does."""
    tiles = films.tiles(film, epochs)
    if len(tiles) == 1:
        return
    key = link.showing(f"strip_{zlib.crc32(''.join(tiles).encode())}", index)
    with st.container(key="snapshots"):
        st.pills(
            tr("Snapshots: choose an epoch"),
            range(len(tiles)),
            default=index,
            key=key,
            required=True,
            format_func=tiles.__getitem__,
            on_change=choose_snapshot,
            args=(key, epochs),
            width="stretch",
        )


def choose_snapshot(key: str, epochs: Sequence[int]) -> None:
    """Keep the epoch of the snapshot that was pressed."""
    link.change("epoch", str(epochs[st.session_state[key]]))


def probabilities(selection: Selection, course: Course, epoch: int) -> LineChart:
    """The chart of the class probabilities over the epochs."""
    names = selection.class_names
    always = always_drawn(selection)
    chart = charts.class_probabilities(course.epochs, course.probabilities, names, always, epoch)
    st.subheader(chart.title, anchor=False)
    panels.chart(chart)
    sentences = [
        ngettext("Softmax over {n} class.", "Softmax over all {n} classes.", len(names)),
        tr("The dotted line marks the chosen epoch."),
    ]
    if len(names) > len(chart.lines):
        sentences.append(
            ngettext(
                "{n} class whose highest probability is lower is not shown.",
                "{n} classes whose highest probability is lower are not shown.",
                len(names) - len(chart.lines),
            )
        )
    st.caption(paragraph(sentences))
    return chart


def animations(selection: Selection, film: Film, predictions: list[str]) -> None:
    stem, lines = file_stem(selection, film), films.frame_texts(film, predictions)
    with st.container(horizontal=True):
        for kind, (label, ending, mime) in ANIMATIONS.items():
            st.download_button(
                tr(label),
                partial(films.animated, film, lines, kind),
                f"{stem}.{ending}",
                mime,
                key=f"animation_{kind}",
                icon=":material/download:",
                on_click="ignore",
            )
    st.caption(
        tr(
            "Both files contain these snapshots, each with its prediction and its color range. GIF is "
            "limited to 256 colors, APNG is not."
        )
    )


def file_stem(selection: Selection, film: Film) -> str:
    """The animation's file name without its ending: letters, digits and dashes."""
    return re.sub(r"[^\w.]+", "-", f"{film.title} {selection.sample.name}").strip("-.").lower()


# BatchNorm


def over_the_epochs(selection: Selection, timeline: Timeline, index: int) -> NormHistory:
    """The four statistics over the epochs, where possible each with the same of this image."""
    history = norms(selection, timeline)
    st.subheader(tr("BatchNorm over the epochs"), anchor=False)
    furthest = int(np.abs(history[-1].distance).argmax())
    count = len(history[0].mean)
    channel = choose_channel(count, furthest, tr("Highlighted channel"))
    drawn = charts.statistics(timeline.epochs, history, channel, timeline.epochs[index])
    for pair in (("mean", "std"), ("gamma", "beta")):
        for column, statistic in zip(st.columns(2, gap="medium"), pair, strict=True):
            with column:
                st.markdown(f"**{drawn[statistic].title}**")
                panels.chart(drawn[statistic])
    st.caption(
        tr(
            "Gray: all {count} channels (range, middle half, median). Thick line: channel {channel}. "
            "Dashed, in the two upper charts: the same statistic of this image in that channel. Each chart "
            "has its own y-axis. The running statistics follow the training batches; a new BatchNorm layer "
            "starts with mean 0, variance 1, γ = 1 and β = 0.",
            count=count,
            channel=channel,
        )
    )
    return NormHistory(history, channel, drawn)


def how_to_read() -> None:
    of_image = tr(
        "Each picture shows the same image in the same network after a different number of epochs. With a "
        "shared color scale, colors can be compared between epochs: an epoch that looks empty has small "
        "values."
    )
    of_network = tr(
        "Each picture shows the same layer of the same network after a different number of epochs. What it "
        "shows does not depend on the image."
    )
    strongest = tr(
        "To see where Grad-CAM is strongest at each epoch, even if weakly, choose the color scale “Per map”. "
        "The explained class is the same at all epochs: the prediction of the trained network, or the class "
        "chosen in the sidebar."
    )
    stored = tr(
        "Snapshots store kernels as 16-bit floats, which changes the probabilities of the course network by "
        "less than 0.001."
    )
    texts = {"cam": [of_image, strongest], "maps": [of_image]}
    chosen = texts.get(link.chosen("over_time") or "cam", [of_network])
    with st.expander(tr("How to read this")):
        st.markdown(paragraph([*chosen, stored]))


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
