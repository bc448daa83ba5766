"""What the page «Training» gives away: the pictures and figures of the runs shown over one another."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import figures, line_chart
from explorer.drawing.figures import Chart
from explorer.drawing.line_chart import Line, Scale
from explorer.engine import runs as engine
from explorer.engine.runs import Run
from explorer.ui import takeaway
from explorer.ui.charts import QUIET
from explorer.ui.offers.parts import Arrays
from explorer.ui.run_charts import ACCURACY, AXES, COLOURS, LOSS, RATE, Figure
from explorer.ui.shown_runs import Shown
from explorer.ui.snippets import joined, path_text
from explorer.ui.takeaway import Offer, Pictures, Tables
from model.history import Epoch, smoothed
from model.names import readable


@dataclass(frozen=True)
class Drawn:
    """How the page draws its runs: over how many steps the loss is smoothed, and what they lie along."""

    window: int
    along: str


def runs(shown: Mapping[str, Shown], drawn: Drawn) -> None:
    """The losses and figures of some runs, by name, of which one has made a step at least."""
    takeaway.show(partial(offer, shown, drawn))


def offer(shown: Mapping[str, Shown], drawn: Drawn) -> Offer:
    found = {name: each.run for name, each in shown.items()}
    charts = charts_of(found, drawn)
    tables: Tables = {"Runs": lambda: summary(shown), "Losses": lambda: losses(found, drawn.window)}
    if "accuracy" in charts:
        tables |= {"Epochs": lambda: epochs(found)}
    program, printed = last_accuracy(shown)
    return Offer(
        name=f"training {next(iter(shown))}" if len(shown) == 1 else f"training {len(shown)} runs",
        caption=caption(shown, drawn),
        pictures=pictures(charts),
        tables=tables,
        arrays=lambda: arrays(found),
        figure=lambda: [chart for name, chart in charts.items() if name != "rate"],
        snippet=program,
        printed=printed,
    )


def caption(shown: Mapping[str, Shown], drawn: Drawn) -> str:
    """What is drawn and how; of every run how far it is, its command and its checkpoint with its digest."""
    mean = f"; strong: the mean of the last {drawn.window}" if drawn.window > 1 else ""
    loss = f"Training loss of every step (cross-entropy, nats){mean}"
    split = "By epoch: test images drawn through, training dashed"
    return " · ".join([loss, split, *(said(name, each) for name, each in shown.items())])


def said(name: str, each: Shown) -> str:
    """One run as a caption names it."""
    done = len(each.run.epochs)
    far = f"{done} of {each.total} epochs" if each.total else f"{done} epochs"
    command, _ = engine.command(each.run, each.written)
    parts = [f"Run {name}", f"{far}, {each.state}"]
    if command:
        parts.append(f"Command {command}")
    if each.written is not None:
        parts.append(
            figures.caption(checkpoint=readable(each.file.checkpoint.stem), digest=each.written.digest)
        )
    return " · ".join(parts)


# The two pictures of the course, and the learning rate


def charts_of(found: Mapping[str, Run], drawn: Drawn) -> dict[str, Chart]:
    """Short name → chart; by epoch once there is one."""
    whole = drawn.along != "minutes"
    along = Scale(AXES["epochs" if whole else "minutes"], whole=whole)
    charts = {"steps": loss_of_steps(found, drawn)}
    if any(run.epochs for run in found.values()):
        charts["accuracy"] = by_epoch(found, ACCURACY, drawn, along)
        charts["loss"] = by_epoch(found, LOSS, drawn, along)
        charts["rate"] = by_epoch(found, RATE, drawn, along)
    return charts


def pictures(charts: Mapping[str, Chart]) -> Pictures:
    found: Pictures = {"loss of every step": partial(figures.picture, charts["steps"])}
    if "accuracy" in charts:
        both = partial(figures.picture, charts["accuracy"], charts["loss"])
        found["accuracy and loss by epoch"] = both
        found["learning rate by epoch"] = partial(figures.picture, charts["rate"])
    return found


def loss_of_steps(found: Mapping[str, Run], drawn: Drawn) -> Chart:
    """The course's first picture: every step faint, the running mean strong."""
    mean = f", mean of {drawn.window}" if drawn.window > 1 else ""
    faint, strong = [], []
    for (name, run), tone in zip(found.items(), COLOURS, strict=False):
        at = engine.places(run, drawn.along)
        faint.append(Line(at, run.losses, tone, width=0.4, opacity=0.38))
        strong.append(Line(at, smoothed(run.losses.tolist(), drawn.window), tone, f"{name}{mean}"))
    y = Scale("loss of a step (nats)", low=0)
    x = Scale(AXES[drawn.along], low=0)
    return line_chart.chart([*faint, *strong], x, y, "Training loss", legend="upper right")


