"""The most confident errors, each explained: heat maps of both classes, and the channels that support it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.overlay import overlay
from explorer.drawing.pictures import data_uri
from explorer.drawing.ranges import Range, from_to, plain_number, probability
from explorer.engine.ablation import WithoutSets
from explorer.engine.attribution import heat_from
from explorer.engine.attribution.gradients import NoGradient
from explorer.engine.values import Floats
from explorer.ui import cached, choices, effects, jobs, link, markup, stepping
from explorer.ui.channel_link import open_channel
from explorer.ui.components.confusion import Cell
from explorer.ui.components.picture_grid import CARD, MAP, Picture, Strong, picture_grid
from explorer.ui.frame import checkup
from explorer.ui.jobs import Progress, Work
from explorer.ui.markdown import literal, sentence
from explorer.ui.scans import scanning
from explorer.ui.selection import Selection
from explorer.ui.stepping import Button
from explorer.views.errors import filters, opening
from explorer.views.errors.evaluation import Evaluation
from model.card import Pixels
from model.words import N_, paragraph, tr

SHOWN, TIPPING = 3, 3
PAGE, LAYER = "err_card", "err_layer"
SCALE = N_("the same scale for all three maps")


@dataclass(frozen=True, eq=False)
class ErrorCard:
    """A wrong image: `predicted` and `true` class, heat maps (h, w) of both and of their difference.

    `heats` is empty where no gradient of the classes reaches the layer; `work` switches off its channels.
    """

    row: int
    selection: Selection
    layer: str
    predicted: int
    true: int
    heats: tuple[Floats, ...]
    range: Range
    work: Work[WithoutSets]


@dataclass(frozen=True)
class Tipping:
    """A channel that tips a prediction: by how much the predicted class's lead over the true one falls
    without it, and the class that is predicted then.
    """

    channel: int
    fall: float
    predicted: int


def show(evaluation: Evaluation) -> list[ErrorCard]:
    """The cards on the page; none where there is nothing to explain."""
    show_cell(evaluation)
    rows = most_confident(evaluation)
    if not rows:
        st.info(tr("No image is predicted as the wrong class, so there is no failure to explain."))
        return []
    pages = range(-(-len(rows) // SHOWN))
    stepping.follow(PAGE, pages)
    at = int(link.current(PAGE, pages, "0"))
    link.keep(PAGE, str(at), "0")
    page_rows = rows[at * SHOWN : (at + 1) * SHOWN]
    first = selection_of(evaluation, page_rows[0])
    if not first.blocks:
        checkup.without_maps(
            first.opened,
            tr("No layer of this network gives feature maps, so there is nothing to explain here."),
        )
        return []
    layer = choose_layer(first)
    st.caption(literal(about_cards(layer)))
    cards = [failure(evaluation, row, layer) for row in page_rows]
    jobs.show(partial(draw, evaluation, cards), *(card.work for card in cards))
    with st.container(horizontal=True, vertical_alignment="center"):
        text = tr(
            "Errors {first:,} to {last:,} of {count:,}",
            first=at * SHOWN + 1,
            last=at * SHOWN + len(page_rows),
            count=len(rows),
        )
        st.caption(text)
        if len(pages) > 1:
            stepping.buttons(PAGE, [Button(tr("Previous"), -1), Button(tr("Next"), 1)])
    return cards


def limiting_cell(evaluation: Evaluation) -> Cell:
    """The chosen cell, if it has errors: the diagonal limits nothing here."""
    cell = filters.chosen_cell(evaluation.classes)
    return cell if cell[0] is None or cell[0] != cell[1] else (None, None)


def show_cell(evaluation: Evaluation) -> None:
    """Which cell of the matrix the failures are limited to, and a button that shows all of them."""
    cell = limiting_cell(evaluation)
    for key in filters.CELL:  # so that the address follows, which no list of classes does here
        link.keep(key, link.chosen(key, choices.ALL), choices.ALL)
    if cell == (None, None):
        return
    true, predicted = ("" if k is None else evaluation.class_names[k] for k in cell)
    if not predicted:
        text = tr("Only images of the class {true}.", true=literal(true))
    elif not true:
        text = tr("Only images predicted as {predicted}.", predicted=literal(predicted))
    else:
        text = tr("Only {true} predicted as {predicted}.", true=literal(true), predicted=literal(predicted))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{text}**", width="content")
        st.button(tr("Show all classes"), key="err_clear", on_click=clear_cell, args=(evaluation.classes,))


def clear_cell(classes: tuple[str, ...]) -> None:
    filters.choose_cell(classes, (None, None))
    link.change(PAGE, "0")


def most_confident(evaluation: Evaluation) -> list[int]:
    """The rows of the images of the chosen cell that are predicted as another class, the most confident
    first.
    """
    wanted = filters.Filter(limiting_cell(evaluation))
    one = evaluation.predictions
    return [row for row in filters.rows(one, wanted, "confident").tolist() if one.decided[row]]


def selection_of(evaluation: Evaluation, row: int) -> Selection:
    """The image of a row as every page would show it, with its predicted class to explain."""
    sample = scanning.sample_of(evaluation.scan, row)
    return Selection(evaluation.opened, sample, chosen=int(evaluation.predictions.predicted[row]))


def choose_layer(selection: Selection) -> str:
    """The layer of the heat maps and the channels: at first that of the last block with positions."""
    layers = {block.explained: block.explained for block in selection.blocks}
    return choices.pick(tr("Layer"), layers, LAYER, choices.last_layer(selection, list(layers)), width=260)


def failure(evaluation: Evaluation, row: int, layer: str) -> ErrorCard:
    selection, one = selection_of(evaluation, row), evaluation.predictions
    predicted, true = int(one.predicted[row]), int(one.labels[row])
    heats: tuple[Floats, ...] = ()
    if selection.gradient_reaches(layer):
        try:
            both = cached.gradients(selection.network, selection.input, (layer,), (predicted, true))[layer]
            scores = (both[0], both[1], both[0].minus(both[1]))
            heats = tuple(heat_from(selection.net, score, "grad_cam").values for score in scores)
        except NoGradient:  # none for this image and these classes
            pass
    work = effects.measuring(selection, layer)
    return ErrorCard(row, selection, layer, predicted, true, heats, ranges.symmetric(*heats), work)


def tipping(card: ErrorCard, progress: Progress[WithoutSets]) -> list[Tipping] | None:
    """The channels without which the lead of the predicted class falls most; None before all are measured."""
    falls = falls_of_lead(card, progress)
    if falls is None:
        return None
    logits = np.concatenate([part.zeroed for part in progress.results])
    order = np.argsort(-falls, kind="stable")[:TIPPING].tolist()
    return [
        Tipping(channel, float(falls[channel]), int(logits[channel].argmax()))
        for channel in order
        if falls[channel] > 0
    ]


def falls_of_lead(card: ErrorCard, progress: Progress[WithoutSets]) -> Floats | None:
    """How far the lead falls without each channel alone, (C,); None before all are measured."""
    if len(progress.results) < progress.steps:
        return None
    return np.concatenate([part.falls(card.predicted) - part.falls(card.true) for part in progress.results])


def lead(card: ErrorCard) -> float:
    """How far the logit of the predicted class is above that of the true one."""
    logits = card.selection.seen.logits
    return float(logits[card.predicted] - logits[card.true])


# On the page


def draw(
    evaluation: Evaluation, cards: Sequence[ErrorCard], progress: Sequence[Progress[WithoutSets]]
) -> None:
    opening.go()
    for card, one in zip(cards, progress, strict=True):
        with st.container(key=f"failure_{card.row}", border=True):
            draw_card(evaluation, card, one)


def title_of(card: ErrorCard, names: Sequence[str]) -> str:
    """Both classes with their probabilities."""
    probabilities = card.selection.seen.probabilities
    return tr(
        "{predicted} ({confidence}) instead of {true} ({other})",
        predicted=names[card.predicted],
        true=names[card.true],
        confidence=probability(float(probabilities[card.predicted])),
        other=probability(float(probabilities[card.true])),
    )


def draw_card(evaluation: Evaluation, card: ErrorCard, progress: Progress[WithoutSets]) -> None:
    names = evaluation.class_names
    predicted, true = names[card.predicted], names[card.true]
    title = title_of(card, names)
    maps, channels = st.columns([4, 3], gap="medium")
    with maps:
        markup.show(markup.text(title, tag="h3"), pictures(card, predicted, true))
        if not card.heats:
            st.caption(tr("No gradient of the class reaches this layer."))
        label = tr("Open image {number} on Explain", number=scanning.image_number(evaluation.scan, card.row))
        st.button(label, key=f"open_{card.row}", on_click=opening.choose, args=(evaluation, card.row))
    with channels:
        if progress.problem is not None:
            st.info(sentence(progress.problem))
        else:
            draw_channels(evaluation, card, tipping(card, progress), progress)


def pictures(card: ErrorCard, predicted: str, true: str) -> str:
    """The image and three maps over what the network gets, on one range, as html."""
    framed = card.selection.framed
    image = markup.figure(framed, tr("The input of the network: {name}", name=card.selection.sample.name),
                          markup.text(tr("network input")), fill=True)  # fmt: skip
    if not card.heats:
        return markup.element("div", image, cls="fx-failure")
    maps = [
        markup.figure(pixels, map_name(card, title), markup.text(title), fill=True)
        for title, pixels in overlays(card, predicted, true)
    ]
    scale = markup.scale(card.range, tr(SCALE))
    return markup.element("div", image, *maps, cls="fx-failure") + scale


def overlays(card: ErrorCard, predicted: str, true: str) -> list[tuple[str, Pixels]]:
    """What each map is of, and the map over what the network gets; none without heat maps. Two classes may
    have one name.
    """
    titles = (predicted, true, tr("{first} − {second}", first=predicted, second=true))
    framed, place = card.selection.framed, card.selection.place(card.layer)
    return [
        (title, overlay(framed, heat, card.range, place))
        for title, heat in zip(titles, card.heats, strict=False)
    ]


def map_name(card: ErrorCard, title: str) -> str:
    return tr("Grad-CAM of {name} at {layer}", name=title, layer=card.layer)


def draw_channels(
    evaluation: Evaluation,
    card: ErrorCard,
    channels: list[Tipping] | None,
    progress: Progress[WithoutSets],
) -> None:
    """The channels whose removal lowers the lead most; each opens on the page Channel."""
    names = evaluation.class_names
    if channels is None:
        st.caption(effects.waiting([progress]))
        return
    if not channels:
        st.caption(tr("No channel of this layer lowers the lead when it alone is set to zero."))
        return
    st.caption(literal(channels_in_words(card, channels, names)))
    channel = picture_grid(
        channel_cards(card, channels, names),
        key=f"channels_{card.row}",
        on_open=lambda _: scanning.select(evaluation.scan, card.row, card.true),
        side=CARD,
        crisp=MAP,
    )
    if channel is not None:
        opening.leave()
        open_channel(card.selection, card.layer, channel, "channel")


def channels_in_words(card: ErrorCard, channels: Sequence[Tipping], names: Sequence[str]) -> str:
    """The lead, what the channels do for it, and whether one of them alone changes the prediction."""
    sentence = tr(
        "The logit of {predicted} is {lead} above that of {true}. Below are the channels of {layer} that "
        "support {predicted} against {true} most, by how far this lead falls when each alone is set to zero.",
        predicted=names[card.predicted],
        true=names[card.true],
        lead=plain_number(lead(card)),
        layer=card.layer,
    )
    if any(one.predicted != card.predicted for one in channels):
        return sentence
    return paragraph([sentence, tr("None of them alone changes the prediction.")])


def channel_cards(card: ErrorCard, channels: Sequence[Tipping], names: Sequence[str]) -> list[Picture]:
    """The channels' maps, each with what its removal does."""
    maps = [card.selection.seen.maps[card.layer][one.channel] for one in channels]
    own = [map_range(values) for values in maps]
    captions = zip(ranges.texts(own), ranges.column(one.fall for one in channels), strict=True)
    each = zip(channels, maps, own, captions, strict=True)
    return [channel_card(values, one, card, names, range, ends) for one, values, range, ends in each]


