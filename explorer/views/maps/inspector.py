"""The channel inspector: one feature map large, its kernel and norm, and its effect on the prediction."""

from collections.abc import Sequence
from html import escape

import numpy as np
import streamlit as st
from torch import nn

from explorer.drawing.colormaps import color
from explorer.drawing.ranges import Range, before_and_after, number, percent, plainly
from explorer.drawing.sheets import sheet
from explorer.engine.ablation import Ablations
from explorer.engine.batchnorm import NormStatistics, is_batchnorm
from explorer.engine.passes import to_numpy
from explorer.engine.tracing import Block, layer_module
from explorer.engine.values import Floats
from explorer.ui import cached, link, markup
from explorer.ui.components.channel_grid import channel_grid
from explorer.ui.frame import presentation
from explorer.ui.markdown import literal
from explorer.ui.panels import facts
from explorer.ui.selection import Selection
from explorer.views.maps.matrix import MOST, fixed, matrix, plain
from explorer.views.maps.view import Kernel, Position, kernel_of
from model.words import N_, ngettext, paragraph, tr

STRONGEST = "strongest"
ALL_WITH_NUMBERS = 4  # so few slices need no choice
WIDE = 6  # positions across from which a slice is shown without its numbers at first
LABELED = 64  # slices shown with their input channel's number
CLASSES_IN_VIEW = 5  # whose change without the channel is shown before anything is unfolded
MOST_CLASSES = 12
ROUNDING = 1e-6  # of the largest logit: passes of one image and of several differ by as much
COLORS = (N_("red"), N_("green"), N_("blue"))
GRAY = N_("gray")


def show(selection: Selection, block: Block, layer: str, channel: int, color_range: Range) -> Position:
    """One channel of a layer of the block: map, numbers, logits without it. The chosen position."""
    large, numbers = st.columns([5, 6], gap="small")
    with large:
        position = large_map(selection, layer, channel, color_range)
    with numbers:
        markup.show(on_this_image(selection, block, layer, channel), for_the_class(selection, layer, channel))
    switched_off(selection, layer, channel)
    return position


def show_more(selection: Selection, block: Block, channel: int, kernel: Kernel | None) -> None:
    """How the channel is computed: its kernel, and its BatchNorm."""
    with st.container(key="made"):
        left, right = st.columns([3, 2], gap="large")
    with left:
        show_kernel(selection, block, channel, kernel)
    with right:
        markup.show(normalization(selection, block, channel))


# The map


def large_map(selection: Selection, layer: str, channel: int, color_range: Range) -> Position:
    """The map on its own scale; its chosen position is kept in the link, at first it is the largest."""
    values = selection.seen.maps[layer][channel]
    linked = linked_position(values.shape)
    initial = linked or largest_position(values)
    choice = channel_grid(
        values[None],
        key="map",
        signed=color_range.signed,
        limits=color_range,
        label=tr("Feature map {channel} of {layer}", channel=channel, layer=layer),
        selected=0,
        cell=initial,
        cells=True,
    )
    position = choice.cell or initial
    if position != initial or linked:
        keep_position(position)
    return position


def keep_position(position: Position) -> None:
    """Keep a chosen position in the link."""
    link.keep("cell", "-".join(map(str, position)), "")


def largest_position(values: Floats) -> Position:
    """Where the largest number of a map (h, w) is."""
    row, column = np.unravel_index(np.argmax(np.nan_to_num(values, nan=-np.inf)), values.shape)
    return int(row), int(column)


def linked_position(shape: Sequence[int]) -> Position | None:
    """The position in the link, `row-column`, if a map of this shape has it."""
    parts = link.value("cell", "").split("-")
    if len(parts) != 2 or not all(part.isascii() and part.isdecimal() and len(part) < 6 for part in parts):
        return None
    row, column = int(parts[0]), int(parts[1])
    return (row, column) if row < shape[0] and column < shape[1] else None


# Facts


def on_this_image(selection: Selection, block: Block, layer: str, channel: int) -> str:
    """The map's mean and extremes, and how much of it the block's activation sets to zero."""
    values = selection.seen.maps[layer][channel]
    rows = [(tr("mean"), number(values.mean())), (tr("maximum"), number(values.max()))]
    if values.min() < 0:
        rows.append((tr("minimum"), number(values.min())))
    if block.act:
        zero = selection.seen.maps[block.act] == 0
        if zero.any():  # an activation such as SiLU gives no zeros in any channel
            rows.append((tr("zero after {layer}", layer=block.act), percent(float(zero[channel].mean()), 0)))
    return facts(tr("On this image"), rows)


