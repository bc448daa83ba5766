"""The charts of training runs, as plain Vega-Lite: the loss of every step, metrics by epoch, the rate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from explorer.drawing.ranges import percent
from explorer.drawing.vega import ACCENT, OTHER, QUIET, Chart, layered, short, whole_ticks
from explorer.engine.runs import Run, columns, epoch_positions, extremes, last_of, step_positions
from model.history import smoothed
from model.words import N_, ngettext, tr

COLORS = (ACCENT, OTHER, "#7d77d8", "#a9852b", "#c25a86", QUIET)  # legible on the light and the dark page
MOST_RUNS = len(COLORS)
COLUMNS = 500  # of the loss chart, for all runs together
LEAST_COLUMNS = 120
AXES = {"steps": N_("step"), "epochs": N_("epoch"), "minutes": N_("minutes of training")}
SPLITS = {"test": N_("test"), "train": N_("training")}
DASHES = {"test": [1, 0], "train": [5, 3]}


@dataclass(frozen=True)
class Metric:
    """One metric of an epoch: its fields in a history by split, its names, and how its axis is written.

    `description` says in words what its chart shows, with a field for the names of the `runs`.
    """

    fields: Mapping[str, str]
    title: str
    axis: str
    description: str
    format: str


ACCURACY = Metric(
    {"test": "test_accuracy", "train": "train_accuracy"},
    N_("Accuracy"),
    N_("accuracy"),
    N_("Accuracy by epoch; runs: {runs}"),
    ".1~%",
)
LOSS = Metric(
    {"test": "test_loss", "train": "train_loss"},
    N_("Loss"),
    N_("loss (nats)"),
    N_("Loss by epoch; runs: {runs}"),
    "~r",
)
RATE = Metric(
    {"rate": "lr"}, N_("Learning rate"), N_("learning rate"), N_("Learning rate by epoch; runs: {runs}"), "~g"
)


def columns_each(runs: int) -> int:
    """How many columns each of so many runs gets."""
    return max(LEAST_COLUMNS, COLUMNS // max(runs, 1))


def mean_of_last(window: int) -> str:
    """The name of the running mean."""
    return ngettext("mean of the last {n} step", "mean of the last {n} steps", window)


def losses(runs: Mapping[str, Run], window: int, x_axis: str, label: str) -> Chart:
    """The loss of every step, faint, and over it the running mean of the last `window` steps.

    Where there are more steps than columns, the faint line connects each column's minimum and maximum.
    """
    most = columns_each(len(runs))
    raw = [row for name, run in runs.items() for row in _raw(name, run, x_axis, most)]
    mean = [row for name, run in runs.items() for row in _mean(name, run, window, x_axis, most)]
    x = _x(tr(AXES[x_axis]), (0, _ends(mean)[1]) if x_axis != "minutes" else None)
    x["scale"] = {"nice": False, "zero": True}
    y = {"field": "loss", "type": "quantitative", "axis": _axis(tr("training loss (nats)"), "~r")}
    common = {"x": x, "y": y, "color": _colors(list(runs))}
    common["order"] = {"field": "n", "type": "quantitative"}
    faint = {"type": "line", "strokeWidth": 0.6, "opacity": 0.38, "tooltip": None, "strokeJoin": "round"}
    line = {"type": "line", "strokeWidth": 2, "strokeJoin": "round"}
    tooltip = _mean_tooltip(window, x_axis)
    layers = [
        {"data": {"values": raw}, "mark": faint, "encoding": common},
        {"data": {"values": mean}, "mark": line, "encoding": common | {"tooltip": tooltip}},
    ]
    return layered(label, 300, layers)


def _mean_tooltip(window: int, x_axis: str) -> list[Chart]:
    return [
        _run_tooltip(),
        {"field": "x", "type": "quantitative", "title": tr(AXES[x_axis]), "format": ",.4~g"},
        {"field": "loss", "type": "quantitative", "title": mean_of_last(window), "format": ".4f"},
    ]


def _run_tooltip() -> Chart:
    return {"field": "run", "type": "nominal", "title": tr("run")}


def _raw(name: str, run: Run, x_axis: str, most: int) -> list[Chart]:
    """Each column's minimum and maximum loss, one point where they are the same."""
    starts, x_values = columns(len(run.losses), most), step_positions(run, x_axis)
    low, high = extremes(run.losses, starts)
    rows: list[Chart] = []
    for x, least, largest in zip(x_values[starts].tolist(), low.tolist(), high.tolist(), strict=True):
        for value in (least, largest) if least != largest else (least,):
            rows.append({"run": name, "x": short(x), "loss": short(value), "n": len(rows)})
    return rows


