"""Grad-CAM of two classes, and of the difference of their logits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.ranges import Range
from explorer.engine.attribution import heat_from
from explorer.engine.values import Floats
from explorer.ui import cached, choices, markup, panels
from explorer.ui.frame import checkup
from explorer.ui.markdown import literal
from explorer.ui.selection import Selection
from model.words import tr


@dataclass(frozen=True, eq=False)
class ClassMaps:
    """Grad-CAM at some layers of the "target" class, the "other" one and their "difference".

    `values` are (layer, which of the three) → (h, w); the three of a layer have one color range.
    """

    other: int
    titles: dict[str, str]
    values: dict[tuple[str, str], Floats]
    ranges: dict[str, Range]


def show(selection: Selection) -> ClassMaps | None:
    """Heat maps of two classes at the blocks that are chosen; None without a second class or a heat map."""
    if len(selection.card.classes) < 2:
        st.info(tr("This network has one class only, so there is no other class to compare it with."))
        return None
    other = choose_other_class(selection)
    titles = titles_of(selection, other, selection.class_names)
    question = tr("Why “{first}” rather than “{second}”?", first=titles["target"], second=titles["other"])
    markup.show(markup.text(question, tag="h3"))
    blocks = choices.choose_blocks(selection).values()
    layers = {block.explained: block.explained for block in blocks}
    layers = checkup.with_gradient(selection, layers)
    if not layers:
        return None
    maps = compute(selection, list(layers), other, titles)
    for layer in maps.ranges:
        show_layer(selection, maps, layer)
    panels.explain_dimmed(selection)
    st.caption(
        tr(
            "The third map is Grad-CAM of the difference of the two logits: red supports the first class, "
            "blue supports the second."
        )
    )
    return maps


def choose_other_class(selection: Selection) -> int:
    """The class to compare with: the runner-up of whatever image is shown, until another is chosen."""
    names = selection.card.classes
    others = [name for k, name in enumerate(names) if k != selection.target]
    label, first = tr("Compare with"), tr("Most probable other class")
    name = choices.choose_class(label, others, "against", choices.RUNNER_UP, first, width=250)
    return runner_up(selection) if name is None else names.index(name)


def runner_up(selection: Selection) -> int:
    """The most probable class besides the one to explain."""
    order = np.argsort(-selection.seen.logits, kind="stable")
    return int(next(k for k in order if k != selection.target))


def titles_of(selection: Selection, other: int, names: Sequence[str]) -> dict[str, str]:
    """The titles of the three heat maps: the class to explain, the other one, their difference."""
    first, second = names[selection.target], names[other]
    difference = tr("{first} − {second}", first=first, second=second)
    return {"target": first, "other": second, "difference": difference}


def compute(selection: Selection, layers: Sequence[str], other: int, titles: dict[str, str]) -> ClassMaps:
    """The three heat maps at each of the layers, all from one pass."""
    both = cached.gradients(selection.network, selection.input, tuple(layers), (selection.target, other))
    values, common = {}, {}
    for layer, (first, second) in both.items():
        scores = {"target": first, "other": second, "difference": first.minus(second)}
        for name, score in scores.items():
            values[layer, name] = heat_from(selection.net, score, "grad_cam").values
        common[layer] = ranges.symmetric(*(values[layer, name] for name in scores))
    return ClassMaps(other, titles, values, common)


def show_layer(selection: Selection, maps: ClassMaps, layer: str) -> None:
    st.subheader(literal(layer), anchor=False)
    range = maps.ranges[layer]
    panels.side_by_side(
        [panel(selection, maps, layer, name) for name in maps.titles],
        markup.scale(range, tr("the same scale for all three maps at {layer}", layer=layer)),
    )


def panel(selection: Selection, maps: ClassMaps, layer: str, name: str) -> str:
    heat, title = maps.values[layer, name], maps.titles[name]
    alt = tr("Grad-CAM of {name} at {layer}", name=title, layer=layer)
    return panels.heat_panel(selection, layer, heat, maps.ranges[layer], title, alt, panels.extent(heat))
