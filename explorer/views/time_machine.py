"""Time machine: one image through all snapshots of the run, every epoch on one locked scale unless asked."""

import re
from functools import partial

import numpy as np
import streamlit as st

from explorer.drawing.ranges import Range, text
from explorer.engine.runs import command_from, has_snapshots
from explorer.engine.timeline import Course, Timeline, TimelineError
from explorer.ui import cached, choices, films, link, markup, offers, time_charts
from explorer.ui.films import STATISTICS, Film
from explorer.ui.offers.time_machine import Fans, Shown
from explorer.ui.options import options
from explorer.ui.over_time import CHOICES, choose_channel, norms
from explorer.ui.selection import Selection, current
from model.names import readable
from model.snapshots import folder_of

SHOWN = {"cam": "Grad-CAM", "maps": "Maps", "filters": "Filters", "norm": "BatchNorm"}
KINDS = {"gif": ("Animation, GIF", "gif", "image/gif"), "png": ("Animation, APNG", "png", "image/apng")}


def page() -> None:
    selection = current()
    st.header("How it came to see this", anchor=False)
    try:
        timeline = cached.timeline(selection.opened)
    except TimelineError as error:
        st.warning(str(error))
        return
    if timeline is None:
        without(selection)
        return
    for sentence in timeline.left_out:
        st.warning(sentence)
    course = cached.course(timeline.digest, selection.keys[1], timeline, selection.x)
    shown = show(selection, timeline, course)
    how_to_read()
    if shown is not None:
        offers.over_time(selection, shown)


def without(selection: Selection) -> None:
    """What to do where there are no snapshots, and which networks have some."""
    path = selection.opened.source.path
    where = f", into {readable(folder_of(path).name)} beside it" if path is not None else ""
    st.info(
        "There are no snapshots of this network's training, so there is nothing to go back to. The trainer "
        f"keeps one of every epoch{where}, when it is told to:"
    )
    st.code(f"{command_from(selection.card) or 'python -m model.train'} --snapshot-every 1", language=None)
    others = [
        name
        for name, source in options().checkpoints.items()
        if source.path is not None and source.path != path and has_snapshots(source.path)
    ]
    if others:
        st.markdown("Another network has some:" if len(others) == 1 else "Other networks have some:")
        with st.container(horizontal=True):
            for name in others:
                st.button(f"Open {name}", on_click=open_checkpoint, args=(name,), key=f"open_{name}")


def open_checkpoint(name: str) -> None:
    """Choose another checkpoint, as the sidebar does."""
    st.session_state["checkpoint"] = name


def show(selection: Selection, timeline: Timeline, course: Course) -> Shown | None:
    """What is looked at, the slider, the picture beside the probabilities, and all epochs as a strip.

    None where there is nothing to see, after a sentence that says why.
    """
    with st.container(horizontal=True):
        kind = choices.choice("Show", SHOWN, "over_time")
        make = CHOICES[kind](selection, timeline)
    if make is None:
        return None
    place = choose_epoch(timeline)
    try:
        film = make()
    except ValueError as error:
        st.info(str(error))
        return None
    words = [said(selection, course, at) for at in range(len(timeline.epochs))]
    answers = time_charts.answers(course.probabilities, selection.card.classes, asked(selection))
    left, right = st.columns([11, 9], gap="large")
    with left:
        large(film, place, words[place])
    with right:
        probabilities(selection, answers, timeline, place)
    st.subheader("Every epoch", anchor=False)
    markup.show(films.strip(film, timeline.epochs, place))
    animations(selection, film, words)
    fans = over_the_epochs(selection, timeline, place) if kind == "norm" else None
    return Shown(film, timeline, course, place, words, answers, fans)


def choose_epoch(timeline: Timeline) -> int:
    """The slider over the snapshots; the place of the chosen one among them."""
    names = [str(epoch) for epoch in timeline.epochs]
    if len(names) == 1:
        st.caption(f"There is one snapshot only, of epoch {names[0]}.")
        return 0
    chosen = link.choose(
        st.select_slider,
        "Epoch; 0 is the untrained network",
        names,
        "epoch",
        names[-1],
        label_visibility="visible",
    )
    if timeline.listed > len(names):
        st.caption(f"{len(names)} of the {timeline.listed} snapshots, evenly spread.")
    return names.index(chosen)


