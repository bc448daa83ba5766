"""The sidebar, the same on every page: checkpoint, image, class to explain."""

import streamlit as st

from explorer.engine.samples import Sample
from explorer.ui import cached, choices, link, markup
from explorer.ui.markdown import sentence
from explorer.ui.options import Options, options
from explorer.ui.selection import Selection, remember
from explorer.ui.sidebar.image_choice import choose_sample, first_sample
from explorer.ui.sidebar.network_choice import choose_network, show_about
from explorer.ui.turns import TURNS
from model.card import Card
from model.pixels import whole
from model.problems import Problem
from model.words import N_, tr

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
    if cached.is_large(selection.network):
        TURNS.use_all_cores()
    selection.check_prediction()
    if explained:
        selection = selection.explaining(_class(selection))
    with about:
        show_about(selection)
    return selection


# How the image is fed, and what is asked


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
    markup.show(markup.text(tr(predicted, name=selection.class_names[selection.predicted]), "muted"))
    index = None if name is None else classes.index(name)
    if index not in (None, selection.predicted):
        _back_to_predicted(selection)
    return index


def _back_to_predicted(selection: Selection) -> None:
    """A button that explains the predicted class again, in one press from any other class."""
    label = tr("Explain the most probable label" if selection.independent else "Explain the predicted class")
    chosen = ("class", choices.PREDICTED)
    st.button(label, key="explain_predicted", icon=":material/undo:", on_click=link.change, args=chosen)
