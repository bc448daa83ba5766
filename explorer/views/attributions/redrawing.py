"""A drawn scene without each of its parts: what that does to the logit, beside what each map says of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from explorer.drawing.ranges import number
from explorer.engine.attribution import Heatmap
from explorer.engine.redrawing import Redrawing
from explorer.engine.scores.ranks import moved
from explorer.engine.scores.redrawing import LEAST_PARTS, agreement, part_sums
from explorer.engine.scores.references import REFERENCES
from explorer.engine.values import Doubles
from explorer.ui import markup
from explorer.ui.selection import Selection
from explorer.views.attributions import measuring
from model.words import ngettext, tr

Heats = Sequence[tuple[str, Heatmap]]


@dataclass(frozen=True, eq=False)
class RedrawingRow:
    """What a map gives each of P parts, float64 (P,), and how well that orders their effects, beside chance.

    `band` are the ends of the middle 95% of what the map gives in the wrong place; None for a reference.
    """

    title: str
    sums: Doubles
    correlation: float
    band: tuple[float, float] | None = None


def show(selection: Selection, heats: Heats) -> None:
    """For a drawn scene the pictures without each part, and a table of the maps, each with its title."""
    drawing = measuring.explained(selection).drawing
    if drawing is None or not heats:
        return
    with st.spinner(tr("Drawing the scene without each part …")):
        drawn = measuring.redrawing_of(selection.network, *drawing)
    st.header(tr("What each part really does"), anchor=False)
    effects, name = drawn.effects(selection.target), selection.target_name
    markup.show(*pictures(drawn, effects, name))
    own = drawn.own_parts
    if len(own) < LEAST_PARTS:
        markup.show(markup.text(tr("Too few parts show for an order of them to say anything."), "muted"))
        return
    maps = [row(title, heat, drawn, effects[own]) for title, heat in heats]
    references = reference_rows(drawn, effects[own])
    parts = [tr(drawn.parts[index]) for index in own]
    markup.show(
        table(parts, name, effects[own], maps, references),
        *(markup.text(each, "muted", "p") for each in sentences(maps, references, len(own))),
    )


def pictures(drawn: Redrawing, effects: Doubles, name: str) -> list[str]:
    """The scene, and the scene without each part, with the change of the logit."""
    first = markup.figure(drawn.picture, tr("The scene as it is"), markup.text(tr("as it is")), fill=True)
    others = [
        markup.figure(
            picture,
            tr("The scene without this: {part}", part=tr(part)),
            markup.text(tr("without: {part}", part=tr(part))),
            markup.text(tr("change: {change}", change=change(effect)), "muted"),
            fill=True,
        )
        for part, picture, effect in zip(drawn.parts, drawn.pictures, effects.tolist(), strict=True)
    ]
    text = tr(
        "The scene is drawn again without each part; every other pixel is the same. Below stands how the "
        "logit of “{name}” really changes. No gradient is involved, and no baseline, except that a "
        "background left out becomes plain gray. Some parts contain others, as a head its ears: "
        "these go with them.",
        name=name,
    )
    return [markup.text(text, tag="p"), markup.element("div", first, *others, cls="fx-redrawn")]


def change(effect: float) -> str:
    """What a part's absence adds to the logit, which falls by `effect`, with its sign."""
    sign = "+" if round(effect, 2) < 0 else ""
    return sign + short(-effect)


def row(title: str, heat: Heatmap, drawn: Redrawing, effects: Doubles) -> RedrawingRow:
    """The row of a map (h, w)."""
    values, masks = np.asarray(heat.values, np.float64), drawn.masks[drawn.own_parts]
    sums = part_sums(values, masks)
    chance = [agreement(each, effects) for each in part_sums(moved(values, 0), masks)]
    low, high = np.quantile(chance, (0.025, 0.975))
    return RedrawingRow(title, sums, agreement(sums, effects), (float(low), float(high)))


def reference_rows(drawn: Redrawing, effects: Doubles) -> list[RedrawingRow]:
    """The rows of the maps that no network was asked for."""
    size, masks = drawn.picture.shape[:2], drawn.masks[drawn.own_parts]
    rows = []
    for reference in REFERENCES.values():
        sums = part_sums(reference.make((size[0], size[1]), drawn.object_mask, drawn.seed), masks)
        rows.append(RedrawingRow(tr(reference.title), sums, agreement(sums, effects)))
    return rows


def table(
    parts: list[str], name: str, effects: Doubles, maps: list[RedrawingRow], references: list[RedrawingRow]
) -> str:
    """Parts as columns; the measured change of the logit first, then the maps, then the references."""
    titles = ["", *parts, tr("rank correlation"), tr("by chance")]
    head = markup.element("tr", *(markup.text(title, tag="th") for title in titles))
    measured = tr("Measured change of the logit of “{name}” without it", name=name)
    changes = cells(measured, effects, change)
    first = markup.element("tr", *changes, "<td></td><td></td>", cls="measured")
    body = [table_row(each) for each in maps] + [table_row(each, "reference") for each in references]
    return markup.element(
        "div",
        markup.element("table", markup.element("thead", head), markup.element("tbody", first, *body)),
        cls="fx-parts",
    )


def table_row(one: RedrawingRow, cls: str = "") -> str:
    band = "" if one.band is None else tr("{low} to {high}", low=short(one.band[0]), high=short(one.band[1]))
    ends = (markup.text(short(one.correlation), "strong", "td"), markup.text(band, "muted", "td"))
    return markup.element("tr", *cells(one.title, one.sums), *ends, cls=cls)


def cells(title: str, values: Doubles, written: Callable[[float], str] = number) -> list[str]:
    """A row's title, and for each value a bar from the middle, as long as the row's largest allows."""
    reach = float(np.abs(values).max()) or 1.0
    bars = [cell(value, reach, written(value)) for value in values.tolist()]
    return [markup.text(title, tag="th"), *bars]


def cell(value: float, reach: float, text: str) -> str:
    side, width = "against" if value < 0 else "for", abs(value) / reach / 2
    bar = markup.element("div", f'<i class="{side}" style="width:{width:.1%}"></i>', cls="bar")
    return markup.element("td", bar, markup.text(text))


def short(value: float) -> str:
    return number(round(value, 2))


def sentences(maps: list[RedrawingRow], references: list[RedrawingRow], parts: int) -> list[str]:
    """What the table shows, and what it does not."""
    area = references[-1].correlation
    better = sum(each.correlation > area for each in maps)
    return [
        tr(
            "The number of a map is the sum of its values over the part. A bar to the right supports the "
            "class: without the part the logit falls, or the map’s sum is positive. Each row has bars of its "
            "own scale. “By chance” is the same map, mirrored and shifted at random."
        ),
        ngettext(
            "{better} of {n} map orders the parts better than their plain area does ({area}).",
            "{better} of {n} maps order the parts better than their plain area does ({area}).",
            len(maps),
            better=better,
            area=short(area),
        )
        + " "
        + tr(
            "One scene has only {parts} parts, so a single rank correlation is a rough number: compare "
            "methods over many scenes, and beside the area, because larger parts mostly matter more.",
            parts=parts,
        ),
    ]
