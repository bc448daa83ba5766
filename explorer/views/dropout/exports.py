"""The downloads of the page Dropout: the predictions under every mask, and one mask."""

from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import figures
from explorer.drawing.ranges import number
from explorer.ui.exports import downloads, export_parts
from explorer.ui.exports.downloads import Offer
from explorer.ui.exports.export_parts import Arrays
from explorer.ui.exports.snippets import program
from explorer.ui.selection import Selection
from explorer.views.dropout import charts, mask
from explorer.views.dropout.charts import Spread
from model.words import tr


def show(selection: Selection, spread: Spread, number: int) -> None:
    downloads.show(partial(offer, selection, spread, number))


def offer(selection: Selection, spread: Spread, mask_number: int) -> Offer:
    """What the page shows; `mask_number` counts from 1."""
    masked, layer = spread.masked, spread.layer.layer
    first = int(masked.plain.argmax())
    chart = charts.over_masks(selection.class_names, spread)
    return Offer(
        name=f"dropout {selection.sample.name} {layer}",
        caption=" · ".join([caption(selection, spread), tr(charts.ABOUT)]),
        pictures={
            tr("predictions"): partial(figures.picture, chart),
            tr("mask {number}", number=mask_number): partial(
                mask.picture, masked.received, masked.masks[mask_number - 1]
            ),
        },
        tables={tr("Predictions"): lambda: predictions(selection.card.classes, spread)},
        arrays=lambda: export_parts.input_arrays(selection) | arrays(spread),
        figure=lambda: [chart],
        snippet=program(
            [selection],
            ["from explorer.engine.dropout import dropouts, masked"],
            [
                f"made = masked(net, x, dropouts(net, x), {layer!r}, p={spread.p!r})",
                f"print(made.probabilities[:, {first}].mean())",
            ],
        ),
        printed=tr(
            "It prints the mean probability of {name} over the masks: {value}.",
            name=selection.class_names[first],
            value=number(masked.probabilities[:, first].mean()),
        ),
    )


def caption(selection: Selection, spread: Spread) -> str:
    layer = tr("{layer}, p = {p:g}", layer=spread.layer.layer, p=spread.rate)
    return export_parts.caption(selection, method="Dropout", layer=layer, target="")


def predictions(names: tuple[str, ...], spread: Spread) -> pd.DataFrame:
    """One row for each mask; the first, 0, is eval mode without a mask."""
    values = np.concatenate([spread.masked.plain[None], spread.masked.probabilities])
    columns = {f"probability of {name}": values[:, k] for k, name in enumerate(names)}
    best = [names[k] for k in values.argmax(1)]
    return pd.DataFrame({"mask": np.arange(len(values)), "predicted": best, **columns})


def arrays(spread: Spread) -> Arrays:
    masked = spread.masked
    return {
        "masked_probabilities": (masked.probabilities, tr("probabilities under each mask (M, K)")),
        "received": (masked.received, tr("what the layer receives in eval mode, without the batch")),
        "kept": (masked.masks, tr("which values each mask keeps (M, …)")),
    }