def for_the_class(selection: Selection, layer: str, channel: int) -> str:
    """Grad-CAM's weight and contribution for the class to explain, and the contribution's rank."""
    title = tr("For the class “{class_name}”", class_name=selection.target_name)
    evidence = selection.evidence(layer)
    if evidence is None:
        return facts(title, (), markup.text(tr("No gradient of a class reaches this layer."), "muted"))
    contributions = evidence.contributions
    contribution, count = contributions[channel], len(contributions)
    rank = int((contributions > contribution).sum()) + 1
    rows = [
        (tr("Grad-CAM weight"), number(evidence.weights[channel])),
        (tr("Grad-CAM contribution"), f"{'+' if contribution > 0 else ''}{number(contribution)}"),
        (tr("rank among channels"), tr("{rank} of {count}", rank=rank, count=count)),
    ]
    return facts(title, rows)


def normalization(selection: Selection, block: Block, channel: int) -> str:
    """The block's BatchNorm in this channel: running and observed statistics, scale and shift."""
    if block.norm is None:
        return facts(tr("BatchNorm"), (), markup.text(tr("This block has no BatchNorm."), "muted"))
    if not is_batchnorm(selection.net, block.norm):
        kind = type(layer_module(selection.net, block.norm)).__name__
        template = N_("{layer} is a {kind}. Its values are in the steps above.")
        return facts(tr("BatchNorm"), (), markup.text(tr(template, layer=block.norm, kind=kind), "muted"))
    norm = cached.norm_statistics(selection.network, selection.input, block.norm)
    scale, shift = number(norm.weight[channel]), number(norm.bias[channel])
    rows = [
        (tr("learned scale γ, shift β"), tr(", ").join((scale, shift))),
        (tr("combined effect"), f"× {number(norm.slope[channel])} {_plus(norm.offset[channel])}"),
    ]
    title = tr("BatchNorm · {layer}", layer=block.norm)
    return facts(title, rows, statistics_table(norm, channel))


def statistics_table(norm: NormStatistics, channel: int) -> str:
    """A channel's mean and deviation in three columns: name, running (or used), this image."""
    observed = np.sqrt(norm.var + norm.eps)
    cells = ["", tr("running") if norm.tracked else tr("used"), tr("this image")]
    cells += [tr("mean μ"), number(norm.running_mean[channel]), number(norm.mean[channel])]
    cells += [tr("deviation σ"), number(norm.running_std[channel]), number(observed[channel])]
    return markup.element("div", *(markup.text(cell) for cell in cells), cls="fx-statistics")


def _plus(value: float) -> str:
    return f"− {number(-value)}" if value < 0 else f"+ {number(value)}"


# The kernel


def kernel(selection: Selection, block: Block, channel: int) -> Kernel | None:
    """The channel's kernel with the input channels of its group; None for a layer that is not a Conv2d."""
    conv = layer_module(selection.net, block.name)
    if not isinstance(conv, nn.Conv2d):
        return None
    slices = to_numpy(conv.weight[channel])
    first = channel // (conv.out_channels // conv.groups) * len(slices)
    return kernel_of(slices, range(first, first + len(slices)))


def show_kernel(selection: Selection, block: Block, channel: int, kernel: Kernel | None) -> None:
    """The slices of the channel's kernel: all as tiles, the strongest first, and the numbers of one."""
    st.subheader(tr("Kernel of channel {channel}", channel=channel), anchor=False)
    if kernel is None:
        kind = type(layer_module(selection.net, block.name)).__name__
        template = N_("{layer} is a {kind}. Only kernels of a Conv2d are shown here.")
        st.info(tr(template, layer=literal(block.name), kind=literal(kind)))
        return
    names = input_names(selection, block.name, kernel.channels)
    if len(kernel.slices) <= ALL_WITH_NUMBERS:
        markup.show(few_slices(kernel, names, selection.seen.inputs[block.name].source == ""))
    else:
        chosen = choose_slice(kernel.order, names)
        numbers = with_numbers(kernel.slices[chosen], names[chosen], kernel.range)
        markup.show(markup.element("div", numbers, labeled(kernel, names, chosen), cls="fx-kernel"))
    height, width = kernel.slices.shape[1:]
    extent = ngettext(
        "one slice of {height} × {width}, for the only input channel",
        "shared scale for {n} slices of {height} × {width}, one for each input channel",
        len(kernel.slices),
        height=height,
        width=width,
    )
    markup.show(markup.scale(kernel.range, extent))


