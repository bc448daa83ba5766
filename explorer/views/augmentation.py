"""Augmentation: the image under every transform that training knows, and what a whole batch looks like."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from explorer.engine import augmented
from explorer.engine.augmented import Draws, TrainingImages
from explorer.ui import cached, choices, films, link, markup
from explorer.ui.options import options
from explorer.ui.selection import Selection, current
from model.augment import AUGMENTATIONS, Augmentation
from model.checkpoint import Pixels
from model.datasets import DatasetError
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
    for name, transform in AUGMENTATIONS.items():
        if transform.group == group:
            row(selection, name, transform, seed)
    st.header("What a training batch looks like", anchor=False)
    batch(selection, seed)
    how_to_read()


def groups() -> dict[str, str]:
    """The groups that the transforms are in, in their order, by the name on the page."""
    found = dict.fromkeys(transform.group for transform in AUGMENTATIONS.values())
    return {group: GROUPS.get(group, group.capitalize()) for group in found}


def choose_seed() -> int:
    """What everything on the page is drawn from; the button takes the next."""
    seed = link.number("Seed", 0, SEEDS, "seed", width=140)
    st.button("Draw again", icon=":material/casino:", on_click=next_seed, key="draw_again")
    return seed


def next_seed() -> None:
    st.session_state["seed"] = (int(st.session_state.get("seed", 0)) + 1) % (SEEDS + 1)


# One image


def row(selection: Selection, name: str, transform: Augmentation, seed: int) -> None:
    """One transform: what it does, its strength, and the image under it."""
    left, right = st.columns([3, 8], gap="medium")
    with left:
        st.markdown(f"**{name}** · {transform.says}")
        strength = choose_strength(name, transform)
    partners = others(selection) if transform.mix is not None else {}
    pixels, among = selection.framed, tuple(partners.values())
    drawn = cached.draws(cached.pixels_digest(pixels), name, strength, seed, COUNT, pixels, among)
    with right:
        whose = (own_name(selection), *partners)
        tiles = [tile(name, drawn, place, whose) for place in range(COUNT)]
        markup.show(markup.element("div", *tiles, cls="fx-draws"))


def choose_strength(name: str, transform: Augmentation) -> float:
    """The transform's strength, from a slider over its range; at first the usual one."""
    low, high = transform.range
    steps = {*np.linspace(low, high, STEPS + 1).round(6).tolist(), float(transform.strength)}
    options = [f"{step:g}" for step in sorted(steps)]
    usual = f"{transform.strength:g}"
    key = f"strength_{name}"
    label = f"Strength of {name}, usually {usual}"
    return float(link.choose(st.select_slider, label, options, key, usual))


def tile(name: str, drawn: Draws, place: int, whose: Sequence[str]) -> str:
    """One draw with what was drawn, and whose label it has where labels mix."""
    mixes = drawn.shares.shape[1] > 1
    words = parts(drawn.shares[place], whose) if mixes else [drawn.said[place]]
    said = f"{name}, draw {place + 1}: {', '.join(words)}"
    return captioned(drawn.pixels[place], said, words)


def captioned(pixels: Pixels, alt: str, words: Sequence[str]) -> str:
    lines = [markup.text(line) for line in words if line]
    return markup.figure(films.reduced(pixels, 128), alt, *lines, fill=True)


def parts(shares: np.ndarray, names: Sequence[str]) -> list[str]:
    """A label in words, the largest part first: one name, or shares; what rounds to 0 % is left out.

    >>> parts(np.array([0.25, 0.75, 0.0]), ("cat", "dog", "frog"))
    ['75% dog', '25% cat']
    """
    total: dict[str, float] = {}
    for name, share in zip(names, shares.tolist(), strict=True):
        total[name] = total.get(name, 0.0) + share
    there = sorted((name for name in total if total[name] >= 0.005), key=lambda name: -total[name])
    return there if len(there) == 1 else [f"{total[name]:.0%} {name}" for name in there]


def own_name(selection: Selection) -> str:
    """What the image is called in a mixed label: its class where that is known."""
    label = selection.sample.label
    return "this image" if label is None else selection.card.classes[label]


def others(selection: Selection) -> dict[str, Pixels]:
    """What the image is mixed with: the other built-in samples, as the network gets them."""
    drawn = {name: selection.card.framed(cached.scene(label).pixels) for label, name in enumerate(CLASSES)}
    return {name: pixels for name, pixels in drawn.items() if not np.array_equal(pixels, selection.framed)}


# A batch


def batch(selection: Selection, seed: int) -> None:
    """A batch by a recipe, its labels under the pictures."""
    with st.container(horizontal=True):
        config = choose_recipe(selection)
    try:
        images = cached.training_images(str(options().data_dir), selection.card)
    except DatasetError as error:
        st.warning(str(error))
        return
    made = cached.first_batch(images, config, seed + 1)
    names = images.data.classes
    labels = [parts(label, names) for label in made.labels]
    tiles = [
        captioned(picture, f"A training image: {', '.join(words)}", words)
        for picture, words in zip(made.pixels, labels, strict=True)
    ]
    markup.show(markup.element("div", *tiles, cls="fx-batch"))
    st.caption(batch_said(images, config, seed))


def choose_recipe(selection: Selection) -> Config:
    """A recipe, and what mixes labels on top of it."""
    found = augmented.recipes_of(selection.card)
    named = {name: f"{called(name)} ({config.augment or 'nothing'})" for name, config in found.items()}
    config = found[choices.pick("Recipe", named, "recipe", width=340)]
    mixing = {name: name for name, transform in AUGMENTATIONS.items() if transform.mix is not None}
    also = choices.choice("Mixed as well", {NO_MIXING: "No"} | mixing, "mixing")
    if also == NO_MIXING:
        return config
    before = config.augment if config.augment not in ("", "none") else ""
    return replace(config, augment=",".join(filter(None, (before, also))))


def called(name: str) -> str:
    return "this network's own" if name == "own" else name


def batch_said(images: TrainingImages, config: Config, seed: int) -> str:
    many = f", of which it takes {config.batch_size} a step" if config.batch_size != len(images.data) else ""
    flips = " Flips alternate from epoch to epoch." if config.alternating_flip else ""
    return (
        f"{images.said}{many}, by `{config.augment}`, as in epoch {seed + 1} with seed {config.seed}. "
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


page()
