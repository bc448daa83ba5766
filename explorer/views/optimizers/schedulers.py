"""The learning rate of every scheduler, for settings of the visitor's, and on a recorded loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from explorer.drawing.chart import LineChart
from explorer.drawing.ranges import in_full
from explorer.engine import runs
from explorer.engine.runs import RecordedRun
from explorer.engine.schedules import Schedule
from explorer.ui import cached, choices, lessons, link, markup, panels
from explorer.ui.frame import presentation
from explorer.ui.markdown import literal, sentence
from explorer.ui.options import options
from explorer.views.optimizers import charts
from explorer.views.optimizers.charts import NAMES
from model.problems import Problem
from model.schedulers import SCHEDULERS
from model.words import N_, paragraph, tr

WIDTH = 160  # pixels of a field
USUAL_RUN = "cifar10-fast"  # one on whose loss the rate is reduced
LABELS = {
    "patience": N_("Patience (epochs)"),
    "factor": N_("Factor"),
    "step_size": N_("Step size (epochs)"),
    "gamma": N_("Gamma"),
    "warmup": N_("Warm-up (fraction of the run)"),
    "anneal": N_("Shape"),
}
WHOLE = {"patience": (0, 50), "step_size": (1, 100)}
BETWEEN = {"factor": (0.01, 0.99), "gamma": (0.01, 1.0), "warmup": (0.0, 0.9)}
SHAPES = {"cos": N_("cosine"), "linear": N_("linear")}


@dataclass(frozen=True, eq=False)
class Scheduled:
    """What the page shows of schedulers: the settings, the schedules, and the charts by short name; `run` is
    the recorded one that “plateau” follows, with its name, None where there is none."""

    lr: float
    epochs: int
    steps: int
    settings: Mapping[str, Mapping[str, Any]]
    schedules: tuple[Schedule, ...]
    run: tuple[str, RecordedRun] | None
    path: Path | None
    charts: Mapping[str, LineChart]

    @property
    def plateau(self) -> Schedule | None:
        """The schedule that follows the recorded loss."""
        return next((each for each in self.schedules if each.scheduler == "plateau"), None)


def show() -> Scheduled | None:
    """The curves of the chosen schedulers; None where there are none for these settings."""
    st.header(tr("Schedulers: the learning rate over a run"), anchor=False)
    st.markdown(
        tr(
            "Nothing is trained here. The curves come from the trainer’s own schedulers, stepped as the "
            "trainer does it. CosineAnnealingLR and OneCycleLR begin with a rising rate; the warm-up in "
            "Settings says how long."
        )
    )
    st.caption(tr(lessons.WHOLE_PAGE))
    names = {name: tr(title) for name, title in NAMES.items()}
    with st.container(horizontal=True):
        lr = link.decimal(tr("Learning rate"), 1e-6, 10.0, "sch_lr", 0.1, width=presentation.pixels(WIDTH))
        epochs = link.number(tr("Epochs"), 1, 200, "sch_epochs", 30, width=presentation.pixels(WIDTH))
        steps = link.number(tr("Steps per epoch"), 1, 100, "sch_steps", 40, width=presentation.pixels(WIDTH))
    chosen = link.several(
        st.multiselect, tr("Schedulers"), list(names), "sch", list(names), format_func=names.get
    )
    with st.expander(tr("Settings of the schedulers")):
        settings = {name: _settings(name) for name in chosen}
    name, path, run = _choose_run() if "plateau" in chosen else ("", None, None)
    if run is None:
        chosen = [each for each in chosen if each != "plateau"]
    losses = [row.test_loss for row in run.epochs] if run else []
    try:
        schedules = tuple(cached.schedule(each, lr, epochs, steps, settings[each], losses) for each in chosen)
    except Problem as problem:
        st.info(sentence(problem))
        return None
    drawn = {"rates": charts.rates(schedules, steps, epochs)}
    recorded = (name, run) if run else None
    scheduled = Scheduled(lr, epochs, steps, settings, schedules, recorded, path, drawn)
    if run and scheduled.plateau is not None:
        drawn["recorded"] = charts.recorded_loss(name, run, scheduled.plateau, epochs)
    _draw(scheduled)
    return scheduled


def _settings(name: str) -> dict[str, Any]:
    """The settings of a scheduler; those of the trainer at first."""
    usual = {key: value for key, value in SCHEDULERS[name].settings.items() if key in LABELS}
    if not usual:
        return {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.markdown(f"**{literal(tr(NAMES[name]))}**", width=presentation.pixels(170))
        return {key: _setting(name, key, value) for key, value in usual.items()}


def _setting(name: str, key: str, value: Any) -> Any:
    label, where = tr(LABELS[key]), f"sch_{name}_{key}"
    if key in WHOLE:
        return link.number(label, *WHOLE[key], where, value, width=presentation.pixels(WIDTH))
    if key in BETWEEN:
        return link.decimal(label, *BETWEEN[key], where, value, width=presentation.pixels(WIDTH))
    return choices.choice(label, {each: tr(title) for each, title in SHAPES.items()}, where, value)


def _choose_run() -> tuple[str, Path | None, RecordedRun | None]:
    """A recorded run, whose test losses ReduceLROnPlateau follows; None where there is none to read."""
    try:
        histories = runs.find_runs(options().run_folders)
    except Problem as problem:
        st.error(sentence(problem), icon=":material/error:")
        return "", None, None
    if not histories:
        st.info(tr("There is no recorded run, so ReduceLROnPlateau has no loss to follow."))
        return "", None, None
    label = tr("Recorded run, whose loss ReduceLROnPlateau follows")
    name = choices.pick(label, {each: each for each in histories}, "sch_run", USUAL_RUN, width=360)
    try:
        run = cached.run(runs.look_at(histories[name]))
    except Problem as problem:
        st.warning(sentence(problem))
        return "", None, None
    if not run.epochs:
        st.info(tr("No epoch of this run has been recorded yet."))
        return "", None, None
    return name, histories[name], run


def _draw(scheduled: Scheduled) -> None:
    columns = st.columns([3, 2], gap="large") if "recorded" in scheduled.charts else [st.container()]
    with columns[0]:
        st.markdown(f"**{scheduled.charts['rates'].title}**")
        markup.show(panels.legend(scheduled.charts["rates"]))
        panels.chart(scheduled.charts["rates"])
    if "recorded" in scheduled.charts:
        with columns[1]:
            st.markdown(f"**{scheduled.charts['recorded'].title}**")
            markup.show(panels.legend(scheduled.charts["recorded"]))
            panels.chart(scheduled.charts["recorded"])
    if text := plateau_text(scheduled):
        st.markdown(literal(text))


def plateau_text(scheduled: Scheduled) -> str:
    """When ReduceLROnPlateau reduces the rate, and why a run would be another; "" without it."""
    plateau = scheduled.plateau
    if plateau is None or scheduled.run is None:
        return ""
    name, run = scheduled.run
    count = min(scheduled.epochs, len(run.epochs))
    if plateau.reduced:
        template = N_(
            "On the loss of {run}, ReduceLROnPlateau reduces the rate after epoch {epochs}, from {first} to "
            "{last}."
        )
    else:
        template = N_("On the loss of {run}, ReduceLROnPlateau never reduces the rate in {count} epochs.")
    text = tr(
        template, run=name, epochs=charts.epochs_text(plateau), first=in_full(scheduled.lr),
        last=in_full(plateau.final), count=count,
    )  # fmt: skip
    other = tr(
        "The loss is that of the run as it was trained: with these rates it would have been another, so this "
        "shows how the scheduler reacts, not what it would gain."
    )
    shorter = tr("Its curve ends with the {count} recorded epochs.", count=count)
    return paragraph([text, other, *([shorter] if count < scheduled.epochs else [])])
