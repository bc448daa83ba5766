"""The downloads of the other parts of the BatchNorm page: without it, what is averaged, and in training."""

from collections.abc import Mapping
from functools import partial
from itertools import chain

import numpy as np
import pandas as pd

from explorer.drawing import figures
from explorer.drawing.chart import LineChart
from explorer.drawing.ranges import number
from explorer.engine.network import Input
from explorer.engine.norm_axes import NormAxes, Orders
from explorer.engine.without_norm import PredictionWithoutNorm
from explorer.ui import lessons
from explorer.ui.exports import downloads, export_parts
from explorer.ui.exports.downloads import Offer, Pictures
from explorer.ui.exports.export_parts import Arrays
from explorer.ui.exports.snippets import joined, path_text, program, program_of
from explorer.ui.selection import Selection
from explorer.views.batchnorm import averaged, batch_exports, in_training, run_charts, without_it
from explorer.views.batchnorm.exports import channel_arrays
from explorer.views.batchnorm.in_training import DriftSeries
from explorer.views.batchnorm.measured import LayerView
from explorer.views.batchnorm.run_charts import NormRun
from model.words import tr


def charts_of(*charts: LineChart) -> Pictures:
    return {chart.title: partial(figures.picture, chart) for chart in charts}


def caption(selection: Selection, view: LayerView) -> str:
    if view.measured.batch is not None:
        return batch_exports.caption(selection, view)
    layer = tr("{layer}, channel {channel}", layer=view.layer, channel=view.channel)
    return export_parts.caption(selection, method=tr("BatchNorm"), layer=layer, target="")


def program_for(selection: Selection, view: LayerView, imports: list[str], lines: list[str]) -> str:
    """A program whose `x` are the measured images."""
    if view.measured.batch is None:
        return program([selection], imports, lines)
    origin = batch_exports.origin(selection, view.measured)
    return program_of(selection.opened.source, origin, imports, ["x = batch.x", *lines])


# Without it


def without(selection: Selection, view: LayerView, sides: Mapping[str, PredictionWithoutNorm]) -> None:
    """The predictions with and without the layer, and the values of the chosen channel."""
    downloads.show(partial(without_offer, selection, view, sides))


def without_offer(selection: Selection, view: LayerView, sides: Mapping[str, PredictionWithoutNorm]) -> Offer:
    chart = without_it.one_axis(view)
    _, side = list(sides.values())[:2]
    label = int(side.logits[0].argmax())
    lines = [
        f"made = predicted_without(net, x, ({view.layer!r},))",
        f"print(made.logits[0, {label}])  # {selection.card.classes[label]!r}",
    ]
    imports = ["from explorer.engine.without_norm import predicted_without"]
    return Offer(
        name=f"without batchnorm {selection.sample.name} {view.layer}",
        caption=caption(selection, view),
        pictures=charts_of(chart),
        tables={tr("Predictions"): lambda: predictions(selection, view, sides)},
        arrays=lambda: without_arrays(view, sides),
        figure=lambda: [chart],
        snippet=program_for(selection, view, imports, lines),
        printed=tr(
            "It prints the logit of {name} for the first image without {layer}: {value}.",
            name=selection.class_names[label],
            layer=view.layer,
            value=number(side.logits[0, label]),
        ),
    )


def predictions(
    selection: Selection, view: LayerView, sides: Mapping[str, PredictionWithoutNorm]
) -> pd.DataFrame:
    """One row for each image, each case and each class: the logit and the probability."""
    batch, classes = view.measured.batch, selection.card.classes
    names = [selection.sample.name] if batch is None else list(batch.names)
    cases = ("nothing", view.layer, "every BatchNorm")
    return pd.concat(
        [
            pd.DataFrame(
                {"image": name, "without": case, "class": classes, "logit": side.logits[row],
                 "probability": side.probabilities[row]}
            )
            for row, name in enumerate(names)
            for case, side in zip(cases, sides.values(), strict=False)
        ]
    )  # fmt: skip


