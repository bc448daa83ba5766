"""The charts of training runs, as plain Vega-Lite: the loss of every step, figures by epoch, the rate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from explorer.drawing.ranges import percent
from explorer.drawing.vega import ACCENT, OTHER, QUIET, Chart, layered, short, whole_ticks
from explorer.engine.runs import Run, columns, epoch_places, extremes, last_of, places
from model.history import smoothed

COLOURS = (ACCENT, OTHER, "#7d77d8", "#a9852b", "#c25a86", QUIET)  # legible on the light and the dark page
MOST_RUNS = len(COLOURS)
COLUMNS = 500  # of the loss chart, for all runs together
LEAST_COLUMNS = 120
AXES = {"steps": "step", "epochs": "epoch", "minutes": "minutes of training"}
SPLITS = {"test": [1, 0], "train": [5, 3]}


@dataclass(frozen=True)
class Figure:
    """One figure of an epoch: its name in the rows of a history, and how it is written."""

    fields: Mapping[str, str]
    title: str
    format: str


ACCURACY = Figure({"test": "test_accuracy", "train": "train_accuracy"}, "accuracy", ".1~%")
LOSS = Figure({"test": "test_loss", "train": "train_loss"}, "loss (nats)", "~r")
RATE = Figure({"rate": "lr"}, "learning rate", "~g")


def columns_each(runs: int) -> int:
    """How many columns each of so many runs gets."""
    return max(LEAST_COLUMNS, COLUMNS // max(runs, 1))


def losses(runs: Mapping[str, Run], window: int, along: str, label: str) -> Chart:
    """The loss of every step, faint, and over it the running mean of the last `window` steps.

    Where there are more steps than columns, the faint line runs through each column's least and largest.
    """
    most = columns_each(len(runs))
    raw = [row for name, run in runs.items() for row in _raw(name, run, along, most)]
    mean = [row for name, run in runs.items() for row in _mean(name, run, window, along, most)]
    x = _x(AXES[along], (0, _ends(mean)[1]) if along != "minutes" else None)
    x["scale"] = {"nice": False, "zero": True}
    y = {"field": "loss", "type": "quantitative", "axis": _axis("loss of a step (nats)", "~r")}
    tone = _colours(list(runs))
    faint = {"type": "line", "strokeWidth": 0.6, "opacity": 0.38, "tooltip": None, "strokeJoin": "round"}
    tooltip = [
        {"field": "run", "type": "nominal"},
        {"field": "x", "type": "quantitative", "title": AXES[along], "format": ",.4~g"},
        {"field": "loss", "type": "quantitative", "title": f"mean of {window}", "format": ".4f"},
    ]
    line = {"type": "line", "strokeWidth": 2, "strokeJoin": "round"}
    common = {"x": x, "y": y, "color": tone}
    order = {"order": {"field": "n", "type": "quantitative"}}
    layers = [
        {"data": {"values": raw}, "mark": faint, "encoding": common | order},
        {"data": {"values": mean}, "mark": line, "encoding": common | order | {"tooltip": tooltip}},
    ]
    return layered(label, 300, layers)


def _raw(name: str, run: Run, along: str, most: int) -> list[Chart]:
    """Each column's least and largest loss, one point where they are the same."""
    starts, at = columns(len(run.losses), most), places(run, along)
    low, high = extremes(run.losses, starts)
    rows: list[Chart] = []
    for x, least, largest in zip(at[starts].tolist(), low.tolist(), high.tolist(), strict=True):
        for value in (least, largest) if least != largest else (least,):
            rows.append({"run": name, "x": short(x), "loss": short(value), "n": len(rows)})
    return rows


def _mean(name: str, run: Run, window: int, along: str, most: int) -> list[Chart]:
    starts, at = columns(len(run.losses), most), places(run, along)
    ends = last_of(starts, len(run.losses))
    mean = smoothed(run.losses.tolist(), window)
    return [
        {"run": name, "x": short(x), "loss": short(value), "n": place}
        for place, (x, value) in enumerate(zip(at[ends].tolist(), mean[ends].tolist(), strict=True))
    ]


def by_epoch(
    runs: Mapping[str, Run], figure: Figure, along: str, label: str, *, steps: bool = False, height: int = 220
) -> Chart:
    """A figure at the end of every epoch; of the test images drawn through, of training dashed."""
    along = "epochs" if along == "steps" else along
    rows = [row for name, run in runs.items() for row in _rows(name, run, figure, along)]
    x, several = _x(AXES[along], _ends(rows) if along == "epochs" else None), len(figure.fields) > 1
    y = {"field": "value", "type": "quantitative", "axis": _axis(figure.title, figure.format)}
    y["scale"] = {"zero": not several, "nice": True}
    scale = {"domain": list(SPLITS), "range": list(SPLITS.values())}
    tooltip = [
        {"field": "run", "type": "nominal"},
        {"field": "epoch", "type": "quantitative"},
        {"field": "of", "type": "nominal", "title": "of"},
        _said(figure),
    ]
    mark = {"type": "line", "strokeWidth": 2, "point": {"size": 22}}
    if steps:
        mark |= {"interpolate": "step-after"}
    encoding = {"x": x, "y": y, "color": _colours(list(runs)), "tooltip": tooltip}
    if several:
        encoding["strokeDash"] = {"field": "of", "type": "nominal", "scale": scale, "legend": None}
    return layered(label, height, [{"data": {"values": rows}, "mark": mark, "encoding": encoding}])


def _rows(name: str, run: Run, figure: Figure, along: str) -> list[Chart]:
    return [
        {"run": name, "of": of, "epoch": row.epoch, "x": short(x), "value": short(getattr(row, field))}
        | ({"said": percent(getattr(row, field), 2)} if figure is ACCURACY else {})
        for of, field in figure.fields.items()
        for row, x in zip(run.epochs, epoch_places(run, along).tolist(), strict=True)
    ]


def _said(figure: Figure) -> Chart:
    """The value in a tooltip; an accuracy in words, which never rounds to all or none."""
    if figure is ACCURACY:
        return {"field": "said", "type": "nominal", "title": figure.title}
    format = ".4f" if figure.format == "~r" else ".3~g"
    return {"field": "value", "type": "quantitative", "title": figure.title, "format": format}


def _ends(rows: Sequence[Chart]) -> tuple[float, float]:
    places = [row["x"] for row in rows if row["x"] is not None]
    return min(places, default=0), max(places, default=0)


def _x(title: str, counted: tuple[float, float] | None) -> Chart:
    """The x-axis; of what is counted its ends are given, and only whole numbers get a tick."""
    axis = {"title": title, "grid": False, "labelOverlap": True, "labelFlush": True}
    if counted is None:
        axis |= {"tickCount": 8, "format": ",~r"}
    else:
        axis |= {"values": whole_ticks(*counted), "format": ",d"}
    return {
        "field": "x",
        "type": "quantitative",
        "axis": axis,
        "scale": {"nice": False, "zero": counted is None},
    }


def _axis(title: str, format: str) -> Chart:
    return {"title": title, "tickCount": 5, "domain": False, "ticks": False, "format": format}


def _colours(names: Sequence[str]) -> Chart:
    """One colour a run, in the order chosen; the page names them, so that no chart needs a legend."""
    scale = {"domain": list(names), "range": list(COLOURS[: len(names)])}
    return {"field": "run", "type": "nominal", "scale": scale, "legend": None}
