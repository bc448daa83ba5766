"""Time machine: one image through all snapshots of the run, every epoch on one locked scale."""

import re
from collections.abc import Callable
from functools import partial

import numpy as np
import streamlit as st

from explorer.drawing.ranges import text
from explorer.engine.batchnorm import NormSummary, batchnorms
from explorer.engine.runs import command_from, has_snapshots
from explorer.engine.timeline import Course, Timeline, TimelineError
from explorer.engine.tracing import stages
from explorer.ui import cached, choices, films, link, markup, time_charts
from explorer.ui.films import STATISTICS, Film
from explorer.ui.options import options
from explorer.ui.selection import Selection, current
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
    show(selection, timeline, course)
    how_to_read()


def without(selection: Selection) -> None:
    """What to do where there are no snapshots, and which networks have some."""
    path = selection.opened.source.path
    where = f", into {folder_of(path).name} beside it" if path is not None else ""
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
        st.markdown(f"**{', '.join(others)}** has some: choose it in the sidebar.")


def show(selection: Selection, timeline: Timeline, course: Course) -> None:
    """What is looked at, the slider, the picture beside the probabilities, and all epochs as a strip."""
    with st.container(horizontal=True):
        kind = choices.choice("Show", SHOWN, "over_time")
        make = CHOICES[kind](selection, timeline)
    if make is None:
        return
    place = choose_epoch(timeline)
    try:
        film = make()
    except ValueError as error:
        st.info(str(error))
        return
    words = [said(selection, course, at) for at in range(len(timeline.epochs))]
    left, right = st.columns([11, 9], gap="large")
    with left:
        large(film, place, words[place])
    with right:
        probabilities(selection, course, timeline.epochs[place])
    st.subheader("Every epoch", anchor=False)
    markup.show(films.strip(film, timeline.epochs, place))
    downloads(selection, film, words)
    if kind == "norm":
        fans(selection, timeline, timeline.epochs[place])


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
    markup.show(
        markup.text(film.title, tag="h4"),
        markup.figure(
            film.large(place), f"{film.title}, {words}", markup.text(words, "strong"),
            markup.text(film.note(place)), fill=True,
        ),
        markup.scale(film.range, film.scale) if film.bar else markup.text(range_said(film), "muted"),
    )  # fmt: skip


def range_said(film: Film) -> str:
    return f"From {text(film.range)}: {film.scale}."


def probabilities(selection: Selection, course: Course, epoch: int) -> None:
    names, label = selection.card.classes, selection.sample.label
    always = [selection.target] + ([label] if label is not None else [])
    drawn = time_charts.likeliest(course.probabilities, always)
    lines = {names[k]: course.probabilities[:, k].tolist() for k in drawn}
    st.markdown("**What it answered**")
    st.vega_lite_chart(
        time_charts.probabilities(
            course.epochs, lines, epoch, f"Probabilities of {', '.join(lines)} over the epochs"
        ),
        width="stretch",
    )
    left_out = len(names) - len(drawn)
    more = f" The {left_out} classes that were never among these are left out." if left_out > 0 else ""
    st.caption(f"Softmax over all {len(names)} classes. The dotted line is the slider's epoch.{more}")


def downloads(selection: Selection, film: Film, words: list[str]) -> None:
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
    st.caption(
        "Both hold every epoch with its words, on the scale above; a GIF keeps 256 colours, an APNG all."
    )


def stem_of(selection: Selection, film: Film) -> str:
    """The animation's file name without its ending: letters, digits and dashes."""
    return re.sub(r"[^\w.]+", "-", f"{film.title} {selection.sample.name}").strip("-.").lower()


# What is looked at: each asks its own questions, and gives what makes the film


Make = Callable[[], Film] | None


def cam(selection: Selection, timeline: Timeline) -> Make:
    if not selection.blocks:
        st.info("This network has no convolution, so there are no feature maps to explain.")
        return None
    layer = cam_layer(selection)
    signed = choices.choice("Evidence", choices.EVIDENCE_NAMES, "evidence") == "signed"

    def made() -> Film:
        heat = cached.heat_over_time(
            timeline.digest, selection.keys[1], layer, selection.target, timeline, selection.x
        )
        title = f"Grad-CAM of {selection.card.classes[selection.target]} at {layer}"
        return films.heat(selection.sample.pixels, heat, title, signed)

    return made


