"""The strip on top of every page: image, input and prediction; below a wrong one, buttons to explain it."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from explorer.drawing.pictures import reduced
from explorer.engine.samples import MAX_SIDE, FromUpload
from explorer.engine.tracing import layer_path
from explorer.ui import link, markup
from explorer.ui.choices import PREDICTED, RUNNER_UP, class_option
from explorer.ui.frame import checkup
from explorer.ui.selection import Selection
from model.words import ngettext, tr

SHOWN, FEW = 3, 4  # probabilities in the strip, and on each of two sides
SIDE = 256  # pixels of a picture in the strip: 56 on the page, of up to four device pixels each
_OPENS = "_header_opens"  # the page that a button has chosen
FEW_CLASSES = 12  # whose names are all listed


def show(selection: Selection, page: str) -> None:
    """The strip; below a wrong prediction two buttons that explain it, except the one that `page` shows."""
    strip(selection)
    below_strip(selection, page)


def below_strip(selection: Selection, page: str) -> None:
    """What the check-up says, and the buttons below a wrong prediction."""
    target = st.session_state.pop(_OPENS, page)
    if target != page:  # a button was pressed, which this run may no longer have
        link.open_page(target)
    checkup.show(selection.opened)
    if names := _repeated(selection):
        markup.show(markup.text(names, "muted"))
    label = selection.sample.label
    if label is not None and label != selection.predicted:
        with st.container(horizontal=True, key="mistake"):
            why_wrong(selection.card.classes[label], page, explained=selection.target == label)


def _repeated(selection: Selection) -> str:
    """What a name such as `relu#2` means; "" for a network that calls every layer once."""
    paths = {layer: layer_path(selection.net, layer) for layer in selection.seen.shapes}
    name = next((layer for layer, path in paths.items() if layer != path), "")
    if not name:
        return ""
    layer, _, number = name.rpartition("#")
    return tr(
        "The network calls some layers several times: “{name}” is call {number} of “{layer}” for one image.",
        name=name,
        number=number,
        layer=layer,
    )


def why_wrong(true: str, page: str, explained: bool) -> None:
    """Buttons that explain the true class unless it is explained, or compare it with the predicted one."""
    if not explained:
        alone = {"class": class_option(true, PREDICTED)}
        button("explain_true", tr("Explain the true class"), alone, "explain", page)
    both = {"class": PREDICTED, "compare": "classes", "against": class_option(true, RUNNER_UP)}
    button("compare_true", tr("Compare predicted and true class"), both, "compare", page)


def button(key: str, label: str, choices: dict[str, str], target: str, page: str) -> None:
    """A button that makes these choices and opens a page; none where the visitor already looks at that."""
    if page == target and all(link.chosen(name) == value for name, value in choices.items()):
        return
    st.button(label, key=key, on_click=choose, args=(choices, target))


def choose(choices: dict[str, str], target: str) -> None:
    for key, value in choices.items():
        link.change(key, value)
    st.session_state[_OPENS] = target


def strip(selection: Selection) -> None:
    """The image, the network's input and the prediction."""
    _strip(selection, _outputs(selection, _title(selection)))


def strip_of_film(selections: Sequence[Selection], titles: Sequence[str], index: int) -> None:
    """The same with a prediction for every picture of a film, each under its title; that of `index` is seen.

    While the film plays it shows that of its picture instead.
    """
    predictions = (
        f'<div class="fx-of-picture" data-index="{each}"{"" if each == index else " hidden"}>'
        f"{_outputs(selection, title)}</div>"
        for each, (selection, title) in enumerate(zip(selections, titles, strict=True))
    )
    _strip(selections[index], *predictions)


def _strip(selection: Selection, *outputs: str) -> None:
    markup.show(markup.element("div", _image(selection), _input(selection), *outputs, cls="fx-strip"))


def _outputs(selection: Selection, title: str) -> str:
    """The largest probabilities and the prediction."""
    return markup.bars(_rows(selection, SHOWN)) + _prediction(selection, title)


def _title(selection: Selection) -> str:
    return tr("Most probable label") if selection.independent else tr("Prediction")


def _image(selection: Selection) -> str:
    height, width = selection.sample.pixels.shape[:2]
    return markup.figure(
        reduced(selection.shown, SIDE),
        tr("The image: {name}", name=selection.sample.name),
        markup.text(selection.sample.name),
        markup.text(tr("{width} × {height} px", width=width, height=height)),
        markup.text(tr("larger pictures are reduced to this")) if _may_be_reduced(selection) else "",
    )


