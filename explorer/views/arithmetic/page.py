"""Convolution arithmetic: other settings for one layer, and what size, field and parameters follow."""

import streamlit as st

from explorer.drawing.windows import output_map, padded_input
from explorer.engine.arithmetic import check, settings_of
from explorer.engine.what_if import Chain
from explorer.ui import markup
from explorer.ui.frame import checkup
from explorer.ui.markdown import literal, sentence
from explorer.ui.selection import Selection, current
from explorer.views.arithmetic import exports, in_network, results, settings
from explorer.views.arithmetic.settings import WhatIf
from model.problems import Problem
from model.words import tr


def page() -> None:
    selection = current()
    st.header(tr("Convolution arithmetic"), anchor=False)
    st.markdown(
        tr(
            "Change the settings of one layer and see what follows: how large its output is, how much of "
            "the image one position reads, and how many numbers it learns."
        )
    )
    every = settings_of(selection.net, selection.seen)
    if not every:
        checkup.without_maps(
            selection.opened,
            tr(
                "This network has no Conv2d, MaxPool2d or AvgPool2d layer with an ordinary window that gives "
                "feature maps, so this is a convolution of no network."
            ),
        )
    what_if = settings.choose(every, selection.opened.name)
    try:
        check(what_if.here)
    except Problem as problem:
        st.info(sentence(problem))
        return
    show(selection, what_if)


def show(selection: Selection, what_if: WhatIf) -> None:
    both = in_network.chains(selection, what_if)
    before, after = both or (None, None)
    left, right = st.columns([3, 2], gap="large")
    with left:
        numbers(selection, what_if, before, after)
    with right:
        position = settings.choose_position(what_if.here)
        drawing(what_if, position)
    in_network.show(selection, what_if, both)
    how_to_read()
    exports.show(selection, what_if, position, both)


def numbers(selection: Selection, what_if: WhatIf, before: Chain | None, after: Chain | None) -> None:
    rows = results.rows(what_if, before, after)
    markup.show(markup.element("div", markup.table(results.heads(what_if), rows), cls="fx-wrapped"))
    for text in [*results.own_parameters(selection.net, what_if), *results.findings(what_if.here)]:
        st.markdown(f"- {literal(text)}")


def drawing(what_if: WhatIf, position: tuple[int, int]) -> None:
    """The padded input with the window at an output position, and the output."""
    here = what_if.here
    text = results.position(here, *position)
    padded = padded_input(here.rows, here.columns, *position)
    made = output_map(here.rows, here.columns, *position)
    captions = (
        results.about_input(here),
        tr("Output of {size} positions", size=results.size(here)),
    )
    figures = (
        markup.figure(padded, tr("The padded input. {sentence}", sentence=text), captions[0], fill=True),
        markup.figure(made, captions[1], captions[1], fill=True),
    )
    markup.show(markup.element("div", *figures, cls="fx-pair"))
    markup.show(markup.text(text))


def how_to_read() -> None:
    with st.expander(tr("How to read this")):
        st.markdown(
            tr(
                "The window moves over the padded input, `stride` positions at a time, and gives one output "
                "value at each place. Its `kernel × kernel` values lie `dilation` positions apart, so it "
                "reaches over `dilation·(kernel − 1) + 1` positions. The output size is "
                "`⌊(size + padding before + padding after − window) / stride⌋ + 1`: `⌊ ⌋` rounds down, so "
                "the last rows and columns may be in no window.\n\n"
                "The receptive field in the image is what the layer’s own input reads, plus "
                "`(window − 1)·jump`: the jump is the distance in pixels between two neighbors of that "
                "input, the product of all strides before. It depends on no weight and on no channel. It is "
                "an upper bound: the pixels in its middle usually have most of the effect.\n\n"
                "A convolution learns `channels out × (channels in / groups) × kernel × kernel` weights and "
                "one bias for each channel out. The number does not depend on the input’s size; that of the "
                "multiplications does."
            )
        )


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
