"""The downloads of the BatchNorm page for a batch: its statistics and both predictions, also in Python."""

from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import figures
from explorer.drawing.sheets import columns_for, tiled
from explorer.engine.batches import Batch
from explorer.engine.batchnorm import NormSummary, TwoPredictions
from explorer.ui import cached
from explorer.ui.exports import downloads, snippets
from explorer.ui.exports.downloads import Array, Offer
from explorer.ui.exports.snippets import Origin
from explorer.ui.options import options
from explorer.ui.selection import Selection
from explorer.views.batchnorm import charts
from explorer.views.batchnorm.charts import BatchNormCharts
from explorer.views.batchnorm.exports import (
    channel_arrays,
    channel_table,
    chart_pictures,
    distance_text,
    figure,
)
from explorer.views.batchnorm.measured import LayerView, MeasuredImages
from model.words import tr


def show(selection: Selection, view: LayerView, drawn: BatchNormCharts) -> None:
    """The downloads at the end of the page, for a batch."""
    downloads.show(partial(offer, selection, view, drawn))


def offer(selection: Selection, view: LayerView, drawn: BatchNormCharts) -> Offer:
    """Raises Problem where the batch has no statistics of its own."""
    measured, summary, batch = view.measured, view.summary, view.measured.batch
    assert batch is not None
    both = cached.two_predictions(selection.network, measured.input)
    return Offer(
        name=f"batchnorm {len(batch.labels)} {measured.kind} {view.layer}",
        caption=caption(selection, view),
        pictures=chart_pictures(view, drawn)
        | {tr("the images"): lambda: tiled(batch.pixels, columns_for(len(batch.pixels)))},
        tables={
            tr("Statistics"): lambda: channel_table(summary),
            tr("Predictions"): lambda: predictions(selection.card.classes, both, batch),
        },
        arrays=lambda: arrays(summary, both, batch),
        figure=lambda: figure(drawn),
        snippet=snippets.program_of(
            selection.opened.source,
            origin(selection, measured),
            ["from explorer.engine.batchnorm import summary"],
            [f"norm = summary(net, batch.x, {view.layer!r})", f"print(norm.distance[{view.channel}])"],
        ),
        printed=distance_text(view),
    )


def caption(selection: Selection, view: LayerView) -> str:
    traced = figures.caption(
        checkpoint=selection.opened.name,
        digest=selection.opened.checkpoint.digest,
        layer=view.layer,
    )
    about = (charts.caption(view), charts.about_histograms(view))
    return " · ".join([*about, view.measured.text, traced])


def origin(selection: Selection, measured: MeasuredImages) -> Origin:
    """The batch in Python."""
    if measured.kind == "scenes":
        return snippets.drawn_batch(measured.wanted)
    return snippets.test_batch(options().data_dir, measured.wanted, selection.fit)


def predictions(names: tuple[str, ...], both: TwoPredictions, batch: Batch) -> pd.DataFrame:
    """One row per image: name, label, and its class and probability with running and batch statistics."""
    columns: dict[str, list[str] | Array] = {
        "image": list(batch.names),
        "label": [names[label] if label >= 0 else "" for label in batch.labels],
    }
    for kind, probabilities in (("running", both.running), ("batch", both.batch)):
        columns[kind] = [names[predicted] for predicted in probabilities.argmax(1)]
        columns[f"{kind}_probability"] = probabilities.max(1)
    return pd.DataFrame(columns)


def arrays(summary: NormSummary, both: TwoPredictions, batch: Batch) -> dict[str, tuple[Array, str]]:
    edges = np.stack([summary.edges(channel) for channel in range(len(summary.mean))])
    return {
        "images": (batch.pixels, tr("the network’s input before normalization (N, s, s, 3), RGB, 0 to 255")),
        "names": (np.array(batch.names), tr("the name of each image (N,)")),
        "labels": (batch.labels, tr("the class of each image (N,), -1 for none")),
        "running_probabilities": (both.running, tr("eval mode, with running statistics (N, K)")),
        "batch_probabilities": (
            both.batch,
            tr("train mode without Dropout, with batch statistics (N, K)"),
        ),
        **channel_arrays(summary),
        "counts": (summary.counts, tr("positions of the layer’s input in each bin (C, bins)")),
        "edges": (edges, tr("the edges of the bins (C, bins + 1)")),
    }
