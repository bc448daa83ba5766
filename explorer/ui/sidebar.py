"""The sidebar, the same on every page: checkpoint, image, class to explain."""

import streamlit as st

<<<<<<< HEAD
from explorer.engine.samples import Sample
from explorer.ui import choices, link, markup
from explorer.ui.image_choice import choose_sample, first_sample
from explorer.ui.markdown import sentence
from explorer.ui.network_choice import choose_network, show_about
=======
from explorer.drawing.ranges import percent
from explorer.engine.opening import assumed
from explorer.engine.samples import Sample, TestSet, in_classes, scene_name
from explorer.engine.scan.images import SCENES
from explorer.ui import cached, choices, link, markup, pictures
from explorer.ui.cached import Opened
from explorer.ui.class_names import glossed
from explorer.ui.components.picture_grid import Picture, picture_grid
from explorer.ui.markdown import literal, sentence
>>>>>>> lessons
from explorer.ui.options import Options, options
from explorer.ui.selection import Selection, remember
from model.card import Card
from model.pixels import whole
from model.problems import Problem
<<<<<<< HEAD
from model.words import N_, tr
=======
from model.provenance import in_words
from model.words import N_, ngettext, paragraph, tr
>>>>>>> lessons

FITS = {"crop": N_("Crop"), "squash": N_("Squash")}


def choose(image: bool = True, explained: bool = True, needed: bool = True) -> Selection | None:
    """Draw the sidebar; the selection, or None after a message that says what is missing.

    A page that is not about an image gets only the checkpoint; a page that explains no class does not ask for
    one. What is chosen on other pages stays chosen. Where no selection is `needed`, the message is in the
    sidebar.
    """
    try:
        with st.sidebar:
            selection = _selection(options(), explained) if image else _without_image(options())
    except Problem as error:
        st.session_state.pop("_selection", None)
        (st if needed else st.sidebar).error(sentence(error), icon=":material/error:")
        return None
    if selection is not None:
        remember(selection)
    elif image:
        st.header(tr("No picture yet"), anchor=False)
        st.markdown(tr("Add a picture in the sidebar, or choose a sample there."))
    return selection


def _without_image(given: Options) -> Selection:
    """A checkpoint with the sample that a visit begins with, for a page that shows no image."""
    selection = Selection(choose_network(given), first_sample())
    show_about(selection)
    return selection


def _selection(given: Options, explained: bool) -> Selection | None:
    """What is chosen in the sidebar; None until there is a picture. Raises what `choose` says."""
    opened = choose_network(given)
    about = st.container()
    sample = choose_sample(opened, given)
    if sample is None:
        return None
    selection = Selection(opened, sample, _fit(sample, opened.card))
    selection.check_prediction()
    if explained:
        selection = selection.explaining(_class(selection))
    with about:
        show_about(selection)
    return selection


<<<<<<< HEAD
# How the image is fed, and what is asked
=======
# Checkpoint

ASSUMED_COURSE = N_(
    "The file does not say how its images were normalized. The course's values are assumed: {values}. "
    "If it was trained with other values, add `{flags}` to the start command."
)
ASSUMED_IMAGENET = N_(
    "The file does not say how its images were normalized. ImageNet's values are assumed: {values}. "
    "If it was trained with other values, add `{flags}` to the start command."
)
ASSUMED_PRESET = N_(
    "The file does not say how its pictures were prepared. The preset of {preset} is assumed. "
    "If it was trained otherwise, say so in the start command with `{flags}`."
)


def _checkpoint(options: Options) -> Opened:
    sources = options.checkpoints
    if not sources:
        raise Problem("There is no checkpoint yet; train one with `python -m model.train`.")
    name = link.choose(st.selectbox, tr("Checkpoint"), list(sources), "checkpoint", next(iter(sources)))
    opened = _weights(cached.opened(name, sources[name]))
    for note in (untrained(opened), changes(opened), normalization(opened)):
        if note:
            st.caption(note)
    return opened


