"""Attributions: heat maps by many methods, each with a trust strip: scores beside what chance gives."""

from collections.abc import Sequence

import streamlit as st

from explorer.ui import jobs, panels
from explorer.ui.jobs import JOBS, Progress, Work
from explorer.ui.markdown import literal
from explorer.ui.selection import Selection, current
from explorer.views.attributions import (
    cards,
    classic_scores,
    detail,
    exports,
    map_choice,
    measuring,
    redrawing,
)
from explorer.views.attributions.map_choice import MapChoice
from explorer.views.attributions.measuring import MeasuredScore, TimedMap
from model.words import tr

STOPPED = "_attributions_stopped"
Works = Sequence[Work[TimedMap | MeasuredScore]]
Progresses = Sequence[Progress[TimedMap | MeasuredScore]]


def page() -> None:
    selection = current()
    name = literal(selection.target_name)
    st.header(tr("Attributions for “{name}”", name=name), anchor=False)
    st.caption(
        tr(
            "A heat map looks convincing whether or not it is right. Below each map its scores stand beside "
            "chance: what the same map gets in the wrong place, mirrored and shifted at random. Each band "
            "holds 95% of that, so about 1 score in 20 lies outside by chance alone. There is no total "
            "score: each one tests something different."
        )
    )
    chosen = map_choice.choose(selection)
    explained = measuring.explained(selection)
    works = measuring.works(explained, chosen)
    stopped = stop_button(works)
    jobs.show(lambda progress: show_maps(selection, chosen, progress), *works, stopped=stopped)
    panels.explain_dimmed(selection)
    progress = JOBS.look(*works)
    if stopped or all(each.finished for each in progress):
        attributions = measuring.attributions(chosen, progress)
        detail.show(selection, attributions)
        redrawing.show(selection, [(each.choice.title, each.map.heat) for each in attributions if each.map])
    classic_scores.show(selection, explained, chosen)
    exports.show(selection, chosen, works, stopped)


def stop_button(works: Works) -> bool:
    """A button to stop these works, or to go on with them; whether they are stopped."""
    keys = tuple(work.key for work in works)
    stopped = bool(st.session_state.get(STOPPED) == keys)
    if stopped:
        st.button(
            tr("Continue"), on_click=st.session_state.pop, args=(STOPPED,), icon=":material/play_arrow:"
        )
    elif not all(each.finished for each in JOBS.follow(*works)):
        st.button(tr("Stop"), on_click=stop, args=(works, keys), icon=":material/stop:")
    return stopped


def stop(works: Works, keys: tuple[object, ...]) -> None:
    JOBS.stop(*works)
    st.session_state[STOPPED] = keys


def show_maps(selection: Selection, chosen: Sequence[MapChoice], progress: Progresses) -> None:
    """How far all is, while it is not finished, and the maps."""
    done, steps = sum(len(each.results) for each in progress), sum(each.steps for each in progress)
    if not all(each.finished for each in progress):
        text = tr("{done} of {steps} maps and scores are computed.", done=done, steps=steps)
        st.progress(done / steps, text)
    cards.show(selection, measuring.attributions(chosen, progress))


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
