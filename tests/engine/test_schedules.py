"""Schedules against PyTorch's schedulers run directly, and steps of optimizers against their formulas."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD, lr_scheduler

from explorer.engine.descent import SURFACES, VARIANTS, path
from explorer.engine.optimizer_runs import RATES, SCHEDULED, TEST_IMAGES, TRIED, read_runs
from explorer.engine.schedules import MOST_STEPS, schedule
from model.problems import Problem
from model.schedulers import SCHEDULERS

EPOCHS, STEPS, LR = 6, 5, 0.1
LOSSES = [1.0, 0.8, 0.9, 0.85, 0.84, 0.83]
SETTINGS = {
    "plateau": {"patience": 1, "factor": 0.5},
    "step": {"step_size": 2, "gamma": 0.3},
    "exponential": {"gamma": 0.7},
    "cosine": {"warmup": 0.0},
    "onecycle": {"warmup": 0.4, "anneal": "linear"},
    "none": {},
}


def direct(name: str) -> tuple[list[float], list[int]]:
    """The rates and the epochs after which they fall, by a loop as PyTorch's documentation has it."""
    optimizer = SGD([nn.Parameter(torch.zeros(1))], LR)
    scheduler = {
        "plateau": lambda: lr_scheduler.ReduceLROnPlateau(optimizer, patience=1, factor=0.5),
        "step": lambda: lr_scheduler.StepLR(optimizer, 2, 0.3),
        "exponential": lambda: lr_scheduler.ExponentialLR(optimizer, 0.7),
        "cosine": lambda: lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * STEPS),
        "onecycle": lambda: lr_scheduler.OneCycleLR(
            optimizer, LR, EPOCHS * STEPS, pct_start=0.4, anneal_strategy="linear", cycle_momentum=False
        ),
        "none": lambda: lr_scheduler.ConstantLR(optimizer, 1.0),
    }[name]()
    rates, reduced = [], []
    for epoch, loss in enumerate(LOSSES, start=1):
        for _ in range(STEPS):
            rates.append(scheduler.get_last_lr()[0])
            optimizer.step()
            if name in ("cosine", "onecycle") and len(rates) < EPOCHS * STEPS:
                scheduler.step()
        if name not in ("cosine", "onecycle"):
            scheduler.step(*([loss] if name == "plateau" else []))
            reduced += [epoch] if scheduler.get_last_lr()[0] < rates[-1] else []
    return rates, reduced


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_is_pytorchs(name: str) -> None:
    made = schedule(name, LR, EPOCHS, STEPS, SETTINGS[name], LOSSES)
    rates, reduced = direct(name)
    np.testing.assert_allclose(made.rates, rates, rtol=1e-9, atol=1e-15)
    assert list(made.reduced) == reduced


def test_plateau_follows_the_recorded_losses_and_ends_with_them() -> None:
    made = schedule("plateau", LR, 50, STEPS, SETTINGS["plateau"], LOSSES)
    assert len(made.rates) == len(LOSSES) * STEPS
    assert made.reduced == (4, 6)  # not better than 0.8 in epochs 3 and 4, then in 5 and 6
    assert made.final == LR / 4
    assert len(schedule("plateau", LR, 50, STEPS, {}).rates) == 0


def test_too_many_steps_are_one_sentence() -> None:
    with pytest.raises(Problem, match="too many"):
        schedule("cosine", LR, MOST_STEPS, 2, {})


# Optimizers


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_two_steps_are_those_of_the_formula(variant: str, surface: str) -> None:
    ground, lr = SURFACES[surface], 0.03
    made = path(variant, surface, lr, 2)
    x, y = ground.start
    slopes = {
        "bowl": lambda x, y: (x, 20 * y),
        "saddle": lambda x, y: (x, y**3 - y),
    }[surface]
    w, m, s, v = np.array([x, y]), np.zeros(2), np.zeros(2), np.zeros(2)
    for t in (1, 2):
        g = np.array(slopes(*w))
        if variant in ("sgd", "momentum"):
            v = (0.9 if variant == "momentum" else 0) * v + g
            w = w - lr * v
        elif variant == "rmsprop":
            s = 0.99 * s + 0.01 * g**2
            w = w - lr * g / (np.sqrt(s) + 1e-8)
        else:
            w = w * (1 - lr * 0.01) if variant == "adamw" else w
            m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g**2
            w = w - lr * (m / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8)
        np.testing.assert_allclose(made.points[t], w, rtol=1e-6)
    np.testing.assert_allclose(made.points[0], ground.start)


def test_gradient_descent_diverges_above_its_bound_and_the_path_ends() -> None:
    assert path("sgd", "bowl", 0.099, 200).steps == 200
    far = path("sgd", "bowl", 0.2, 200)
    assert far.steps < 200
    assert np.isfinite(far.points).all()
    assert math.isclose(path("sgd", "bowl", 0.05, 100).losses[-1], 0, abs_tol=1e-3)


# The shipped runs

FOLDER = Path(__file__).parents[2] / "checkpoints" / "optimizers"


def test_every_optimizer_was_run_with_every_scheduler_at_its_rate() -> None:
    runs = read_runs(FOLDER)
    assert {(each.variant, each.scheduler) for each in runs} == {
        (variant, scheduler) for variant in VARIANTS for scheduler in SCHEDULED
    }
    for each in runs:
        assert each.run.epochs[0].lr <= RATES[each.variant]
        correct = each.accuracy * TEST_IMAGES
        assert math.isclose(correct, round(correct), abs_tol=1e-6)
        low, high = each.interval
        assert low < each.accuracy < high
    assert all(RATES[name] in TRIED[name] for name in VARIANTS)


def test_the_histories_are_short_and_say_their_commands() -> None:
    files, recorded_runs = list(FOLDER.glob("*.history.json")), read_runs(FOLDER)
    assert len(files) == len(recorded_runs) > 0
    assert all(file.stat().st_size < 15_000 for file in files)
    for each in recorded_runs:
        variant = VARIANTS[each.variant]
        command = each.run.about.command
        assert f"--out checkpoints/optimizers/{each.variant}-{each.scheduler}.safetensors" in command
        assert f"--scheduler {each.scheduler}" in command or each.scheduler == "plateau"  # the usual one
        assert f"--optimizer {variant.optimizer}" in command or variant.optimizer == "adam"
