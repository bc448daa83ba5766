"""What is measured on this page: which shift, of which images, how many; as a job for all visitors."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import streamlit as st

from explorer.engine import batches, samples
from explorer.engine.corruptions import CORRUPTIONS, Corruption
from explorer.engine.network import Network
from explorer.engine.samples import TestSet, in_classes
from explorer.engine.shift_measuring import LEAST, Pictures, SeverityResult, measure_own, measure_shift
from explorer.ui import cached, choices, link
from explorer.ui.jobs import JOBS, Work
from explorer.ui.markdown import literal, sentence
from explorer.ui.options import options
from explorer.ui.scans.scanning import no_test_set
from explorer.ui.selection import Selection
from model.card import Card
from model.problems import Problem
from model.words import N_, ngettext, tr

COUNTS = (64, 128, 256, 512, 1024, 2048)
DEFAULT_COUNT = 512
MOST_PIXELS = 64 * 224 * 224  # of all images together, so that time and memory stay bounded
OWN = "own"  # beside the names of CORRUPTIONS
MOST_OWN = 512  # pictures of a folder
AT_ONCE = 0.3  # seconds that the page waits for the job before it shows itself without
SOURCES = {"test": N_("Test set"), "scenes": N_("Drawn scenes")}
UPLOADED = "_shift_own"


@dataclass(frozen=True, eq=False)
class ShiftQuestion:
    """A shift by its name in CORRUPTIONS or OWN, of `wanted` images of a kind from SOURCES."""

    network: Network
    shift: str
    kind: str
    test_set: TestSet | None
    wanted: int
    fit: str
    own: Pictures | None = None

    @property
    def corruption(self) -> Corruption | None:
        return CORRUPTIONS.get(self.shift)

    @property
    def title(self) -> str:
        """What the shift is called."""
        return tr("Your own folder") if self.corruption is None else tr(self.corruption.title)

    def severity(self, step: SeverityResult) -> str:
        """What a step is called: its severity in its own unit."""
        if step.severity is None:
            return tr("unshifted")
        if self.corruption is None:
            return tr("your own folder")
        return tr(self.corruption.unit, value=f"{step.severity:g}")

    def images(self, count: int) -> str:
        """So many images, by what they are."""
        if self.kind == "test":
            return ngettext("{n} test image", "{n} test images", count)
        return ngettext("{n} drawn scene", "{n} drawn scenes", count)

    def work(self) -> Work[SeverityResult]:
        own = (None, None) if self.own is None else (self.own.pixels, self.own.labels)
        values = (self.network, self.shift, self.kind, self.test_set, self.wanted, self.fit, *own)
        steps = 2 if self.corruption is None else 1 + len(self.corruption.severities)
        return Work("shift of the data", values, steps, partial(iter_steps, self))


def choose(selection: Selection) -> ShiftQuestion | None:
    """What to measure, by three choices in a row; None until there are pictures of one's own."""
    test_set = cached.test_set(options().data_dir)
    names = {name: tr(each.title) for name, each in CORRUPTIONS.items()}
    which, of, how_many = st.columns([2, 2, 1], vertical_alignment="bottom")
    with which:
        shift = choices.pick(tr("Shift of the data"), {**names, OWN: tr("Your own folder")}, "shift", "dark")
    with of:
        kinds = {kind: tr(name) for kind, name in SOURCES.items() if kind != "test" or test_set is not None}
        kind = choices.choice(tr("Images"), kinds, "shift_of", "test" if test_set is not None else "scenes")
    with how_many:
        wanted = how_many_images(selection.card)
    if test_set is None:
        st.caption(no_test_set(options().data_dir))
    images = test_set if kind == "test" else None
    own = uploaded(selection) if shift == OWN else None
    if shift == OWN and own is None:
        return None
    return ShiftQuestion(selection.network, shift, kind, images, wanted, selection.fit, own)


def counts(card: Card) -> tuple[int, ...]:
    """How many images may be measured, ascending: fewer where each is large, the least at any rate."""
    fitting = [count for count in COUNTS if count * card.input_size**2 <= MOST_PIXELS]
    return tuple(fitting) or COUNTS[:1]


def how_many_images(card: Card) -> int:
    names = {str(count): f"{count:,}" for count in counts(card)}
    default = str(min(DEFAULT_COUNT, counts(card)[-1]))
    return int(choices.pick(tr("Number"), names, "shift_images", default))


def started(question: ShiftQuestion) -> bool:
    """Whether to measure: after the button, by the link, or since it is measured already."""
    wanted = link.value("shift_measured", "no") == "yes"
    link.keep("shift_measured", "yes" if wanted else "no", "no")
    work = question.work()
    if wanted:
        with suppress(TimeoutError):  # it goes on, and is shown step by step
            JOBS.wait(work, seconds=AT_ONCE)
    return wanted or JOBS.look(work)[0].finished


