"""Mounts the channel grid on made-up maps, for its browser test; the link says how many, and their side."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import streamlit as st

from explorer.ui.components.channel_grid import channel_grid


def maps(channels: int, side: int, signed: bool) -> np.ndarray:
    """Smooth blobs, each channel stronger than the last; cell (0, 0) of channel k is k."""
    rows, columns = np.mgrid[:side, :side] / side
    angles = np.arange(channels)[:, None, None]
    waves = np.cos(7 * rows * np.cos(angles) + 9 * columns * np.sin(angles) + angles)
    values = (waves if signed else np.maximum(waves, 0)) * (1 + angles / 8)
    values[:, 0, 0] = np.arange(channels)
    return values.astype(np.float32)


def show() -> None:
    channels, side = (int(st.query_params[name]) for name in ("channels", "side"))
    st.set_page_config("Grid", layout="wide")
    if st.toggle("away"):
        return
    signed = st.toggle("signed", value=True)
    wished = st.number_input("wished", value=None, min_value=0, step=1)
    narrow = st.toggle("half the channels")
    shown = maps(channels, side, signed)[: channels // 2 if narrow else channels]
    told = st.session_state.setdefault("told", [])
    choice = channel_grid(
        shown,
        key="grid",
        signed=signed,
        label="Block 2 after ReLU",
        selected=int(wished) if wished is not None else None,
        orders={"Mean activation": np.argsort(-shown.mean((1, 2)), kind="stable").tolist()},
        cells=True,
        on_change=told.append,
    )
    st.text(f"channel {choice.channel} cell {choice.cell}")
    st.text(f"told {len(told)} times, last {told[-1].channel if told else None}")


if __name__ == "__main__":
    show()
