"""What the time machine can show: each kind has its own choices, and gives what makes its film."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from explorer.drawing.chart import LineChart
from explorer.engine.batchnorm import NormSummary, batchnorms
from explorer.engine.timeline import Course, Timeline
from explorer.engine.tracing import stages
from explorer.ui import cached, choices, link, panels
from explorer.ui.frame import checkup, presentation
from explorer.ui.selection import Selection
from explorer.views.time_machine import films
from explorer.views.time_machine.films import STATISTICS, Film
from model.words import N_, tr

KINDS = {"cam": N_("Grad-CAM"), "maps": N_("Feature maps"), "filters": N_("Kernels"), "norm": N_("BatchNorm")}
Make = Callable[[], Film] | None


@dataclass(frozen=True, eq=False)
class NormHistory:
    """A BatchNorm at every epoch, the highlighted channel, and each statistic's chart by its name."""

    norms: Sequence[NormSummary]
    channel: int
    charts: Mapping[str, LineChart]


@dataclass(frozen=True, eq=False)
class TimeView:
    """What the page shows: the film and the chosen epoch's index; each epoch's prediction as a text; the
    chart of probabilities; for BatchNorm its history.
    """

    film: Film
    timeline: Timeline
    course: Course
    index: int
    predictions: Sequence[str]
    probabilities: LineChart
    history: NormHistory | None = None

    @property
    def epochs(self) -> tuple[int, ...]:
        return self.course.epochs


def cam(selection: Selection, timeline: Timeline) -> Make:
    if not selection.blocks:
        checkup.without_maps(
            selection.opened,
            tr("No layer of this network gives feature maps, so there is nothing to explain here."),
        )
        return None
    layer = cam_layer(selection)
    evidence = {name: tr(title) for name, title in choices.EVIDENCE_NAMES.items()}
    signed = choices.choice(tr("Evidence"), evidence, "evidence") == "signed"
    scales = {name: tr(title) for name, title in choices.SCALE_NAMES.items()}
    several = len(timeline.epochs) > 1
    own = several and choices.choice(tr("Color scale"), scales, "time_scale") == "own"

    def made() -> Film:
        heat = cached.heat_over_time(timeline, selection.input, layer, selection.target)
        name = selection.target_name
        return films.heat(*panels.picture_around(selection, layer), heat, layer, name, signed, own)

    return made


def cam_layer(selection: Selection) -> str:
    """A block, at first the last one, and its stage, as on the page Explain."""
    names = choices.block_names(selection.blocks)
    chosen = choices.pick(tr("Block"), names, "cam_block", list(names)[-1], width=170)
    block = selection.blocks[int(chosen) - 1]
    stage_names = choices.stage_names(selection, [block])
    stage = choices.pick(tr("Stage"), stage_names, "cam_stage", "act", width=150)
    return stages(block, selection.seen).get(stage, block.name)


def maps(selection: Selection, timeline: Timeline) -> Make:
    if not selection.blocks:
        checkup.without_maps(
            selection.opened, tr("No layer of this network gives feature maps, so there are none to show.")
        )
        return None
    _, _, layer = choices.choose_layer(selection)
    count = len(selection.seen.maps[layer])
    channel = choose_channel(count, strongest(selection, layer), tr("Channel in the strip"))

    def made() -> Film:
        values = cached.maps_over_time(timeline, selection.input, layer)
        return films.maps(values, layer, channel)

    return made


def filters(_: Selection, timeline: Timeline) -> Make:
    def made() -> Film:
        layer, weights = cached.filters_over_time(timeline)
        return films.filters(weights, layer)

    return made


def norm(selection: Selection, timeline: Timeline) -> Make:
    layers = batchnorms(selection.net, selection.seen)
    if not layers:
        st.info(tr("This network has no BatchNorm of feature maps whose running statistics could be shown."))
        return None
    choices.pick(tr("Layer"), {layer: layer for layer in layers}, "norm", width=180)
    names = {name: tr(title) for name, (title, _, _) in STATISTICS.items()}
    statistic = choices.choice(tr("Statistic"), names, "statistic")
    return lambda: films.norm(norms(selection, timeline), statistic)


CHOICES: dict[str, Callable[[Selection, Timeline], Make]] = {
    "cam": cam,
    "maps": maps,
    "filters": filters,
    "norm": norm,
}


def choose_channel(count: int, default: int, label: str) -> int:
    """A channel, kept in the link; at first the default."""
    text = link.value("channel", "")
    valid = text.isascii() and text.isdecimal() and len(text) < 6 and int(text) < count
    channel = int(text) if valid else default
    if channel != default:
        link.keep("channel", str(channel), "")
    key = link.showing("time_channel", channel)
    st.number_input(
        label,
        0,
        count - 1,
        channel,
        key=key,
        on_change=keep_channel,
        args=(key,),
        width=presentation.pixels(160),
    )
    return channel


def keep_channel(key: str) -> None:
    """Put a chosen channel into the link; the position chosen on the maps page was another channel's."""
    link.keep("channel", str(st.session_state[key]), "")
    link.keep("cell", "", "")


def strongest(selection: Selection, layer: str) -> int:
    """The channel with the largest contribution to the class in the trained network.

    Where no gradient reaches the layer: the one with the largest mean.
    """
    evidence = selection.evidence(layer)
    strengths = selection.seen.maps[layer].mean((1, 2)) if evidence is None else evidence.contributions
    return int(strengths.argmax())


def norms(selection: Selection, timeline: Timeline) -> tuple[NormSummary, ...]:
    layer = link.value("norm", batchnorms(selection.net, selection.seen)[0])
    return cached.norms_over_time(timeline, selection.input, layer)