def start(begin: bool) -> None:
    link.keep("shift_measured", "yes" if begin else "no", "no")


# In the job


def iter_steps(question: ShiftQuestion) -> Iterator[SeverityResult]:
    pictures = pictures_of(question.network, question.kind, question.test_set, question.wanted, question.fit)
    if question.corruption is not None:
        yield from measure_shift(question.network, pictures, question.corruption)
    elif question.own is not None:
        yield from measure_own(question.network, pictures, question.own)


@lru_cache(maxsize=2)
def pictures_of(network: Network, kind: str, test_set: TestSet | None, wanted: int, fit: str) -> Pictures:
    """The images, opened or drawn once for all shifts. Raises Problem for too few."""
    if kind == "test" and test_set is not None:
        batch = batches.from_test_set(test_set, wanted, network.card, fit)
    else:
        batch = batches.from_scenes(wanted, network.card)
    if len(batch.labels) < LEAST:
        raise Problem(
            "Only {count} of the test images can be used, and {least} are needed: choose drawn scenes.",
            count=len(batch.labels),
            least=LEAST,
        )
    return Pictures(batch.pixels, batch.labels)


# Pictures of one's own


def _ask_for_folder() -> None:
    st.file_uploader(
        tr("A folder of pictures"),
        accept_multiple_files="directory",
        key="shift_folder",
        help=tr(
            "Folders in it that are named after classes give the labels. At most {most} pictures, which are "
            "kept only for this visit.",
            most=MOST_OWN,
        ),
    )


def uploaded(selection: Selection) -> Pictures | None:
    """The pictures of a folder that the visitor gave, as the network gets them; None before that."""
    _ask_for_folder()
    files = st.session_state.get("shift_folder") or []
    if not files:
        st.caption(
            tr(
                "Give a folder of at least {least} pictures. If it has a folder for each class, named as the "
                "class is, accuracy can be measured, too. It is compared with the images chosen above, which "
                "are not shifted.",
                least=LEAST,
            )
        )
        return None
    chosen = [files[index] for index in batches.spread(len(files), MOST_OWN)]
    contents = tuple((file.name, file.getvalue()) for file in chosen)
    pictures, unreadable = opened(contents, selection.network, selection.fit)
    if unreadable:
        st.caption(
            ngettext(
                "{n} file cannot be read as a picture and is left out: {names}.",
                "{n} files cannot be read as pictures and are left out: {names}.",
                len(unreadable),
                names=literal(tr(", ").join(unreadable[:3])),
            )
        )
    if len(pictures.labels) < LEAST:
        st.info(
            sentence(tr("Give at least {least} pictures, so that half of them can measure.", least=LEAST))
        )
        return None
    return pictures


def opened(
    contents: tuple[tuple[str, bytes], ...], network: Network, fit: str
) -> tuple[Pictures, tuple[str, ...]]:
    """The pictures of files, and the names of those that are not pictures; kept for the visit."""
    names = hashlib.sha256(repr([name for name, _ in contents]).encode())
    for _, data in contents:
        names.update(data)
    key = (network.key, fit, names.hexdigest())
    if st.session_state.get(UPLOADED, (None,))[0] != key:
        st.session_state[UPLOADED] = (key, _decoded(contents, network.card, fit))
    pictures: tuple[Pictures, tuple[str, ...]] = st.session_state[UPLOADED][1]
    return pictures


def _decoded(
    contents: tuple[tuple[str, bytes], ...], card: Card, fit: str
) -> tuple[Pictures, tuple[str, ...]]:
    pixels, labels, unreadable = [], [], []
    classes = tuple(dict.fromkeys(_folder(name) for name, _ in contents))
    for name, data in contents:
        try:
            sample = samples.decode(data, name)
        except Problem:
            unreadable.append(name)
            continue
        pixels.append(card.framed(sample.pixels, fit))
        label = in_classes(labelled(sample, classes, name), classes, card.classes).label
        labels.append(-1 if label is None else label)
    shape = (0, card.input_size, card.input_size, 3)
    stacked = np.stack(pixels) if pixels else np.zeros(shape, np.uint8)
    return Pictures(stacked, np.array(labels, np.int64)), tuple(unreadable)


def labelled(sample: samples.Sample, classes: tuple[str, ...], name: str) -> samples.Sample:
    """The sample with the folder that its file is in as its class."""
    return samples.Sample(sample.name, sample.pixels, classes.index(_folder(name)))


def _folder(name: str) -> str:
    """The name of the folder that a file is in; "" for none."""
    return name.replace("\\", "/").rpartition("/")[0].rpartition("/")[2]