def cam_layer(selection: Selection) -> str:
    """A block, at first the last one, and its stage, as on the page Explain."""
    names = choices.block_names(selection.blocks)
    block = selection.blocks[int(choices.pick("Block", names, "cam_block", list(names)[-1], width=170)) - 1]
    stage = choices.pick("Stage", choices.STAGE_NAMES, "cam_stage", "act", width=150)
    return stages(block, selection.seen).get(stage, block.conv)


def maps(selection: Selection, timeline: Timeline) -> Make:
    if not selection.blocks:
        st.info("This network has no convolution, so it has no feature maps.")
        return None
    _, _, layer = choices.choose_layer(selection)
    count = len(selection.seen.maps[layer])
    channel = choose_channel(count, strongest(selection, layer), "Channel in the strip")

    def made() -> Film:
        found = cached.maps_over_time(timeline.digest, selection.keys[1], layer, timeline, selection.x)
        return films.maps(found, layer, channel)

    return made


def filters(_: Selection, timeline: Timeline) -> Make:
    def made() -> Film:
        layer, weights = cached.filters_over_time(timeline.digest, timeline)
        return films.filters(weights, layer)

    return made


def norm(selection: Selection, timeline: Timeline) -> Make:
    layers = batchnorms(selection.net, selection.seen)
    if not layers:
        st.info("This network has no BatchNorm, so there are no running statistics to follow.")
        return None
    choices.pick("Layer", {layer: layer for layer in layers}, "norm", width=180)
    statistic = choices.choice("Statistic", {name: said[0] for name, said in STATISTICS.items()}, "statistic")
    return lambda: films.norm(norms(selection, timeline), statistic)


CHOICES: dict[str, Callable[[Selection, Timeline], Make]] = {
    "cam": cam,
    "maps": maps,
    "filters": filters,
    "norm": norm,
}


def choose_channel(count: int, usual: int, label: str) -> int:
    """A channel, kept in the link; at first the usual one."""
    held = link.held("channel", "")
    channel = (
        int(held) if held.isascii() and held.isdecimal() and len(held) < 6 and int(held) < count else usual
    )
    if channel != usual:
        link.hold("channel", str(channel), "")
    st.session_state["time_channel"] = channel
    st.number_input(label, 0, count - 1, key="time_channel", on_change=keep_channel, width=160)
    return channel


def keep_channel() -> None:
    """Put a chosen channel into the link; the cell chosen on the maps page was another channel's."""
    link.hold("channel", str(st.session_state["time_channel"]), "")
    link.hold("cell", "", "")


def strongest(selection: Selection, layer: str) -> int:
    """The channel that speaks most for the class in the trained network."""
    return int(selection.evidence((layer,))[layer].contributions.argmax())


# BatchNorm


def norms(selection: Selection, timeline: Timeline) -> tuple[NormSummary, ...]:
    layer = link.held("norm", batchnorms(selection.net, selection.seen)[0])
    return cached.norms_over_time(timeline.digest, selection.keys[1], layer, timeline, selection.x)


def fans(selection: Selection, timeline: Timeline, epoch: int) -> None:
    """The four statistics over the epochs, each with what this image brings where that is of its kind."""
    found = norms(selection, timeline)
    st.subheader("Over the epochs", anchor=False)
    furthest = int(np.abs(found[-1].distance).argmax())
    channel = choose_channel(len(found[0].mean), furthest, "Channel drawn strong")
    met = {
        "mean": np.array([each.mean[channel] for each in found]),
        "std": np.array([np.sqrt(each.var[channel] + each.eps) for each in found]),
    }
    for pair in (("mean", "std"), ("gamma", "beta")):
        for column, statistic in zip(st.columns(2, gap="medium"), pair, strict=True):
            name, of, _ = STATISTICS[statistic]
            values = np.stack([of(each) for each in found])
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


def how_to_read() -> None:
    with st.expander("How to read this"):
        st.markdown(
            "Each picture shows the same image in the same network at another age. The colours mean the same "
            "in every one of them, so that what looks stronger is stronger; an early epoch that looks empty "
            "has small values, and that is the finding. The class that is explained stays the same "
            "throughout: the one that the finished network predicts, or the one chosen in the sidebar. "
            "Snapshots keep filters in 16 bits, which hardly moves the answers: those of the course's "
            "network by less than 0.001."
        )


page()
