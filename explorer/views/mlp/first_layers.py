"""The weights of both first layers as pictures: of the whole image, and of a small window."""

import numpy as np
import streamlit as st

from explorer.drawing.kernels import kernels
from explorer.drawing.ranges import symmetric
from explorer.drawing.sheets import tiled
from explorer.engine.values import Floats
from explorer.ui import markup
from explorer.views.mlp.pair import NetworkPair
from model.card import Pixels
from model.words import tr

SHOWN = 32  # of the MLP's hidden values
SCALE = 4  # pixels for each weight: as many as a projector shows, so that none is blurred
GAP = (235, 235, 235)


def show(pair: NetworkPair) -> None:
    mlp, cnn = as_images(pair.mlp_weights)[:SHOWN], pair.cnn_weights
    markup.show(markup.element("div", *panels(mlp, cnn), cls="fx-panels"))
    st.caption(
        tr(
            "First {shown} of {count} hidden values of the MLP, and all {kernels} kernels of the CNN. Gray "
            "is weight 0, a bright red cell is a positive weight for red; each picture has a scale of its "
            "own. Both are templates. One of the MLP lies over the whole picture, at one place. One of the "
            "CNN is {side} × {side} pixels and is laid over every position, which gives a feature map; the "
            "MLP has no maps to see, and its hidden values have no place in the picture.",
            shown=len(mlp),
            count=len(pair.mlp_weights),
            kernels=len(cnn),
            side=cnn.shape[-1],
        )
    )


def as_images(weights: Floats) -> Floats:
    """Weights (hidden, 3·s·s) as the pictures that they are laid over, (hidden, 3, s, s)."""
    side = round((weights.shape[1] / 3) ** 0.5)
    return weights.reshape(len(weights), 3, side, side)


def panels(mlp: Floats, cnn: Floats) -> list[str]:
    return [
        _panel(tr("MLP: weights of a hidden value for every pixel"), mlp, SCALE),
        _panel(tr("CNN: kernels of the first convolution"), cnn, SCALE * mlp.shape[-1] // cnn.shape[-1]),
    ]


def _panel(title: str, weights: Floats, scale: int) -> str:
    alt = tr("{title}, {count} pictures", title=title, count=len(weights))
    picture = markup.figure(pictures(weights, scale, 2 * SCALE), alt, fill=True)
    return markup.element("section", markup.text(title, tag="h3"), picture)


def pictures(weights: Floats, scale: int, gap: int = 2) -> Pixels:
    """Weights (C, 3, k, k) as tiles in rows, each with its own scale."""
    tiles = np.concatenate([kernels(one[None], symmetric(one)) for one in weights])
    row = 8 if len(tiles) > 8 else 4
    return tiled(tiles.repeat(scale, axis=1).repeat(scale, axis=2), row, gap, GAP)
