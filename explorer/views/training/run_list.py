"""The runs on the Training page: each as it was when it was read, and its state."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from explorer.engine import runs
from explorer.engine.runs import RecordedRun, RunFile, Written
from explorer.ui import cached
from explorer.ui.markdown import sentence
from model.history import Epoch
from model.problems import Problem


@dataclass(frozen=True, eq=False)
class LoadedRun:
    """A run on the page: its file as it was when read, its contents, its checkpoint's card, its state."""

    file: RunFile
    run: RecordedRun
    written: Written | None
    state: str

    @property
    def total(self) -> int:
        """How many epochs are planned; 0 where unknown."""
        return runs.total_epochs(self.run, self.written)

    @property
    def best(self) -> Epoch | None:
        """The first epoch with the highest test accuracy; None before any."""
        return max(self.run.epochs, key=lambda row: row.test_accuracy, default=None)


@dataclass(frozen=True)
class ChartSettings:
    """How runs are drawn: over how many steps the loss is smoothed, and the x-axis."""

    window: int
    x_axis: str


def read(chosen: Mapping[str, Path]) -> dict[str, LoadedRun]:
    """The chosen runs; for one that cannot be read, a warning."""
    loaded = {}
    for name, path in chosen.items():
        try:
            file = runs.look_at(path)
            run = cached.run(file)
        except Problem as problem:
            st.warning(sentence(problem))
            continue
        written = card_of(file, run)
        state = runs.run_state(run, age(file.modified), runs.total_epochs(run, written))
        loaded[name] = LoadedRun(file, run, written, state)
    return loaded


def card_of(file: RunFile, run: RecordedRun) -> Written | None:
    """The card of the run's checkpoint; before its first epoch is over, the file may be another run's."""
    try:
        return cached.written(file.checkpoint) if run.epochs else None
    except Problem as problem:
        st.warning(sentence(problem))
        return None


def changed(loaded: LoadedRun) -> bool:
    """Whether its file or its state is no longer as it was when read."""
    try:
        file = runs.look_at(loaded.file.path)
    except Problem:
        return True
    return file != loaded.file or runs.run_state(loaded.run, age(file.modified), loaded.total) != loaded.state


def age(modified: int) -> float:
    """Seconds since a time in ns since 1970."""
    return max(0.0, time.time() - modified / 1e9)
