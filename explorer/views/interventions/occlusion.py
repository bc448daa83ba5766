"""A square of the image covered by hand: prediction and heat map follow while it is dragged."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from explorer.engine.attribution.baseline import BASELINES
from explorer.engine.network import Input
from explorer.engine.occluding import Patch, covered
from explorer.ui import cached, choices, link
from explorer.ui.components.patch import patch_over
from explorer.ui.selection import Selection
from explorer.views.interventions import before_after, covering, exports
from explorer.views.interventions.before_after import BeforeAfter
from model.card import Card, Pixels
from model.words import tr

KEY = "patch"
DRAWN = 256  # pixels, at least, of a picture with a heat map over it


@dataclass(frozen=True, eq=False)
class Occluded:
    """The patch, what fills it (a key of BASELINES), the input with it, and what comes of it."""

    patch: Patch
    fill: str
    input: Input
    both: BeforeAfter


def show(selection: Selection) -> None:
    board, results = st.columns([3, 4], gap="medium")
    patch = current(selection)
    with board:
        fill = choices.choice(tr("Fill"), {name: tr(one.title) for name, one in BASELINES.items()}, "fill")
        patch_over(
            selection.framed,
            patch,
            key="patch over",
            label=tr("The input of the network, with a square that covers a part of it"),
            on_change=keep,
        )
        st.caption(covering.in_words(patch, fill))
    with results, st.container(gap="xsmall"):
        at = before_after.choose_layer(selection)
        before_after.guarded(partial(show_results, selection, patch, fill, at))


def show_results(selection: Selection, patch: Patch, fill: str, at: str) -> None:
    made = occluded(selection, patch, fill, at)
    before_after.show(selection, made.both)
    exports.occlusion(selection, made)


def occluded(selection: Selection, patch: Patch, fill: str, at: str) -> Occluded:
    """The image with the patch covered. Raises Problem where the network then predicts nothing."""
    input = Input(covered(selection.card, selection.input.x, patch, fill))
    before = before_after.unchanged(selection, at)
    after = cached.outcome(selection.network, input, (), at, selection.target)
    pixels = large(selection.framed), large(pixels_of(selection, input, patch))
    return Occluded(patch, fill, input, before_after.compare(at, before, after, pixels))


def pixels_of(selection: Selection, input: Input, patch: Patch) -> Pixels:
    """What the network gets, uint8 (s, s, 3), with the patch as it is filled."""
    pixels = selection.framed.copy()
    rows, columns = (slice(start, start + patch.side) for start in (patch.top, patch.left))
    pixels[rows, columns] = colors(selection.card, input)[rows, columns]
    return pixels


def colors(card: Card, input: Input) -> Pixels:
    """The pixels (s, s, 3) of an input, before it was normalized."""
    values = input.x[0].permute(1, 2, 0).numpy() * np.array(card.std) + np.array(card.mean)
    pixels: Pixels = np.rint(255 * values.clip(0, 1)).astype(np.uint8)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def large(pixels: Pixels) -> Pixels:
    """Small pixels enlarged without blur, so that a smooth heat map can lie over them."""
    times = -(-DRAWN // len(pixels))
    return pixels.repeat(times, 0).repeat(times, 1)


# In the link


def current(selection: Selection) -> Patch:
    """The patch in the link, else a quarter of the image's side in its center; always within the image."""
    size = selection.card.input_size
    side = max(1, size // 4)
    text = link.value(KEY, "")
    link.keep(KEY, text, "")
    parts = text.split(".")
    if len(parts) == 3 and all(part.isascii() and part.isdecimal() and len(part) < 6 for part in parts):
        return Patch(*map(int, parts)).within(size, size)
    return Patch((size - side) // 2, (size - side) // 2, side)


def keep(patch: Patch) -> None:
    """Take over a patch. In a callback."""
    link.change(KEY, f"{patch.top}.{patch.left}.{patch.side}")
