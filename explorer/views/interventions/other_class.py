"""Why not the other class: where two classes differ, and the fewest channels that hold the prediction."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import streamlit as st

from explorer.drawing import ranges
from explorer.engine.attribution import heat_from
from explorer.engine.smallest_set import GreedySearch, search
from explorer.ui import cached, choices, jobs, link, markup, panels
from explorer.ui.jobs import JOBS, Progress, Work
from explorer.ui.markdown import literal, sentence
from explorer.ui.selection import Selection
from explorer.views.compare.classes import choose_other_class, titles_of
from explorer.views.interventions import charts, exports, marks
from model.words import N_, ngettext, paragraph, tr

GO_ON = "_another_part"
AT_ONCE = 0.8  # seconds that the page waits for a search before it shows how far it is


def show(selection: Selection) -> None:
    if len(selection.card.classes) < 2:
        st.info(tr("This network has one class only, so there is no other class."))
        return
    with st.container(horizontal=True, gap="small", key="layer"):
        _, _, layer = choices.choose_layer(selection, first_block=choices.last_block(selection))
    contrast, smallest = st.columns([3, 4], gap="medium")
    with contrast:
        show_contrast(selection, layer)
    with smallest:
        show_search(selection, layer)


def show_contrast(selection: Selection, layer: str) -> None:
    """Grad-CAM of the difference of two logits."""
    other = choose_other_class(selection)
    titles = titles_of(selection, other, selection.class_names)
    question = tr("Why “{first}” rather than “{second}”?", first=titles["target"], second=titles["other"])
    if not selection.gradient_reaches(layer):
        st.info(tr("No gradient of the class reaches this layer."))
        return
    both = cached.gradients(selection.network, selection.input, (layer,), (selection.target, other))[layer]
    heat = heat_from(selection.net, both[0].minus(both[1]), "grad_cam").values
    range = ranges.symmetric(heat)
    alt = tr("Grad-CAM of {name} at {layer}", name=titles["difference"], layer=layer)
    scale = tr("red supports {first}, blue supports {second}", first=titles["target"], second=titles["other"])
    panels.side_by_side(
        [panels.heat_panel(selection, layer, heat, range, question, alt, panels.extent(heat), scale)]
    )
    panels.explain_dimmed(selection)


def searching(selection: Selection, layer: str) -> Work[GreedySearch]:
    """The work of the search: a state after each channel, at most one more than there are channels."""
    network, input = selection.network, selection.input
    steps = selection.seen.shapes[layer][0] + 1
    return Work("smallest set", (network, input, layer), steps, lambda: search(network.net, input.x, layer))


def show_search(selection: Selection, layer: str) -> None:
    work = searching(selection, layer)
    stopped = link.value("stopped", "") == layer
    if not stopped:
        with suppress(TimeoutError):
            JOBS.wait(work, seconds=AT_ONCE)
    jobs.show(partial(draw, selection, layer, stopped), work, stopped=stopped)


def draw(selection: Selection, layer: str, stopped: bool, progress: Sequence[Progress[GreedySearch]]) -> None:
    (one,) = progress
    name = selection.class_names[selection.predicted]
    state = one.results[-1] if one.results else None
    markup.show(
        markup.text(heading(layer, name, state), tag="h3"), markup.text(about_search(selection), "muted")
    )
    if one.problem is not None:
        st.info(sentence(one.problem))
        return
    if state is not None:
        st.markdown(literal(in_words(selection, state, one.finished)))
        panels.chart(charts.margins(state, name))
        st.caption(literal(about_margins(name)))
    if state is None or not one.finished:
        buttons(selection, layer, stopped)
        return
    if state.channels:
        st.button(
            tr("Mark these channels"),
            on_click=mark,
            args=(layer, state.channels),
            help=tr("Opens them under “Switch channels off”."),
        )
    exports.search(selection, state, charts.margins(state, name))


def heading(layer: str, name: str, state: GreedySearch | None) -> str:
    """What the search is for; how many channels it took, once the prediction has changed."""
    if state is None or not state.changed:
        return tr("Which channels of {layer} hold the prediction “{name}”?", layer=layer, name=name)
    return ngettext(
        "{n} channel of {layer} without which the prediction is no longer “{name}”",
        "{n} channels of {layer} without which the prediction is no longer “{name}”",
        len(state.channels),
        layer=layer,
        name=name,
    )


def about_search(selection: Selection) -> str:
    """Which classes the search is about, whatever classes are chosen."""
    template = N_(
        "The search is about the prediction, {was}: it stops at the first other class, which need not be "
        "the one to compare with."
    )
    if selection.target != selection.predicted:
        template = N_(
            "The search is about the prediction, {was}, not about {name}, the class to explain: it stops at "
            "the first class other than {was}."
        )
    names = selection.class_names
    return tr(template, was=names[selection.predicted], name=names[selection.target])


def about_margins(name: str) -> str:
    return tr(
        "The logit of {class_name} less the largest other logit, after each channel that is set to zero. "
        "Below zero, another class is predicted. Each step takes the channel that leaves the smallest value.",
        class_name=name,
    )


def buttons(selection: Selection, layer: str, stopped: bool) -> None:
    """Stop the search, or let it go on."""
    if stopped:
        st.button(tr("Continue"), on_click=link.change, args=("stopped", ""))
    elif st.button(tr("Stop")):
        stop(selection, layer)
        st.rerun()  # all of the page, which then no longer asks for more


def stop(selection: Selection, layer: str) -> None:
    JOBS.stop(searching(selection, layer))
    link.change("stopped", layer)


def mark(layer: str, channels: Sequence[int]) -> None:
    """Take the channels over to the grid, to look at what their removal does."""
    marks.change({layer: channels})
    link.change("how", "zero")
    link.change("change", "channels")
    st.session_state[GO_ON] = True


GREEDY = N_("Found by greedy search; a smaller set may exist.")


def in_words(selection: Selection, state: GreedySearch, finished: bool) -> str:
    """What the search has found, or how far it is."""
    names, count = selection.class_names, selection.seen.shapes[state.layer][0]
    fields = {
        "count": count,
        "layer": state.layer,
        "was": names[int(state.logits[0].argmax())],
        "now": names[int(state.logits[-1].argmax())],
        "channels": tr(", ").join(map(str, state.channels)),
    }
    if state.changed:
        change = ngettext(
            "Without {n} of the {count} channels of {layer} the prediction changes from {was} to {now}: "
            "channel {channels}.",
            "Without {n} of the {count} channels of {layer} the prediction changes from {was} to {now}: "
            "channels {channels}, in the order in which they were taken.",
            len(state.channels),
            **fields,
        )
        return paragraph([change, tr(GREEDY)])
    if finished:
        return tr("The prediction stays {was} even when every channel of {layer} is set to zero.", **fields)
    return ngettext(
        "So far {n} of the {count} channels of {layer} is set to zero; the prediction is still {was}.",
        "So far {n} of the {count} channels of {layer} are set to zero; the prediction is still {was}.",
        len(state.channels),
        **fields,
    )
