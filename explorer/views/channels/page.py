"""Channels of a layer: which are dead, always on or alike over a whole data set, and what each is worth."""

import streamlit as st

from explorer.drawing.ranges import number
from explorer.engine.channel_survey import ChannelSurvey, scaling_before
from explorer.engine.duplicates import NEAR
from explorer.engine.scan.result import Scan
from explorer.ui import cached, choices, panels
from explorer.ui.frame import checkup
from explorer.ui.markdown import code
from explorer.ui.scans import scanning
from explorer.ui.selection import Selection, current
from explorer.views.channels import charts, costs, exports, findings, table
from model.words import N_, ngettext, tr

INTRODUCTION = N_(
    "Every channel of a layer over a whole data set: which are zero everywhere, which never are, which go "
    "together with another, and what the network loses without them."
)


def page() -> None:
    st.header(tr("Channels of a layer"), anchor=False)
    st.markdown(tr(INTRODUCTION))
    selection = current()
    if not selection.blocks:
        checkup.without_maps(
            selection.opened,
            tr("No layer of this network gives feature maps, so there are no channels to compare."),
        )
        return
    scan = scanning.scan_of(selection.network)
    if scan is None:
        return
    with st.container(horizontal=True):
        block, _, layer = choices.choose_layer(selection)
    if layer not in scan.layers:
        st.info(tr("The scan has nothing on {layer}: choose another layer.", layer=code(layer)))
        return
    scaling, rectified = scaling_before(selection.net, selection.seen, block, layer)
    surveyed = cached.channel_survey(scan, layer, scaling, rectified)
    chosen = show(selection, scan, surveyed)
    if layer == block.conv and block.norm is not None:
        st.caption(
            tr(
                "Setting a channel of a convolution to zero does not remove it: {norm} reads the zeros and "
                "still adds its shift. To remove the channel, choose the stage after it.",
                norm=code(block.norm),
            )
        )
    measured = costs.show(selection, scan, surveyed, chosen)
    how_to_read()
    exports.show(selection, scan, surveyed, measured)


def show(selection: Selection, scan: Scan, surveyed: ChannelSurvey) -> tuple[int, ...]:
    """What was found, and the table of all channels; those that are chosen in it."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown(about(scan, surveyed))
        st.markdown("\n".join(f"- {each}" for each in findings.findings(surveyed)))
    with right:
        st.markdown(f"**{tr('Zeros of each channel')}**")
        panels.chart(charts.zeros(surveyed))
        st.caption(charts.about_zeros(surveyed))
    return table.show(selection, scan, surveyed)


def about(scan: Scan, surveyed: ChannelSurvey) -> str:
    """Of what the page speaks, as Markdown."""
    count = scan.layers[surveyed.layer].count
    return ngettext(
        "{layer} has **{n} channel**. Over {images:,} images each gives {count:,} values.",
        "{layer} has **{n} channels**. Over {images:,} images each gives {count:,} values.",
        len(surveyed.mean),
        layer=code(surveyed.layer),
        images=len(scan.ids),
        count=count,
    )


def how_to_read() -> None:
    with st.expander(tr("How to read this")):
        st.markdown(
            tr(
                "A **dead** channel is zero at every position of every image of this set; other images may "
                "activate it. A channel that is **always on** is zero nowhere, so the ReLU changes nothing "
                "in it. A **near-duplicate** has a correlation of {near} or more with another channel, over "
                "the means of the maps of each image: two channels can agree in these and still differ in "
                "where they respond. A channel with **γ near zero** is almost the same for every input. "
                "What all of this costs or does not cost is not known from such numbers; only the accuracy "
                "measured without the channels tells it, for this set of images and without training again.",
                near=number(NEAR),
            )
        )


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
