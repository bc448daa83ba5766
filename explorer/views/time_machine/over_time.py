"""What the time machine looks at: each kind asks its own questions, and gives what makes its film."""

from collections.abc import Callable

import streamlit as st

from explorer.engine.batchnorm import NormSummary, batchnorms
from explorer.engine.timeline import Timeline
from explorer.engine.tracing import stages
from explorer.ui import cached, choices, films, link
from explorer.ui.films import STATISTICS, Film
from explorer.ui.selection import Selection

Make = Callable[[], Film] | None


def cam(selection: Selection, timeline: Timeline) -> Make:
    if not selection.blocks:
        st.info("This network has no convolution, so there are no feature maps to explain.")
        return None
    layer = cam_layer(selection)
    signed = choices.choice("Evidence", choices.EVIDENCE_NAMES, "evidence") == "signed"
    several = len(timeline.epochs) > 1
    own = several and choices.choice("Color scale", choices.SCALE_NAMES, "time_scale") == "own"

    def made() -> Film:
        heat = cached.heat_over_time(
            timeline.digest, selection.keys[1], layer, selection.target, timeline, selection.x
        )
        name = selection.card.classes[selection.target]
        return films.heat(selection.sample.pixels, selection.received, heat, layer, name, signed, own)

    return made


def cam_layer(selection: Selection) -> str:
    """A block, at first the last one, and its stage, as on the page Explain."""
    names = choices.block_names(selection.blocks)
    block = selection.blocks[int(choices.pick("Block", names, "cam_block", list(names)[-1], width=170)) - 1]
    named = choices.stage_names(selection, selection.blocks)
    stage = choices.pick("Stage", named, "cam_stage", "act", width=150)
    return stages(block, selection.seen).get(stage, block.conv)


def maps(selection: Selection, timeline: Timeline) -> Make:
    if not selection.blocks:
        st.info("This network has no convolution, so it has no feature maps.")
        return None
    _, _, layer = choices.choose_layer(selection)
    count = len(selection.seen.maps[layer])
    channel = choose_channel(count, strongest(selection, layer), "Channel in the strip")

    def made() -> Film:
        found = cached.maps_over_time(timeline.digest, selection.keys[1], layer, timeline, selection.x)
        return films.maps(found, layer, channel)

    return made


def filters(_: Selection, timeline: Timeline) -> Make:
    def made() -> Film:
        layer, weights = cached.filters_over_time(timeline.digest, timeline)
        return films.filters(weights, layer)

    return made


def norm(selection: Selection, timeline: Timeline) -> Make:
    layers = batchnorms(selection.net, selection.seen)
    if not layers:
        st.info("This network has no BatchNorm, so there are no running statistics to follow.")
        return None
    choices.pick("Layer", {layer: layer for layer in layers}, "norm", width=180)
    statistic = choices.choice("Statistic", {name: said[0] for name, said in STATISTICS.items()}, "statistic")
    return lambda: films.norm(norms(selection, timeline), statistic)


CHOICES: dict[str, Callable[[Selection, Timeline], Make]] = {
    "cam": cam,
    "maps": maps,
    "filters": filters,
    "norm": norm,
}


def choose_channel(count: int, usual: int, label: str) -> int:
    """A channel, kept in the link; at first the usual one."""
    held = link.held("channel", "")
    channel = (
        int(held) if held.isascii() and held.isdecimal() and len(held) < 6 and int(held) < count else usual
    )
    if channel != usual:
        link.hold("channel", str(channel), "")
    key = link.showing("time_channel", channel)
    st.number_input(label, 0, count - 1, channel, key=key, on_change=keep_channel, args=(key,), width=160)
    return channel


def keep_channel(key: str) -> None:
    """Put a chosen channel into the link; the cell chosen on the maps page was another channel's."""
    link.hold("channel", str(st.session_state[key]), "")
    link.hold("cell", "", "")


def strongest(selection: Selection, layer: str) -> int:
    """The channel that speaks most for the class in the trained network."""
    return int(selection.evidence((layer,))[layer].contributions.argmax())


def norms(selection: Selection, timeline: Timeline) -> tuple[NormSummary, ...]:
    layer = link.held("norm", batchnorms(selection.net, selection.seen)[0])
    return cached.norms_over_time(timeline.digest, selection.keys[1], layer, timeline, selection.x)
