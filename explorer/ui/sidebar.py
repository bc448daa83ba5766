"""The sidebar, the same on every page: checkpoint, image, class to explain."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from explorer.engine.samples import Sample, SampleError, TestSet, in_classes
from explorer.ui import cached, choices, link
from explorer.ui.cached import Opened
from explorer.ui.options import OptionError, Options, options
from explorer.ui.selection import Selection, remember
from explorer.ui.stepping import steps
from model import cifar10
from model.checkpoint import Card, CheckpointError
from model.datasets import DatasetError, download_cifar10
from model.names import shown

FIRST = "cat"  # the sample that a visit begins with
PREDICTED = "predicted"
FITS = {"crop": "Crop the centre", "squash": "Squash to a square"}


def choose(needed: bool = True) -> Selection | None:
    """Draw the sidebar; the selection, or None after saying in one sentence what is missing.

    For a page that does without, `needed` is False: then only the sidebar says it.
    """
    try:
        with st.sidebar:
            selection = _selection(options())
    except (OptionError, CheckpointError, SampleError, DatasetError) as error:
        st.session_state.pop("_selection", None)
        (st if needed else st.sidebar).error(str(error), icon=":material/error:")
        return None
    if selection is not None:
        remember(selection)
    elif needed:
        st.header("No picture yet", anchor=False)
        st.markdown("Give one in the sidebar, or look at a sample there.")
    return selection


def _selection(given: Options) -> Selection | None:
    """What is chosen in the sidebar; None until there is a picture. Raises what `choose` says."""
    opened = _checkpoint(given)
    about = st.container()
    sample = choose_sample(opened.card, given)
    if sample is None:
        return None
    selection = Selection(opened, sample, _fit(sample, opened.card))
    selection = replace(selection, chosen=_class(selection))
    with about:
        _about(selection)
    return selection


# Checkpoint


def _checkpoint(given: Options) -> Opened:
    found = given.checkpoints
    if not found:
        raise CheckpointError("There is no checkpoint yet: train one with `python -m model.train`.")
    name = link.choose(st.selectbox, "Checkpoint", list(found), "checkpoint", next(iter(found)))
    return cached.opened(name, found[name])


def _about(selection: Selection) -> None:
    """What the network is, folded away: what it can do stands on top."""
    card, digest = selection.card, selection.opened.checkpoint.digest
    accuracy = card.metrics.get("test_accuracy")
    merit = f"{accuracy:.2%} of its test images right" if accuracy is not None else "About this network"
    with st.expander(merit):
        st.caption(f"{choices.blocks_found(selection)}")
        st.caption(f"{card.input_size} × {card.input_size} pixels, {len(card.classes)} classes.")
        st.caption(f"Data: {card.data}.")
        st.caption(f"Weights: {digest[:12]}.")


# Image


def choose_sample(card: Card, given: Options, prefix: str = "") -> Sample | None:
    """Pick an image; its label is an index into the card's classes, or None. Raises SampleError."""
    with st.container(key=f"{prefix}sources"):
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
    pictures = cached.gallery()
    with st.container(key=f"{prefix}gallery"):
        name = link.choose(
            st.pills,
            "Built-in samples, drawn",
            cifar10.CLASSES,
            f"{prefix}sample",
            FIRST,
            required=True,
            format_func=lambda name: f"![{name}]({pictures[name]})",
        )
    steps(f"{prefix}sample", cifar10.CLASSES, prefix)
    label = cifar10.CLASSES.index(name)
    return in_classes(cached.scene(label), cifar10.CLASSES, card.classes)


def _from_test_set(card: Card, given: Options, prefix: str) -> Sample | None:
    found = cached.test_set(str(given.data_dir))
    if found is None:
        return _offer_download(given.data_dir)
    chosen = link.choose(st.selectbox, "Class", ["all", *found.classes], f"{prefix}only", "all")
    indices = range(len(found)) if chosen == "all" else found.where(found.classes.index(chosen))
    place = _number(found, indices, prefix)
    steps(f"{prefix}index", range(len(indices)), prefix)
    index = int(indices[place])
    return in_classes(found.sample(index), found.classes, card.classes)


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
        f"There is no test set in {shown(data_dir)}. Download CIFAR-10 (170 MB), or start with "
        "`-- --data-dir DIR` where DIR holds test/<class>/<images>."
    )
    if st.button("Download CIFAR-10", type="primary", width="stretch"):
        bar = st.progress(0.0, "Downloading CIFAR-10 …")
        download_cifar10(data_dir, lambda share: bar.progress(share, f"Downloading CIFAR-10 … {share:.0%}"))
        cached.test_set.clear()
        st.rerun()


def _from_upload(card: Card, _: Options, prefix: str) -> Sample | None:
    files = st.file_uploader(
        "Pictures of your own",
        type=["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff"],
        key=f"{prefix}upload",
        accept_multiple_files=True,
    )
    _not_in_the_link(prefix)
    if not files:
        return None
    file = _which(files, prefix)
    return cached.decoded_upload(file.name, file.getvalue())


def _which(files: list[UploadedFile], prefix: str) -> UploadedFile:
    """One of the uploaded files; a new one is shown at once."""
    key, known = f"{prefix}which", st.session_state.get(f"{prefix}uploaded", [])
    places = range(len(files))
    new = [place for place in places if files[place].file_id not in known]
    st.session_state[f"{prefix}uploaded"] = [file.file_id for file in files]
    if new or st.session_state.get(key) not in places:
        st.session_state[key] = new[0] if new else 0
    if len(files) == 1:
        return files[0]
    names = [f"{place + 1} of {len(files)}: {file.name}" for place, file in enumerate(files)]
    place = st.selectbox("Picture", places, key=key, format_func=names.__getitem__)
    steps(key, places, prefix)
    return files[place]


def _from_camera(card: Card, _: Options, prefix: str) -> Sample | None:
    photo = st.camera_input("Take a picture", key=f"{prefix}photo")
    _not_in_the_link(prefix)
    return None if photo is None else cached.decoded_upload("your photo", photo.getvalue())


def _not_in_the_link(prefix: str) -> None:
    link.leave_out(f"{prefix}source")
    st.caption(
        "It stays with you: nothing is stored, and no link can carry it. "
        "Whoever opens yours will see the built-in sample."
    )


SOURCES: dict[str, Callable[[Card, Options, str], Sample | None]] = {
    "samples": _from_samples,
    "test": _from_test_set,
    "upload": _from_upload,
    "camera": _from_camera,
}
SOURCE_NAMES = {"samples": "Samples", "test": "Test set", "upload": "Upload", "camera": "Camera"}


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
