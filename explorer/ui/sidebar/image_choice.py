"""The sidebar's part of the image: from samples, a test set, drawn scenes, an upload or the camera."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import streamlit as st

from explorer.engine.samples import Sample, TestSet, in_classes, misplaced_images
from explorer.engine.scan.images import SCENES
from explorer.ui import cached, choices, link, pictures
from explorer.ui.cached import Opened
from explorer.ui.class_names import glossed, glossed_within
from explorer.ui.components.picture_grid import Picture, picture_grid
from explorer.ui.markdown import literal, sentence
from explorer.ui.options import Options
from explorer.ui.scans.scanning import scene_of
from explorer.ui.stepping import follow, steps
from model import cifar10
from model.datasets import download_cifar10
from model.names import short_path
from model.words import N_, ngettext, paragraph, tr

FIRST = "cat"  # the sample that a visit begins with
OTHER = "dog"  # what it is compared with at first
WHICH = {"all": N_("All"), "wrong": N_("Wrong only")}
NEIGHBORS = 8  # images of a test set that are shown small


def first_sample() -> Sample:
    """The built-in sample that a visit begins with."""
    return _scene(cifar10.CLASSES.index(FIRST))


def choose_sample(opened: Opened, given: Options, prefix: str = "") -> Sample | None:
    """Pick an image; its label is an index into the network's classes, or None. Raises Problem."""
    with st.container(key=f"{prefix}sources"):
        source = link.choose(
            st.segmented_control,
            tr("Image of B") if prefix else tr("Image"),
            list(SOURCES),
            f"{prefix}source",
            "samples",
            required=True,
            format_func=lambda name: tr(SOURCE_NAMES[name]),
            width="stretch",
        )
    return SOURCES[source](opened, given, prefix)


def _from_samples(opened: Opened, _: Options, prefix: str) -> Sample | None:
    thumbnails = cached.gallery()
    first = _first_sample(prefix)
    follow(f"{prefix}sample", cifar10.CLASSES, first)
    with st.container(key=f"{prefix}gallery"):
        name = link.choose(
            st.pills,
            tr("Built-in samples (drawings)"),
            cifar10.CLASSES,
            f"{prefix}sample",
            first,
            required=True,
            format_func=lambda name: f"![{glossed(name)}]({thumbnails[name]})",
        )
    steps(f"{prefix}sample", cifar10.CLASSES, prefix)
    label = cifar10.CLASSES.index(name)
    return in_classes(_scene(label), cifar10.CLASSES, opened.card.classes)


def _scene(label: int) -> Sample:
    """A built-in sample; the cache has it with the name in one language, here it has that of the page."""
    return replace(cached.scene(label), name=tr("{name} (drawn)", name=glossed(cifar10.CLASSES[label])))


def _first_sample(prefix: str) -> str:
    """What a side begins with: the other one of two with another sample than the first shows."""
    if not prefix:
        return FIRST
    taken = link.chosen("source", "samples") == "samples" and link.chosen("sample", FIRST) == FIRST
    first = OTHER if taken else FIRST
    link.follow_default(f"{prefix}sample", first)
    return first


def _from_test_set(opened: Opened, given: Options, prefix: str) -> Sample | None:
    test_set = cached.test_set(given.data_dir)
    if test_set is None:
        return _offer_download(given.data_dir)
    if notes := test_set.notes():
        st.caption(literal(notes))
    name = choices.choose_class(
        tr("Class"), test_set.classes, f"{prefix}only", choices.ALL, tr("all classes")
    )
    indices = _only_wrong(opened, given, test_set, _indices(test_set, name), prefix)
    first = _first_index(test_set, indices, prefix)
    follow(f"{prefix}index", range(len(indices)), first)
    position = _number(test_set, indices, prefix, first)
    steps(f"{prefix}index", range(len(indices)), prefix)
    _neighbors(opened, test_set, indices, position, prefix)
    index = int(indices[position])
    sample = glossed_within(test_set.sample(index), test_set.classes)
    return in_classes(sample, test_set.classes, opened.card.classes)


def _indices(test_set: TestSet, name: str | None) -> Sequence[int]:
    """The images of a class, or all of them."""
    return range(len(test_set)) if name is None else test_set.where(test_set.classes.index(name)).tolist()


