"""What the check-up of a network found, on every page; what has no heat map, and why there are no maps."""

import streamlit as st

from explorer.engine.findings import few
from explorer.ui import markup
from explorer.ui.cached import Opened
from explorer.ui.markdown import literal
from explorer.ui.selection import Selection
from model.words import N_, paragraph, tr

NO_GRADIENT = N_(
    "No gradient of a class reaches {layers}, so there is no heat map: choose other blocks or another stage."
)

NO_GRADIENT_ANYWHERE = N_(
    "No gradient of a class reaches any layer with feature maps, so there are no heat maps of this network."
)

LARGER_INSIDE = N_(
    "Inside, the network computes {rows} parts or copies of each image as one batch, larger than the batch "
    "that it is given, as test-time augmentation does: give --net a builder whose forward computes each "
    "image once."
)


def show(opened: Opened) -> None:
    """Every finding in a line of its own: what it is, and what was done about it."""
    findings = opened.checkup.findings
    if notes := [markup.text(str(finding), "muted") for finding in findings if not finding.warning]:
        markup.show(*notes)
    for finding in findings:
        if finding.warning:
            st.warning(literal(str(finding)), icon=":material/warning:")


def without_maps(opened: Opened, sentence: str) -> None:
    """A sentence that there are no feature maps, and why, where that is known."""
    st.info(literal(paragraph(filter(None, (sentence, reason_without_maps(opened))))))


def reason_without_maps(opened: Opened) -> str:
    """Why layers give no feature maps, in a sentence; "" where the check-up found nothing of the kind."""
    parts = next((each for each in opened.checkup.findings if each.name == "parts"), None)
    return tr(LARGER_INSIDE, rows=parts.sizes["rows"]) if parts else ""


def with_gradient(selection: Selection, titles: dict[str, str]) -> dict[str, str]:
    """The layers of `titles` that a gradient reaches; a sentence on the page names the others."""
    cut = [layer for layer in titles if not selection.gradient_reaches(layer)]
    if cut and not any(map(selection.gradient_reaches, selection.seen.maps)):
        st.info(tr(NO_GRADIENT_ANYWHERE))
    elif cut:
        st.info(literal(tr(NO_GRADIENT, layers=few(cut))))
    return {layer: title for layer, title in titles.items() if layer not in cut}