def said(selection: Selection, course: Course, place: int) -> str:
    """What the network answers at one epoch, in a line."""
    names, shares = selection.card.classes, course.probabilities[place]
    best, target = int(shares.argmax()), selection.target
    answer = f"epoch {course.epochs[place]}: {names[best]} {shares[best]:.0%}"
    return answer if best == target else f"{answer}, {names[target]} {shares[target]:.0%}"


def large(film: Film, place: int, words: str) -> None:
    """The picture of the slider's epoch, with its scale."""
    range = film.ranges[place]
    markup.show(
        markup.text(film.title, tag="h4"),
        markup.figure(
            film.large(place), f"{film.title}, {words}", markup.text(words, "strong"),
            markup.text(film.note(place)), fill=True,
        ),
        markup.scale(range, film.scale) if film.bar else markup.text(range_said(range, film), "muted"),
    )  # fmt: skip


def range_said(range: Range, film: Film) -> str:
    return f"From {text(range)}: {film.scale}."


def asked(selection: Selection) -> list[int]:
    """The classes that are always drawn: the explained one, and what the image is."""
    label = selection.sample.label
    return [selection.target] + ([label] if label is not None else [])


def probabilities(
    selection: Selection, answers: dict[str, list[float]], timeline: Timeline, place: int
) -> None:
    st.markdown("**What it answered**")
    label = f"Probabilities of {', '.join(answers)} over the epochs"
    st.vega_lite_chart(
        time_charts.probabilities(timeline.epochs, answers, timeline.epochs[place], label), width="stretch"
    )
    count = len(selection.card.classes)
    left_out = count - len(answers)
    more = f" The {left_out} classes that were never among these are left out." if left_out > 0 else ""
    st.caption(f"Softmax over all {count} classes. The dotted line is the slider's epoch.{more}")


def animations(selection: Selection, film: Film, words: list[str]) -> None:
    name = stem_of(selection, film)
    with st.container(horizontal=True):
        for kind, (label, ending, mime) in KINDS.items():
            st.download_button(
                label,
                partial(films.animated, film, words, kind),
                f"{name}.{ending}",
                mime,
                key=f"animation_{kind}",
                icon=":material/download:",
                on_click="ignore",
            )
    st.caption("Both hold every epoch with its words and its scale; a GIF keeps 256 colours, an APNG all.")


def stem_of(selection: Selection, film: Film) -> str:
    """The animation's file name without its ending: letters, digits and dashes."""
    return re.sub(r"[^\w.]+", "-", f"{film.title} {selection.sample.name}").strip("-.").lower()


# BatchNorm


def over_the_epochs(selection: Selection, timeline: Timeline, place: int) -> Fans:
    """The four statistics over the epochs, each with what this image brings where that is of its kind."""
    found = norms(selection, timeline)
    st.subheader("Over the epochs", anchor=False)
    furthest = int(np.abs(found[-1].distance).argmax())
    channel = choose_channel(len(found[0].mean), furthest, "Channel drawn strong")
    met = time_charts.met(found, channel)
    for pair in (("mean", "std"), ("gamma", "beta")):
        for column, statistic in zip(st.columns(2, gap="medium"), pair, strict=True):
            name, of, _ = STATISTICS[statistic]
            values, epoch = np.stack([of(each) for each in found]), timeline.epochs[place]
            label = f"{name} of {found[0].layer} over the epochs, channel {channel} drawn strong"
            with column:
                st.markdown(f"**{name}**")
                st.vega_lite_chart(
                    time_charts.fan(timeline.epochs, values, channel, epoch, label, met.get(statistic)),
                    width="stretch",
                )
    st.caption(
        f"Grey: all {len(found[0].mean)} channels from least to largest, their middle half, their median. "
        f"Strong: channel {channel}. Dashed, in the upper two: the same of this image in that channel. "
        "Each picture has a scale of its own. The running statistics follow what training met; a fresh "
        "network starts at mean 0, variance 1, γ 1 and β 0."
    )
    return Fans(found, channel)


def how_to_read() -> None:
    with st.expander("How to read this"):
        st.markdown(
            "Each picture shows the same image in the same network at another age. The colours mean the same "
            "in every one of them, so that what looks stronger is stronger; an epoch that looks empty has "
            "small values, and that is the finding. To see where each of them looks, however faintly, give "
            "every Grad-CAM its own scale. The class that is explained stays the same throughout: the one "
            "that the finished network predicts, or the one chosen in the sidebar. Snapshots keep filters in "
            "16 bits, which hardly moves the answers: those of the course's network by less than 0.001."
        )


page()