def _only_wrong(
    opened: Opened, given: Options, test_set: TestSet, indices: Sequence[int], prefix: str
) -> Sequence[int]:
    """Those of the images that the network gets wrong, if the visitor wants only these and a scan knows them.

    Otherwise all of them, and a sentence that says why.
    """
    names = {which: tr(text) for which, text in WHICH.items()}
    if choices.choice(tr("Predictions"), names, f"{prefix}wrong") == "all":
        return indices
    path = cached.finished_scan(given.scans, opened.network, test_set.digest)
    if path is None:
        st.caption(tr("Only a scan can tell which images are wrong: start one on the page “Errors”."))
        return indices
    scan = cached.scan(path)
    wrong = np.intersect1d(indices, scan.ids[scan.labeled & ~scan.correct]).tolist()
    if len(scan) < len(test_set):
        st.caption(
            ngettext(
                "Only {n:,} of {count:,} images is scanned.",
                "Only {n:,} of {count:,} images are scanned.",
                len(scan),
                count=len(test_set),
            )
        )
    if not wrong:
        st.caption(tr("None of these images is predicted wrongly; all of them are shown."))
    return wrong or indices


def _neighbors(opened: Opened, test_set: TestSet, indices: Sequence[int], position: int, prefix: str) -> None:
    """Small pictures of the chosen image and those beside it, to press."""
    start = position // NEIGHBORS * NEIGHBORS
    numbers = range(start, min(start + NEIGHBORS, len(indices)))
    if len(indices) < 2:
        return
    pictures = [
        Picture(number, cached.thumbnail(test_set, int(indices[number]), opened.card), _name(number))
        for number in numbers
    ]
    key = f"{prefix}index"
    picture_grid(
        pictures,
        key=f"{prefix}neighbors",
        on_open=lambda number: link.change(key, str(number)),
        side=48,
        chosen=position,
    )


def _name(number: int) -> str:
    return tr("Number {number:,}", number=number)


def _first_index(test_set: TestSet, indices: Sequence[int], prefix: str) -> int:
    """Where a side begins among `indices`: the other one of two beside the image that the first shows."""
    if not prefix:
        return 0
    others = _indices(test_set, choices.class_chosen("only", test_set.classes, choices.ALL))
    position = int(link.current("index", range(max(len(others), 1)), "0"))
    taken = link.chosen("source") == "test" and position < len(others)
    first = int(len(indices) > 1 and taken and others[position] == indices[0])
    link.follow_default(f"{prefix}index", str(first))
    return first


def _number(test_set: TestSet, indices: Sequence[int], prefix: str, first: int) -> int:
    return link.number(
        tr("Number, 0 to {last:,}", last=len(indices) - 1),
        0,
        len(indices) - 1,
        f"{prefix}index",
        first,
        help=ngettext(
            "{name}: {n:,} image.", "{name}: {n:,} images.", len(test_set), name=literal(test_set.name)
        ),
    )


def _from_scenes(opened: Opened, _: Options, prefix: str) -> Sample | None:
    """One of the drawn scenes that a scan is made of."""
    key, numbers = f"{prefix}scene", range(SCENES)
    follow(key, numbers)
    last = SCENES - 1
    number = link.number(
        tr("Number, 0 to {last:,}", last=last), 0, last, key,
        help=tr("Drawn scenes that are in no training or test set."),
    )  # fmt: skip
    steps(key, numbers, prefix)
    return scene_of(number, opened.card.input_size, opened.card.classes)


def _offer_download(data_dir: Path) -> None:
    missing = tr(
        "There is no test set in {folder}. Download CIFAR-10 (170 MB), or start with "
        "`-- --data-dir DIR`, where DIR contains test/<class>/<images> or "
        "val/<class>/<images>.",
        folder=short_path(data_dir),
    )
    st.info(sentence(paragraph(filter(None, [missing, misplaced_images(data_dir)]))))
    if st.button(tr("Download CIFAR-10"), type="primary", width="stretch"):
        bar = st.progress(0.0, tr("Downloading CIFAR-10 …"))
        download_cifar10(data_dir, lambda fraction: bar.progress(fraction, _downloaded(fraction)))
        cached.test_set.clear()
        st.rerun()


def _downloaded(fraction: float) -> str:
    return tr("Downloading CIFAR-10 … {percent}", percent=f"{fraction:.0%}")


def _own(picture: pictures.Picture | None, prefix: str) -> Sample | None:
    """A picture of the visitor's own, which no link can carry."""
    link.leave_out(f"{prefix}source")
    st.caption(
        tr(
            "Your picture is kept only for this visit and is not stored. It is not part of the link: "
            "whoever opens your link will see the built-in sample."
        )
    )
    return None if picture is None else cached.decoded(picture)


SOURCES: dict[str, Callable[[Opened, Options, str], Sample | None]] = {
    "samples": _from_samples,
    "test": _from_test_set,
    "scenes": _from_scenes,
    "upload": lambda _opened, _given, prefix: _own(pictures.upload(prefix), prefix),
    "camera": lambda _opened, _given, prefix: _own(pictures.photo(prefix), prefix),
}
SOURCE_NAMES = {
    "samples": N_("Samples"),
    "test": N_("Test set"),
    "scenes": N_("Scenes"),
    "upload": N_("Upload"),
    "camera": N_("Camera"),
}
