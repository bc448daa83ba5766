"""Downloads: what a page shows, as pictures, tables, arrays, a figure for print, and a Python program.

A page says what there is; nothing is made before somebody asks for it.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count, zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st
from pandas.api.types import is_numeric_dtype

from explorer.drawing import figures
from explorer.drawing.figures import Parts
from explorer.drawing.pictures import png
from explorer.ui import link
from explorer.ui.markdown import literal, sentence
from explorer.ui.turns import TURNS
from model import words
from model.card import Pixels
from model.problems import Problem
from model.words import tr

Array = npt.NDArray[Any]
Bytes = Callable[[], bytes]
Pictures = dict[str, Callable[[], Pixels]]
Tables = dict[str, Callable[[], pd.DataFrame]]
LEAST = 256  # small maps are enlarged to about this many pixels


@dataclass(frozen=True, eq=False)
class Offer:
    """What a page offers for download; `name` begins every file's name, `caption` says how it was made.

    `pictures` are uint8 (h, w, 3); `arrays` come with a description each; `figure` gives its panels,
    pictures or charts; `snippet` is a Python program that prints a number of the page, `printed` is the
    sentence that says which.
    """

    name: str
    caption: str
    pictures: Mapping[str, Callable[[], Pixels]]
    tables: Mapping[str, Callable[[], pd.DataFrame]]
    arrays: Callable[[], Mapping[str, tuple[Array, str]]]
    figure: Callable[[], Parts]
    snippet: str
    printed: str = ""


# Files


def files(offer: Offer) -> dict[str, Bytes]:
    """File name → what makes its bytes, for everything in the offer."""
    picture_names, table_names = picture_files(offer), table_files(offer)
    pictures = {picture_names[name]: _picture(draw) for name, draw in offer.pictures.items()}
    tables = {table_names[name]: _table(make) for name, make in offer.tables.items()}
    caption: dict[str, Bytes] = {"caption.txt": lambda: f"{offer.caption}\n".encode()}
    return (
        pictures
        | tables
        | {
            f"{stem(offer, 'pictures')}.zip": lambda: zipped(pictures | caption),
            f"{stem(offer, 'arrays')}.npz": lambda: npz(offer.arrays(), offer.caption),
            f"{stem(offer, 'figure')}.png": lambda: figures.figure(offer.figure(), offer.caption, "png"),
            f"{stem(offer, 'figure')}.pdf": lambda: figures.figure(offer.figure(), offer.caption, "pdf"),
            f"{stem(offer, 'number')}.py": lambda: offer.snippet.encode(),
        }
    )


def stem(offer: Offer, name: str) -> str:
    """The file name of one thing, without its ending: letters, digits, dots and dashes."""
    return re.sub(r"[^\w.]+", "-", f"{offer.name} {name}").strip("-.").lower()


def picture_files(offer: Offer) -> dict[str, str]:
    """Picture → its file's name."""
    return _file_names(offer, offer.pictures, "png", [f"{stem(offer, 'figure')}.png"])


def table_files(offer: Offer) -> dict[str, str]:
    """Table → its file's name."""
    return _file_names(offer, offer.tables, "csv")


def _file_names(
    offer: Offer, names: Iterable[str], ending: str, others: Sequence[str] = ()
) -> dict[str, str]:
    """Name → a file's name that no other has; those that differ in case or punctuation only get numbers."""
    files: dict[str, str] = {}
    for name, first in _padded({name: stem(offer, name) for name in names}).items():
        stems = chain([first], (f"{first}-{number}" for number in count(2)))
        unique = (each for each in stems if f"{each}.{ending}" not in (*files.values(), *others))
        files[name] = f"{next(unique)}.{ending}"
    return files


WHOLE_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")


def _padded(stems: Mapping[str, str]) -> dict[str, str]:
    """The stems; whole numbers in which they differ have equally many digits, so that files sort by them."""
    forms = {name: WHOLE_NUMBER.split(each) for name, each in stems.items()}
    numbers = {name: WHOLE_NUMBER.findall(each) for name, each in stems.items()}
    padded = {}
    for name, form in forms.items():
        alike = zip(*(numbers[other] for other, parts in forms.items() if parts == form), strict=True)
        widths = (max(map(len, each)) for each in alike)
        filled = (number.zfill(width) for number, width in zip(numbers[name], widths, strict=True))
        padded[name] = "".join(chain.from_iterable(zip_longest(form, filled, fillvalue="")))
    return padded


