"""The scan that a page of the data set works from: which one, how it comes about, and its images."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import streamlit as st

from explorer.engine.network import Network
from explorer.engine.samples import Sample, TestSet, in_classes, misplaced_images
from explorer.engine.scan import pace, running
from explorer.engine.scan.images import SCENES, ScanImages, drawn_scenes, fewer, of_test_set, scene_number
from explorer.engine.scan.result import Scan
from explorer.ui import cached, choices, jobs, link
from explorer.ui.class_names import glossed, glossed_within
from explorer.ui.jobs import JOBS, Progress, Work
from explorer.ui.markdown import literal, sentence
from explorer.ui.options import options
from model import scenes as drawn
from model.names import short_path
from model.problems import Problem
from model.words import N_, ngettext, paragraph, tr

TITLES = {"test": N_("Test set"), "scenes": N_("Drawn scenes")}
FEWER = 1000
"""How many images of a larger test set can be scanned instead of all."""

ScannedBatch = tuple[int, float]
"""How many images it had, and the seconds it took."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """The images to scan with a network, and the folder of the results."""

    network: Network
    images: ScanImages
    folder: Path


def scan_of(network: Network) -> Scan | None:
    """The scan of the images that the visitor chose, made by the command or by the app.

    Where there is none, the page shows what to press, or how far the scan is, and this returns None. One of
    some of the images will do; the others can be scanned, too.
    """
    sets = _sets(network)
    chosen = choices.choice(tr("Images"), {name: tr(TITLES[name]) for name in sets}, "scan")
    if "test" not in sets:
        st.caption(no_test_set(options().data_dir))
    folder = options().scans
    scan, problems = _finished(network, sets[chosen].digest, folder)
    if scan is None:
        for problem in problems:
            st.error(sentence(problem), icon=":material/error:")
        _offer(network, sets[chosen], folder)
    elif (missing := sets[chosen].count - len(scan) - len(scan.unreadable)) > 0:
        scanned = sets[chosen].count - missing
        _start_or_follow(Wanted(network, sets[chosen], folder), partial(_say_partial, scanned))
    return scan


def no_test_set(data_dir: Path) -> str:
    """Why only drawn scenes are offered, and how to get a test set, as Markdown."""
    missing = tr(
        "There is no test set in {folder}: start with `-- --data-dir DIR`, where DIR contains CIFAR-10, "
        "test/<class>/<images> or val/<class>/<images>.",
        folder=short_path(data_dir),
    )
    return sentence(paragraph(filter(None, [missing, misplaced_images(data_dir)])))


def image_number(scan: Scan, row: int) -> int:
    """The number of a row's image in its data set, as the sidebar counts them."""
    known = int(scan.ids[row])
    return scene_number(known) if scan.dataset == "scenes" else known


def sample_of(scan: Scan, row: int) -> Sample:
    """The image of a row, its label among the network's classes. Raises Problem where it is gone."""
    if scan.dataset == "scenes":
        return scene_of(scene_number(int(scan.ids[row])), scan.card["input_size"], scan.classes)
    images = _test_set()
    if images is None or images.digest != scan.images or scan.ids[row] >= len(images):
        raise Problem("The images of this scan are no longer in the folder: start with their --data-dir.")
    sample = glossed_within(images.sample(int(scan.ids[row])), images.classes)
    return in_classes(sample, images.classes, scan.classes)


def scene_of(number: int, size: int, classes: tuple[str, ...]) -> Sample:
    """A drawn scene by its number, for a network of that input size and these classes."""
    sample = cached.numbered_scene(number, size, classes)
    name = glossed(drawn.CLASSES[number % len(drawn.CLASSES)])
    return replace(sample, name=tr("{name} (drawn scene {number})", name=name, number=number))


def select(scan: Scan, row: int, rival: int | None = None) -> None:
    """Make a row's image the selected one on every page, in a callback of a widget.

    The class to explain becomes `rival`, and Compare shows it beside the most probable other class; without
    one, the predicted class is explained.
    """
    if scan.dataset == "scenes":
        link.change("source", "scenes")
        link.change("scene", str(scene_number(int(scan.ids[row]))))
    else:
        link.change("source", "test")
        link.change("only", choices.ALL)
        link.change("wrong", "all")
        link.change("index", str(int(scan.ids[row])))
    name = None if rival is None else choices.class_option(scan.classes[rival], choices.PREDICTED)
    link.change("class", name or choices.PREDICTED)
    link.change("against", choices.RUNNER_UP)
    if rival is not None:
        link.change("compare", "classes")


def _finished(network: Network, images: str, folder: Path) -> tuple[Scan | None, list[Problem]]:
    """The largest scan that can be read, and what is wrong with those that cannot."""
    damaged: dict[Path, Problem] = {}
    while (path := cached.finished_scan(folder, network, images, tuple(damaged))) is not None:
        try:
            return cached.scan(path), []
        except Problem as problem:
            damaged[path] = problem
    return None, list(damaged.values())


# What there is to scan


def _test_set() -> TestSet | None:
    return cached.test_set(options().data_dir)


