"""«Take it away»: what a page shows, as pictures, tables, arrays, a figure for print, and in Python.

A page says what there is; nothing is made before somebody asks for it.
"""

import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from explorer.drawing import figures
from explorer.drawing.figures import Chart, Panel
from explorer.drawing.pictures import png
from explorer.ui.markdown import literal, sentence
from model.checkpoint import Pixels

Array = npt.NDArray[Any]
Bytes = Callable[[], bytes]
Pictures = dict[str, Callable[[], Pixels]]
Tables = dict[str, Callable[[], pd.DataFrame]]
LEAST = 256  # small maps are enlarged to about this many pixels


@dataclass(frozen=True, eq=False)
class Offer:
    """What a page gives away; `name` begins every file's name, `caption` says how it came about.

    `pictures` are uint8 (h, w, 3); `arrays` come with what they are in words; `figure` gives its panels,
    pictures or charts; `snippet` is a Python program that prints a number of the page, `printed` is that
    number.
    """

    name: str
    caption: str
    pictures: Mapping[str, Callable[[], Pixels]]
    tables: Mapping[str, Callable[[], pd.DataFrame]]
    arrays: Callable[[], Mapping[str, tuple[Array, str]]]
    figure: Callable[[], Sequence[Panel | Chart]]
    snippet: str
    printed: str = ""


# Files


def files(offer: Offer) -> dict[str, Bytes]:
    """File name → what makes its bytes, for everything in the offer."""
    pictures = {f"{stem(offer, name)}.png": _picture(draw) for name, draw in offer.pictures.items()}
    tables = {f"{stem(offer, name)}.csv": _table(make) for name, make in offer.tables.items()}
    said: dict[str, Bytes] = {"caption.txt": lambda: f"{offer.caption}\n".encode()}
    return (
        pictures
        | tables
        | {
            f"{stem(offer, 'pictures')}.zip": lambda: zipped(pictures | said),
            f"{stem(offer, 'arrays')}.npz": lambda: npz(offer.arrays(), offer.caption),
            f"{stem(offer, 'figure')}.png": lambda: figures.figure(offer.figure(), offer.caption, "png"),
            f"{stem(offer, 'figure')}.pdf": lambda: figures.figure(offer.figure(), offer.caption, "pdf"),
            f"{stem(offer, 'number')}.py": lambda: offer.snippet.encode(),
        }
    )


def stem(offer: Offer, name: str) -> str:
    """The file name of one thing, without its ending: letters, digits, dots and dashes."""
    return re.sub(r"[^\w.]+", "-", f"{offer.name} {name}").strip("-.").lower()


def npz(arrays: Mapping[str, tuple[Array, str]], caption: str) -> bytes:
    """All arrays as one NPZ; its member README says of each its type, its shape and what it is."""
    lines = [f"{name}: {array.dtype} {array.shape}, {said}" for name, (array, said) in arrays.items()]
    file = io.BytesIO()
    named = {name: array for name, (array, _) in arrays.items()}
    np.savez_compressed(file, allow_pickle=False, README=np.array("\n".join([caption, *lines])), **named)
    return file.getvalue()


def zipped(contents: Mapping[str, Bytes]) -> bytes:
    """Files in one ZIP, undated, so that the same files give the same bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, make in contents.items():
            archive.writestr(zipfile.ZipInfo(name), make())
    return file.getvalue()


def _picture(draw: Callable[[], Pixels]) -> Bytes:
    def made() -> bytes:
        pixels = draw()
        return png(pixels, max(1, round(LEAST / max(pixels.shape))))

    return made


def _table(make: Callable[[], pd.DataFrame]) -> Bytes:
    return lambda: make().to_csv(index=False).encode()


# On the page


@st.fragment
def show(make: Callable[[], Offer]) -> None:
    """The fold at the end of a page; the offer is put together once it is open."""
    with st.expander("Take it away", icon=":material/download:", on_change="rerun", key="take_away") as fold:
        if fold.open:
            _opened(make)


def _opened(make: Callable[[], Offer]) -> None:
    try:
        offer = make()
    except ValueError as error:  # what the page cannot show it cannot give away
        st.info(sentence(error))
        return
    made = files(offer)
    pictures, numbers, printed = st.columns(3, gap="medium")
    with pictures:
        st.markdown("**Pictures**, as they are shown")
        chosen = st.selectbox(
            "Picture", list(offer.pictures), key="take_picture", label_visibility="collapsed"
        )
        with st.container(horizontal=True):
            _button(f"{stem(offer, chosen)}.png", "This one, PNG", made, "image/png")
            _button(f"{stem(offer, 'pictures')}.zip", "All, ZIP", made, "application/zip")
    with numbers:
        st.markdown("**Numbers**, unrounded")
        with st.container(horizontal=True):
            for name in offer.tables:
                _button(f"{stem(offer, name)}.csv", f"{name}, CSV", made, "text/csv")
            _button(f"{stem(offer, 'arrays')}.npz", "Arrays, NPZ", made, "application/octet-stream")
    with printed:
        st.markdown("**For print**, with its caption")
        with st.container(horizontal=True):
            for kind, mime in (("png", "image/png"), ("pdf", "application/pdf")):
                _button(f"{stem(offer, 'figure')}.{kind}", f"Figure, {kind.upper()}", made, mime)
    st.caption(literal(offer.caption))
    said = f" It prints {literal(offer.printed)}." if offer.printed else ""
    st.markdown(f"**In Python**, run from any folder.{said}")
    st.code(offer.snippet, language="python")


def _button(file: str, label: str, made: Mapping[str, Bytes], mime: str) -> None:
    st.download_button(literal(label), made[file], file, mime, key=f"take_{label}", on_click="ignore")
