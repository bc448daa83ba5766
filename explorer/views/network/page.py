"""Network: every stage of the network that ran, from the image to the class."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from explorer.drawing.ranges import plain_number, signed
from explorer.ui import cached, choices, link
from explorer.ui.channel_link import open_channel
from explorer.ui.components import arrival
from explorer.ui.components.network_graph import Event, network_graph
from explorer.ui.frame import checkup, style
from explorer.ui.markdown import literal
from explorer.ui.selection import Selection, current
from explorer.views.network import account, exports, names, picture, play
from explorer.views.network import columns as columns_of_network
from explorer.views.network.columns import Column, Columns, columns_of
from explorer.views.network.lines import ContributionLine, lines_into
from explorer.views.tour import strip as tour
from model.words import tr

CHOSEN, UNFOLDED = "flow", "unfolded"  # the keys of the link: `layer~channel`, `3.5`
IN_SIGHT = 12  # columns of channels that are seen at first


def page() -> None:
    selection = current()
    with st.container(horizontal=True, vertical_alignment="center"):
        promise()
        play.start(selection)
        tour.start(key="tour_start_here")
    checkup.show(selection.opened)
    unfolded = unfolded_blocks(selection)
    asked = chosen_in_link()
    columns = columns_of(selection, unfolded, asked)
    chosen = chosen_channel(columns, asked, selection.target)
    threads = lines_into(selection, columns, *chosen) if chosen else []
    show(selection, columns, unfolded, chosen, threads)
    how_to_read(selection)
    play.show(selection)
    account.show(selection)
    exports.show(selection, columns, chosen, threads)
    arrival.at(play.SECTION)


def promise() -> None:
    """The product's name, and in one sentence what it is good for."""
    with st.container(key="promise", gap=None):
        st.header(tr(style.TITLE), anchor=False)
        st.markdown(
            tr(
                "See what every layer of a network makes of a picture, and which of its feature maps decide "
                "the class."
            )
        )


# What is chosen


def unfolded_blocks(selection: Selection) -> tuple[int, ...]:
    """The blocks in the link that the network has."""
    parts = link.value(UNFOLDED, "").split(".")
    numbers = {int(part) - 1 for part in parts if part.isascii() and part.isdecimal() and len(part) < 6}
    blocks = tuple(sorted(number for number in numbers if 0 <= number < len(selection.blocks)))
    link.keep(UNFOLDED, ".".join(str(number + 1) for number in blocks), "")
    return blocks


def chosen_in_link() -> tuple[str, int] | None:
    """The layer and the channel in the link, whether the network has them or not."""
    layer, _, number = link.value(CHOSEN, "").rpartition("~")
    if not layer or not (number.isascii() and number.isdecimal() and len(number) < 6):
        return None
    return layer, int(number)


def chosen_channel(columns: Columns, asked: tuple[str, int] | None, target: int) -> tuple[str, int] | None:
    """The channel in the link, if a column shows it, of the logits that of the class; else the first one."""
    for index, column in enumerate(columns.columns):
        if asked is not None and column.layer == asked[0] and asked[1] in column.channels:
            if index == columns.logits:
                asked = asked[0], target
            link.keep(CHOSEN, f"{asked[0]}~{asked[1]}", "")
            return asked
    link.keep(CHOSEN, "", "")
    return first_channel(columns)


def first_channel(columns: Columns) -> tuple[str, int] | None:
    """The channel that contributes most to the class in the last column of maps that is in sight."""
    with_channels = [column for column in columns.columns if column.layer and column.channels]
    maps = [column for column in with_channels[:IN_SIGHT] if len(column.node.shape) == 3] or with_channels
    return (maps[-1].layer or "", maps[-1].channels[0]) if maps else None


# The picture


def show(
    selection: Selection,
    columns: Columns,
    unfolded: tuple[int, ...],
    chosen: tuple[str, int] | None,
    threads: Sequence[ContributionLine],
) -> None:
    folds = columns_of_network.is_large(cached.graph(selection.network, selection.input, selection.target))
    class_bars = picture.class_bars(selection, columns)
    event = network_graph(
        picture.image_of(selection),
        picture.stages_of(selection, columns, unfolded, folds),
        columns.edges,
        picture.threads_of(selection, columns, threads),
        class_bars,
        key="network",
        chosen=index_of(columns, chosen),
        on_event=partial(choose, selection, columns, chosen),
        label=tr("The network, from the image to the class"),
        image_text=tr("The image: {name}", name=selection.sample.name),
        answers_name=tr("sigmoid") if selection.independent else tr("softmax"),
        answers_line=tr("probabilities"),
        status=status(selection, columns, chosen),
        opens=open_text(selection, columns, chosen),
        flows=tr("Largest inflows:"),
        none_flows=no_lines(columns, chosen),
        logits=columns.logits,
        stopped=False,
    )
    follow(selection, columns, threads, event)


def index_of(columns: Columns, chosen: tuple[str, int] | None) -> tuple[int, int] | None:
    """The column and the row of the chosen channel."""
    if chosen is None:
        return None
    index = columns.column_indices[chosen[0]]
    return index, columns.columns[index].channels.index(chosen[1])


