"""What the page Optimizers and schedulers offers for download: its charts and the numbers behind them."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import figures
from explorer.drawing.chart import Chart
from explorer.drawing.ranges import number
from explorer.engine.descent import VARIANTS
from explorer.engine.optimizer_runs import CLASSES, RATES, TEST_IMAGES, OptimizerRun
from explorer.engine.schedules import Schedule
from explorer.ui.exports import downloads
from explorer.ui.exports.downloads import Offer
from explorer.ui.exports.export_parts import Arrays
from explorer.ui.exports.snippets import joined
from explorer.views.optimizers.charts import NAMES, run_name
from explorer.views.optimizers.recorded import Recorded, lines_in_words
from explorer.views.optimizers.schedulers import Scheduled, plateau_text
from explorer.views.optimizers.surfaces import Descents
from model.words import N_, tr


def show(scheduled: Scheduled | None, recorded: Recorded | None, descents: Descents) -> None:
    downloads.show(partial(offer, scheduled, recorded, descents))


def offer(scheduled: Scheduled | None, recorded: Recorded | None, descents: Descents) -> Offer:
    rows = charts_in_rows(scheduled, recorded, descents)
    program, printed = last_point(descents)
    return Offer(
        name="optimizers",
        caption=caption(scheduled, recorded, descents),
        pictures={chart.title: partial(figures.picture, chart) for row in rows for chart in row},
        tables=tables(scheduled, recorded, descents),
        arrays=lambda: arrays(scheduled, descents),
        figure=lambda: rows,
        snippet=program,
        printed=printed,
    )


def charts_in_rows(
    scheduled: Scheduled | None, recorded: Recorded | None, descents: Descents
) -> list[list[Chart]]:
    """The charts in the order of the page, a row for each part; the runs’ long names have their own."""
    final, *by_epoch = recorded.charts.values() if recorded else [None]
    parts = [
        [*scheduled.charts.values()] if scheduled else [],
        [] if final is None else [final],
        by_epoch,
        [*descents.charts.values()],
    ]
    return [part for part in parts if part]


def caption(scheduled: Scheduled | None, recorded: Recorded | None, descents: Descents) -> str:
    """The settings of the curves, the runs and the paths."""
    sentences = []
    if scheduled:
        template = N_("rate {lr}, {epochs} epochs of {steps} steps; settings: {settings}")
        settings = tr("; ").join(
            f"{tr(NAMES[name])} ({', '.join(f'{key}={value}' for key, value in chosen.items())})"
            for name, chosen in scheduled.settings.items()
            if chosen
        )
        sentences.append(
            tr(template, lr=f"{scheduled.lr:g}", epochs=scheduled.epochs, steps=scheduled.steps,
               settings=settings or "–")
        )  # fmt: skip
        sentences += [text] if (text := plateau_text(scheduled)) else []
    if recorded:
        sentences.append(
            tr("{count} runs on drawn scenes, one seed each, n = {images} test images; chance {chance}%",
               count=len(recorded.every), images=TEST_IMAGES, chance=100 // CLASSES)
        )  # fmt: skip
        sentences.append(lines_in_words(recorded.schedulers))
    rates = tr(", ").join(f"{tr(VARIANTS[name].title)} {rate:g}" for name, rate in descents.rates.items())
    start = f"({', '.join(map(number, descents.surface.start))})"
    sentences.append(
        tr("Surface {formula} from {start}, {steps} steps, rates: {rates}",
           formula=descents.surface.formula, start=start, steps=descents.steps, rates=rates)
    )  # fmt: skip
    return " · ".join(sentences)


# Tables and arrays


def tables(
    scheduled: Scheduled | None, recorded: Recorded | None, descents: Descents
) -> dict[str, Callable[[], pd.DataFrame]]:
    made: dict[str, Callable[[], pd.DataFrame]] = {}
    if scheduled:
        made[tr("Rates")] = lambda: rates(scheduled.schedules, scheduled.steps)
    if recorded:
        made[tr("Runs")] = lambda: runs(recorded.every)
        made[tr("Epochs")] = lambda: epochs(recorded.every)
    return made | {tr("Paths"): lambda: paths(descents)}


def rates(schedules: tuple[Schedule, ...], steps: int) -> pd.DataFrame:
    """One row for each scheduler and step."""
    return pd.concat([
        pd.DataFrame({
            "scheduler": each.scheduler,
            "step": np.arange(1, len(each.rates) + 1),
            "epoch": np.arange(len(each.rates)) // steps + 1,
            "rate": each.rates,
        })
        for each in schedules
    ])  # fmt: skip


def runs(every: tuple[OptimizerRun, ...]) -> pd.DataFrame:
    """One row for each run, as in the page's table, with its command."""
    rows = []
    for each in every:
        low, high = each.interval
        rows.append({
            "optimizer": each.variant, "scheduler": each.scheduler, "rate": RATES[each.variant],
            "test_accuracy": each.accuracy, "low": low, "high": high, "n": TEST_IMAGES,
            "chance": 1 / CLASSES, "seeds": 1, "command": each.run.about.command,
        })  # fmt: skip
    return pd.DataFrame(rows)


def epochs(every: tuple[OptimizerRun, ...]) -> pd.DataFrame:
    """One row for each run and epoch, with every metric of its history."""
    rows = [{"run": run_name(each), **asdict(row)} for each in every for row in each.run.epochs]
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def paths(descents: Descents) -> pd.DataFrame:
    """One row for each optimizer and step, from the start."""
    return pd.concat([
        pd.DataFrame({
            "optimizer": name, "rate": descents.rates[name], "step": np.arange(len(one.losses)),
            "x": one.points[:, 0], "y": one.points[:, 1], "loss": one.losses,
        })
        for name, one in descents.paths.items()
    ])  # fmt: skip


def arrays(scheduled: Scheduled | None, descents: Descents) -> Arrays:
    described: Arrays = {}
    for each in scheduled.schedules if scheduled else ():
        described[f"rates_{each.scheduler}"] = (each.rates, tr("the rate of every step (steps,)"))
    for name, one in descents.paths.items():
        described[f"path_{name}"] = (one.points, tr("the points from the start (steps + 1, 2): x and y"))
        described[f"losses_{name}"] = (one.losses, tr("the loss at each point (steps + 1,)"))
    return described


# In Python


def last_point(descents: Descents) -> tuple[str, str]:
    """A program that prints where the first optimizer is after its last step, and what it prints."""
    name, one = next(iter(descents.paths.items()))
    call = f"path({name!r}, {descents.name!r}, {descents.rates[name]!r}, {descents.steps})"
    x, y = one.points[-1].tolist()
    program = joined(
        ["from explorer.engine.descent import path"],
        [f"x, y = {call}.points[-1]", "print(f'{x:.6g} {y:.6g}')"],
    )
    title = tr(VARIANTS[name].title)
    return program, tr("It prints the last point of {name}: {x} {y}.", name=title, x=f"{x:.6g}", y=f"{y:.6g}")
