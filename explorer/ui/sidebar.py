"""The sidebar, the same on every page: checkpoint, image, class to explain."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import streamlit as st

from explorer.drawing.pictures import data_uri
from explorer.engine.samples import Sample, SampleError, TestSet, in_classes
from explorer.ui import cached, choices, link
from explorer.ui.cached import Opened
from explorer.ui.options import OptionError, Options, options
from explorer.ui.selection import Selection, remember
from model.checkpoint import CIFAR10_CLASSES, Card, CheckpointError
from model.datasets import DatasetError, download_cifar10

PREDICTED = "predicted"
FITS = {"crop": "Crop the centre", "squash": "Squash to a square"}


def choose() -> Selection | None:
    """Draw the sidebar; the selection, or None after saying in one sentence what is missing."""
    with st.sidebar:
        try:
            given = options()
            opened = _checkpoint(given)
            about = st.empty()
            sample = choose_sample(opened.card, given)
        except (OptionError, CheckpointError, SampleError, DatasetError) as error:
            st.session_state.pop("_selection", None)
            return _refused(str(error))
        if sample is None:
            return None
        selection = Selection(opened, sample, _fit(sample, opened.card))
        selection = replace(selection, chosen=_class(selection))
        about.caption(f"{_merit(opened.card)} {choices.blocks_found(selection)}")
    remember(selection)
    return selection


def _refused(sentence: str) -> None:
    with st._main:
        st.error(sentence, icon=":material/error:")


# Checkpoint


def _checkpoint(given: Options) -> Opened:
    found = given.checkpoints
    if not found:
        raise CheckpointError("There is no checkpoint yet: train one with `python -m model.train`.")
    name = link.choose(st.selectbox, "Checkpoint", list(found), "checkpoint", next(iter(found)))
    return cached.opened(name, found[name])


def _merit(card: Card) -> str:
    accuracy = card.metrics.get("test_accuracy")
    measured = f"{accuracy:.2%} of its test images right. " if accuracy is not None else ""
    return f"{measured}Data: {card.data}."


# Image


def choose_sample(card: Card, given: Options, prefix: str = "") -> Sample | None:
    """Pick an image; its label is an index into the card's classes, or None. Raises SampleError."""
    source = link.choose(
        st.segmented_control,
        "Image",
        list(SOURCES),
        f"{prefix}source",
        "samples",
        required=True,
        format_func=SOURCE_NAMES.get,
        width="stretch",
    )
    return SOURCES[source](card, given, prefix)


def _from_samples(card: Card, _: Options, prefix: str) -> Sample | None:
    with st.container(key=f"{prefix}gallery"):
        name = link.choose(
            st.pills,
            "Built-in samples, drawn",
            CIFAR10_CLASSES,
            f"{prefix}sample",
            "cat",
            required=True,
            format_func=lambda name: f"![{name}]({_thumbnail(name)})",
        )
    return in_classes(cached.scene(CIFAR10_CLASSES.index(name)), CIFAR10_CLASSES, card.classes)


def _thumbnail(name: str) -> str:
    return data_uri(cached.scene(CIFAR10_CLASSES.index(name), 64).pixels)


def _from_test_set(card: Card, given: Options, prefix: str) -> Sample | None:
    found = cached.test_set(str(given.data_dir))
    if found is None:
        return _offer_download(given.data_dir)
    chosen = link.choose(st.selectbox, "Class", ["all", *found.classes], f"{prefix}only", "all")
    indices = range(len(found)) if chosen == "all" else found.where(found.classes.index(chosen))
    place = _number(found, indices, prefix)
    sample = found.sample(int(indices[place]))
    return in_classes(sample, found.classes, card.classes)


def _number(found: TestSet, indices: Sequence[int], prefix: str) -> int:
    return link.number(
        f"Number, 0 to {len(indices) - 1:,}",
        0,
        len(indices) - 1,
        f"{prefix}index",
        help=f"{found.name}: {len(found):,} images.",
    )


def _offer_download(data_dir: Path) -> None:
    st.info(
        f"There is no test set in {data_dir}. Download CIFAR-10 (170 MB), or start with "
        "`-- --data-dir DIR` where DIR holds test/<class>/<images>."
    )
    if st.button("Download CIFAR-10", type="primary", width="stretch"):
        bar = st.progress(0.0, "Downloading CIFAR-10 …")
        download_cifar10(data_dir, lambda share: bar.progress(share, f"Downloading CIFAR-10 … {share:.0%}"))
        cached.test_set.clear()
        st.rerun()


def _from_upload(card: Card, _: Options, prefix: str) -> Sample | None:
    file = st.file_uploader(
        "PNG, JPEG, WebP, GIF, BMP or TIFF, up to 10 MB",
        type=["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff"],
        key=f"{prefix}upload",
    )
    if file is None:
        st.caption("Nothing is stored; the picture is forgotten when the page is closed.")
        return None
    return cached.decoded_upload(file.name, file.getvalue())


SOURCES: dict[str, Callable[[Card, Options, str], Sample | None]] = {
    "samples": _from_samples,
    "test": _from_test_set,
    "upload": _from_upload,
}
SOURCE_NAMES = {"samples": "Samples", "test": "Test set", "upload": "Upload"}


# How it is fed, and what is asked


def _fit(sample: Sample, card: Card) -> str:
    height, width = sample.pixels.shape[:2]
    if height == width:
        return "crop"
    return str(
        link.choose(
            st.segmented_control,
            "The picture is not square",
            list(FITS),
            "fit",
            "crop",
            required=True,
            format_func=FITS.get,
            width="stretch",
        )
    )


def _class(selection: Selection) -> int | None:
    classes = selection.card.classes
    found = classes[selection.predicted]
    name = link.choose(
        st.selectbox,
        "Class to explain",
        [PREDICTED, *classes],
        "class",
        PREDICTED,
        format_func=lambda name: f"{found} (predicted)" if name == PREDICTED else name,
    )
    return None if name == PREDICTED else classes.index(name)