def map_range(values: Floats) -> Range:
    """The range of one feature map, which no other shares."""
    return ranges.shared(values, signed=bool(values.min() < 0))


def channel_card(
    values: Floats, one: Tipping, card: ErrorCard, names: Sequence[str], own: Range, caption: tuple[str, str]
) -> Picture:
    """A channel's map; its range and the fall are written in `caption`. It opens the channel."""
    low, high = from_to(values.min(), values.max())
    ends, fall = caption
    then = tr("then predicted: {name}", name=names[one.predicted])
    if one.predicted == card.predicted:
        then = tr("prediction unchanged")
    return Picture(
        one.channel,
        data_uri(color(values, own)),
        tr("Open channel {channel} of {layer} on Channel", channel=one.channel, layer=card.layer),
        (
            ends,
            tr("lead falls by {fall}", fall=fall),
            Strong(then) if one.predicted == card.true else then,
        ),
        tr("Channel {channel}", channel=one.channel),
        tr("Feature map {channel}, from {low} to {high}", channel=one.channel, low=low, high=high),
    )


def about_cards(layer: str) -> str:
    return tr(
        "Wrong images, the most confident first; a cell chosen under “Confusion” limits them to its images. "
        "The maps are Grad-CAM at {layer} over the pixels that the network gets: red supports the class, "
        "blue opposes it; in the last one red supports the predicted class against the true one. Each "
        "channel’s effect is measured by a pass without it; effects of channels do not add up.",
        layer=layer,
    )