def _weights(opened: Opened) -> Opened:
    """The checkpoint with the weights to look at, where its file has several."""
    of_file = opened.checkpoint.changes
    if not of_file.others:
        return opened
    places = [of_file.place, *of_file.others]
    place = link.choose(
        st.selectbox,
        tr("Weights in the file"),
        places,
        "weights",
        places[0],
        format_func=lambda place: place or tr("at the top of the file"),
        help=tr("The file has several. The option `--weights` chooses among them at the start."),
    )
    return opened if place == places[0] else cached.opened(opened.name, replace(opened.source, weights=place))


def untrained(opened: Opened) -> str:
    """That no file gives the weights, as Markdown; "" where one does."""
    if opened.card.data != AS_BUILT:
        return ""
    return tr(
        "**No file of weights:** the weights are random, unless the builder loads its own. To open trained "
        "weights, start with `--checkpoint FILE`."
    )


def changes(opened: Opened) -> str:
    """What was changed or left out of the file's weights, as Markdown; "" where nothing was."""
    return sentence(paragraph(opened.checkpoint.changes.sentences()))


def normalization(opened: Opened) -> str:
    """Which numbers of the normalization are assumed, and how to give others; "" where none are."""
    numbers = assumed(opened.checkpoint.card, opened.source)
    if not numbers:
        return ""
    if opened.card.preset:
        return tr(ASSUMED_PRESET, preset=opened.card.preset, flags="--resize, --input-size, --mean, --std")
    values = tr("; ").join(
        f"{name} {', '.join(f'{one:.4f}' for one in each)}" for name, each in numbers.items()
    )
    form = "R,G,B" if opened.card.channels == 3 else tr("VALUE")
    flags = " ".join(f"--{name} {form}" for name in numbers)
    return tr(ASSUMED_COURSE if opened.source.net is None else ASSUMED_IMAGENET, values=values, flags=flags)


def _about(selection: Selection) -> None:
    """What the network is, folded away under its accuracy."""
    card, digest = selection.card, selection.opened.checkpoint.digest
    accuracy, marks = card.metrics.get("test_accuracy"), with_marks(card)
    title = tr("About this network")
    if accuracy is not None:
        template = (
            N_("Test accuracy: {accuracy}") if marks == "" else N_("Test accuracy with marks: {accuracy}")
        )
        title = tr(template, accuracy=percent(accuracy, 2))
    classes = len(card.classes)
    with st.expander(title):
        if marks:
            st.caption(marks)
        st.caption(choices.blocks_found(selection))
        st.caption(
            ngettext(
                "Input: {size} × {size} pixels. {n} class.",
                "Input: {size} × {size} pixels. {n} classes.",
                classes,
                size=card.input_size,
            )
        )
        if card.resize is not None:
            st.caption(_resized(card))
        if card.channels != 3:
            st.caption(ngettext("Input: {n} channel.", "Input: {n} channels.", card.channels))
        st.caption(tr("Data: {data}.", data=literal(in_words(card.data))))
        st.caption(tr("SHA-256 of the weights: {digest} …", digest=digest[:12]))


def with_marks(card: Card) -> str:
    """That the test images of a network trained with marks have them too, as Markdown; "" without marks."""
    fraction = card.config.get("shortcut")
    if not isinstance(fraction, int | float) or isinstance(fraction, bool):
        return ""
    if fraction == 1:
        return tr(
            "**The test images have marks, too:** each has the mark of its class, as in training. The test "
            "accuracy does not tell what the network predicts without marks; the page “Shortcut” does."
        )
    return tr(
        "**The test images have marks, too:** that of their class in {fraction} of them, as in training. The "
        "test accuracy does not tell what the network predicts without marks; the page “Shortcut” does.",
        fraction=percent(fraction, 0),
    )


def _resized(card: Card) -> str:
    """How a picture becomes the input, where it is resized before the crop."""
    return tr(
        "Pictures: the shorter side is resized to {resize} pixels ({interpolation}), then the center of "
        "{size} × {size} is taken.",
        resize=card.resize,
        interpolation=card.interpolation,
        size=card.input_size,
    )


