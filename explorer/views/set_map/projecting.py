"""Which map of the scan's features is shown; computed as a job, once for all visitors."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import streamlit as st

from explorer.engine.projection import PROJECTIONS, Projection
from explorer.engine.scan.result import Scan
from explorer.ui import choices
from explorer.ui.jobs import JOBS, Progress, Work
from model.words import ngettext, tr

AT_ONCE = 1.0  # seconds that the page waits for the map before it shows itself without


def choose() -> str:
    """A method of PROJECTIONS that is installed."""
    names = {name: tr(each.title) for name, each in PROJECTIONS.items() if each.installed}
    return choices.choice(tr("Projection"), names, "set_map", "pca") if len(names) > 1 else next(iter(names))


def explain_missing() -> None:
    """What to install for the other methods; nothing where all are there."""
    missing = {tr(each.title): each.package for each in PROJECTIONS.values() if not each.installed}
    if missing:
        st.caption(
            ngettext(
                "There is another projection, once its package is installed ({methods}): "
                "`pip install {packages}`.",
                "There are {n} other projections, once their packages are installed ({methods}): "
                "`pip install {packages}`.",
                len(missing),
                methods=tr(", ").join(missing),
                packages=" ".join(missing.values()),
            )
        )


def work(scan: Scan, method: str) -> Work[Projection]:
    """The map as a job; where it is quick it is done when this returns."""
    made = Work("set map", (scan.network, scan.images, len(scan), method), 1, partial(_project, scan, method))
    with suppress(TimeoutError):
        JOBS.wait(made, seconds=AT_ONCE)
    return made


def _project(scan: Scan, method: str) -> Iterator[Projection]:
    yield PROJECTIONS[method].compute(scan.features)


def show_progress(progress: tuple[Progress[Projection], ...]) -> None:
    if not progress[0].finished:
        st.progress(0.0, tr("Computing the map … This can take minutes for many images."))
