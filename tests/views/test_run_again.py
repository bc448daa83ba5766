"""A page that runs again with nothing changed computes nothing again."""

from collections.abc import Callable
from pathlib import Path
from threading import current_thread
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from explorer.engine import class_evidence, dissection
from explorer.ui import cached
from model import scenes

Visit = Callable[..., AppTest]


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[str]:
    """The calls of a function from now on that no job makes."""
    calls: list[str] = []
    function = getattr(module, name)

    def call(*given: Any) -> Any:
        if current_thread().name != "jobs":
            calls.append(name)
        return function(*given)

    monkeypatch.setattr(module, name, call)
    return calls


@pytest.mark.parametrize("page", ["data_map", "channel"])
def test_no_scene_is_drawn_again(
    visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    at = visit(page, "--scans", str(tmp_path), checkpoint="scenes-course")
    drawn = counted(monkeypatch, scenes, "draw")
    at.run()
    assert not at.exception
    assert not drawn


def test_what_is_measured_on_a_jobs_results_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    st.cache_data.clear()
    rng = np.random.default_rng(0)
    maps, masks = rng.random((4, 4, 4), np.float32), rng.random((4, 8, 8)) > 0.5
    labels, groups = np.array([0, 1, 0, 1]), (rng.random((5, 3), np.float32), rng.random((4, 3), np.float32))
    overlaps = counted(monkeypatch, dissection, "dissect")
    differences = counted(monkeypatch, class_evidence, "differences")
    for _ in range(2):
        cached.dissected(maps, masks, labels, ("a", "b"), 0.2)
        cached.evidence_differences(*groups)
    assert len(overlaps) == len(differences) == 1
    cached.dissected(maps, masks, labels, ("a", "b"), 0.1)
    assert len(overlaps) == 2
    st.cache_data.clear()
