"""The page Optimizers and schedulers: what it shows is what the engine computes, and the link holds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.drawing import vega
from explorer.drawing.figures import picture
from explorer.engine import descent, schedules
from explorer.engine.descent import SURFACES, path
from explorer.engine.schedules import schedule
from explorer.views.optimizers import charts, recorded
from model.schedulers import SCHEDULERS


def html(at: object) -> str:
    return " ".join(piece.proto.body for piece in at.get("html"))


def test_what_is_offered_is_what_the_settings_give(opened: Callable) -> None:
    at, offer = opened(
        "optimizers", sch="step,cosine", sch_lr="0.5", sch_epochs="8", sch_steps="10", sch_step_step_size="3"
    )
    assert not at.error
    arrays = offer.arrays()
    for name, settings in (("step", {"step_size": 3}), ("cosine", {})):
        np.testing.assert_array_equal(arrays[f"rates_{name}"][0], schedule(name, 0.5, 8, 10, settings).rates)
    assert "rates_plateau" not in arrays
    assert "StepLR (step_size=3, " in offer.caption
    runs = offer.tables["Runs"]()
    assert (runs.seeds == 1).all()
    assert (runs.n == 1000).all()
    assert (runs.low < runs.test_accuracy).all()
    assert (runs.test_accuracy < runs.high).all()
    assert "one seed each" in " ".join(text.value for text in at.markdown)


def test_how_far_another_seed_moved_the_accuracy_is_said(visit: Callable) -> None:
    text = " ".join(each.value for each in visit("optimizers").markdown)
    assert "changed the final accuracy by 1.4 to 14.1 percentage points" in text
    assert "differ by 3.1 to 5.6 points: one seed does not tell" in text


def test_the_page_says_that_the_sidebars_checkpoint_has_no_effect(visit: Callable) -> None:
    captions = [each.value for each in visit("optimizers").main.caption]
    assert "The checkpoint in the sidebar has no effect on this page." in captions


def test_the_epochs_where_plateau_reduces_are_said(visit: Callable) -> None:
    at = visit("optimizers", sch="plateau", sch_run="cifar10-fast", sch_plateau_patience="1")
    text = " ".join(each.value for each in at.markdown)
    assert "after epoch 11, 13, 16, 22, from 0.1 to 0.00625" in text


def test_only_what_was_changed_is_computed_again(visit: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    at = visit("optimizers")
    computed: list[tuple[object, ...]] = []
    for module in (descent, schedules):
        name = "path" if module is descent else "schedule"
        compute = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given, do=compute: computed.append(given) or do(*given))
    at.run()
    assert computed == []
    next(each for each in at.number_input if each.key.startswith("toy_bowl_sgd")).set_value(0.0123).run()
    assert computed == [("sgd", "bowl", 0.0123, 60)]
    assert "0.0123" in html(at)
    assert not at.exception


def test_paths_of_a_link(opened: Callable) -> None:
    at, offer = opened("optimizers", toy="saddle", toy_steps="7", toy_opt="sgd,adam", toy_saddle_sgd="0.2")
    arrays = offer.arrays()
    np.testing.assert_array_equal(arrays["path_sgd"][0], path("sgd", "saddle", 0.2, 7).points)
    assert "path_adamw" not in arrays
    assert "does not tell which optimizer is better for a network" in " ".join(t.value for t in at.markdown)


def test_a_rate_that_diverges_is_said(visit: Callable) -> None:
    assert "diverges" in html(visit("optimizers", toy_opt="sgd", toy_bowl_sgd="0.5"))


def test_the_largest_settings_fit(visit: Callable) -> None:
    at = visit("optimizers", sch="cosine", sch_epochs="200", sch_steps="100")
    assert not at.exception
    assert not at.info


def test_without_the_short_runs_the_rest_is_there(
    visit: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    at = visit("optimizers")
    assert not at.exception, at.exception[0].value
    assert [each.value for each in at.info] == [
        "The folder checkpoints/optimizers has no histories, so there are no runs to show."
    ]


@pytest.mark.parametrize("name", SURFACES)
def test_it_is_said_that_the_axes_of_a_surface_have_different_scales(visit: Callable, name: str) -> None:
    captions = " ".join(each.value for each in visit("optimizers", toy=name).main.caption)
    assert "The two axes have different scales" in captions


@pytest.mark.parametrize("name", SURFACES)
def test_lines_of_equal_loss_are_of_equal_loss(name: str) -> None:
    surface = SURFACES[name]
    chart = charts.on_surface(surface, {"sgd": path("sgd", name, 0.05, 20)})
    contours = chart.lines[0]
    points = torch.tensor(np.stack([contours.x, contours.y], 1))
    loss = surface.loss(points).numpy()
    gaps = np.flatnonzero(np.isnan(contours.x))
    pieces = [piece[np.isfinite(piece)] for piece in np.split(loss, gaps)]
    levels = {round(float(np.median(piece)), 6) for piece in pieces if len(piece)}
    assert all(np.ptp(piece) < 1e-9 for piece in pieces if len(piece))
    assert len(levels) == charts.LEVELS
    assert vega.spec(chart)["layer"]
    assert picture(chart).ndim == 3


def test_curves_are_those_of_all_steps_at_their_points() -> None:
    for name in SCHEDULERS:
        losses = [1.0] * 10
        one = schedule(name, 0.1, 10, 100, {}, losses)
        line = charts.rates([one], 100, 10).lines[0]
        assert line.x[-1] <= 10
        np.testing.assert_allclose(line.y[:-1], one.rates[np.round(line.x[:-1] * 100).astype(int)])


def test_the_line_without_a_scheduler_lies_below_the_others() -> None:
    schedules = [schedule(name, 0.1, 10, 100, {}, [1.0] * 10) for name in SCHEDULERS]
    names = [line.name for line in charts.rates(schedules, 100, 10).lines]
    assert names[0] == charts._rate(schedules[list(SCHEDULERS).index("none")], 100).name
    assert len(set(names)) == len(SCHEDULERS)
