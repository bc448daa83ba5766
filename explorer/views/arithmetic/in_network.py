"""What the other layers of the network would be with these settings of one of them."""

import streamlit as st

from explorer.engine.arithmetic import Settings
from explorer.engine.what_if import Chain, LayerReach, StopPoint
from explorer.ui import cached, markup
from explorer.ui.markdown import code, literal
from explorer.ui.selection import Selection
from explorer.views.arithmetic.results import field, reach_of
from explorer.views.arithmetic.settings import WhatIf
from model.words import N_, paragraph, tr

MOST_ROWS = 14  # of the table
MOST_TIMES = 4  # as many positions as in the network; more would take long to run


def chains(selection: Selection, what_if: WhatIf) -> tuple[Chain, Chain] | None:
    """The layers of the network as it is, and with the settings given; None where they are not computed."""
    if not what_if.layer:
        return None
    before = cached.chain(selection.network, selection.input, "", None)
    settings = what_if.at_own_size
    if settings == what_if.in_network:
        return before, before
    if settings is None or _positions(settings) > MOST_TIMES * _positions(what_if.in_network):
        return None
    return before, cached.chain(selection.network, selection.input, what_if.layer, settings)


def _positions(settings: Settings) -> int:
    return settings.rows.output * settings.columns.output


def show(selection: Selection, what_if: WhatIf, both: tuple[Chain, Chain] | None) -> None:
    """The layers from the chosen one on, before and after, and where the network would stop."""
    if not what_if.layer:
        return
    st.subheader(tr("In the network"), anchor=False)
    if both is None:
        st.info(
            tr(
                "The network is not run with these settings: they do not fit its own input, or they would "
                "give it more than {times} times as many positions to compute.",
                times=MOST_TIMES,
            )
        )
        return
    before, after = both
    rows = table_rows(what_if.layer, before, after)
    heads = (
        tr("layer"), tr("output, in the network"), tr("output, here"),
        tr("receptive field in pixels, in the network"), tr("receptive field in pixels, here"),
    )  # fmt: skip
    markup.show(markup.table(heads, rows[:MOST_ROWS]))
    st.caption(about(selection, len(rows)))
    if after.stop is not None:
        st.warning(stop_text(after.stop), icon=":material/block:")


def table_rows(layer: str, before: Chain, after: Chain) -> list[tuple[str, ...]]:
    """The layers with a window from `layer` on: size and field, as they are and with the change."""
    names = [each.layer for each in before.layers]
    first = names.index(layer) if layer in names else 0
    return [
        (f"{old.layer} · {old.kind}", *_texts(old, reach_of(after, old.layer)))
        for old in before.layers[first:]
    ]


def _texts(old: LayerReach, new: LayerReach | None) -> tuple[str, str, str, str]:
    """Size before and after, field before and after; "–" after the place where the network stops."""
    after = (_size(new), field(new)) if new else ("–", "–")
    return _size(old), after[0], field(old), after[1]


def _size(reach: LayerReach) -> str:
    return f"{reach.size[0]} × {reach.size[1]}"


def about(selection: Selection, count: int) -> str:
    """For which image it holds, and how many rows are not shown."""
    height, width = selection.input.x.shape[-2:]
    text = tr(
        "Computed by running the network with this one layer changed, on its own image of {height} × {width} "
        "pixels and with its own channels. Receptive fields are those of a position in the middle; they "
        "may reach into the padding.",
        height=height,
        width=width,
    )
    if count <= MOST_ROWS:
        return text
    more = tr("{count} more layers are in the download.", count=count - MOST_ROWS)
    return paragraph([text, more])


def stop_text(stop: StopPoint) -> str:
    """Where the network would stop, and why, as Markdown."""
    if stop.takes:
        template = N_(
            "With this change the network stops at {layer}: it takes {takes} values, but would get {given}. "
            "It would need other weights from here on."
        )
        return tr(template, layer=code(stop.layer), takes=f"{stop.takes:,}", given=f"{stop.given:,}")
    if stop.kind:
        template = N_("With this change the network stops at {layer}, a {kind}: {message}.")
        message = literal(stop.message.rstrip("."))
        return tr(template, layer=code(stop.layer), kind=literal(stop.kind), message=message)
    template = N_("With this change the network stops in an operation after {layer}: {message}.")
    return tr(template, layer=code(stop.layer), message=literal(stop.message.rstrip(".")))