def _mean(name: str, run: Run, window: int, x_axis: str, most: int) -> list[Chart]:
    starts, x_values = columns(len(run.losses), most), step_positions(run, x_axis)
    ends = last_of(starts, len(run.losses))
    mean = smoothed(run.losses.tolist(), window)
    return [
        {"run": name, "x": short(x), "loss": short(value), "n": n}
        for n, (x, value) in enumerate(zip(x_values[ends].tolist(), mean[ends].tolist(), strict=True))
    ]


def by_epoch(
    runs: Mapping[str, Run],
    metric: Metric,
    x_axis: str,
    label: str,
    *,
    steps: bool = False,
    height: int = 220,
) -> Chart:
    """A metric at the end of every epoch; of the test images solid, of training dashed."""
    x_axis = "epochs" if x_axis == "steps" else x_axis
    rows = [row for name, run in runs.items() for row in _rows(name, run, metric, x_axis)]
    several = len(metric.fields) > 1
    y = {"field": "value", "type": "quantitative", "axis": _axis(tr(metric.axis), metric.format)}
    y["scale"] = {"zero": not several, "nice": True}
    mark = {"type": "line", "strokeWidth": 2, "point": {"size": 22}}
    if steps:
        mark |= {"interpolate": "step-after"}
    encoding = {
        "x": _x(tr(AXES[x_axis]), _ends(rows) if x_axis == "epochs" else None),
        "y": y,
        "color": _colors(list(runs)),
        "tooltip": _epoch_tooltip(metric),
    }
    if several:
        dashes = {"domain": [tr(SPLITS[split]) for split in DASHES], "range": list(DASHES.values())}
        encoding["strokeDash"] = {"field": "split", "type": "nominal", "scale": dashes, "legend": None}
    return layered(label, height, [{"data": {"values": rows}, "mark": mark, "encoding": encoding}])


def _rows(name: str, run: Run, metric: Metric, x_axis: str) -> list[Chart]:
    x_values = epoch_positions(run, x_axis).tolist()
    return [
        _row(metric, getattr(row, field))
        | {"run": name, "epoch": row.epoch, "x": short(x)}
        | ({"split": tr(SPLITS[split])} if split in SPLITS else {})
        for split, field in metric.fields.items()
        for row, x in zip(run.epochs, x_values, strict=True)
    ]


def _row(metric: Metric, value: float) -> Chart:
    """A value for its line; an accuracy also as its tooltip's text, which never rounds to all or none."""
    return {"value": short(value)} | ({"text": percent(value, 2)} if metric is ACCURACY else {})


def _epoch_tooltip(metric: Metric) -> list[Chart]:
    tooltip = [_run_tooltip(), {"field": "epoch", "type": "quantitative", "title": tr("epoch")}]
    if len(metric.fields) > 1:
        tooltip.append({"field": "split", "type": "nominal", "title": tr("images")})
    if metric is ACCURACY:
        return [*tooltip, {"field": "text", "type": "nominal", "title": tr(metric.axis)}]
    format = ".4f" if metric.format == "~r" else ".3~g"
    value = {"field": "value", "type": "quantitative", "title": tr(metric.axis), "format": format}
    return [*tooltip, value]


def _ends(rows: Sequence[Chart]) -> tuple[float, float]:
    x_values = [row["x"] for row in rows if row["x"] is not None]
    return min(x_values, default=0), max(x_values, default=0)


def _x(title: str, ends: tuple[float, float] | None) -> Chart:
    """The x-axis; where its `ends` are given, it counts something, and only whole numbers get a tick."""
    axis = {"title": title, "grid": False, "labelOverlap": True, "labelFlush": True}
    if ends is None:
        axis |= {"tickCount": 8, "format": ",~r"}
    else:
        axis |= {"values": whole_ticks(*ends), "format": ",d"}
    scale = {"nice": False, "zero": ends is None}
    return {"field": "x", "type": "quantitative", "axis": axis, "scale": scale}


def _axis(title: str, format: str) -> Chart:
    return {"title": title, "tickCount": 5, "domain": False, "ticks": False, "format": format}


def _colors(names: Sequence[str]) -> Chart:
    """One color for each run, in the order chosen; the page names them, so that no chart needs a legend."""
    scale = {"domain": list(names), "range": list(COLORS[: len(names)])}
    return {"field": "run", "type": "nominal", "scale": scale, "legend": None}