def npz(arrays: Mapping[str, tuple[Array, str]], caption: str) -> bytes:
    """All arrays as one NPZ; its member README says of each its type, its shape and what it is."""
    lines = [f"{name}: {array.dtype} {array.shape}, {text}" for name, (array, text) in arrays.items()]
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
    def encode() -> bytes:
        pixels = draw()
        return png(pixels, max(1, round(LEAST / max(pixels.shape))))

    return encode


def _table(make: Callable[[], pd.DataFrame]) -> Bytes:
    return lambda: csv(make())


def csv(table: pd.DataFrame) -> bytes:
    """A table as CSV in UTF-8, marked as such where Excel would read other letters; no text is a formula."""
    safe = table.rename(columns=_as_text)
    for place, kind in enumerate(table.dtypes):
        if not is_numeric_dtype(kind):
            safe.isetitem(place, table.iloc[:, place].map(_as_text))
    text = safe.to_csv(index=False)
    return text.encode("utf-8" if text.isascii() else "utf-8-sig")


FORMULA = re.compile(r"[=@\t\r]|[+-](?![\d.]+$)")


def _as_text(cell: object) -> object:
    """A name that a spreadsheet would compute, as “=1+1”, begins with an apostrophe instead."""
    return f"'{cell}" if isinstance(cell, str) and FORMULA.match(cell) else cell


# On the page


@st.fragment
@TURNS.computing()
def show(make: Callable[[], Offer]) -> None:
    """The expander at the end of a page; the offer is put together once it is open."""
    words.use(link.language())  # a fragment that runs alone
    with st.expander(tr("Download"), icon=":material/download:", on_change="rerun", key="take_away") as fold:
        if fold.open:
            _opened(make)


def _opened(make: Callable[[], Offer]) -> None:
    try:
        offer = make()
    except Problem as problem:  # what the page cannot show cannot be downloaded
        st.info(sentence(problem))
        return
    bytes_of = {file: _in_language(words.language(), make) for file, make in files(offer).items()}
    pictures, numbers, for_print = st.columns(3, gap="medium")
    with pictures:
        st.markdown(tr("**Pictures** as shown on the page"))
        name = st.selectbox(
            tr("Picture"), list(offer.pictures), key="take_picture", label_visibility="collapsed"
        )
        with st.container(horizontal=True):
            _button(picture_files(offer)[name], tr("This picture, PNG"), bytes_of, "image/png")
            _button(f"{stem(offer, 'pictures')}.zip", tr("All pictures, ZIP"), bytes_of, "application/zip")
    with numbers:
        st.markdown(tr("**Numbers** without rounding"))
        with st.container(horizontal=True):
            for table, file in table_files(offer).items():
                _button(file, tr("{table}, CSV", table=table), bytes_of, "text/csv")
            _button(f"{stem(offer, 'arrays')}.npz", tr("Arrays, NPZ"), bytes_of, "application/octet-stream")
    with for_print:
        st.markdown(tr("**Figure** for print, with its caption"))
        with st.container(horizontal=True):
            for kind, mime in (("png", "image/png"), ("pdf", "application/pdf")):
                label = tr("Figure, {format}", format=kind.upper())
                _button(f"{stem(offer, 'figure')}.{kind}", label, bytes_of, mime)
    st.caption(literal(offer.caption))
    st.markdown(tr("**Python** program; it runs in any folder."))
    if offer.printed:
        st.markdown(literal(offer.printed))
    st.code(offer.snippet, language="python")


def _button(file: str, label: str, bytes_of: Mapping[str, Bytes], mime: str) -> None:
    st.download_button(literal(label), bytes_of[file], file, mime, key=f"take_{file}", on_click="ignore")


def _in_language(language: str, make: Bytes) -> Bytes:
    """Make the bytes in a language: Streamlit calls it in another thread than the page's."""

    def make_in_language() -> bytes:
        words.use(language)
        return make()

    return make_in_language