def by_epoch(found: Mapping[str, Run], figure: Figure, drawn: Drawn, along: Scale) -> Chart:
    """The course's second picture, one half: the test images drawn through, training dashed."""
    lines = [
        Line(
            engine.epoch_places(run, drawn.along),
            [getattr(row, field) for row in run.epochs],
            tone,
            name if split != "train" else "",
            dashed=split == "train",
            points=True,
            steps=figure is RATE,
        )
        for split, field in figure.fields.items()
        for (name, run), tone in zip(found.items(), COLOURS, strict=False)
    ]
    if "train" in figure.fields:
        lines.append(Line([], [], QUIET, "training", dashed=True))
    y = Scale(figure.title, percent=figure is ACCURACY, low=0 if figure is RATE else None)
    return line_chart.chart(lines, along, y, figure.title.capitalize())


# Tables and arrays


def summary(shown: Mapping[str, Shown]) -> pd.DataFrame:
    """One row a run, as the page's table has it, with its command and its weights' digest."""
    return pd.DataFrame([_summary(name, each) for name, each in shown.items()])


def _summary(name: str, each: Shown) -> dict[str, object]:
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


def epochs(found: Mapping[str, Run]) -> pd.DataFrame:
    """One row a run and epoch, with every figure of a history."""
    rows = [{"run": name, **asdict(row)} for name, run in found.items() for row in run.epochs]
    names = ["run", *(each.name for each in fields(Epoch))]
    return pd.DataFrame(rows, columns=names).dropna(axis="columns", how="all")


def losses(found: Mapping[str, Run], window: int) -> pd.DataFrame:
    """One row a run and step: its loss, and the mean of the last `window`."""
    return pd.concat([_losses(name, run, window) for name, run in found.items()])


def _losses(name: str, run: Run, window: int) -> pd.DataFrame:
    steps = np.arange(1, len(run.losses) + 1)
    mean = smoothed(run.losses.tolist(), window)
    return pd.DataFrame({"run": name, "step": steps, "loss": run.losses, f"mean_of_last_{window}": mean})


def arrays(found: Mapping[str, Run]) -> Arrays:
    columns = [each.name for each in fields(Epoch) if each.name != "flip_accuracy"]
    held: Arrays = {}
    for name, run in found.items():
        rows = [[getattr(row, column) for column in columns] for row in run.epochs]
        held[f"losses_{name}"] = (run.losses, "the loss of every step (steps,), in nats")
        held[f"epochs_{name}"] = (
            np.array(rows, np.float64).reshape(-1, len(columns)),
            f"one row an epoch (epochs, {len(columns)}): {', '.join(columns)}",
        )
    return held


# In Python


def last_accuracy(shown: Mapping[str, Shown]) -> tuple[str, str]:
    """A program that prints the last test accuracy of each run as the page shows it, and what it prints."""
    imports = ["from pathlib import Path", "from explorer.engine.runs import read_run"]
    done = {name: each for name, each in shown.items() if each.run.epochs}
    lines = [line for name, each in (done or shown).items() for line in _reading(name, each)]
    if not done:
        return joined(imports, lines), f"how many epochs are over, {', '.join('0' for _ in shown)}"
    shares = ", ".join(f"{each.run.epochs[-1].test_accuracy:.2%}" for each in done.values())
    so_far = " so far" if any(each.state == "running" for each in done.values()) else ""
    return joined(imports, lines), f"the last test accuracy{so_far}, {shares}"


def _reading(name: str, each: Shown) -> Sequence[str]:
    number = 'f"{run.epochs[-1].test_accuracy:.2%}"' if each.run.epochs else "len(run.epochs)"
    return [f"run = read_run(Path({path_text(each.file.path)}))", f"print({number})  # {name!r}"]
