"""What the page Training offers for download: the charts and numbers of its runs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import figures
from explorer.drawing.chart import LineChart
from explorer.drawing.ranges import percent
from explorer.engine import runs as engine
from explorer.engine.runs import RecordedRun
from explorer.ui.exports import downloads
from explorer.ui.exports.downloads import Offer, Pictures, Tables
from explorer.ui.exports.export_parts import Arrays
from explorer.ui.exports.snippets import joined, path_text
from explorer.views.training import charts
from explorer.views.training.run_list import ChartSettings, LoadedRun
from model.history import Epoch, smoothed
from model.names import readable
from model.words import N_, ngettext, tr

STATES = {
    "running": N_("running"),
    "finished": N_("finished"),
    "stopped": N_("stopped"),
    "stalled": N_("interrupted or stalled"),
}


def show(loaded: Mapping[str, LoadedRun], settings: ChartSettings, drawn: Mapping[str, LineChart]) -> None:
    """The downloads for some runs, by name, of which one has made a step at least, with the page's charts."""
    downloads.show(partial(offer, loaded, settings, drawn))


def offer(loaded: Mapping[str, LoadedRun], settings: ChartSettings, drawn: Mapping[str, LineChart]) -> Offer:
    by_name = {name: each.run for name, each in loaded.items()}
    tables: Tables = {
        tr("Runs"): lambda: summary(loaded),
        tr("Losses"): lambda: losses(by_name, settings.window),
    }
    if "accuracy" in drawn:
        tables |= {tr("Epochs"): lambda: epochs(by_name)}
    program, printed = last_accuracy(loaded)
    return Offer(
        name=file_stem(loaded),
        caption=caption(loaded, settings),
        pictures=pictures(drawn),
        tables=tables,
        arrays=lambda: arrays(by_name),
        figure=lambda: list(drawn.values()),
        snippet=program,
        printed=printed,
    )


def file_stem(loaded: Mapping[str, LoadedRun]) -> str:
    """How the files' names begin; never translated."""
    return f"training {next(iter(loaded))}" if len(loaded) == 1 else f"training {len(loaded)} runs"


def caption(loaded: Mapping[str, LoadedRun], settings: ChartSettings) -> str:
    """What is drawn and how; of every run its progress, its command and its checkpoint with its digest."""
    lines = [
        charts.loss_caption({name: each.run for name, each in loaded.items()}, settings.window),
        tr("Metrics by epoch: test images solid, training images dashed"),
        *(run_caption(name, each) for name, each in loaded.items()),
    ]
    return " · ".join(lines)


def run_caption(name: str, each: LoadedRun) -> str:
    """One run as a caption describes it."""
    command, _ = engine.command(each.run, each.written)
    parts = [tr("Run {name}", name=name), progress(each)]
    if command:
        parts.append(tr("Command {command}", command=command))
    if each.written is not None:
        checkpoint = readable(each.file.checkpoint.stem)
        parts.append(figures.caption(checkpoint=checkpoint, digest=each.written.digest))
    return " · ".join(parts)


def progress(each: LoadedRun) -> str:
    """How many epochs are finished, and the run's state."""
    done, state = len(each.run.epochs), tr(STATES[each.state])
    if each.total:
        total = each.total
        return ngettext(
            "{done} of {n} epoch, {state}", "{done} of {n} epochs, {state}", total, done=done, state=state
        )
    return ngettext("{n} epoch, {state}", "{n} epochs, {state}", done, state=state)


def pictures(drawn: Mapping[str, LineChart]) -> Pictures:
    """The course's two charts, and the learning rate."""
    charts_drawn: Pictures = {tr("loss of every step"): partial(figures.picture, drawn["steps"])}
    if "accuracy" in drawn:
        both = partial(figures.picture, drawn["accuracy"], drawn["loss"])
        charts_drawn[tr("accuracy and loss by epoch")] = both
        charts_drawn[tr("learning rate by epoch")] = partial(figures.picture, drawn["rate"])
    return charts_drawn


