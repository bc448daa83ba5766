"""Augmentation: the image under every transform that training knows, and what a whole batch looks like."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from explorer.engine import augmented
from explorer.engine.augmented import TrainingImages
from explorer.ui import cached, choices, films, link, markup, stepping
from explorer.ui.markdown import code, literal, sentence
from explorer.ui.options import options
from explorer.ui.selection import Selection, current
from explorer.views.augmentation import exports
from explorer.views.augmentation.draws import Batch, Row
from explorer.views.augmentation.exports import Shown
from model.augment import AUGMENTATIONS, Augmentation
from model.checkpoint import Pixels
from model.problems import Problem
from model.recipes import Config
from model.scenes import CLASSES

COUNT = 6  # draws of each transform
STEPS = 20  # of a strength's slider
GROUPS = {"geometric": "Geometric", "pixel": "Pixels", "semantic": "Semantic"}
NO_MIXING = "none"
SEEDS = 9999


def page() -> None:
    selection = current()
    st.header("What training makes of it", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        group = choices.choice("Transforms", groups(), "transforms")
        seed = choose_seed()
    st.caption(
        f"Each row is one transform of the {selection.card.input_size} × {selection.card.input_size} pixels "
        f"that the network gets, drawn {COUNT} times. The seed stays when a slider moves."
    )
    rows = [
        row(selection, name, transform, seed)
        for name, transform in AUGMENTATIONS.items()
        if transform.group == group
    ]
    st.header("What a training batch looks like", anchor=False)
    made = batch(selection, seed)
    how_to_read()
    exports.augmented(selection, Shown(group, seed, rows, made))


def groups() -> dict[str, str]:
    """The groups that the transforms are in, in their order, by the name on the page."""
    found = dict.fromkeys(transform.group for transform in AUGMENTATIONS.values())
    return {group: GROUPS.get(group, group.capitalize()) for group in found}


def choose_seed() -> int:
    """What everything on the page is drawn from; the button takes the next."""
    seeds = range(SEEDS + 1)
    stepping.follow("seed", seeds)
    seed = link.number("Seed", 0, SEEDS, "seed", width=140)
    stepping.buttons("seed", [stepping.Button("Draw again", 1)])
    return seed


# One image


def row(selection: Selection, name: str, transform: Augmentation, seed: int) -> Row:
    """One transform: what it does, its strength, and the image under it."""
    left, right = st.columns([3, 8], gap="medium")
    with left:
        st.markdown(f"**{name}** · {transform.says}")
        strength = choose_strength(name, transform)
    partners = others(selection) if transform.mix is not None else {}
    pixels, among = selection.framed, tuple(partners.values())
    drawn = cached.draws(cached.pixels_digest(pixels), name, strength, seed, COUNT, pixels, among)
    shown = Row(name, strength, drawn, (own_name(selection), *partners))
    with right:
        tiles = [captioned(*each) for each in zip(drawn.pixels, alts(shown), shown.words, strict=True)]
        markup.show(markup.element("div", *tiles, cls="fx-draws"))
    return shown


def alts(shown: Row) -> list[str]:
    """What each draw of a row is, in words."""
    return [f"{shown.name}, draw {place}: {', '.join(words)}" for place, words in enumerate(shown.words, 1)]


def choose_strength(name: str, transform: Augmentation) -> float:
    """The transform's strength, from a slider over its range; at first the usual one."""
    low, high = transform.range
    steps = {*np.linspace(low, high, STEPS + 1).round(6).tolist(), float(transform.strength)}
    options = [f"{step:g}" for step in sorted(steps)]
    usual = f"{transform.strength:g}"
    key = f"strength_{name}"
    label = f"Strength of {name}, usually {usual}"
    return float(link.choose(st.select_slider, label, options, key, usual))


def captioned(pixels: Pixels, alt: str, words: Sequence[str]) -> str:
    lines = [markup.text(line) for line in words if line]
    return markup.figure(films.reduced(pixels, 128), alt, *lines, fill=True)


def own_name(selection: Selection) -> str:
    """What the image is called in a mixed label: its class where that is known."""
    label = selection.sample.label
    return "this image" if label is None else selection.card.classes[label]


def others(selection: Selection) -> dict[str, Pixels]:
    """What the image is mixed with: the other built-in samples, as the network gets them."""
    drawn = {name: selection.card.framed(cached.scene(label).pixels) for label, name in enumerate(CLASSES)}
    return {name: pixels for name, pixels in drawn.items() if not np.array_equal(pixels, selection.framed)}


# A batch


def batch(selection: Selection, seed: int) -> Batch | None:
    """A batch by a recipe, its labels under the pictures; None, after a sentence, without training images."""
    try:
        images = cached.training_images(str(options().data_dir), selection.card)
    except Problem as error:
        st.warning(sentence(error))
        return None
    with st.container(horizontal=True):
        recipe, config = choose_recipe(selection)
    made = Batch(recipe, config, images, cached.first_batch(images, config, seed + 1))
    tiles = [
        captioned(picture, f"A training image: {', '.join(words)}", words)
        for picture, words in zip(made.made.pixels, made.words, strict=True)
    ]
    markup.show(markup.element("div", *tiles, cls="fx-batch"))
    st.caption(batch_said(images, config, seed))
    return made


def choose_recipe(selection: Selection) -> tuple[str, Config]:
    """A recipe by its name, and what mixes labels on top of it."""
    found = augmented.recipes_of(selection.card)
    named = {name: f"{called(name)} ({config.augment or 'nothing'})" for name, config in found.items()}
    name = choices.pick("Recipe", named, "recipe", width=340)
    mixing = {name: name for name, transform in AUGMENTATIONS.items() if transform.mix is not None}
    also = choices.choice("Mixed as well", {NO_MIXING: "No"} | mixing, "mixing")
    config = found[name]
    if also == NO_MIXING:
        return name, config
    before = config.augment if config.augment not in ("", "none") else ""
    return name, replace(config, augment=",".join(filter(None, (before, also))))


def called(name: str) -> str:
    return "this network's own" if name == "own" else name


def batch_said(images: TrainingImages, config: Config, seed: int) -> str:
    many = f", of which it takes {config.batch_size} a step" if config.batch_size != len(images.data) else ""
    named, by = literal(images.said), code(config.augment)
    flips = " Flips alternate from epoch to epoch." if config.alternating_flip else ""
    return (
        f"{named}{many}, by {by}, as in epoch {seed + 1} with seed {config.seed}. "
        f"The colours are those before normalising; black is what lay outside the picture.{flips}"
    )


def how_to_read() -> None:
    with st.expander("How to read this"):
        st.markdown(
            "Augmentation shows the network another version of each training image every time, so that it "
            "learns what stays the same. A transform is right where you would still give the picture its "
            "label; too strong, and it teaches nonsense. Where two images are mixed, so are their labels: "
            "the network is asked for both, by their shares. Pictures are transformed at the network's own "
            "size by the very functions that training calls; for use nothing is augmented."
        )


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
