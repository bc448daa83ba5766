"""Channel: the biography of one channel, from its best images to what is lost without it."""

from dataclasses import replace

import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.ui import choices, markup, panels
from explorer.ui.frame import checkup, way_back
from explorer.ui.markdown import literal, sentence
from explorer.ui.scans import scanning
from explorer.ui.selection import current
from explorer.views.channel import examples, exports, masks, optimized, over_scan, over_time, switched_off
from explorer.views.channel.exports import Biography
from explorer.views.channel.subject import ChannelSubject, choose
from model.problems import Problem
from model.words import tr


def page() -> None:
    selection = current()
    way_back.button(selection)
    if not selection.blocks:
        st.header(tr("A channel’s biography"), anchor=False)
        checkup.without_maps(
            selection.opened,
            tr("No layer of this network gives feature maps, so there is no channel to describe."),
        )
        return
    heading = st.container()
    subject = choose(selection)
    heading.header(literal(subject.name), anchor=False)
    start, many = st.container(), st.container()
    with many:
        st.header(tr("Over many images"), anchor=False)
        subject = replace(subject, scan=scanning.scan_of(selection.network))
        biography = over_images(subject)
    with start:
        biography = introduction(biography)
    biography = measured(biography)
    biography = replace(biography, history=over_time.show(subject))
    how_to_read()
    exports.show(biography)


def over_images(subject: ChannelSubject) -> Biography:
    """What the scan shows; of a subject without one, nothing."""
    scanned = subject.scanned
    if scanned is None:
        if subject.scan is not None:
            st.info(tr("The scan has no numbers of this layer: choose another one."))
        else:
            st.caption(
                tr(
                    "It gives the images with the largest and smallest values, the distribution, the "
                    "classes and the channels most like this one. The other measurements use drawn "
                    "scenes until then."
                )
            )
        return Biography(subject)
    try:
        example_tiles = examples.show(subject)
    except Problem as problem:  # the images are gone
        st.info(sentence(problem))
        return Biography(subject)
    summary = over_scan.numbers_of(subject, scanned)
    over_scan.show(subject, scanned, summary)
    over_scan.show_neighbors(subject, scanned, summary)
    return Biography(subject, example_tiles, summary)


def introduction(biography: Biography) -> Biography:
    """The channel on the selected image, an image made for it, and its BatchNorm."""
    subject = biography.subject
    picture, facts = st.columns([5, 3], gap="large")
    with facts:
        markup.show(on_this_image(subject), over_scan.normalization(subject))
    with picture:
        markup.show(markup.text(tr("An image made for this channel"), tag="h3"))
        if not started(subject, "make"):
            return biography
        return replace(biography, made=optimized.show(subject))


def on_this_image(subject: ChannelSubject) -> str:
    """The map of the selected image with its extremes, as html."""
    values = subject.selection.seen.maps[subject.layer][subject.channel]
    range = ranges.shared(values, signed=bool(values.min() < 0))
    alt = tr("Feature map {channel} of {layer}", channel=subject.channel, layer=subject.layer)
    picture = markup.figure(color(values, range), alt, markup.text(panels.extent(values)), fill=True)
    title = tr("On the selected image")
    return markup.element("section", markup.text(title, tag="h3"), picture, cls="fx-on-image")


def measured(biography: Biography) -> Biography:
    """What switching it off does, and how far it lies on objects."""
    subject = biography.subject
    if not started(subject, "measure"):
        return biography
    left, right = st.columns(2, gap="large")
    with left:
        try:
            effects = switched_off.show(subject)
        except Problem as problem:  # the images are gone
            st.info(sentence(problem))
            effects = []
    with right:
        dissection = masks.show(subject)
    return replace(biography, effects=effects, dissection=dissection)


def started(subject: ChannelSubject, key: str) -> bool:
    """Whether a measurement may begin: at once for small inputs, for larger ones when asked for."""
    if subject.small:
        return True
    labels = {"make": tr("Make an image for the channel"), "measure": tr("Measure on images and scenes")}
    names = {"no": tr("Not now"), "yes": tr("Start (takes minutes)")}
    return choices.choice(labels[key], names, f"channel_{key}", "no") == "yes"


def how_to_read() -> None:
    with st.expander(tr("How to read this")):
        st.markdown(
            tr(
                "*Real images* show what the channel responds to in this data. They can share more than what "
                "it looks at: compare them with the images where it is lowest. *The image made for it* is "
                "not a photograph: it shows what raises the channel when nothing else matters, and can be "
                "far from anything that the network was trained on. *Contribution* depends on the class, "
                "activation does not: a channel may be large in an image without an effect on the "
                "prediction. *Switched off* is measured, not estimated. A channel does not have to respond "
                "to one thing that has a name."
            )
        )


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