def _sets(network: Network) -> dict[str, ScanImages]:
    """The images on hand: the test set where there is one, and drawn scenes."""
    images = _test_set()
    tested = {} if images is None else {"test": of_test_set(images, network.card)}
    return tested | {"scenes": drawn_scenes(network.card, SCENES)}


# One that is not there yet


def _offer(network: Network, images: ScanImages, folder: Path) -> None:
    """The button that starts a scan, or how far it is."""
    if images.count > FEWER:
        counts = {
            "all": tr("All {count:,}", count=images.count),
            "fewer": tr("{count:,} of them, evenly spread", count=FEWER),
        }
        if choices.choice(tr("How many"), counts, "scan_count") == "fewer":
            images = fewer(images, FEWER)
    _start_or_follow(Wanted(network, images, folder), _say_missing)


def _start_or_follow(wanted: Wanted, offer: Callable[[Wanted, str], None]) -> None:
    network, images = wanted.network, wanted.images
    started: dict[str, int] = st.session_state.setdefault("_scans", {})
    key = running.key_of(network, images)
    if not started.get(key):
        offer(wanted, key)
        return
    work = _work(wanted, started[key])
    progress = JOBS.look(work)[0]
    if progress.finished and progress.problem is None:  # and its file is there, or was removed or damaged
        started.pop(key)
        st.rerun()
    jobs.show(partial(_draw, key, work, wanted.images.count), work)


def _say_missing(wanted: Wanted, key: str) -> None:
    count = wanted.images.count
    st.info(
        ngettext(
            "This page needs one pass of the network over {n:,} image, which has not been run yet.",
            "This page needs one pass of the network over {n:,} images, which has not been run yet.",
            count,
        )
    )
    _show_button(wanted, key, "primary")


def _say_partial(scanned: int, wanted: Wanted, key: str) -> None:
    """How many of the images a scan has, and the button that scans all."""
    with st.container(horizontal=True, vertical_alignment="center"):
        fields = {"scanned": scanned, "count": wanted.images.count}
        st.caption(tr("This scan has {scanned:,} of the {count:,} images.", **fields))
        _show_button(wanted, key)


def _show_button(wanted: Wanted, key: str, type: Literal["primary", "secondary"] = "secondary") -> None:
    st.button(
        ngettext("Scan {n:,} image", "Scan {n:,} images", wanted.images.count),
        type=type,
        on_click=_start,
        args=(key, wanted),
        key="scan_start",
    )


def _start(key: str, wanted: Wanted) -> None:
    """A scan that ended before, by an error or since its file was removed, begins anew."""
    attempt = 1
    while JOBS.look(_work(wanted, attempt))[0].finished:
        attempt += 1
    st.session_state.setdefault("_scans", {})[key] = attempt


def _stop(key: str, work: Work[ScannedBatch]) -> None:
    """Let the scan stand, and show the button that lets it go on."""
    JOBS.stop(work)
    st.session_state["_scans"].pop(key, None)
    st.rerun()  # all of the page, which then no longer asks for more


def _draw(key: str, work: Work[ScannedBatch], total: int, progress: Sequence[Progress[ScannedBatch]]) -> None:
    (one,) = progress
    if one.problem is not None:
        st.error(sentence(one.problem), icon=":material/error:")
        if st.button(tr("Try again"), key="scan_again"):
            _stop(key, work)
        return
    st.progress(len(one.results) / one.steps, literal(how_far(one.results, total)))
    if st.button(tr("Stop"), key="scan_stop"):
        _stop(key, work)
    st.caption(tr("What is scanned is kept: a stopped scan goes on from there."))


def how_far(batches: Sequence[ScannedBatch], total: int) -> str:
    """How many images are scanned, and how long the rest takes once that can be said."""
    done, seconds = sum(count for count, _ in batches), pace.recent_pace(batches)
    if seconds is None or done >= total:
        return tr("Scanned images: {count:,}", count=done)
    return pace.progress_text(done, total, seconds)


def _work(wanted: Wanted, attempt: int) -> Work[ScannedBatch]:
    """A scan as a job: the images of each batch with its seconds, and none once the result is written."""
    batches = -(-wanted.images.count // running.batch_of(wanted.network.card))
    values = (wanted.network, wanted.images.digest, wanted.images.count, wanted.folder, attempt)
    return Work("scan", values, batches + 1, partial(_scan, wanted))


def timed(batches: Iterable[int], clock: Callable[[], float] = time.monotonic) -> Iterator[ScannedBatch]:
    """Numbers of images with the seconds that each took, without those in which nobody asked for the next."""
    started = clock()
    for count in batches:
        yield count, clock() - started
        started = clock()


def _scan(wanted: Wanted) -> Iterator[ScannedBatch]:
    scanning = running.prepare(wanted.network, wanted.images, wanted.folder)
    try:
        yield from timed(running.run(scanning, scanning.shards))
        running.finish(scanning)
    except OSError as error:
        raise Problem(
            "The results cannot be written to {folder} ({reason}): free some space there, or start with "
            "another folder as --scans.",
            folder=wanted.folder,
            reason=error.strerror or str(error),
        ) from error
    yield 0, 0.0
