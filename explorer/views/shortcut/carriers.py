"""The channels that a mark moves most, and what switching them off does."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.ranges import column
from explorer.engine.batches import SCENES_SEED
from explorer.engine.shortcut import ShortcutAccuracy, predictions
from explorer.engine.values import Floats
from explorer.ui import cached, choices, markup
from explorer.ui.class_names import glossed
from explorer.ui.markdown import code, literal
from explorer.views.shortcut import accuracies
from explorer.views.shortcut.marked import MarkedPair, MarkedSide
from model.scenes import CLASSES
from model.words import N_, tr

RANKED, MEASURED = (48, SCENES_SEED + 1), (200, SCENES_SEED + 2)  # scenes and their seed
PARTS = ("16", "8", "4", "2")  # of the channels, which are switched off: 1/16, …
CARDS = 8
DRAWS = 3  # of as many channels at random
RANKING = N_(
    "Ranked by how far the mark of the class moves the mean of each channel’s map: in {count} other scenes, "
    "the mean absolute difference with and without it, in standard deviations over these scenes. A channel "
    "that sees the mark need not decide the class; what switching it off does is measured below. Shown: the "
    "first {shown}."
)
TABLE = N_(
    "Channels at zero on {count} drawn scenes that were neither trained on nor ranked with (95% interval: "
    "Wilson). Random channels: mean of {draws} draws. Chance is 10%. If the ranked channels carry the mark, "
    "switching them off makes the network follow a wrong mark less often than switching off as many others."
)


@dataclass(frozen=True, eq=False)
class MarkCarriers:
    """The shifts (C,) of a layer's channels by marks, and those that are switched off, largest first."""

    side: MarkedSide
    shifts: Floats
    off: tuple[int, ...]


def choose(pair: MarkedPair) -> MarkCarriers:
    """Rank the channels of the network trained with marks, and choose how many to switch off."""
    side = pair.shortcut
    shifts = cached.mark_shifts(side.marked.network, *RANKED, side.layer)
    counts = {part: max(1, len(shifts) // int(part)) for part in PARTS}
    names = {part: tr("{count} of {total}", count=count, total=len(shifts)) for part, count in counts.items()}
    part = choices.choice(tr("Channels to switch off"), names, "carriers", "4")
    order = np.argsort(-shifts, kind="stable")[: counts[part]]
    return MarkCarriers(side, shifts, tuple(order.tolist()))


def show(pair: MarkedPair, carried: MarkCarriers) -> None:
    first = carried.off[:CARDS]
    markup.show(markup.element("div", *cards(carried, first), cls="fx-cards"))
    st.caption(tr(RANKING, count=RANKED[0], shown=len(first)))
    st.markdown(on_this_scene(carried))
    measure = {"no": tr("Not now"), "yes": tr("On {count} scenes", count=MEASURED[0])}
    if choices.choice(tr("Measure the accuracy"), measure, "shortcut_measured", "no") == "yes":
        with st.spinner(tr("Measuring on {count} scenes …", count=MEASURED[0])):
            rows = table(pair, carried)
        st.markdown(rows)
        st.caption(tr(TABLE, count=MEASURED[0], draws=DRAWS))


def cards(carried: MarkCarriers, channels: tuple[int, ...]) -> list[str]:
    """The channels' maps of the marked scene, and how far marks move each."""
    maps = [carried.side.marked.seen.maps[carried.side.layer][channel] for channel in channels]
    each = [ranges.shared(values, signed=bool(values.min() < 0)) for values in maps]
    shifts = column(carried.shifts[list(channels)].tolist())
    return [
        markup.figure(
            color(values, range),
            tr("Feature map {channel} of the scene with the mark", channel=channel),
            markup.text(tr("Channel {channel}", channel=channel), "strong"),
            markup.text(ends, "muted"),
            markup.text(tr("moved by {shift} σ", shift=shift)),
            fill=True,
        )
        for channel, values, range, ends, shift in zip(
            channels, maps, each, ranges.texts(each), shifts, strict=True
        )
    ]


def on_this_scene(carried: MarkCarriers) -> str:
    """What the network predicts for the marked scene with the channels switched off, as Markdown."""
    marked = carried.side.marked
    images = marked.sample.pixels[None]
    after = int(predictions(marked.network, images, carried.side.layer, carried.off)[0])
    fields = {
        "count": len(carried.off),
        "checkpoint": literal(carried.side.name),
        "layer": code(carried.side.layer),
        "before": glossed(CLASSES[marked.predicted]),
        "after": glossed(CLASSES[after]),
    }
    if after == marked.predicted:
        return tr(
            "With the first {count} of these channels of {layer} at zero, {checkpoint} still predicts "
            "**{after}** for this scene with the mark.",
            **fields,
        )
    return tr(
        "With the first {count} of these channels of {layer} at zero, {checkpoint} predicts **{after}** "
        "instead of {before} for this scene with the mark.",
        **fields,
    )


# On many scenes


def random_channels(total: int, count: int, draw: int) -> tuple[int, ...]:
    """`count` of `total` channels, drawn at random, always the same."""
    return tuple(sorted(np.random.default_rng(draw).permutation(total)[:count].tolist()))


def measured(side: MarkedSide, off: tuple[int, ...]) -> ShortcutAccuracy:
    return cached.shortcut_accuracy(side.marked.network, *MEASURED, side.layer, off)


def table(pair: MarkedPair, carried: MarkCarriers) -> str:
    """The accuracies in each condition, of both networks, and with channels switched off, as Markdown."""
    side, total = carried.side, len(carried.shifts)
    drawn = [measured(side, random_channels(total, len(carried.off), draw)) for draw in range(DRAWS)]
    return accuracies.table(
        [
            (tr("{checkpoint}, as it is", checkpoint=pair.control.name), [measured(pair.control, ())]),
            (tr("{checkpoint}, as it is", checkpoint=side.name), [measured(side, ())]),
            (tr("the first {count} channels at zero", count=len(carried.off)), [measured(side, carried.off)]),
            (tr("{count} random channels at zero", count=len(carried.off)), drawn),
        ]
    )
