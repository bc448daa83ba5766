"""What statistics are taken of: the image looked at, or a batch of many."""

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from explorer.engine import batches
from explorer.engine.batches import Batch
from explorer.ui import cached, choices
from explorer.ui.markdown import sentence
from explorer.ui.options import options
from explorer.ui.selection import Selection
from model.problems import Problem

NAMES = {"image": "This image", "test": "Test images", "scenes": "Drawn scenes"}
USUAL = 64


@dataclass(frozen=True, eq=False)
class Measured:
    """Images as the network gets them, their digest, and what they are called.

    `batch` is None for one image; `wanted` is how many were asked for.
    """

    x: Tensor
    digest: str
    said: str
    kind: str = "image"
    batch: Batch | None = None
    wanted: int = 1


def choose_measured(selection: Selection, what: DeltaGenerator, how_many: DeltaGenerator) -> Measured:
    """This image, or a batch of test images or drawn scenes, asked for in two places of the page."""
    found = cached.test_set(str(options().data_dir))
    names = {name: said for name, said in NAMES.items() if name != "test" or found is not None}
    with what:
        kind = choices.choice("Statistics of", names, "of")
    this = Measured(selection.x, selection.keys[1], "this image")
    if kind == "image":
        return this
    with how_many:
        wanted = _how_many(selection)
    try:
        if kind == "test" and found is not None:
            batch = cached.test_batch(str(options().data_dir), found, wanted, selection.card, selection.fit)
        else:
            batch = cached.scene_batch(wanted, selection.card)
    except Problem as error:
        st.warning(sentence(error))
        return this
    said = f"these {len(batch.labels)} {NAMES[kind].lower()}"
    return Measured(batch.x, batch.digest, said, kind, batch, wanted)


def _how_many(selection: Selection) -> int:
    counts = batches.counts(selection.card)
    usual = str(min(USUAL, counts[-1]))
    return int(choices.pick("Images", {str(count): str(count) for count in counts}, "images", usual))