def without_arrays(view: LayerView, sides: Mapping[str, PredictionWithoutNorm]) -> Arrays:
    made = channel_arrays(view.summary)
    for index, (case, side) in enumerate(sides.items()):
        made[f"logits_{index}"] = (side.logits, tr("logits (N, K): {case}", case=case))
        made[f"probabilities_{index}"] = (side.probabilities, tr("probabilities (N, K): {case}", case=case))
    return made


# What is averaged


def averages(
    selection: Selection, view: LayerView, batch: Input, axes: NormAxes, both: Orders | None
) -> None:
    """What BatchNorm and LayerNorm average of a batch, and both orders with the pooling."""
    downloads.show(partial(averages_offer, selection, view, batch, axes, both))


def averages_offer(
    selection: Selection, view: LayerView, batch: Input, axes: NormAxes, both: Orders | None
) -> Offer:
    drawn = averaged.axes_picture(axes, view.channel)
    charts = [] if both is None else [averaged.order_chart(view, both)]
    lines = [
        *averaged.batch_lines(view),
        f"axes = norm_axes(net, x[:{averaged.IMAGES}], {view.layer!r})",
        f"print(axes.batch_mean[{view.channel}])",
    ]
    imports = ["from explorer.engine.norm_axes import norm_axes", *averaged.batch_imports(view)]
    tables = {tr("Means"): lambda: means(axes), tr("Averages"): lambda: edges(axes)}
    return Offer(
        name=f"averaged {selection.sample.name} {view.layer}",
        caption=f"{caption(selection, view)} · {averaged.rows_text(axes, view)}",
        pictures={tr("mean of each map"): lambda: drawn.pixels} | charts_of(*charts),
        tables=tables if both is None else tables | {tr("Both orders"): lambda: orders_table(both)},
        arrays=lambda: averages_arrays(axes, both) | {"x": (batch.x.numpy(), tr("the images (N, C, s, s)"))},
        figure=lambda: [drawn, *charts],
        snippet=program_for(selection, view, imports, lines),
        printed=tr(
            "It prints the mean of channel {channel} over the batch: {value}.",
            channel=view.channel,
            value=number(axes.batch_mean[view.channel]),
        ),
    )


def means(axes: NormAxes) -> pd.DataFrame:
    """One row for each image: the mean of each map, and what LayerNorm averages."""
    table = pd.DataFrame(axes.maps, columns=[f"channel_{k}" for k in range(axes.maps.shape[1])])
    table.insert(0, "image", np.arange(1, len(table) + 1))
    return table.assign(layer_mean=axes.layer_mean, layer_std=axes.layer_std)


def edges(axes: NormAxes) -> pd.DataFrame:
    """One row for each channel: what BatchNorm averages."""
    columns = {"mean": axes.batch_mean, "standard_deviation": axes.batch_std}
    return pd.DataFrame({"channel": np.arange(len(axes.batch_mean)), **columns})


def orders_table(both: Orders) -> pd.DataFrame:
    """One row for each order and channel: what is measured, and what leaves."""
    return pd.concat(
        [
            pd.DataFrame({
                "order": name,
                "channel": np.arange(len(order.mean)),
                "values": order.values,
                "measured_mean": order.measured_mean,
                "measured_standard_deviation": order.measured_std,
                "output_mean": order.mean,
                "output_standard_deviation": order.std,
            })
            for name, order in averaged.sides(both).items()
        ]
    )  # fmt: skip


def averages_arrays(axes: NormAxes, both: Orders | None) -> Arrays:
    made: Arrays = {
        "maps": (axes.maps, tr("the mean of each map (N, C)")),
        "batch_mean": (axes.batch_mean, tr("mean over images and positions (C,)")),
        "batch_std": (axes.batch_std, tr("standard deviation over images and positions (C,)")),
        "layer_mean": (axes.layer_mean, tr("mean over channels and positions (N,)")),
        "layer_std": (axes.layer_std, tr("standard deviation over channels and positions (N,)")),
    }
    if both is None:
        return made
    for name, order in averaged.sides(both).items():
        title = tr(averaged.ORDER_NAMES[name])
        made[f"{name}_counts"] = (order.counts, tr("positions in each bin: {order}", order=title))
        made[f"{name}_edges"] = (order.edges, tr("the edges of the bins: {order}", order=title))
    return made


