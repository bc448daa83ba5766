"""Augmentation: one image under every transform that training knows, and a whole training batch."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from explorer.drawing.pictures import reduced
from explorer.engine import augmented
from explorer.engine.normalization import unchanged
from explorer.ui import cached, choices, link, markup, stepping
from explorer.ui.frame import presentation
from explorer.ui.markdown import code, literal, sentence
from explorer.ui.options import options
from explorer.ui.selection import Selection, current
from explorer.views.augmentation import exports, received
from explorer.views.augmentation.draws import (
    AugmentationView,
    BatchDraw,
    DrawPredictions,
    TransformRow,
    augmentation_text,
    prediction_text,
    source_text,
)
from model.augment import AUGMENTATIONS, Augmentation
from model.card import Pixels
from model.problems import Problem
from model.recipes import Config
from model.scenes import CLASSES
from model.words import N_, ngettext, paragraph, tr

COUNT = 6  # draws of each transform
STEPS = 20  # of a strength's slider
NO_TEXT = "\u00a0"  # a line without letters; before a unit, which so stays with its number
GROUPS = {
    "geometric": N_("Geometric"),
    "pixel": N_("Color and sharpness"),
    "semantic": N_("Mixing and erasing"),
}
NO_MIXING = "none"
SEEDS = 9999


def page() -> None:
    selection = current()
    st.header(tr("This image under each transform"), anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        group = choices.choice(tr("Transforms"), groups(), "transforms")
        seed = choose_seed()
    st.caption(
        tr(
            "Each row is one transform of the {side} × {side} pixels that the network gets: the original, "
            "then {count} random draws, each with the network’s prediction and its probability. Moving a "
            "slider keeps the seed. The values of a picture are rounded to whole numbers, as in a file.",
            side=selection.card.input_size,
            count=COUNT,
        )
    )
    rows = [
        row(selection, name, transform, seed)
        for name, transform in AUGMENTATIONS.items()
        if transform.group == group
    ]
    st.header(tr("A training batch"), anchor=False)
    batch_draw = batch(selection, seed)
    view = AugmentationView(group, seed, rows, batch_draw, received.show(selection, batch_draw))
    how_to_read()
    exports.augmented(selection, view)


def groups() -> dict[str, str]:
    """The groups of the transforms, in their order, by the name on the page."""
    keys = dict.fromkeys(transform.group for transform in AUGMENTATIONS.values())
    return {group: tr(GROUPS.get(group, group)) for group in keys}


def choose_seed() -> int:
    """The seed of all draws on the page; the button takes the next."""
    seeds = range(SEEDS + 1)
    stepping.follow("seed", seeds)
    seed = link.number(tr("Seed"), 0, SEEDS, "seed", width=presentation.pixels(140))
    stepping.buttons("seed", [stepping.Button(tr("Draw again"), 1)])
    return seed


# One image


def row(selection: Selection, name: str, transform: Augmentation, seed: int) -> TransformRow:
    """One transform: its description, its strength, and the image under it."""
    left, right = st.columns([3, 8], gap="medium")
    with left:
        st.markdown(f"**{name}** · {tr(transform.summary)}")
        strength = choose_strength(name, transform)
    partners = others(selection) if transform.mix is not None else {}
    draws = cached.draws(selection.framed, name, strength, seed, COUNT, tuple(partners.values()))
    drawn = TransformRow(
        name, strength, draws, (own_name(selection), *partners), predictions(selection, draws.pixels)
    )
    with left:
        st.caption(unchanged_text(drawn))
    with right:
        markup.show(markup.element("div", original(drawn.predictions), *tiles(drawn), cls="fx-draws"))
    return drawn


def predictions(selection: Selection, pictures: Pixels) -> DrawPredictions:
    """The predictions for the draws of a row, from one pass, beside that for the image itself."""
    after = cached.answers(selection.network, pictures)
    return DrawPredictions(selection.card.classes, selection.framed, selection.seen.probabilities, after)


def unchanged_text(row: TransformRow) -> str:
    """How many draws leave every pixel as it is."""
    count, changed = len(row.draws.pixels), row.predictions.changed
    return paragraph(
        [
            ngettext(
                "{n} of {count} draws leaves the image unchanged.",
                "{n} of {count} draws leave the image unchanged.",
                row.unchanged,
                count=count,
            ),
            (
                ngettext("{n} changes the prediction.", "{n} change the prediction.", changed)
                if changed
                else tr("None changes the prediction.")
            ),
        ]
    )


def original(of: DrawPredictions) -> str:
    """The picture before any transform, and its prediction, as html."""
    alt = tr("The image without a transform")
    texts = markup.text(tr("original")), markup.text(prediction_text(of.before, of.classes), "strong")
    return markup.figure(reduced(of.original, 128), alt, *texts, fill=True)


def tiles(row: TransformRow) -> list[str]:
    """The draws with their parameters and predictions, as html; all predictions stand at one height."""
    captions = [[line or NO_TEXT for line in lines] for lines in row.captions]
    every = zip(row.draws.pixels, alts(row), captions, row.predictions.texts, strict=True)
    return [captioned(pixels, alt, lines, prediction) for pixels, alt, lines, prediction in every]


def alts(row: TransformRow) -> list[str]:
    """The alternative text of each draw of a row."""
    return [
        tr(
            "{transform}, draw {number}: {caption}",
            transform=row.name,
            number=number,
            caption=tr(", ").join(lines),
        )
        for number, lines in enumerate(row.captions, 1)
    ]


def choose_strength(name: str, transform: Augmentation) -> float:
    """The transform's strength, from a slider over its range; at first the default."""
    low, high = transform.range
    steps = {*np.linspace(low, high, STEPS + 1).round(6).tolist(), float(transform.strength)}
    options = [f"{step:g}" for step in sorted(steps)]
    default = f"{transform.strength:g}"
    label = tr("Strength of {transform} (default {default})", transform=name, default=default)
    return float(link.choose(st.select_slider, label, options, f"strength_{name}", default))


