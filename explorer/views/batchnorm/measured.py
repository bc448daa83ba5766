"""The images whose statistics are observed: the one chosen, or a batch of many."""

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.engine import batches
from explorer.engine.batches import Batch
from explorer.engine.batchnorm import NormSummary
from explorer.engine.network import Input
from explorer.ui import cached, choices
from explorer.ui.markdown import sentence
from explorer.ui.options import options
from explorer.ui.selection import Selection
from model.problems import Problem
from model.words import N_, ngettext, tr

NAMES = {"image": N_("This image"), "test": N_("Test images"), "scenes": N_("Drawn scenes")}
DEFAULT_COUNT = 64


@dataclass(frozen=True, eq=False)
class MeasuredImages:
    """Images as the network gets them.

    `batch` is None for one image; `wanted` is how many were asked for.
    """

    input: Input
    kind: str = "image"
    batch: Batch | None = None
    wanted: int = 1

    @property
    def text(self) -> str:
        """On which images the statistics are observed, in one sentence."""
        count = len(self.input.x)
        if self.kind == "test":
            return ngettext("Observed on {n} test image.", "Observed on {n} test images.", count)
        if self.kind == "scenes":
            return ngettext("Observed on {n} drawn scene.", "Observed on {n} drawn scenes.", count)
        return tr("Observed on this image.")


@dataclass(frozen=True, eq=False)
class LayerView:
    """One BatchNorm as the page shows it: its statistics, the images, the ReLU after it, the channel."""

    summary: NormSummary
    measured: MeasuredImages
    relu: str | None
    channel: int

    @property
    def layer(self) -> str:
        return self.summary.layer


def choose_measured(selection: Selection, which: DeltaGenerator, how_many: DeltaGenerator) -> MeasuredImages:
    """This image, or a batch of test images or drawn scenes, chosen in two places of the page."""
    test_set = cached.test_set(options().data_dir)
    names = {kind: tr(name) for kind, name in NAMES.items() if kind != "test" or test_set is not None}
    with which:
        kind = choices.choice(tr("Statistics of"), names, "of")
    image = MeasuredImages(selection.input)
    if kind == "image":
        return image
    with how_many:
        wanted = _how_many(selection)
    try:
        if kind == "test" and test_set is not None:
            batch = cached.test_batch(test_set, wanted, selection.card, selection.fit)
        else:
            batch = cached.scene_batch(wanted, selection.card)
    except Problem as error:
        st.warning(sentence(error))
        return image
    return MeasuredImages(batch.input, kind, batch, wanted)


def _how_many(selection: Selection) -> int:
    counts = batches.counts(selection.card)
    default = str(min(DEFAULT_COUNT, counts[-1]))
    return int(choices.pick(tr("Images"), {str(count): str(count) for count in counts}, "images", default))