def few_slices(kernel: Kernel, names: list[str], image: bool) -> str:
    """All slices with their numbers; those of an RGB image also as one color picture."""
    slices = [
        with_numbers(values, name, kernel.range) for values, name in zip(kernel.slices, names, strict=True)
    ]
    picture = [as_colors(kernel.slices)] if image and len(names) == len(COLORS) else []
    return markup.element("div", *slices, *picture, cls="fx-row")


def input_names(selection: Selection, conv: str, channels: range) -> list[str]:
    """The names of the convolution's input channels: colors, or gray, if it reads the image."""
    if selection.seen.inputs[conv].source == "":
        colors = COLORS if selection.card.channels >= len(COLORS) else ()
        return [tr(colors[channel] if channel < len(colors) else GRAY) for channel in channels]
    return [tr("channel {channel}", channel=channel) for channel in channels]


def choose_slice(order: list[int], names: list[str]) -> int:
    """The index of the slice whose numbers are shown; it is kept in the link."""
    strongest = {STRONGEST: tr("Largest weights")}
    options = {**strongest, **{str(k): names[k] for k in order}}  # an option's text never changes
    chosen = link.choose(
        st.selectbox,
        tr("Show the numbers of the slice for"),
        list(options),
        "slice",
        STRONGEST,
        format_func=options.get,
        width=presentation.pixels(260),
    )
    return order[0] if chosen == STRONGEST else int(chosen)


def with_numbers(values: Floats, name: str, scale: Range) -> str:
    """A slice with its numbers, which a wide one has to unfold."""
    label = tr("Kernel slice for {input}", input=name)
    numbers = matrix(values, scale, label)
    if WIDE <= max(values.shape) <= MOST:
        folded = markup.element("details", markup.text(tr("Show the numbers"), tag="summary"), numbers)
        numbers = plain(values, scale, label) + folded
    caption = markup.element("figcaption", markup.text(name))
    return markup.element("figure", numbers, caption, cls="fx-slice")


def as_colors(slices: Floats) -> str:
    """The three slices of a first layer (3, kh, kw) as one color picture: gray is zero."""
    reach = float(np.abs(slices).max()) or 1.0
    pixels = np.rint((slices.transpose(1, 2, 0) / reach + 1) * 127.5).astype(np.uint8)
    caption = markup.text(tr("all three as one color picture; gray is zero"))
    figure = markup.figure(pixels, tr("The kernel as a color picture"), caption, fill=True)
    return markup.element("div", figure, cls="fx-many")


def labeled(kernel: Kernel, names: list[str], chosen: int) -> str:
    """Tiles with the input channel's number under each, and the slices beyond them as one sheet."""
    pixels = color(kernel.slices, kernel.range)
    tiles = [_tile(pixels[k], names[k], kernel.channels[k], k == chosen) for k in kernel.order[:LABELED]]
    inner = [markup.element("div", *tiles, cls="fx-tiles")]
    if rest := kernel.order[LABELED:]:
        others = sheet(kernel.slices[rest], kernel.range, gap=2, width=420, largest=24)
        text = ngettext("The other slice", "The other {n} slices, from strongest to weakest", len(rest))
        inner.append(markup.figure(others, text, markup.text(text)))
    return markup.element("div", *inner)


def _tile(pixels: markup.Pixels, name: str, channel: int, chosen: bool) -> str:
    alt = tr("Kernel slice for {input}", input=name)
    figure = markup.figure(pixels, alt, markup.text(str(channel)), fill=True)
    return markup.element("div", figure, cls="chosen" if chosen else "")


# Without the channel


def switched_off(selection: Selection, layer: str, channel: int) -> None:
    """Every logit with the channel set to zero, or to its mean, in a real forward pass."""
    ablations = cached.ablation_of(selection.network, selection.input, layer, channel)
    markup.show(
        markup.element(
            "section",
            markup.text(tr("Without this channel"), tag="h3"),
            markup.text(consequence(selection, ablations)),
            changes(selection, ablations),
            cls="fx-without",
        )
    )


