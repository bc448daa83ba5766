"""What the network receives: the normalized image, and where mean and standard deviation come from."""

import streamlit as st
import torch

from explorer.drawing.ranges import MINUS
from explorer.engine.normalization import ChannelStatistics, before_normalization, statistics
from explorer.engine.values import Doubles
from explorer.ui import cached, markup
from explorer.ui.markdown import literal
from explorer.ui.selection import Selection
from explorer.views.augmentation.draws import BatchDraw, Received, source_text
from model.card import Card
from model.provenance import in_words
from model.words import N_, ngettext, paragraph, tr

COLORS = (N_("red"), N_("green"), N_("blue"))


def show(selection: Selection, batch: BatchDraw | None) -> Received:
    """The tables of the image, of the batch and of the data."""
    st.header(tr("What the network receives"), anchor=False)
    received = measure(selection, batch)
    st.markdown(formula())
    markup.show(markup.table(*image_table(selection.card, received)))
    st.caption(about_image(received))
    if received.data is not None and batch is not None:
        st.subheader(tr("Mean and standard deviation of the data"), anchor=False)
        markup.show(markup.table(*data_table(selection.card, received)))
        st.caption(about_data(selection.card, batch, received))
    return received


def measure(selection: Selection, batch: BatchDraw | None) -> Received:
    card = selection.card
    before = statistics(torch.from_numpy(before_normalization(card, [selection.framed])))
    after = statistics(selection.input.x)
    if batch is None:
        return Received(before, after, None, None)
    of_batch = statistics(card.normalized(batch.batch.pixels))
    return Received(before, after, of_batch, cached.data_statistics(batch.images, card))


def formula() -> str:
    return tr(
        "Each pixel value is divided by 255; then the mean of its channel is subtracted, and the result is "
        "divided by the channel’s standard deviation: "
        "**x = (value / 255 − mean) / standard deviation**. The network gets x, never the colors themselves."
    )


def channel_names(card: Card) -> list[str]:
    if card.channels == len(COLORS):
        return [tr(color) for color in COLORS]
    return [tr("channel {channel}", channel=channel) for channel in range(card.channels)]


def image_table(card: Card, received: Received) -> tuple[list[str], list[list[str]]]:
    """The image before and after normalization, and the batch after it, by channel."""
    heads = [tr("channel"), tr("value / 255"), tr("card"), tr("x"), tr("range of x")]
    heads += [tr("x of the batch")] if received.batch is not None else []
    rows = []
    for c, name in enumerate(channel_names(card)):
        range = tr("{low} … {high}", low=digits(received.after.low[c]), high=digits(received.after.high[c]))
        of_card = tr(", ").join((digits(card.mean[c]), digits(card.std[c])))
        row = [name, both(received.before, c), of_card, both(received.after, c), range]
        rows.append(row + ([both(received.batch, c)] if received.batch is not None else []))
    return heads, rows


def both(of: ChannelStatistics, channel: int) -> str:
    """Mean and standard deviation of one channel."""
    return tr(", ").join((digits(of.mean[channel]), digits(of.std[channel])))


def digits(value: float) -> str:
    return f"{value:.3f}".replace("-", MINUS)


def about_image(received: Received) -> str:
    sentences = [
        tr(
            "Pairs are mean, standard deviation. The formula has those of the checkpoint’s card, the same "
            "for every image."
        ),
        tr("One image keeps its own brightness and contrast: its x has neither mean 0 nor deviation 1."),
    ]
    if received.batch is not None:
        sentences.append(
            tr(
                "Over many training images the mean is near 0 and the deviation near 1; black borders and "
                "other augmentation move them."
            )
        )
    return paragraph(sentences)


def data_table(card: Card, received: Received) -> tuple[list[str], list[list[str]]]:
    """The card's mean and standard deviation beside those of the sample, with intervals."""
    data = received.data
    assert data is not None
    count = data.n
    heads = [
        tr("channel"),
        tr("mean, card"),
        ngettext("mean of {n} image", "mean of {n} images", count),
        tr("standard deviation, card"),
        ngettext("standard deviation of {n} image", "standard deviation of {n} images", count),
    ]
    rows = []
    for c, name in enumerate(channel_names(card)):
        mean = interval(data.mean[c], data.mean_ends[:, c])
        rows.append(
            [
                name,
                digits(card.mean[c]),
                mean,
                digits(card.std[c]),
                interval(data.std[c], data.std_ends[:, c]),
            ]
        )
    return heads, rows


def interval(value: float, ends: Doubles) -> str:
    low, high = ends
    return tr("{value} ({low} to {high})", value=digits(value), low=digits(low), high=digits(high))


def about_data(card: Card, batch: BatchDraw, received: Received) -> str:
    """How the numbers were computed, and whether the card's agree with them, as Markdown."""
    data = received.data
    assert data is not None
    sentences = [
        tr(
            "Over all pixels of all images, before augmentation: the mean is their sum divided by their "
            "number; the standard deviation is the square root of the mean of the squares minus the squared "
            "mean."
        ),
        tr("Computed here from: {source}", source=literal(source_text(batch.images))),
        tr("In parentheses: 95% intervals, from drawing these images again with replacement."),
        tr(agreement(card, received)),
    ]
    if card.data:
        sentences.append(tr("The card’s data: {data}.", data=literal(in_words(card.data).rstrip("。."))))
    return paragraph(sentences)


def agreement(card: Card, received: Received) -> str:
    """Whether the card's numbers lie within the intervals, to be translated."""
    data = received.data
    assert data is not None
    pairs = ((card.mean, data.mean_ends), (card.std, data.std_ends))
    inside = [
        low <= own <= high for owns, ends in pairs for own, (low, high) in zip(owns, ends.T, strict=True)
    ]
    if all(inside):
        return N_("The card’s numbers lie within all of them: they fit these images.")
    return N_(
        "Not all of the card’s numbers lie within them: the card describes the images that the network was "
        "trained on, which may be others than these, or this sample happens to differ."
    )
