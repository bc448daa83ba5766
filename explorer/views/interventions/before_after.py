"""A prediction and a heat map before and after something was changed, side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.overlay import overlay
from explorer.drawing.ranges import (
    Range,
    before_and_after,
    column,
    plainly,
    probability,
    with_decimals,
)
from explorer.engine.values import Floats
from explorer.ui import cached, choices, markup, panels
from explorer.ui.cached import Outcome
from explorer.ui.markdown import sentence
from explorer.ui.selection import Selection
from model.card import Pixels
from model.problems import Problem
from model.words import N_, tr

NOT_POSITIVE = N_("No position supports the class: no value of this map is above zero.")
BEFORE, AFTER = N_("Grad-CAM before the change"), N_("Grad-CAM after the change")
FIRST = 5  # most probable classes, before and after, that are shown


@dataclass(frozen=True, eq=False)
class BeforeAfter:
    """What the network makes of the image as it is and with the change; Grad-CAM's layer and common range.

    `pixels` are drawn below the heat maps, where they are others than the picture.
    """

    layer: str
    before: Outcome
    after: Outcome
    range: Range
    pixels: tuple[Pixels, Pixels] | None = None


def compare(
    layer: str, before: Outcome, after: Outcome, pixels: tuple[Pixels, Pixels] | None = None
) -> BeforeAfter:
    """Both, with one range for both heat maps. Raises Problem where the changed network predicts nothing."""
    if not np.isfinite(after.logits).all():
        raise Problem(
            "With this change the network returns NaN or infinity, so there is no prediction: choose another "
            "change."
        )
    heats = [one.heat for one in (before, after) if one.heat is not None]
    return BeforeAfter(layer, before, after, ranges.positive(*heats), pixels)


def choose_layer(selection: Selection) -> str:
    """The layer at which Grad-CAM is shown: the activation of a block, at first the last with positions."""
    names = {
        block.explained: choices.block_names(selection.blocks)[str(number)]
        for number, block in enumerate(selection.blocks, start=1)
    }
    names = {layer: name for layer, name in names.items() if selection.gradient_reaches(layer)} or names
    return choices.pick(tr("Grad-CAM at"), names, "after_at", choices.last_layer(selection, list(names)))


def unchanged(selection: Selection, layer: str) -> Outcome:
    """What the network makes of the image as it is."""
    return cached.outcome(selection.network, selection.input, (), layer, selection.target)


def in_words(selection: Selection, both: BeforeAfter) -> str:
    """What becomes of the prediction and of the logit of the class to explain."""
    names, target = selection.class_names, selection.target
    was, now = int(both.before.logits.argmax()), int(both.after.logits.argmax())
    if np.array_equal(both.before.logits, both.after.logits):
        return tr("No logit changes; the prediction is {name}.", name=names[was])
    template = (
        N_("The prediction stays {was}. The logit of {name} goes from {before} to {after} ({change}).")
        if was == now
        else N_(
            "The prediction changes from {was} to {now}. The logit of {name} goes from {before} to {after} "
            "({change})."
        )
    )
    before, after, change = before_and_after(both.before.logits[target], both.after.logits[target])
    return tr(
        template, was=names[was], now=names[now], name=names[target], before=plainly(before),
        after=plainly(after), change=plainly(change),
    )  # fmt: skip


def show(selection: Selection, both: BeforeAfter) -> None:
    """The sentence, the bars, and both heat maps on one scale."""
    markup.show(
        markup.text(in_words(selection, both), "fx-verdict"), bars(selection, both), heats(selection, both)
    )
    if both.pixels is None:
        panels.explain_dimmed(selection)


def bars(selection: Selection, both: BeforeAfter) -> str:
    """The most probable classes with two bars each: before in gray, after in the accent's color."""
    probabilities = both.before.probabilities, both.after.probabilities
    order = in_view(selection, both)
    head = ["", "", tr("before"), tr("after"), tr("change of logit")]
    cells = [markup.text(text, "muted") for text in head]
    for k, change in zip(order, changes(both, order, selection.target), strict=True):
        mark = "chosen" if k == selection.target else ""
        track = "".join(
            f'<span class="{name}" style="width:{values[k]:.1%}"></span>'
            for name, values in zip(("before", "after"), probabilities, strict=True)
        )
        cells += [markup.text(selection.class_names[k], mark), f'<div class="track">{track}</div>']
        cells += [markup.text(text, mark) for text in (*(probability(s[k]) for s in probabilities), change)]
    label = tr("Probabilities before and after the change, and the change of each logit")
    return (
        f'<div class="fx-both" role="group" aria-label="{escape(label, quote=True)}">{"".join(cells)}</div>'
    )


