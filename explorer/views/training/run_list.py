"""The runs on the Training page: each as it was when it was read, and what has become of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from explorer.engine import runs
from explorer.engine.runs import Run, RunError, RunFile, Written
from explorer.ui import cached
from explorer.ui.markdown import sentence
from model.history import Epoch
from model.problems import Problem


@dataclass(frozen=True, eq=False)
class Shown:
    """A run on the page: its file as it was when read, what it holds, and what its checkpoint says."""

    file: RunFile
    run: Run
    written: Written | None
    state: str

    @property
    def total(self) -> int:
        """How many epochs it is to have; 0 where nobody knows."""
        return runs.total_epochs(self.run, self.written)

    @property
    def best(self) -> Epoch | None:
        """The epoch with the largest share of test images right, the first of them; None before any."""
        return max(self.run.epochs, key=lambda row: row.test_accuracy, default=None)


def read(chosen: Mapping[str, Path]) -> dict[str, Shown]:
    """The chosen runs; one that cannot be read is a sentence."""
    shown = {}
    for name, path in chosen.items():
        try:
            file = runs.look_at(path)
            run = cached.run(file)
        except RunError as error:
            st.warning(sentence(error))
            continue
        written = card_of(file, run)
        state = runs.standing(run, age(file.modified), runs.total_epochs(run, written))
        shown[name] = Shown(file, run, written, state)
    return shown


def card_of(file: RunFile, run: Run) -> Written | None:
    """What the run's checkpoint says; before its first epoch is over, another run's may lie there."""
    try:
        return cached.written(file.checkpoint) if run.epochs else None
    except Problem as error:
        st.warning(sentence(error))
        return None


def changed(each: Shown) -> bool:
    """Whether its file, or what has become of it, is no longer as it was when read."""
    try:
        file = runs.look_at(each.file.path)
    except RunError:
        return True
    return file != each.file or runs.standing(each.run, age(file.modified), each.total) != each.state


def age(modified: int) -> float:
    """Seconds since a time in ns since 1970."""
    return max(0.0, time.time() - modified / 1e9)
