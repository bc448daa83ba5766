"""The chosen scene: predictions of both networks with and without the mark, and Grad-CAM with it."""

import math

import streamlit as st

from explorer.drawing.ranges import percent, probability
from explorer.ui import markup, panels
from explorer.ui.class_names import glossed
from explorer.ui.markdown import literal
from explorer.ui.selection import Selection
from explorer.views.shortcut.marked import MarkedPair, MarkedSide
from model.scenes import CLASSES
from model.words import N_, tr

FEW = 3  # probabilities
EVIDENCE = N_(
    "Evidence is Grad-CAM of each network’s own prediction for the scene with the mark. A position counts as "
    "on the mark if the mark covers any part of it; an even map would have the fraction of these positions. "
    "Deep layers look at more than their own position, so heat beside the mark can come from the mark, and "
    "little heat on it does not prove that the network ignores it: compare the predictions."
)


def show(pair: MarkedPair) -> None:
    st.subheader(title(pair), anchor=False)
    markup.show(markup.element("div", *map(predictions, pair.sides), cls="fx-panels"))
    panels.side_by_side([heat(side) for side in pair.sides])
    for side in pair.sides:
        st.markdown(meaning(side, pair))
    st.caption(tr(EVIDENCE))


def title(pair: MarkedPair) -> str:
    name, mark = glossed(CLASSES[pair.label]), glossed(CLASSES[pair.mark])
    if pair.label == pair.mark:
        return tr("This {name} with the mark of its class", name=name)
    return tr("This {name} with the mark of {mark}", name=name, mark=mark)


def predictions(side: MarkedSide) -> str:
    """What a network predicts without and with the mark."""
    rows = [
        beside(side.plain, tr("Without the mark")),
        beside(side.marked, tr("With the mark")),
    ]
    return markup.element("section", markup.text(side.name, tag="h3"), *rows)


def beside(one: Selection, title: str) -> str:
    probabilities = one.seen.probabilities
    order = probabilities.argsort()[::-1][:FEW].tolist()
    rows = [(CLASSES[k], float(probabilities[k]), k == one.sample.label) for k in order]
    alt = tr("{picture}: {name}", picture=title, name=one.sample.name)
    inner = (
        markup.text(title, "muted"),
        markup.text(tr("Prediction: {name}", name=glossed(CLASSES[one.predicted])), "strong"),
        markup.bars(rows),
    )
    picture = markup.image(one.sample.pixels, alt)
    return markup.element("div", picture, markup.element("div", *inner), cls="fx-side")


def heat(side: MarkedSide) -> str:
    """Grad-CAM over the marked scene, and how much of it is on the mark."""
    name = glossed(CLASSES[side.marked.predicted])
    facts = panels.facts(
        "",
        [
            (tr("positive evidence on the mark"), fraction(side.on.positive)),
            (tr("absolute evidence on the mark"), fraction(side.on.absolute)),
            (tr("an even map would have"), percent(side.on.area)),
        ],
    )
    panel = panels.heat_panel(
        side.marked,
        side.layer,
        side.heat,
        side.range,
        tr("{checkpoint}: {name} at {layer}", checkpoint=side.name, name=name, layer=side.layer),
        tr(
            "Grad-CAM of {name} at {layer} by {checkpoint}, with the mark",
            checkpoint=side.name,
            name=name,
            layer=side.layer,
        ),
        scale=tr("scale of this map only"),
    )
    return markup.element("div", panel, facts)


def fraction(value: float) -> str:
    return tr("none") if math.isnan(value) else percent(value)


def meaning(side: MarkedSide, pair: MarkedPair) -> str:
    """What the mark changes in a network's prediction, as Markdown."""
    before, after = side.plain.predicted, side.marked.predicted
    change = float(side.marked.seen.probabilities[pair.mark] - side.plain.seen.probabilities[pair.mark])
    fields = {
        "checkpoint": literal(side.name),
        "before": glossed(CLASSES[before]),
        "after": glossed(CLASSES[after]),
        "mark": glossed(CLASSES[pair.mark]),
        "first": probability(float(side.plain.seen.probabilities[pair.mark])),
        "second": probability(float(side.marked.seen.probabilities[pair.mark])),
    }
    if before != after and after == pair.mark:
        return tr(
            "**{checkpoint}**: the mark changes the prediction from {before} to **{after}**, the class whose "
            "mark it is ({first} without it, {second} with it).",
            **fields,
        )
    if before != after:
        return tr(
            "**{checkpoint}**: with the mark the prediction changes from {before} to {after}, which is not "
            "the class of the mark.",
            **fields,
        )
    if abs(change) < 0.05:
        return tr(
            "**{checkpoint}**: the mark hardly changes the probability of {mark} ({first} without it, "
            "{second} with it).",
            **fields,
        )
    return tr(
        "**{checkpoint}**: the prediction stays {after}; the probability of {mark} changes from {first} to "
        "{second}.",
        **fields,
    )