def _may_be_reduced(selection: Selection) -> bool:
    """Whether the uploaded file may have more pixels than are kept of it."""
    sample = selection.sample
    return isinstance(sample.origin, FromUpload) and max(sample.pixels.shape) == MAX_SIDE


def _input(selection: Selection) -> str:
    size = selection.card.input_size
    return markup.figure(
        reduced(selection.framed, SIDE),
        tr("The input of the network: {size} by {size} pixels", size=size),
        markup.text(tr("network input")),
        markup.text(tr("{width} × {height} px", width=size, height=size)),
    )


def beside(selection: Selection) -> str:
    """Checkpoint, input and prediction alone, for a page with two sides, as html."""
    return markup.element(
        "div",
        markup.image(selection.framed, tr("The input of the network: {name}", name=selection.sample.name)),
        markup.element(
            "div",
            markup.text(selection.opened.name, "muted"),
            markup.text(_prediction_in_words(selection), "strong"),
            markup.bars(_rows(selection, FEW)),
        ),
        cls="fx-side",
    )


def _rows(selection: Selection, count: int) -> list[tuple[str, float, bool]]:
    """The most probable classes, the one to explain always among them."""
    probabilities = selection.seen.probabilities
    order = np.argsort(-probabilities)[:count].tolist()
    if selection.target not in order:
        order[-1] = selection.target
    names = selection.card.classes
    return [(names[k], float(probabilities[k]), k == selection.target) for k in order]


def _prediction(selection: Selection, title: str) -> str:
    name = markup.text(selection.class_names[selection.predicted], "name", tag="span")
    verdict = markup.text(_verdict(selection), tag="span")
    lines = [markup.text(title, "muted"), markup.element("div", name, " ", verdict)]
    if selection.independent:
        lines.append(markup.text(_labels_above_half(selection), "muted"))
    if selection.target != selection.predicted:
        explained = tr("Explained below: {name}", name=selection.target_name)
        lines.append(markup.text(explained, "strong"))
    if isinstance(selection.sample.origin, FromUpload):
        known = _only_these_labels if selection.independent else _only_these
        lines.append(markup.text(known(selection.class_names), "muted"))
    return markup.element("div", *lines, cls="fx-prediction")


def _only_these(classes: tuple[str, ...]) -> str:
    """What a prediction means for a picture that may show anything."""
    if len(classes) <= FEW_CLASSES:
        return ngettext(
            "The network knows only this {n} class: {names}. It names it whatever the picture shows.",
            "The network knows only these {n} classes: {names}. It always names one of them, "
            "whatever the picture shows.",
            len(classes),
            names=tr(", ").join(classes),
        )
    return ngettext(
        "The network knows only its {n:,} class. It names it whatever the picture shows.",
        "The network knows only its {n:,} classes. It always names one of them, whatever the picture shows.",
        len(classes),
    )


def _only_these_labels(labels: tuple[str, ...]) -> str:
    """The same of independent labels, of which none may apply."""
    if len(labels) <= FEW_CLASSES:
        return ngettext(
            "The network knows only this {n} label: {names}. It cannot name anything else.",
            "The network knows only these {n} labels: {names}. It cannot name anything else.",
            len(labels),
            names=tr(", ").join(labels),
        )
    return ngettext(
        "The network knows only its {n:,} label. It cannot name anything else.",
        "The network knows only its {n:,} labels. It cannot name anything else.",
        len(labels),
    )


def _labels_above_half(selection: Selection) -> str:
    """How many of independent labels are more probable than not."""
    probabilities = selection.seen.probabilities
    return ngettext(
        "{n} of {count} labels has a probability above 50%.",
        "{n} of {count} labels have a probability above 50%.",
        int((probabilities > 0.5).sum()),
        count=len(probabilities),
    )


def _verdict(selection: Selection) -> str:
    """How the prediction compares with the image's label; nothing without one."""
    label = selection.sample.label
    if label is None:
        return ""
    if selection.independent:
        return tr("(labeled {label})", label=selection.class_names[label])
    if label == selection.predicted:
        return tr("(correct)")
    return tr("(wrong: labeled {label})", label=selection.class_names[label])


def _prediction_in_words(selection: Selection) -> str:
    """The predicted class, and how it compares with the image's label: `Prediction: cat (correct)`."""
    classes, label = selection.class_names, selection.sample.label
    name = classes[selection.predicted]
    if selection.independent:
        return tr("Most probable label: {name}", name=name)
    if label is None:
        return tr("Prediction: {name}", name=name)
    if label == selection.predicted:
        return tr("Prediction: {name} (correct)", name=name)
    return tr("Prediction: {name} (wrong: labeled {label})", name=name, label=classes[label])
