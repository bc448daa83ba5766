"""What the BatchNorm page gives away of a batch: its statistics and both predictions, also in Python."""

from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import figures
from explorer.drawing.channel_chart import expectations
from explorer.drawing.figures import Panel
from explorer.drawing.ranges import number
from explorer.drawing.sheets import columns_for, tiled
from explorer.engine.batches import Batch
from explorer.engine.batchnorm import NormSummary, TwoPredictions
from explorer.ui import cached, downloads, snippets
from explorer.ui.downloads import Array, Offer
from explorer.ui.options import options
from explorer.ui.selection import Selection
from explorer.ui.snippets import Origin
from explorer.views.batchnorm.exports import UNIT, cells, channel_arrays
from explorer.views.batchnorm.measured import Measured


def show(selection: Selection, measured: Measured, found: NormSummary, channel: int) -> None:
    """The fold at the end of the page, for a batch."""
    downloads.show(partial(offer, selection, measured, found, channel))


def offer(selection: Selection, measured: Measured, found: NormSummary, channel: int) -> Offer:
    """Raises ValueError where the batch has no statistics of its own."""
    batch = measured.batch
    assert batch is not None
    both = cached.two_predictions(selection.opened.key, measured.digest, selection.net, measured.x)
    chart = partial(expectations, found.distance, found.spread, channel, UNIT)
    said = caption(selection, measured, found)
    return Offer(
        name=f"batchnorm {len(batch.labels)} {measured.kind} {found.layer}",
        caption=said,
        pictures={
            "every channel": chart,
            f"channel {channel}, cells by value": partial(cells, selection, found, channel),
            "the images": lambda: tiled(batch.pixels, columns_for(len(batch.pixels))),
        },
        tables={
            "Statistics": lambda: statistics(found),
            "Predictions": lambda: predictions(selection.card.classes, both, batch),
        },
        arrays=lambda: arrays(found, both, batch),
        figure=lambda: [Panel(chart(), f"{found.layer} on {measured.said}")],
        snippet=snippets.program_of(
            selection.opened.source,
            origin(selection, measured),
            ["from explorer.engine.batchnorm import summary"],
            [f"found = summary(net, batch.x, {found.layer!r})", f"print(found.distance[{channel}])"],
        ),
        printed=f"the distance of channel {channel}, {number(found.distance[channel])} σ",
    )


def caption(selection: Selection, measured: Measured, found: NormSummary) -> str:
    traced = figures.caption(
        checkpoint=selection.opened.name,
        digest=selection.opened.checkpoint.digest,
        layer=found.layer,
    )
    band = "grey band 0 ± 1 σ, what training met"
    return f"Mean ± standard deviation on {measured.said}, in running σ; {band} · {traced}"


def origin(selection: Selection, measured: Measured) -> Origin:
    """Where the batch came from, in Python."""
    if measured.kind == "scenes":
        return snippets.drawn_batch(measured.wanted)
    return snippets.test_batch(options().data_dir, measured.wanted, selection.fit)


def statistics(found: NormSummary) -> pd.DataFrame:
    """One row a channel: what was learned, what the batch brings, what the layer does with it."""
    names = ["mean", "running_mean", "var", "running_var", "weight", "bias", "slope", "offset", "distance"]
    columns = {name: getattr(found, name) for name in [*names, "spread", "passing", "dead"]}
    return pd.DataFrame({"channel": np.arange(len(found.mean)), **columns})


def predictions(names: tuple[str, ...], both: TwoPredictions, batch: Batch) -> pd.DataFrame:
    """One row an image: name, label, and its class and probability by running and by batch statistics."""
    columns: dict[str, list[str] | Array] = {
        "image": list(batch.names),
        "label": [names[label] if label >= 0 else "" for label in batch.labels],
    }
    for kind, shares in (("running", both.running), ("batch", both.batch)):
        columns[kind] = [names[answer] for answer in shares.argmax(1)]
        columns[f"{kind}_probability"] = shares.max(1)
    return pd.DataFrame(columns)


def arrays(found: NormSummary, both: TwoPredictions, batch: Batch) -> dict[str, tuple[Array, str]]:
    edges = np.stack([found.edges(channel) for channel in range(len(found.mean))])
    return {
        "images": (batch.pixels, "what the network gets (N, s, s, 3), RGB, 0 to 255"),
        "names": (np.array(batch.names), "which image each is (N,)"),
        "labels": (batch.labels, "the class of each image (N,), -1 for none"),
        "running_probabilities": (both.running, "in eval mode, by running statistics (N, K)"),
        "batch_probabilities": (both.batch, "in train mode without Dropout, by the batch's own (N, K)"),
        **channel_arrays(found, "the batch"),
        "counts": (found.counts, "cells of the layer's input in each bin (C, bins)"),
        "edges": (edges, "the borders of the bins (C, bins + 1)"),
    }
