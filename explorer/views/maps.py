"""Feature maps: every channel of a layer in one sheet."""

import numpy as np
import streamlit as st

from explorer.engine.geometry import layer_size
from explorer.engine.tracing import Block, layer_module, stages
from explorer.ui import choices
from explorer.ui.components.channel_grid import channel_grid
from explorer.ui.selection import Selection, current


def page() -> None:
    selection = current()
    st.header("What every channel sees", anchor=False)
    if not selection.blocks:
        st.info("This network has no convolution, so it has no feature maps.")
        return
    with st.container(horizontal=True):
        block, _, layer = choices.choose_layer(selection)
    maps = selection.seen.maps[layer]
    channels, height, width = maps.shape
    st.markdown(f"**{layer}** has {channels} channels of {height} × {width} cells.")
    channel_grid(
        maps,
        key="grid",
        signed=bool(maps.min() < 0),
        selected=0,
        orders=orders(selection, layer),
        label=f"The {channels} feature maps of {layer}",
    )
    arithmetic(selection, block)
    how_to_read()


def orders(selection: Selection, layer: str) -> dict[str, list[int]]:
    """Channels from first to last, besides by number: by mean activation, by contribution to the class."""
    maps = selection.seen.maps[layer]
    share = selection.evidence((layer,))[layer].contributions
    name = selection.card.classes[selection.target]
    return {
        "Mean activation": np.argsort(-maps.mean((1, 2)), kind="stable").tolist(),
        f"Contribution to {name}": np.argsort(-share, kind="stable").tolist(),
    }


def arithmetic(selection: Selection, block: Block) -> None:
    """How each layer of the block comes by its size, in numbers."""
    st.subheader("How big it comes out", anchor=False)
    rows = [size_row(selection, name) for name in stages(block, selection.seen).values()]
    st.markdown(
        "| layer | kind | channels | cells: (input + padding − kernel) / stride + 1 |\n|---|---|---|---|\n"
        + "\n".join(rows)
    )


def size_row(selection: Selection, layer: str) -> str:
    size = layer_size(selection.net, selection.seen, layer)
    if size is None:
        kind = type(layer_module(selection.net, layer)).__name__
        return f"| `{layer}` | {kind} | unchanged | unchanged |"
    return f"| `{layer}` | {size.kind} | {size.channels[0]} → {size.channels[1]} | {size.formula} |"


def how_to_read() -> None:
    with st.expander("How to read this"):
        st.markdown(
            "Each tile is one channel: what one learned filter makes of the whole image. Bright (or red) "
            "cells are where it finds what it looks for. With one scale for all channels you see which "
            "are strong; with a scale for each you see the pattern even of faint ones."
        )


page()