def status(selection: Selection, columns: Columns, chosen: tuple[str, int] | None) -> str:
    """The chosen channel in a sentence; what stands between two ** is bold."""
    if chosen is None:
        return ""
    index = columns.column_indices[chosen[0]]
    column, of_class = columns.columns[index], index == columns.logits
    contributions = column.contributions
    name = names.capital(names.channel_name(selection, column, chosen[1], of_class=of_class))
    if of_class and column.glimpse is not None:
        value = float(column.glimpse.low[column.channels.index(chosen[1])])
        return tr("**{name}** is {value}.", name=name, value=plain_number(value))
    if contributions is None:
        return tr("**{name}**", name=name)
    value = float(contributions[chosen[1]])
    rank = int((contributions > value).sum()) + 1
    return tr(
        "**{name}** contributes {value} to “{class_name}”: rank {rank} of {count:,}, from the most positive.",
        name=name,
        value=signed(value),
        class_name=selection.target_name,
        rank=rank,
        count=len(contributions),
    )


def no_lines(columns: Columns, chosen: tuple[str, int] | None) -> str:
    """Why no lines lead to the chosen channel, where none do."""
    if chosen is None:
        return ""
    contributions = columns.columns[columns.column_indices[chosen[0]]].contributions
    if contributions is None or not contributions[chosen[1]]:
        return tr("Its contribution is 0, so no lines lead to it.")
    return tr("How much each channel before it adds to that cannot be told, so no lines lead to it.")


def open_text(selection: Selection, columns: Columns, chosen: tuple[str, int] | None) -> str:
    """What the button below the picture is called; "" where the chosen channel has no page."""
    if chosen is None:
        return ""
    layer = names.layer_to_open(selection, columns.columns[columns.column_indices[chosen[0]]])
    return "" if layer is None else tr("Open on Feature maps")


def how_to_read(selection: Selection) -> None:
    order = tr(
        "In each column the channels with the largest contribution to “{class_name}”, positive or negative, "
        "come first: gradient × activation, summed over all positions. The small bar shows it, to the right "
        "if it supports the class, to the left if it opposes it. (Grad-CAM’s contributions on other pages "
        "are mean gradient × mean activation, so they are other numbers.)",
        class_name=selection.target_name,
    )
    lines = tr(
        "A line shows what flows into the chosen channel: the thicker it is, the more it adds to that "
        "channel’s contribution, beside the other lines into it. A dotted line is the sum over all "
        "channels without a line; it is drawn at most as thick as the thickest line of one channel. What "
        "biases and BatchNorm’s shifts add has no line, so the lines need not add up to the contribution."
    )
    colors = tr(
        "In the maps red is positive and blue is negative; in a column without negative values dark is 0 and "
        "yellow is large. All maps of a column have the same scale. Under each name stand the shape of its "
        "output and the number of parameters that it learns."
    )
    st.caption("\n\n".join(map(literal, (order, lines, colors))))


# What the visitor does


def choose(selection: Selection, columns: Columns, chosen: tuple[str, int] | None, event: Event) -> None:
    """Make the choice of an event, before the page runs again; `chosen` stays so when a block is folded."""
    if event.kind == "fold":
        fold(columns.columns[event.index].node.block)
        if chosen is not None:
            choose_channel(*chosen)
    elif event.kind == "class":
        explain(selection, event.channel)
    elif event.kind == "choose" and has_channel(columns, event):
        if event.index == columns.logits:
            explain(selection, event.channel)
        choose_channel(columns.columns[event.index].layer or "", event.channel)


def has_channel(columns: Columns, event: Event) -> bool:
    """Whether a column has the channel that an event is about."""
    column = columns.columns[event.index]
    return column.layer is not None and event.channel < column.count


def choose_channel(layer: str, channel: int) -> None:
    link.change(CHOSEN, f"{layer}~{channel}")


def explain(selection: Selection, target: int) -> None:
    """Make a class the one to explain, if there is one of that number."""
    if target < len(selection.card.classes):
        link.change("class", choices.class_option(selection.card.classes[target], choices.PREDICTED))


def fold(block: int | None) -> None:
    """Fold a block, or unfold it."""
    if block is None:
        return
    numbers = {part for part in link.value(UNFOLDED, "").split(".") if part} ^ {str(block + 1)}
    link.change(UNFOLDED, ".".join(sorted(numbers, key=int)))


def follow(
    selection: Selection, columns: Columns, threads: Sequence[ContributionLine], event: Event | None
) -> None:
    """Open the page that an event asks for."""
    if event is None:
        return
    if event.kind == "kernel":
        line = threads[event.index]
        link.change("slice", str(line.channel))
        arrival.lead_to("made")  # where Feature maps shows the kernel
        open_channel(selection, line.layer, line.target_channel)
    elif event.kind == "open" and has_channel(columns, event):
        open_column(selection, columns.columns[event.index], event.channel)
    elif event.kind == "page":
        open_layer(selection, columns, event.index)


def open_layer(selection: Selection, columns: Columns, index: int) -> None:
    """Open the page about a column's layer."""
    column = columns.columns[index]
    page = picture.page_of(selection, column, index == columns.logits)
    if page == "explain":
        link.open_page("explain")
    elif page == "batchnorm":
        link.change("norm", column.layer or "")
        link.open_page("batchnorm")
    elif page == "maps":
        open_column(selection, column, column.channels[0])


def open_column(selection: Selection, column: Column, channel: int) -> None:
    """Open a column's channel on Feature maps, if that shows it."""
    layer = names.layer_to_open(selection, column)
    if layer is not None:
        open_channel(selection, layer, channel)


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
