"""BatchNorm: each channel's learned and observed statistics, and what the layer is there for."""

import streamlit as st

from explorer.engine.batchnorm import relu_behind
from explorer.ui import cached, choices, link
from explorer.ui.markdown import literal
from explorer.ui.selection import Selection, current
from explorer.views.batchnorm import (
    averaged,
    batch_exports,
    batch_prediction,
    charts,
    exports,
    in_training,
    observed,
    part_exports,
    without_it,
)
from explorer.views.batchnorm.measured import LayerView, MeasuredImages, choose_measured
from explorer.views.batchnorm.other_norms import left_out, norm_layers, without_batchnorm
from model.words import N_, tr

PARTS = {
    "statistics": N_("Statistics"),
    "without": N_("Without it"),
    "averaged": N_("What is averaged"),
    "training": N_("In training"),
}


def page() -> None:
    selection = current()
    st.header(tr("Learned and observed statistics"), anchor=False)
    layers = norm_layers(selection)
    if not layers:
        st.info(literal(without_batchnorm(selection)))
        part_exports.training(in_training.runs(), {})
        return
    where, which, how_many = st.columns([2, 2, 1], vertical_alignment="bottom")
    with where:
        layer = choices.pick(tr("Layer"), layers, "norm")
    left_out(selection)
    # What the part "training" shows is measured on images of its own: there the choice would change nothing.
    if link.chosen("norm_part") == "training":
        measured = MeasuredImages(selection.input)
    else:
        measured = choose_measured(selection, which, how_many)
    view = layer_view(selection, measured, layer)
    part = choices.choice(tr("Show"), {name: tr(title) for name, title in PARTS.items()}, "norm_part")
    drawn = charts.BatchNormCharts(charts.all_channels(view), charts.histograms(view))
    if part == "statistics":
        statistics(selection, view, drawn)
    elif part == "without":
        part_exports.without(selection, view, without_it.show(selection, view))
    elif part == "averaged":
        part_exports.averages(selection, view, *averaged.show(selection, view))
    else:
        part_exports.training(*in_training.show(selection, view))
    if part != "statistics":
        return  # what can be downloaded is what that part shows
    if measured.batch is None:
        exports.batch_norm(selection, view, drawn)
    else:
        batch_exports.show(selection, view, drawn)


def statistics(selection: Selection, view: LayerView, drawn: charts.BatchNormCharts) -> None:
    st.markdown(observed.summary_text(view))
    observed.all_channels(view, drawn.channels)
    observed.one_channel(view, drawn.histograms)
    observed.numbers(selection, view)
    st.header(tr("Prediction with running and with batch statistics"), anchor=False)
    batch_prediction.show(selection, view.measured)
    how_to_read()


def layer_view(selection: Selection, measured: MeasuredImages, layer: str) -> LayerView:
    """All that the page and its downloads show of a layer."""
    summary = cached.norm_summary(selection.network, measured.input, layer)
    relu = relu_behind(selection.net, selection.seen, layer)
    return LayerView(summary, measured, relu, observed.chosen_channel(summary))


def how_to_read() -> None:
    with st.expander(tr("How to read this")):
        st.markdown(
            tr(
                "In train mode, BatchNorm subtracts each channel’s mean over the batch and divides by its "
                "standard deviation; it also keeps running averages of the mean and the variance. In eval "
                "mode it uses these **running statistics** for every image. In both modes it then scales by "
                "γ and shifts by β. If a channel’s observed mean is far from its running mean, the image "
                "differs from the average training image in what this channel responds to. For one image "
                "this is common. If a whole batch is far from the running statistics, possible reasons are "
                "other data, other preprocessing, or training that was too short."
            )
        )


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