# Tables and arrays


def summary(loaded: Mapping[str, LoadedRun]) -> pd.DataFrame:
    """One row for each run, as in the page's table, with its command and its weights' digest."""
    return pd.DataFrame([_summary(name, each) for name, each in loaded.items()])


def _summary(name: str, each: LoadedRun) -> dict[str, object]:
    run, best = each.run, each.best
    return {
        "run": name,
        "state": each.state,
        "epochs": len(run.epochs),
        "of": each.total or None,
        "test_accuracy": run.epochs[-1].test_accuracy if run.epochs else None,
        "best_test_accuracy": best.test_accuracy if best else None,
        "best_epoch": best.epoch if best else None,
        "minutes": run.minutes[-1] if run.epochs else 0.0,
        "command": engine.command(run, each.written)[0],
        "digest": each.written.digest if each.written else "",
    }


def epochs(by_name: Mapping[str, RecordedRun]) -> pd.DataFrame:
    """One row for each run and epoch, with every metric of its history."""
    rows = [{"run": name, **asdict(row)} for name, run in by_name.items() for row in run.epochs]
    names = ["run", *(each.name for each in fields(Epoch))]
    return pd.DataFrame(rows, columns=names).dropna(axis="columns", how="all")


def losses(by_name: Mapping[str, RecordedRun], window: int) -> pd.DataFrame:
    """One row for each run and step: its loss, and the mean of the last `window`."""
    return pd.concat([_losses(name, run, window) for name, run in by_name.items()])


def _losses(name: str, run: RecordedRun, window: int) -> pd.DataFrame:
    steps = np.arange(1, len(run.losses) + 1)
    mean = smoothed(run.losses.tolist(), window)
    return pd.DataFrame({"run": name, "step": steps, "loss": run.losses, f"mean_of_last_{window}": mean})


def arrays(by_name: Mapping[str, RecordedRun]) -> Arrays:
    columns = [each.name for each in fields(Epoch) if each.name != "flip_accuracy"]
    described: Arrays = {}
    for name, run in by_name.items():
        rows = [[getattr(row, column) for column in columns] for row in run.epochs]
        values = np.array(rows, np.float64).reshape(-1, len(columns))
        description = tr(
            "one row per epoch (epochs, {count}), columns: {names}",
            count=len(columns),
            names=", ".join(columns),
        )
        described[f"losses_{name}"] = (run.losses, tr("the loss of every step (steps,), in nats"))
        described[f"epochs_{name}"] = (values, description)
    return described


# In Python


def last_accuracy(loaded: Mapping[str, LoadedRun]) -> tuple[str, str]:
    """A program that prints the last test accuracy of each run as the page shows it, and what it prints."""
    imports = ["from explorer.engine.runs import read_run"]
    done = {name: each for name, each in loaded.items() if each.run.epochs}
    if done:
        imports.append("from explorer.drawing.ranges import percent")
    lines = [line for name, each in (done or loaded).items() for line in _reading(name, each)]
    return joined(imports, lines), printed_text(done, len(loaded))


def printed_text(done: Mapping[str, LoadedRun], count: int) -> str:
    """What the program prints: the accuracies of the runs with an epoch, or 0 epochs for each of `count`."""
    if not done:
        return tr("It prints the number of finished epochs: {values}.", values=", ".join(["0"] * count))
    values = tr(", ").join(percent(each.run.epochs[-1].test_accuracy, 2) for each in done.values())
    if any(each.state == "running" for each in done.values()):
        return tr("It prints the last test accuracy so far: {values}.", values=values)
    return tr("It prints the last test accuracy: {values}.", values=values)


def _reading(name: str, each: LoadedRun) -> Sequence[str]:
    number = "percent(run.epochs[-1].test_accuracy, 2)" if each.run.epochs else "len(run.epochs)"
    return [f"run = read_run({path_text(each.file.path)})", f"print({number})  # {name!r}"]