# In training


def training(shipped: list[NormRun], drifts: Mapping[str, DriftSeries]) -> None:
    """The runs with and without normalization, and the drift of layers by name."""
    if shipped:
        downloads.show(partial(training_offer, shipped, drifts))


def training_offer(shipped: list[NormRun], drifts: Mapping[str, DriftSeries]) -> Offer:
    rows = [[*run_charts.by_epoch(shipped, in_training.CHANCE)]]
    rows += [[*in_training.drift_charts(series, name)] for name, series in drifts.items()]
    name = next(iter(in_training.RUNS))
    path = path_text(lessons.FOLDER / f"{name}.history.json")
    return Offer(
        name="batchnorm in training",
        caption=" · ".join(
            [
                tr("Six runs on drawn scenes, 20 epochs of 5,000; accuracy and loss on 1,000 others"),
                tr(in_training.RATES),
                *([tr(in_training.ABOUT_DRIFT, count=in_training.IMAGES)] if drifts else []),
            ]
        ),
        pictures=charts_of(*chain.from_iterable(rows)),
        tables={tr("Runs"): lambda: runs_table(shipped)}
        | ({tr("Drift"): lambda: drift_table(drifts)} if drifts else {}),
        arrays=lambda: drift_arrays(drifts) | run_arrays(shipped),
        figure=lambda: rows,
        snippet=joined(
            ["from explorer.engine.runs import read_run"],
            [f"run = read_run({path})", "print(run.epochs[-1].test_accuracy)"],
        ),
        printed=tr(
            "It prints the test accuracy of the first run after the last epoch: {value}.",
            value=number(shipped[0].run.epochs[-1].test_accuracy),
        ),
    )


def runs_table(shipped: list[NormRun]) -> pd.DataFrame:
    """One row for each run and epoch."""
    return pd.DataFrame([
        {"normalization": each.norm, "learning_rate": each.rate, "epoch": row.epoch,
         "test_accuracy": row.test_accuracy, "test_loss": row.test_loss}
        for each in shipped
        for row in each.run.epochs
    ])  # fmt: skip


def drift_table(drifts: Mapping[str, DriftSeries]) -> pd.DataFrame:
    """One row for each network, value and epoch: the medians that the charts show."""
    return pd.DataFrame([
        {"network": network, "values": values, "epoch": epoch, "mean_moved": moved, "spread_log2": stretched}
        for network, series in drifts.items()
        for values, (epochs, moments) in series.items()
        for epoch, moved, stretched in zip(
            epochs, np.median(moments.moved, 1), np.median(moments.stretched, 1), strict=True
        )
    ])  # fmt: skip


def drift_arrays(drifts: Mapping[str, DriftSeries]) -> Arrays:
    made: Arrays = {}
    for number_of, (network, series) in enumerate(drifts.items()):
        for place, (values, (_, moments)) in enumerate(series.items()):
            fields = {"network": network, "values": values}
            made[f"mean_{number_of}_{place}"] = (
                moments.mean,
                tr("means (epochs, C) of {network}, {values}", **fields),
            )
            made[f"std_{number_of}_{place}"] = (
                moments.std,
                tr("standard deviations (epochs, C) of {network}, {values}", **fields),
            )
    return made


def run_arrays(shipped: list[NormRun]) -> Arrays:
    accuracy = np.array([[row.test_accuracy for row in each.run.epochs] for each in shipped])
    return {"test_accuracy": (accuracy, tr("accuracy of each run at each epoch (runs, epochs)"))}
