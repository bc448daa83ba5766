"""One mask over the values of a Dropout layer, and the prediction under it."""

import numpy as np
import numpy.typing as npt
import streamlit as st

from explorer.drawing.colormaps import color
from explorer.drawing.ranges import Range, percent, shared
from explorer.drawing.sheets import columns_for
from explorer.engine.values import Floats
from explorer.ui import link, markup
from explorer.ui.selection import Selection
from explorer.views.dropout.charts import Spread, most_probable
from model.card import Pixels
from model.words import N_, ngettext, paragraph, tr

OFF = (208, 96, 31)  # the palette's highlight
MOST = 4096  # values drawn
LEGEND = N_(
    "Each cell is one value that reaches {layer} in eval mode, orange where this mask switches it off. {off} "
    "of {count} values are off ({percent}; p = {p:g})."
)
UNITS = {
    "values": "",
    "channels": N_("This layer switches whole channels off."),
    "tokens": N_("This layer reads tokens: it switches whole tokens off, not channels."),
    "rows": N_("This layer reads maps with channels last: it switches whole rows off, not channels."),
    "images": N_(
        "PyTorch takes a batch of this shape for one image: this layer switches all values of an image off, "
        "or none."
    ),
}


def show(selection: Selection, spread: Spread) -> int:
    """The mask with the number in the link, which it returns, beside its prediction and that of eval mode."""
    masked = spread.masked
    heading, which = st.columns([4, 1], vertical_alignment="bottom")
    heading.subheader(tr("One mask"), anchor=False)
    with which:
        number = link.number(tr("Mask"), 1, len(masked.probabilities), "mask")
    names, mask = selection.card.classes, masked.masks[number - 1]
    left = markup.element(
        "section",
        markup.text(
            tr("Values of {layer} under mask {number}", layer=spread.layer.layer, number=number), tag="h3"
        ),
        markup.figure(picture(masked.received, mask), alt(spread, mask, number), fill=True),
        markup.scale(color_range(masked.received), tr("shared scale for all masks; orange: switched off")),
    )
    sides = [
        markup.element("section", markup.text(title, tag="h3"), markup.bars(most_probable(names, values)))
        for title, values in (
            (tr("Under mask {number}", number=number), masked.probabilities[number - 1]),
            (tr("In eval mode"), masked.plain),
        )
    ]
    markup.show(markup.element("div", left, *sides, cls="fx-panels"))
    st.caption(legend(spread, mask))
    return number


def alt(spread: Spread, mask: npt.NDArray[np.bool_], number: int) -> str:
    return tr(
        "Mask {number} over the {count} values that reach {layer}: {off} are switched off",
        number=number,
        count=mask.size,
        layer=spread.layer.layer,
        off=int((~mask).sum()),
    )


def legend(spread: Spread, mask: npt.NDArray[np.bool_]) -> str:
    off = ~mask
    sentences = [
        tr(
            LEGEND,
            layer=spread.layer.layer,
            off=int(off.sum()),
            count=off.size,
            percent=percent(float(off.mean())),
            p=spread.rate,
        )
    ]
    if already := int((off & ~spread.masked.active).sum()):
        sentences.append(
            ngettext(
                "{n} of them was 0 already, as after a ReLU, so switching it off changes nothing.",
                "{n} of them were 0 already, as after a ReLU, so switching them off changes nothing.",
                already,
            )
        )
    if off.size > MOST:
        sentences.append(tr("The first {count} values are drawn.", count=MOST))
    if unit := UNITS[spread.layer.unit]:
        sentences.append(tr(unit))
    return paragraph(sentences)


def color_range(received: Floats) -> Range:
    """The range of the values that are drawn, whichever of them a mask keeps."""
    values = received.ravel()[:MOST]
    return shared(values, signed=bool((values < 0).any()))


def picture(received: Floats, mask: npt.NDArray[np.bool_]) -> Pixels:
    """The values as cells of a rectangle, row by row; those switched off in orange."""
    values, on = received.ravel()[:MOST], mask.ravel()[:MOST]
    columns = columns_for(len(values), 2.0)
    rows = -(-len(values) // columns)
    pixels = np.full((rows * columns, 3), 128, np.uint8)
    pixels[: len(values)] = color(values[None], color_range(received))[0]
    pixels[: len(values)][~on] = OFF
    return pixels.reshape(rows, columns, 3)