def consequence(selection: Selection, ablations: Ablations) -> str:
    """One sentence on the class to explain and the prediction, with the channel at zero."""
    names, target = selection.class_names, selection.target
    predicted = int(ablations.zeroed[0].argmax())
    before, after, _ = before_and_after(ablations.logits[target], ablations.zeroed[0][target])
    return tr(
        consequence_template(before == after, predicted == selection.predicted),
        class_name=names[target],
        before=plainly(before),
        after=plainly(after),
        prediction=names[predicted],
    )


def consequence_template(same_logit: bool, same_prediction: bool) -> str:
    """The sentence for a logit that stays the same in the digits shown or not, and for the prediction."""
    if same_logit and same_prediction:
        return N_(
            "With this channel set to zero, the logit of {class_name} stays at {before}, "
            "and the prediction stays {prediction}."
        )
    if same_logit:
        return N_(
            "With this channel set to zero, the logit of {class_name} stays at {before}, "
            "but the prediction becomes {prediction}."
        )
    if same_prediction:
        return N_(
            "With this channel set to zero, the logit of {class_name} goes from {before} to {after}, "
            "and the prediction stays {prediction}."
        )
    return N_(
        "With this channel set to zero, the logit of {class_name} goes from {before} to {after}, "
        "and the prediction becomes {prediction}."
    )


def changes(selection: Selection, ablations: Ablations) -> str:
    """Bars left and right of zero: each class's logit with the channel off, less the logit as it is.

    The most changed classes come first; all but a few of them are folded away.
    """
    zeroed, averaged = (off[0] - ablations.logits for off in (ablations.zeroed, ablations.averaged))
    largest = np.maximum(np.abs(zeroed), np.abs(averaged))
    reach = float(largest.max())
    if reach <= ROUNDING * float(np.abs(ablations.logits).max()):
        return markup.text(tr("No logit changes: the prediction does not use this channel here."), "muted")
    names, target = selection.class_names, selection.target
    order = most_changed(largest, target)
    rows = [_change(names[k], zeroed[k], averaged[k], reach, k == target) for k in order]
    head = [
        "<div></div><div></div>",
        _key(tr("set to zero"), "zeroed"),
        _key(tr("set to its mean"), "averaged"),
    ]
    bars = markup.element("div", *head, *rows[:CLASSES_IN_VIEW], cls="fx-changes")
    template = N_("Change of each logit, largest first, always with {class_name}. A full bar is ±{reach}.")
    caption = tr(template, class_name=names[target], reach=number(reach))
    return bars + markup.text(caption, "muted") + _folded(rows[CLASSES_IN_VIEW:], len(names) - len(rows))


def most_changed(largest: Floats, target: int) -> list[int]:
    """The classes by how much their logit changes, the most first; the target is among those in view."""
    order: list[int] = np.argsort(-largest, kind="stable").tolist()
    if target not in order[:CLASSES_IN_VIEW]:
        order.remove(target)
        order.insert(CLASSES_IN_VIEW - 1, target)
    return order[:MOST_CLASSES]


def _folded(rows: list[str], left_out: int) -> str:
    """The classes that are not in view at first, to unfold."""
    if not rows:
        return ""
    sentences = [ngettext("{n} more class.", "{n} more classes.", len(rows))]
    if left_out:
        sentences.append(ngettext("{n} class changed less.", "{n} other classes changed less.", left_out))
    summary = markup.text(paragraph(sentences), tag="summary")
    return markup.element("details", summary, markup.element("div", *rows, cls="fx-changes"))


def _change(name: str, zeroed: float, averaged: float, reach: float, chosen: bool) -> str:
    mark = "chosen" if chosen else ""
    decimals = max(2, 1 - int(np.floor(np.log10(reach))))
    bars = _bar(zeroed / reach, "zeroed") + _bar(averaged / reach, "averaged")
    return (
        markup.text(name, mark)
        + f'<div class="track">{bars}</div>'
        + markup.text(_signed(zeroed, decimals), mark)
        + markup.text(_signed(averaged, decimals), mark)
    )


def _key(name: str, cls: str) -> str:
    return f'<div class="key"><i class="{cls}"></i>{escape(name)}</div>'


def _signed(value: float, decimals: int) -> str:
    return f"{'+' if value > 0 else ''}{fixed(value, decimals)}"


def _bar(fraction: float, cls: str) -> str:
    side = "gain" if fraction > 0 else "loss"
    style = f"left:{50 + min(fraction, 0) * 50:.2f}%;width:{abs(fraction) * 50:.2f}%"
    return f'<span class="{cls} {side}" style="{style}"></span>'
