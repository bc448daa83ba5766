"""Mounts Play on three made-up steps, for its browser test."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import streamlit as st

from explorer.drawing.pictures import data_uri
from explorer.ui.components.play import Grid, Picture, Row, Scene, Stop, Total, play

PIXELS = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)


def picture(name: str, *box: float) -> Picture:
    return Picture(data_uri(PIXELS), 8, 8, name, name, (box[0], box[1], box[2], box[3]))


def scenes() -> list[Scene]:
    """A picture; a window that slides over it and adds up; a value that moves."""
    frames = tuple(((k - 1.0, 0.0, 3.0, 3.0), (float(k), 1.0, 1.0, 1.0)) for k in range(5))
    cells = tuple((f"{k}.0", "rgb(9,9,9)", "#fff", "") for k in range(9))
    grids = (Grid("window", "nine values", 3, cells), Grid("kernel", "nine weights", 3, cells, "×"))
    rows = (Row("first", "1.0", 1.0, 0.5, "= 1.0"), Row("second", "−0.5", -1.0, 0.5, "= 0.5"))
    return [
        Scene("The picture", "It has 8 × 8 pixels.", "picture", left=picture("picture", 2, 2, 1, 1)),
        Scene(
            "Convolution", "A window slides.", "conv", sign="Σ", left=picture("before", 3, 0, 3, 3),
            right=picture("after", 4, 1, 1, 1), sweep=frames, grids=grids, rows=rows,
            total=Total("sum", "= 0.5"),
        ),
        Scene("ReLU", "It cuts.", "relu", sign="ƒ", rows=(Row("before", "−1"), Row("after", "= 0")),
              stops=(Stop(-1, "−1"), Stop(-1, "−1"), Stop(0, "0"))),
    ]  # fmt: skip


st.set_page_config("Play", layout="wide")
st.title("Play")
st.header("Steps")
play(scenes(), key="play")
