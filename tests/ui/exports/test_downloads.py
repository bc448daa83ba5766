"""Every picture and every table of a page has a file of its own, whatever its name is made of."""

import io
import zipfile

import numpy as np
import pandas as pd
from PIL import Image

from explorer.ui.exports import downloads
from explorer.ui.exports.downloads import Offer

NAMES = ("cat!", "cat?", "Cat", "cat 2", "figure", "狗")  # the last of them is a letter, the first are not


def offer() -> Offer:
    """One picture of a shade of its own, and one table, for each name."""
    pictures = {
        name: (lambda shade=shade: np.full((4, 4, 3), shade, np.uint8)) for shade, name in enumerate(NAMES)
    }
    tables = {name: (lambda name=name: pd.DataFrame({"name": [name]})) for name in NAMES}
    return Offer("page", "A caption", pictures, tables, dict, list, "")


def shade(data: bytes) -> int:
    return int(np.asarray(Image.open(io.BytesIO(data)))[0, 0, 0])


def test_names_that_differ_in_punctuation_or_case_only_have_files_of_their_own() -> None:
    files = downloads.files(offer())
    by_name = downloads.picture_files(offer())
    assert [shade(files[by_name[name]]()) for name in NAMES] == list(range(len(NAMES)))
    assert len({name.lower() for name in by_name.values()}) == len(NAMES)
    assert by_name["cat!"] == "page-cat.png"  # as always where no other has that name
    assert "page-figure.png" not in by_name.values()  # the figure for print is called that
    tables = downloads.table_files(offer())
    assert [name in files[tables[name]]().decode() for name in NAMES] == [True] * len(NAMES)


def test_files_that_differ_in_a_number_sort_by_it() -> None:
    epochs = [20, 0, 3, 13]
    pictures = {f"epoch {epoch}": (lambda: np.zeros((4, 4, 3), np.uint8)) for epoch in epochs}
    pictures |= dict.fromkeys(("rate 0.05", "layer 12.conv"), pictures["epoch 0"])
    named = downloads.picture_files(Offer("relu3 scene 7", "A caption", pictures, {}, dict, list, ""))
    assert named["epoch 3"] == "relu3-scene-7-epoch-03.png"
    assert sorted(epochs) == sorted(epochs, key=lambda epoch: named[f"epoch {epoch}"])
    assert named["rate 0.05"].endswith("rate-0.05.png")
    assert named["layer 12.conv"].endswith("layer-12.conv.png")


def test_the_archive_holds_every_picture() -> None:
    archive = zipfile.ZipFile(io.BytesIO(downloads.files(offer())["page-pictures.zip"]()))
    shades = [shade(archive.read(name)) for name in archive.namelist() if name.endswith(".png")]
    assert sorted(shades) == list(range(len(NAMES)))
