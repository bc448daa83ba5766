"""Which channel the page is about, and the images that it is measured on."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import streamlit as st

from explorer.engine.batches import spread
from explorer.engine.receptive import ReceptiveField, ReceptiveFields
from explorer.engine.samples import Sample, class_indices
from explorer.engine.scan.images import drawn_scenes, of_test_set, scene_number
from explorer.engine.scan.result import LayerScan, Scan
from explorer.engine.tracing import Block
from explorer.engine.values import Integers
from explorer.ui import cached, choices, link
from explorer.ui.channel_link import open_channel
from explorer.ui.frame import presentation, way_back
from explorer.ui.options import options
from explorer.ui.selection import Selection
from model.card import Pixels
from model.problems import Problem
from model.scenes import CLASSES
from model.words import ngettext, tr

SMALL = 64  # pixels of an input: what is measured on larger ones takes longer, and begins when asked for
WITHOUT_SCAN = 100  # drawn scenes
MOST_OF_PRIOR = 256, 32  # images that amplitudes and colors are taken from, for small and larger inputs


@dataclass(frozen=True, eq=False)
class ChannelSubject:
    """A channel of a layer, and the scan of the chosen images where there is one."""

    selection: Selection
    block: Block
    layer: str
    channel: int
    scan: Scan | None = None

    @property
    def name(self) -> str:
        return tr("Channel {channel} of {layer}", channel=self.channel, layer=self.layer)

    @property
    def small(self) -> bool:
        return self.selection.card.input_size <= SMALL

    @property
    def scanned(self) -> LayerScan | None:
        """What the scan has of the layer."""
        return None if self.scan is None else self.scan.layers.get(self.layer)

    @cached_property
    def fields(self) -> ReceptiveFields:
        return cached.receptive_fields(self.selection.network, self.selection.input)[self.layer]

    def field(self, position: tuple[int, int]) -> ReceptiveField:
        return self.fields.at(*position)

    @cached_property
    def images(self) -> "Images":
        """The images of the scan, or drawn scenes without one."""
        return images_of(self.selection, self.scan)


def choose(selection: Selection) -> ChannelSubject:
    """The channel in the link, chosen here or on another page; at first the one that contributes most."""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        block, _, layer = choices.choose_layer(selection)
        count = selection.seen.shapes[layer][0]
        channel = link.number(
            tr("Channel"),
            0,
            count - 1,
            "channel",
            strongest(selection, layer),
            width=presentation.pixels(130),
        )
        subject = ChannelSubject(selection, block, layer, channel)
        if st.button(tr("Open on Feature maps"), icon=":material/grid_view:", key="to_maps"):
            open_channel(selection, layer, channel)
        if st.button(tr("Explain the selected image"), icon=":material/target:", key="to_explain"):
            way_back.depart("channel")
            link.open_page("explain")
    return subject


def strongest(selection: Selection, layer: str) -> int:
    """The channel with the largest contribution to the class, or else with the largest mean."""
    evidence = selection.evidence(layer)
    values = selection.seen.maps[layer].mean((1, 2)) if evidence is None else evidence.contributions
    return int(np.argmax(values))


@dataclass(frozen=True, eq=False)
class Images:
    """N images by row: `take` gives one and touches nothing of Streamlit; `labels` are -1 without a class.

    `key` names them in the keys of jobs; `text` says what they are.
    """

    key: tuple[str, int]
    labels: Integers
    take: Callable[[int], Sample]
    text: str

    def __len__(self) -> int:
        return len(self.labels)

    def of_class(self, label: int, count: int) -> list[int]:
        """At most `count` rows of a class, evenly spread."""
        rows = np.flatnonzero(self.labels == label)
        return rows[spread(len(rows), count)].tolist() if len(rows) else []

    def some(self, count: int) -> list[int]:
        """At most `count` rows, evenly spread."""
        return spread(len(self), count)


def images_of(selection: Selection, scan: Scan | None) -> Images:
    """The images of a scan; without one, drawn scenes."""
    card = selection.card
    scenes = drawn_scenes(card)
    if scan is None:
        known = [class_indices(CLASSES, card.classes)[row % len(CLASSES)] for row in range(WITHOUT_SCAN)]
        labels = np.array([-1 if label is None else label for label in known], np.int64)
        return Images((scenes.digest, len(labels)), labels, scenes.take, text_of("scenes", len(labels)))
    key = (scan.images, len(scan))
    text = text_of(scan.dataset, len(scan))
    if scan.dataset == "scenes":
        ids = scan.ids
        return Images(key, scan.labels, lambda row: scenes.take(scene_number(int(ids[row]))), text)
    test_set = cached.test_set(options().data_dir)
    if test_set is None or test_set.digest != scan.images:
        raise Problem("The images of this scan are no longer in the folder: start with their --data-dir.")
    usable = of_test_set(test_set, card)
    return Images(key, scan.labels, lambda row: usable.take(int(scan.ids[row])), text)


def text_of(dataset: str, count: int) -> str:
    """What the images are, in words."""
    if dataset == "scenes":
        return ngettext("{n:,} drawn scene", "{n:,} drawn scenes", count)
    return ngettext("{n:,} test image", "{n:,} test images", count)


def framed(subject: ChannelSubject, row: int) -> Pixels:
    """An image as the network gets it, uint8 (s, s, 3)."""
    return subject.selection.card.framed(subject.images.take(row).pixels)
