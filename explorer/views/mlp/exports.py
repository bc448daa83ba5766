"""The downloads of the page MLP and CNN: both first layers, the parameters, and predictions of moved "
"scenes."""

from collections.abc import Mapping
from functools import partial

import pandas as pd

from explorer.drawing import figures
from explorer.drawing.ranges import number
from explorer.engine.translation import MOST, ShiftedPredictions
from explorer.ui.exports import downloads, snippets
from explorer.ui.exports.downloads import Offer
from explorer.ui.exports.export_parts import Arrays
from explorer.views.mlp import charts, first_layers, shifts
from explorer.views.mlp.pair import NetworkPair
from model.words import ngettext, tr

IMPORTS = (
    "from explorer.engine.network import network_of",
    "from explorer.engine.translation import shifted_predictions",
)


def show(pair: NetworkPair, measured: Mapping[str, ShiftedPredictions]) -> None:
    downloads.show(partial(offer, pair, measured))


def offer(pair: NetworkPair, measured: Mapping[str, ShiftedPredictions]) -> Offer:
    chart = charts.by_shift(measured)
    mlp, cnn = first_layers.as_images(pair.mlp_weights), pair.cnn_weights
    return Offer(
        name="mlp and cnn",
        caption=caption(pair),
        pictures={
            tr("accuracy"): partial(figures.picture, chart),
            tr("weights of the MLP"): partial(first_layers.pictures, mlp, 1),
            tr("kernels of the CNN"): partial(first_layers.pictures, cnn, 8),
        },
        tables={tr("Accuracy"): lambda: table(measured)},
        arrays=lambda: arrays(pair, measured),
        figure=lambda: [chart],
        snippet=snippets.program_of(
            pair.cnn.source,
            snippets.drawn_batch(shifts.IMAGES),
            IMPORTS,
            [
                "made = shifted_predictions(network_of(checkpoint), batch.pixels, batch.labels)",
                f"print(made.same({MOST}).value)",
            ],
        ),
        printed=tr(
            "It prints the fraction of the CNN’s predictions that stay the same when scenes are moved by "
            "{pixels} pixels: {value}.",
            pixels=MOST,
            value=number(list(measured.values())[1].same(MOST).value),
        ),
    )


def caption(pair: NetworkPair) -> str:
    sides = [
        tr(
            "{side}: {caption}",
            side=side,
            caption=figures.caption(checkpoint=each.name, digest=each.checkpoint.digest),
        )
        for side, each in pair.sides.items()
    ]
    count = ngettext("{n:,} drawn scene", "{n:,} drawn scenes", shifts.IMAGES)
    return " · ".join([*sides, count, tr(shifts.LINES)])


def table(measured: Mapping[str, ShiftedPredictions]) -> pd.DataFrame:
    """One row for each network and shift."""
    rows = [
        {
            "network": name,
            "pixels": pixels,
            "n": each.correct(pixels).n,
            "correct": each.correct(pixels).count,
            "same": each.same(pixels).count,
        }
        for name, each in measured.items()
        for pixels in range(MOST + 1)
    ]
    return pd.DataFrame(rows)


def arrays(pair: NetworkPair, measured: Mapping[str, ShiftedPredictions]) -> Arrays:
    mlp, cnn = list(measured.values())[:2]
    return {
        "mlp_weights": (pair.mlp_weights, tr("weights of the MLP’s first layer (hidden, 3·s·s)")),
        "cnn_weights": (pair.cnn_weights, tr("kernels of the CNN’s first layer (C, 3, k, k)")),
        "mlp_predicted": (mlp.predicted, tr("classes predicted by the MLP (pixels moved, N)")),
        "cnn_predicted": (cnn.predicted, tr("classes predicted by the CNN (pixels moved, N)")),
        "labels": (cnn.labels, tr("the class of each scene (N,)")),
    }