def changes(both: BeforeAfter, classes: Sequence[int], target: int) -> list[str]:
    """How far each logit changes, all with the decimals that the sentence gives the class to explain."""
    exact = {k: float(both.after.logits[k]) - float(both.before.logits[k]) for k in (*classes, target)}
    *_, own = before_and_after(both.before.logits[target], both.after.logits[target])
    if own == "0" or "e" in own:
        texts = dict(zip(classes, column(exact[k] for k in classes), strict=True))
    else:
        decimals = len(own.partition(".")[2])
        texts = {k: with_decimals(decimals, exact[k]) for k in classes} | {target: own.lstrip("+")}
    return [f"+{texts[k]}" if exact[k] > 0 and texts[k][0].isdecimal() else texts[k] for k in classes]


def in_view(selection: Selection, both: BeforeAfter) -> list[int]:
    """The classes most probable before or after, the one to explain among them, by the larger of the two."""
    largest = np.maximum(both.before.probabilities, both.after.probabilities)
    order: list[int] = np.argsort(-largest, kind="stable")[:FIRST].tolist()
    return order if selection.target in order else [*order[:-1], selection.target]


def heats(selection: Selection, both: BeforeAfter) -> str:
    """Grad-CAM before and after, over the image."""
    figures = [
        heat_figure(selection, both, tr("before"), tr(BEFORE), both.before.heat),
        heat_figure(selection, both, tr("after"), tr(AFTER), both.after.heat),
    ]
    name = selection.target_name
    heading = tr("Grad-CAM of {name} at {layer}", name=name, layer=both.layer)
    scale = markup.scale(both.range, tr("shared scale for both maps"))
    return markup.element(
        "section", markup.text(heading, tag="h3"), markup.element("div", *figures, cls="fx-two"), scale
    )


def heat_figure(selection: Selection, both: BeforeAfter, title: str, alt: str, heat: Floats | None) -> str:
    if heat is None:
        return markup.text(tr("No gradient of the class reaches this layer."), "muted")
    if not heat.any():
        return markup.element("div", markup.text(title), markup.text(tr(panels.ZERO), "muted"))
    notes = () if heat.max() > 0 else (markup.text(tr(NOT_POSITIVE)),)
    whole = both.pixels is None
    pixels = (
        panels.over_image(selection, both.layer, heat, both.range) if whole else over(selection, both, heat)
    )
    return markup.figure(pixels, alt, markup.text(title), *notes, fill=True)


def over(selection: Selection, both: BeforeAfter, heat: Floats) -> Pixels:
    """A heat map (h, w) over the picture, on the common range."""
    if both.pixels is None:
        return overlay(selection.sample.pixels, heat, both.range, selection.covered(both.layer))
    pixels = both.pixels[heat is both.after.heat]
    size = selection.card.input_size, selection.card.input_size
    place = selection.place(both.layer).scaled(size, pixels.shape[:2])
    return overlay(pixels, heat, both.range, place)


def guarded(draw: Callable[[], None]) -> None:
    """Draw a part of a page; what it cannot show is one sentence in its place."""
    try:
        draw()
    except Problem as problem:
        st.info(sentence(problem))