def captioned(pixels: Pixels, alt: str, lines: Sequence[str], prediction: str = "") -> str:
    texts = [markup.text(line.replace(" px", f"{NO_TEXT}px")) for line in lines if line]
    texts += [markup.text(prediction, "strong")] if prediction else []
    return markup.figure(reduced(pixels, 128), alt, *texts, fill=True)


def own_name(selection: Selection) -> str:
    """The name of the image in a mixed label: its class where that is known."""
    label = selection.sample.label
    return tr("this image") if label is None else selection.card.classes[label]


def others(selection: Selection) -> dict[str, Pixels]:
    """The images to mix with: the other built-in samples, as the network gets them."""
    scenes = zip(CLASSES, cached.mixing_partners(selection.card), strict=True)
    return {name: pixels for name, pixels in scenes if not np.array_equal(pixels, selection.framed)}


# A batch


def batch(selection: Selection, seed: int) -> BatchDraw | None:
    """A batch by a recipe, a label under each image; a warning and None without training images."""
    try:
        images = cached.training_images(options().data_dir, selection.card)
    except Problem as error:
        st.warning(sentence(error))
        return None
    with st.container(horizontal=True):
        recipe, config = choose_recipe(selection)
    before = augmented.originals(images, config, seed + 1)
    batch_draw = BatchDraw(recipe, config, images, cached.first_batch(images, config, seed + 1), before)
    pictures = [
        captioned(pixels, tr("A training image: {label}", label=tr(", ").join(lines)), lines)
        for pixels, lines in zip(batch_draw.batch.pixels, batch_draw.captions, strict=True)
    ]
    markup.show(markup.element("div", *pictures, cls="fx-batch"))
    st.caption(batch_caption(batch_draw, seed))
    return batch_draw


def choose_recipe(selection: Selection) -> tuple[str, Config]:
    """A recipe by its name, and an augmentation that mixes labels in addition to it."""
    recipes = augmented.recipes_of(selection.card)
    names = {name: recipe_name(name, config) for name, config in recipes.items()}
    name = choices.pick(tr("Recipe"), names, "recipe", width=540)
    mixing = {name: name for name, transform in AUGMENTATIONS.items() if transform.mix is not None}
    added = choices.choice(tr("Label mixing"), {NO_MIXING: tr("None")} | mixing, "mixing")
    config = recipes[name]
    if added == NO_MIXING:
        return name, config
    before = config.augment if config.augment not in ("", "none") else ""
    return name, replace(config, augment=",".join(filter(None, (before, added))))


def recipe_name(name: str, config: Config) -> str:
    augment = augmentation_text(config)
    if name == "own":
        return tr("This network’s own recipe (augmentation: {augment})", augment=augment)
    return tr("{recipe} (augmentation: {augment})", recipe=name, augment=augment)


def batch_caption(batch_draw: BatchDraw, seed: int) -> str:
    """The source, recipe and seed of the batch, as Markdown."""
    config = batch_draw.config
    sentences = [literal(source_text(batch_draw.images))]
    if config.batch_size != len(batch_draw.images.data):
        sentences.append(tr("Batch size in training: {count}.", count=config.batch_size))
    sentences.append(
        tr(
            "Augmentation: {augment}, as in epoch {epoch} with seed {seed}.",
            augment=code(augmentation_text(config)),
            epoch=seed + 1,
            seed=config.seed,
        )
    )
    sentences.append(
        ngettext(
            "{n} of the {count} images is as it was before augmentation.",
            "{n} of the {count} images are as they were before augmentation.",
            unchanged(batch_draw.batch.pixels, batch_draw.originals),
            count=len(batch_draw.originals),
        )
    )
    sentences.append(tr("Colors are shown before normalization."))
    sentences.append(tr(black_areas(config)))
    if config.alternating_flip:
        sentences.append(tr("Flips alternate from epoch to epoch."))
    return paragraph(sentences)


def black_areas(config: Config) -> str:
    """What black areas in a batch are, to be translated."""
    if "cutout" in config.augment:
        return N_("Black areas lie outside the original image or were cut out.")
    return N_("Black areas lie outside the original image.")


def how_to_read() -> None:
    with st.expander(tr("How to read this")):
        st.markdown(
            tr(
                "Augmentation gives the network a different version of each training image in every epoch. "
                "It learns to ignore these differences. A transform is suitable if you would still give the "
                "result the same label; if it is too strong, the network learns from wrong labels. Where two "
                "images are mixed, their labels are mixed too: the target is both classes, in the same "
                "proportion. The images here are transformed at the network’s input size by the functions "
                "that training calls. For prediction nothing is augmented."
            )
        )


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
