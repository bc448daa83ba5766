"""Channels switched off, averaged or scaled: marked in a grid, and what becomes of the prediction."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import streamlit as st

from explorer.engine.intervention import Change, How
from explorer.engine.tracing import stages
from explorer.ui import cached, choices, markup
from explorer.ui.components.beside import key_with
from explorer.ui.components.channel_grid import Choice, channel_grid
from explorer.ui.selection import Selection
from explorer.views.interventions import before_after, exports, marks
from explorer.views.interventions.before_after import BeforeAfter
from explorer.views.interventions.marks import Marks
from explorer.views.maps.page import channel_orders
from explorer.views.maps.view import color_ranges
from model.words import N_, ngettext, tr

HOW: dict[How, str] = {
    "zero": N_("Set to zero"),
    "mean": N_("Set to their mean"),
    "scale": N_("Multiply"),
}
FACTORS = ("-1", "-0.5", "0.25", "0.5", "0.75", "1.5", "2", "3", "5", "10")


@dataclass(frozen=True, eq=False)
class Intervened:
    """The marked channels of each layer, what is done to them, and what comes of it."""

    marks: Marks
    changes: tuple[Change, ...]
    both: BeforeAfter


def show(selection: Selection) -> None:
    with st.container(horizontal=True, gap="small", key="layer"):
        _, _, layer = choices.choose_layer(selection, first_block=choices.last_block(selection))
    grid, results = st.columns([4, 3], gap="medium")
    with grid:
        marked = marks.current(channel_counts(selection))
        with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
            how, factor = choose_how()
            buttons(marked)
        markup.show(markup.text(about(marked), "muted"))
        with st.container(key="tiles"):
            mark_channels(selection, layer, marked)
    with results, st.container(key="channel", gap="xsmall"):
        at = before_after.choose_layer(selection)
        before_after.guarded(partial(show_results, selection, marked, how, factor, at))
    how_to_read()


def how_to_read() -> None:
    with st.expander(tr("How to read this")):
        st.markdown(
            tr(
                "The grid shows the feature maps of the unchanged network; striped channels are marked. "
                "The network then runs again, and in that pass the map of every marked channel is set to "
                "zero, to its own mean at every position (which keeps its level and removes its pattern), "
                "or multiplied by the factor. Channels may be marked in several layers: all are changed "
                "in the same pass. The column “change of logit” says how much each logit changes. "
                "Grad-CAM after the change is that of the changed network for the same class, and both maps "
                "have one color scale. No network was trained with these channels changed, so it may be in a "
                "state that no image brings about."
            )
        )


def choose_how() -> tuple[How, float]:
    """What is done to the marked channels."""
    names: dict[str, str] = {key: tr(name) for key, name in HOW.items()}
    chosen = choices.choice(tr("Marked channels"), names, "how", "zero")
    how = next(key for key in HOW if key == chosen)
    if how != "scale":
        return how, 1.0
    factors = {factor: f"× {factor}".replace("-", "−") for factor in FACTORS}
    return how, float(choices.pick(tr("Factor"), factors, "times", "2", width=110))


def channel_counts(selection: Selection) -> dict[str, int]:
    """Layer of a block → how many channels it has."""
    layers = (layer for block in selection.blocks for layer in stages(block, selection.seen).values())
    return {layer: selection.seen.shapes[layer][0] for layer in layers}


def buttons(marked: Marks) -> None:
    st.button(tr("Undo"), icon=":material/undo:", disabled=not marks.can_undo(), on_click=marks.undo)
    st.button(tr("Reset"), disabled=not marked, on_click=marks.change, args=({},))


def about(marked: Marks) -> str:
    """Which channels are marked, in all layers."""
    if not marked:
        return tr("No channel is marked: click or tap a channel, or drag a mouse over several.")
    return tr("Marked: {channels}", channels=" · ".join(marks.by_layer(marked)))


def mark_channels(selection: Selection, layer: str, marked: Marks) -> None:
    """The grid of a layer's maps as they are without changes, in which channels are marked."""
    maps = selection.seen.maps[layer]
    colors = color_ranges(maps)
    channel_grid(
        maps,
        key=key_with("marking", layer),
        signed=colors.signed,
        marked=marked.get(layer, ()),
        orders=channel_orders(selection, layer),
        scale="channel",
        limits=colors.shared,
        each=colors.each,
        label=ngettext(
            "The feature map of {layer}", "The {n} feature maps of {layer}", len(maps), layer=layer
        ),
        on_change=partial(keep, layer, marked),
    )


def keep(layer: str, marked: Mapping[str, tuple[int, ...]], choice: Choice) -> None:
    """Take over what was marked in a layer."""
    marks.change({**marked, layer: choice.marked})


def changes_of(marked: Marks, how: How, factor: float) -> tuple[Change, ...]:
    return tuple(Change(layer, channels, how, factor) for layer, channels in marked.items())


def show_results(selection: Selection, marked: Marks, how: How, factor: float, at: str) -> None:
    changes = changes_of(marked, how, factor)
    before = before_after.unchanged(selection, at)
    after = cached.outcome(selection.network, selection.input, changes, at, selection.target)
    both = before_after.compare(at, before, after)
    before_after.show(selection, both)
    exports.channels(selection, Intervened(marked, changes, both))
