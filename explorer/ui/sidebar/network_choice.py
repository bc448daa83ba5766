"""The sidebar's part of the network: which checkpoint, which of its weights, and what its file says of it."""

from dataclasses import replace

import streamlit as st

from explorer.drawing.ranges import percent
from explorer.engine.network_source import assumed
from explorer.ui import cached, choices, link
from explorer.ui.cached import Opened
from explorer.ui.markdown import literal, sentence
from explorer.ui.options import Options
from explorer.ui.selection import Selection
from model.card import AS_BUILT, Card
from model.problems import Problem
from model.provenance import in_words
from model.words import N_, ngettext, paragraph, tr

ASSUMED_COURSE = N_(
    "The file does not say how its images were normalized. The course’s values are assumed: {values}. "
    "If it was trained with other values, add `{flags}` to the start command."
)
ASSUMED_IMAGENET = N_(
    "The file does not say how its images were normalized. ImageNet’s values are assumed: {values}. "
    "If it was trained with other values, add `{flags}` to the start command."
)
ASSUMED_PRESET = N_(
    "The file does not say how its pictures were prepared. The preset of {preset} is assumed. "
    "If it was trained otherwise, say so in the start command with `{flags}`."
)


def choose_network(options: Options) -> Opened:
    sources = options.checkpoints
    if not sources:
        raise Problem("There is no checkpoint yet; train one with `python -m model.train`.")
    name = link.choose(st.selectbox, tr("Checkpoint"), list(sources), "checkpoint", next(iter(sources)))
    opened = _weights(cached.opened(name, sources[name]))
    for note in (untrained(opened), changes(opened), normalization(opened)):
        if note:
            st.caption(note)
    return opened


def _weights(opened: Opened) -> Opened:
    """The checkpoint with the weights to look at, where its file has several."""
    of_file = opened.checkpoint.changes
    if not of_file.others:
        return opened
    places = [of_file.prefix, *of_file.others]
    place = link.choose(
        st.selectbox,
        tr("Weights in the file"),
        places,
        "weights",
        places[0],
        format_func=lambda place: place or tr("at the top of the file"),
        help=tr("The file has several. The option `--weights` chooses among them at the start."),
    )
    return opened if place == places[0] else cached.opened(opened.name, replace(opened.source, weights=place))


def untrained(opened: Opened) -> str:
    """That no file gives the weights, as Markdown; "" where one does."""
    if opened.card.data != AS_BUILT:
        return ""
    return tr(
        "**No file of weights:** the weights are random, unless the builder loads its own. To open trained "
        "weights, start with `--checkpoint FILE`."
    )


def changes(opened: Opened) -> str:
    """What was changed or left out of the file's weights, as Markdown; "" where nothing was."""
    return sentence(paragraph(opened.checkpoint.changes.sentences()))


def normalization(opened: Opened) -> str:
    """Which numbers of the normalization are assumed, and how to give others; "" where none are."""
    numbers = assumed(opened.checkpoint.card, opened.source)
    if not numbers:
        return ""
    if opened.card.preset:
        return tr(ASSUMED_PRESET, preset=opened.card.preset, flags="--resize, --input-size, --mean, --std")
    values = tr("; ").join(
        f"{name} {', '.join(f'{one:.4f}' for one in each)}" for name, each in numbers.items()
    )
    form = "R,G,B" if opened.card.channels == 3 else tr("VALUE")
    flags = " ".join(f"--{name} {form}" for name in numbers)
    return tr(ASSUMED_COURSE if opened.source.net is None else ASSUMED_IMAGENET, values=values, flags=flags)


def show_about(selection: Selection) -> None:
    """What the network is, folded away under its accuracy."""
    card = selection.card
    accuracy, marks = card.metrics.get("test_accuracy"), with_marks(card)
    title = tr("About this network")
    if accuracy is not None:
        template = (
            N_("Test accuracy: {accuracy}") if marks == "" else N_("Test accuracy with marks: {accuracy}")
        )
        title = tr(template, accuracy=percent(accuracy, 2))
    with st.expander(title):
        st.caption("\n\n".join(_about(selection)))


def _about(selection: Selection) -> list[str]:
    """What the network is, sentence by sentence, as Markdown."""
    card, digest = selection.card, selection.opened.checkpoint.digest
    size = ngettext(
        "Input: {size} × {size} pixels. {n} class.",
        "Input: {size} × {size} pixels. {n} classes.",
        len(card.classes),
        size=card.input_size,
    )
    sentences = [with_marks(card), choices.blocks_found(selection), size]
    if card.resize is not None:
        sentences.append(_resized(card))
    if card.channels != 3:
        sentences.append(ngettext("Input: {n} channel.", "Input: {n} channels.", card.channels))
    sentences.append(tr("Data: {data}.", data=literal(in_words(card.data))))
    sentences.append(tr("SHA-256 of the weights: {digest} …", digest=digest[:12]))
    return [sentence for sentence in sentences if sentence]


def with_marks(card: Card) -> str:
    """That the test images of a network trained with marks have them too, as Markdown; "" without marks."""
    fraction = card.config.get("shortcut")
    if not isinstance(fraction, int | float) or isinstance(fraction, bool):
        return ""
    if fraction == 1:
        return tr(
            "**The test images have marks, too:** each has the mark of its class, as in training. The test "
            "accuracy does not tell what the network predicts without marks; the page “Shortcut” does."
        )
    return tr(
        "**The test images have marks, too:** that of their class in {fraction} of them, as in training. The "
        "test accuracy does not tell what the network predicts without marks; the page “Shortcut” does.",
        fraction=percent(fraction, 0),
    )


def _resized(card: Card) -> str:
    """How a picture becomes the input, where it is resized before the crop."""
    return tr(
        "Pictures: the shorter side is resized to {resize} pixels ({interpolation}), then the center of "
        "{size} × {size} is taken.",
        resize=card.resize,
        interpolation=card.interpolation,
        size=card.input_size,
    )
