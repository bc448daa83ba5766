"""Contribution against effect: how far Grad-CAM's weights tell what switching a channel off really does."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from explorer.drawing.ranges import plain_number
from explorer.engine.ablation import WithoutSets
from explorer.engine.attribution import ChannelEvidence
from explorer.engine.effects import Effects
from explorer.ui import choices, effects, jobs, link, markup, panels
from explorer.ui.channel_link import open_channel
from explorer.ui.jobs import Progress
from explorer.ui.markdown import literal, sentence
from explorer.ui.selection import Selection
from explorer.views.interventions import charts, exports
from explorer.views.maps.page import linked_channel
from model.words import N_, tr


def show(selection: Selection) -> None:
    with st.container(horizontal=True, gap="small", key="layer"):
        _, _, layer = choices.choose_layer(selection, first_block=choices.last_block(selection))
    evidence = selection.evidence(layer)
    if evidence is None:
        st.info(
            tr("No gradient of the class reaches this layer, so it has no contributions to compare with.")
        )
        return
    jobs.show(partial(draw, selection, evidence), effects.measuring(selection, layer))


def draw(selection: Selection, evidence: ChannelEvidence, progress: Sequence[Progress[WithoutSets]]) -> None:
    (one,) = progress
    if one.problem is not None:
        st.info(sentence(one.problem))
        return
    measured = effects.effects(selection, evidence, one)
    if measured is None:
        st.progress(len(one.results) / one.steps, effects.waiting(progress))
        return
    chosen = linked_channel(len(measured.falls), int(measured.falls.argmax()))
    link.keep("channel", link.value("channel", ""), "")
    plot, words = st.columns([4, 3], gap="medium")
    with plot:
        key = f"points_{evidence.layer}_{selection.input.digest[:8]}_{selection.target}_{chosen}"
        drawn = charts.contribution_and_effect(measured, selection.target_name, chosen)
        panels.chart(drawn, on_select=partial(clicked, key), selection_mode="chosen", key=key)
    with words:
        for line in effects.in_words(selection, measured):
            st.markdown(literal(line))
        about_channel(selection, measured, chosen)
    how_to_read(selection)
    exports.contribution(selection, measured, drawn)


def clicked(key: str) -> None:
    """Keep the channel whose point was clicked; a click beside all points changes nothing."""
    if picked := st.session_state[key].selection.get("chosen"):
        link.change("channel", str(int(picked[0]["channel"])))


def about_channel(selection: Selection, measured: Effects, channel: int) -> None:
    """The chosen channel: its map, its contribution, its effect, and the place of both among all."""
    count = len(measured.falls)
    contribution, fall = (float(values[channel]) for values in (measured.contributions, measured.falls))
    template = (
        N_(
            "Without it the logit of {class_name} rises by {change}: rank {fall_rank} of {count} by fall. "
            "Its contribution is {contribution}: rank {rank} of {count}."
        )
        if fall < 0
        else N_(
            "Without it the logit of {class_name} falls by {change}: rank {fall_rank} of {count} by fall. "
            "Its contribution is {contribution}: rank {rank} of {count}."
        )
    )
    text = tr(
        template,
        class_name=selection.target_name,
        change=plain_number(abs(fall)),
        fall_rank=1 + int((measured.falls > fall).sum()),
        contribution=plain_number(contribution),
        rank=1 + int((measured.contributions > contribution).sum()),
        count=count,
    )
    markup.show(
        markup.text(tr("Channel {channel} of {layer}", channel=channel, layer=measured.layer), tag="h3"),
        markup.text(text),
        markup.text(tr("Click a point to choose another channel."), "muted"),
    )
    with st.container(horizontal=True):
        if st.button(tr("Open on Feature maps"), key="open_point"):
            open_channel(selection, measured.layer, channel)
        if st.button(tr("Open on Channel"), key="open_point_channel"):
            open_channel(selection, measured.layer, channel, "channel")


def how_to_read(selection: Selection) -> None:
    name = selection.target_name
    with st.expander(tr("How to read this")):
        st.markdown(
            literal(
                tr(
                    "Each point is a channel. To the right: its contribution to Grad-CAM of {class_name} "
                    "is large. Up: setting this channel alone to zero really lowers the logit of "
                    "{class_name}, in units of the logit; below zero the logit rises. The network is run "
                    "again from this layer on, so nothing is estimated. If Grad-CAM’s weights ranked the "
                    "channels as their removal does, the rank correlation would be 1; without any "
                    "relation it would be about 0. A weight is a gradient: it says what a very small "
                    "change does, and not what removal does. Channels that can stand in for each other "
                    "have small effects when they are removed one at a time.",
                    class_name=name,
                )
            )
        )