# Image


def choose_sample(opened: Opened, given: Options, prefix: str = "") -> Sample | None:
    """Pick an image; its label is an index into the network's classes, or None. Raises Problem."""
    with st.container(key=f"{prefix}sources"):
        source = link.choose(
            st.segmented_control,
            tr("Image"),
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
            format_func=lambda name: f"![{name}]({thumbnails[name]})",
        )
    steps(f"{prefix}sample", cifar10.CLASSES, prefix)
    label = cifar10.CLASSES.index(name)
    return in_classes(_scene(label), cifar10.CLASSES, opened.card.classes)


def _scene(label: int) -> Sample:
    """A built-in sample; the cache has it with the name in one language, here it has that of the page."""
    return replace(cached.scene(label), name=scene_name(label))


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
    return in_classes(test_set.sample(index), test_set.classes, opened.card.classes)


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
        st.caption(tr("A scan has to tell which images are wrong: start one on the page “Errors”."))
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
        Picture(number, cached.thumbnail(test_set, int(indices[number]), opened.card), "", _name(number))
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
        "`-- --data-dir DIR`, where DIR contains test/<class>/<images>.",
        folder=shown(data_dir),
    )
    st.info(sentence(missing))
    if st.button(tr("Download CIFAR-10"), type="primary", width="stretch"):
        bar = st.progress(0.0, tr("Downloading CIFAR-10 …"))
        download_cifar10(data_dir, lambda fraction: bar.progress(fraction, _downloaded(fraction)))
        cached.test_set.clear()
        st.rerun()


def _downloaded(fraction: float) -> str:
    return tr("Downloading CIFAR-10 … {percent}", percent=f"{fraction:.0%}")


def _from_upload(_opened: Opened, _: Options, prefix: str) -> Sample | None:
    picture = pictures.upload(prefix)
    _not_in_the_link(prefix)
    return None if picture is None else cached.decoded(picture)


def _from_camera(_opened: Opened, _: Options, prefix: str) -> Sample | None:
    photo = pictures.photo(prefix)
    _not_in_the_link(prefix)
    return None if photo is None else cached.decoded(photo)


def _not_in_the_link(prefix: str) -> None:
    link.leave_out(f"{prefix}source")
    st.caption(
        tr(
            "Your picture is kept only for this visit and is not stored. It is not part of the link: "
            "whoever opens your link will see the built-in sample."
        )
    )


SOURCES: dict[str, Callable[[Opened, Options, str], Sample | None]] = {
    "samples": _from_samples,
    "test": _from_test_set,
    "scenes": _from_scenes,
    "upload": _from_upload,
    "camera": _from_camera,
}
SOURCE_NAMES = {
    "samples": N_("Samples"),
    "test": N_("Test set"),
    "scenes": N_("Scenes"),
    "upload": N_("Upload"),
    "camera": N_("Camera"),
}


# How it is fed, and what is asked
>>>>>>> lessons


def _fit(sample: Sample, card: Card) -> str:
    height, width = sample.pixels.shape[:2]
    if card.received(height, width) == whole(height, width):
        return "crop"
    return str(
        link.choose(
            st.segmented_control,
            tr("The picture is not square") if height != width else tr("How the picture is fitted"),
            list(FITS),
            "fit",
            "crop",
            required=True,
            format_func=lambda fit: tr(FITS[fit]),
            width="stretch",
            help=tr(
                "“Crop” gives the network the center square only; “Squash” gives it the whole picture, "
                "compressed to a square."
            ),
        )
    )


def _class(selection: Selection) -> int | None:
    """The class to explain; None for the predicted one, which is named below: an option's text stays."""
    classes = selection.card.classes
    name = choices.choose_class(
        tr("Class to explain"), classes, "class", choices.PREDICTED, tr("Predicted class")
    )
    predicted = N_("Most probable label: {name}") if selection.independent else N_("Prediction: {name}")
    markup.show(markup.text(tr(predicted, name=glossed(classes[selection.predicted])), "muted"))
    return None if name is None else classes.index(name)
