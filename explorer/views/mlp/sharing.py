"""How many parameters each layer of both networks has, and how often each weight is used for one image."""

import streamlit as st

from explorer.engine.weight_uses import WeightUses
from explorer.ui import cached, markup
from explorer.ui.selection import Selection
from explorer.views.mlp.pair import NetworkPair, input_of
from model.words import ngettext, tr


def show(pair: NetworkPair, selection: Selection) -> None:
    uses = {
        name: cached.uses_of_weights(opened.network, input_of(opened, selection))
        for name, opened in pair.sides.items()
    }
    markup.show(table(uses))
    st.markdown(finding(pair, uses))


def table(uses: dict[str, tuple[WeightUses, ...]]) -> str:
    heads = [
        tr("Layer"),
        tr("Parameters"),
        tr("Each weight is used"),
        tr("Products for one image"),
    ]
    rows = [
        [
            tr("{network} · {layer}", network=name, layer=each.layer),
            f"{each.parameters:,}",
            ngettext("{n:,} time", "{n:,} times", each.uses),
            f"{each.products:,}",
        ]
        for name, layers in uses.items()
        for each in layers
    ]
    return markup.table(heads, rows)


def finding(pair: NetworkPair, uses: dict[str, tuple[WeightUses, ...]]) -> str:
    """The totals of both networks, as Markdown."""
    totals = [sum(p.numel() for p in opened.network.net.parameters()) for opened in pair.sides.values()]
    products = [sum(each.products for each in layers) for layers in uses.values()]
    return tr(
        "In all the MLP has **{mlp}** parameters and the CNN **{cnn}** (its BatchNorm layers included). A "
        "convolution shares each weight among all positions: it needs few of them and uses them often, so "
        "the CNN computes {cnn_products} products for one image, the MLP {mlp_products}. What a kernel "
        "learns in one corner holds in every other; the MLP has to learn it again for each place.",
        mlp=f"{totals[0]:,}",
        cnn=f"{totals[1]:,}",
        mlp_products=f"{products[0]:,}",
        cnn_products=f"{products[1]:,}",
    )
