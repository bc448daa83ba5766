"""Dropout: what it switches off in training, and the predictions for one image over many of its masks."""

import streamlit as st

from explorer.drawing.ranges import probability
from explorer.engine.dropout import MASKS, DropoutLayer, Masked
from explorer.ui import cached, choices, panels
from explorer.ui.class_names import glossed
from explorer.ui.markdown import literal
from explorer.ui.selection import Selection, current
from explorer.views.dropout import charts, exports, mask
from explorer.views.dropout.charts import Spread
from model.words import N_, ngettext, paragraph, tr

RATES = ("0.1", "0.25", "0.5", "0.75")
OWN = "own"
NONE = N_(
    "This network has no Dropout that runs as a module, so there is one prediction only. A dropout that is "
    "called as a function, as inside of nn.MultiheadAttention, is not found."
)
ABOUT = N_(
    "In train mode Dropout sets each value to 0 with probability p, and divides what it keeps by 1 − p, so "
    "that the mean stays; the next layer cannot rely on any single value (arXiv:1207.0580). In eval mode it "
    "does nothing: the prediction is always the same. Here only Dropout modules are in train mode, all "
    "else, including BatchNorm, in eval mode (also AlphaDropout, and a dropout that is called as a function, "
    "as inside of nn.MultiheadAttention); the {count} masks are drawn once from a fixed seed. Their "
    "spread is sometimes read as uncertainty (arXiv:1506.02142); it depends on p and is not a calibrated "
    "probability."
)


def page() -> None:
    selection = current()
    st.header(tr("What Dropout switches off"), anchor=False)
    layers = cached.dropouts(selection.network, selection.input)
    if not layers:
        st.info(tr(NONE))
        return
    spread = choose(selection, layers)
    st.markdown(introduction(spread))
    st.subheader(tr("The prediction under {count} masks", count=MASKS), anchor=False)
    st.markdown(finding(selection, spread.masked))
    panels.chart(charts.over_masks(selection.class_names, spread))
    st.caption(tr(charts.ABOUT))
    number = mask.show(selection, spread)
    st.caption(tr(ABOUT, count=MASKS))
    exports.show(selection, spread, number)


def choose(selection: Selection, layers: tuple[DropoutLayer, ...]) -> Spread:
    """The layer whose mask is shown, p, and what follows from them."""
    which, rate, _ = st.columns([2, 2, 1], vertical_alignment="bottom")
    with which:
        names = {each.layer: each.layer for each in layers}
        wanted = choices.pick(tr("Layer"), names, "dropout_layer", layers[0].layer)
    layer = next(each for each in layers if each.layer == wanted)
    with rate:
        rates = {OWN: tr("as in training"), **{text: text for text in RATES}}
        default = OWN if any(each.p for each in layers) else "0.5"
        text = choices.pick(tr("p of every Dropout layer"), rates, "dropout_p", default)
    p = None if text == OWN else float(text)
    masked = cached.masked(selection.network, selection.input, layers, wanted, p)
    return Spread(layer, layers, p, masked)


def introduction(spread: Spread) -> str:
    """What the layers are and what they do here, as Markdown."""
    layers = tr(", ").join(
        tr("{layer} (p = {p:g})", layer=literal(each.layer), p=each.p) for each in spread.layers
    )
    sentences = [
        ngettext(
            "{n} Dropout layer ran: {layers}.",
            "{n} Dropout layers ran: {layers}.",
            len(spread.layers),
            layers=layers,
        )
    ]
    if not any(each.p for each in spread.layers):
        sentences.append(
            tr("With p = 0 it switches nothing off in training; another p shows what it would do here.")
        )
    elif spread.p is not None:
        sentences.append(tr("Here each has p = {p:g}, not that of training.", p=spread.p))
    return paragraph(sentences)


def finding(selection: Selection, masked: Masked) -> str:
    """The prediction in eval mode and its spread over the masks, as Markdown."""
    first = int(masked.plain.argmax())
    values = masked.probabilities[:, first]
    others = int((masked.predicted != first).sum())
    facts = tr(
        "In eval mode: **{name}**, {plain}. Under {count} masks its probability has the mean {mean} and goes "
        "from {low} to {high}.",
        name=literal(glossed(selection.card.classes[first])),
        plain=probability(masked.plain[first]),
        count=len(values),
        mean=probability(float(values.mean())),
        low=probability(float(values.min())),
        high=probability(float(values.max())),
    )
    if selection.independent:
        changes = ngettext(
            "Under **{n}** of the masks another label is the most probable one.",
            "Under **{n}** of the masks another label is the most probable one.",
            others,
        )
    elif not others:
        changes = tr("None of the masks changes the predicted class.")
    else:
        changes = ngettext(
            "**{n}** of the masks changes the predicted class.",
            "**{n}** of the masks change the predicted class.",
            others,
        )
    return paragraph([facts, changes])


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
