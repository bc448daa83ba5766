"""One position of a feature map, step by step: from its receptive field to the pooled value."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.ranges import Range, number
from explorer.engine.geometry import Axis, layer_size
from explorer.engine.probe import ActStep, CellProbe, ConvStep, NormStep, PoolStep, PoolWindow, Step
from explorer.engine.receptive import ReceptiveField
from explorer.engine.tracing import Block, stages
from explorer.ui import markup
from explorer.ui.markdown import sentence
from explorer.ui.selection import Selection
from explorer.views.maps.inspector import input_names
from explorer.views.maps.matrix import MOST, fixed, matrix, plain
from explorer.views.maps.view import Cell
from model.problems import Problem
from model.words import N_, ngettext, tr

STRONGEST = 3  # input channels shown with all numbers; the others are summed up
IN_LINE = 3  # columns of a kernel whose numbers fit side by side with patch and products
MORE = 9  # windows that are not followed, with a line each
MARGIN = 0.35  # of the image's size: how much padding is drawn around it at most

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Frame:
    """A part of the image plane in pixels; below 0 and beyond the image is padding."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left


def show(selection: Selection, block: Block, layer: str, channel: int, cell: Cell) -> CellProbe | None:
    """The steps to a cell of the chosen channel of a layer of the block; None where they cannot be shown."""
    try:
        probe = walk(selection, block, layer, channel, cell)
    except Problem as problem:
        st.info(sentence(problem))
        return None
    steps = [receptive_field(selection, block, layer, cell, probe), *arithmetic(selection, probe)]
    markup.show(markup.element("ol", *steps, cls="fx-walk"), agreement(probe, block))
    return probe


def arithmetic(selection: Selection, probe: CellProbe) -> list[str]:
    """Every step of the probe as html, and what the network adds between two of them."""
    first, *later = probe.steps
    opening = products(selection, first) if isinstance(first, ConvStep) else step_html_of(first, probe)
    steps, before = [opening], first.value
    for step in later:
        assert not isinstance(step, ConvStep)
        if abs(step.before - before) > 1e-5 * max(1.0, abs(before)):
            steps.append(between(before, step.before))
        steps.append(step_html_of(step, probe))
        before = step.value
    return steps


# Which cell is followed


def walk(selection: Selection, block: Block, layer: str, channel: int, cell: Cell) -> CellProbe:
    """The probe of a cell of any stage; a pooled cell is followed back to the winner of its window.

    Raises Problem where the steps cannot be shown.
    """
    order = list(stages(block, selection.seen).values())
    if block.pool is None or order.index(block.pool) > order.index(layer):
        return selection.probe(block, channel, *cell)
    inside = inside_window(selection, block.pool, cell)
    window = pooling(selection.probe(block, channel, *inside)).into(cell).followed
    probe = selection.probe(block, channel, *(window.winner or largest(window)))
    pool = pooling(probe).into(cell)
    return replace(probe, steps=tuple(pool if isinstance(step, PoolStep) else step for step in probe.steps))


def inside_window(selection: Selection, pool: str, cell: Cell) -> Cell:
    """A position of the map that the pooling reads for `cell` of its output."""
    size = layer_size(selection.net, selection.seen, pool)
    if size is None:
        raise Problem("The windows of {layer} are not known here: choose another stage.", layer=pool)
    return _last_inside(size.rows, cell[0]), _last_inside(size.columns, cell[1])


def _last_inside(axis: Axis, index: int) -> int:
    taps = axis.taps(index)
    return int(taps[(taps >= 0) & (taps < axis.input)].max())


def pooling(probe: CellProbe) -> PoolStep:
    """The probe's pooling step. Raises Problem where it has none."""
    for step in probe.steps:
        if isinstance(step, PoolStep):
            return step
    raise Problem("These steps do not reach {layer}: choose another stage.", layer=probe.block.pool)


def largest(window: PoolWindow) -> Cell:
    """The position of the largest value in a window."""
    row, column = np.unravel_index(np.nanargmax(window.cells), window.cells.shape)
    return int(window.rows[row]), int(window.columns[column])


# The receptive field


def receptive_field(selection: Selection, block: Block, layer: str, cell: Cell, probe: CellProbe) -> str:
    """The input image with the receptive field framed, and the field by itself."""
    fields = selection.receptive_fields()
    field = fields[layer].cell(*cell)
    inner = fields[block.name].cell(probe.row, probe.column)
    pixels = selection.framed
    boxes = [box(field)] + ([box(inner)] if box(inner) != box(field) else [])
    around = surroundings(pixels, fields[layer].rows, fields[layer].columns)
    text = field_text(field, pixels)
    alt = tr("The input with the receptive field framed. {description}", description=text)
    pictures = [placed(pixels, around, alt, boxes)]
    if not covers(field, pixels):
        pictures.append(placed(pixels, box(field), tr("The image inside the receptive field"), boxes[1:]))
    texts = [markup.text(text)]
    if len(boxes) > 1:
        template = N_("Inner frame: the receptive field of the position in {layer} that the steps follow.")
        texts.append(markup.text(tr(template, layer=block.name), "muted"))
    title = tr("Receptive field of ({row}, {column})", row=cell[0], column=cell[1])
    return step_html(title, markup.element("div", *pictures, cls="fx-sights"), *texts)


def box(field: ReceptiveField) -> Frame:
    return Frame(field.top, field.bottom, field.left, field.right)


def covers(field: ReceptiveField, pixels: Pixels) -> bool:
    height, width = pixels.shape[:2]
    return field.top <= 0 and field.left <= 0 and field.bottom >= height and field.right >= width


def surroundings(pixels: Pixels, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> Frame:
    """The image with as much padding around it as the cells of a layer reach into, within bounds."""
    height, width = pixels.shape[:2]
    most = int(MARGIN * max(height, width))
    top, bottom = max(int(rows.min()), -most), min(int(rows.max()), height + most)
    left, right = max(int(columns.min()), -most), min(int(columns.max()), width + most)
    return Frame(min(top, 0), max(bottom, height), min(left, 0), max(right, width))


def field_text(field: ReceptiveField, pixels: Pixels) -> str:
    """The receptive field's size and position in one or two sentences."""
    top, bottom, left, right = field.reach
    text = tr(
        field_template(field, pixels),
        height=field.bottom - field.top,
        width=field.right - field.left,
        top=top,
        bottom=bottom - 1,
        left=left,
        right=right - 1,
    )
    beyond = field.top < 0 or field.left < 0 or field.bottom > len(pixels) or field.right > pixels.shape[1]
    return f"{text} {tr('The hatched area is padding.')}" if beyond else text


def field_template(field: ReceptiveField, pixels: Pixels) -> str:
    """The sentence for a field: whole image, part of it or padding only; exact or an upper bound."""
    if covers(field, pixels):
        if field.exact:
            return N_("{height} × {width} pixels: the whole image.")
        return N_("At most {height} × {width} pixels: the whole image.")
    if field.reach == (0, 0, 0, 0):
        return N_("{height} × {width} pixels, none of them in the image.")
    if field.exact:
        return N_(
            "{height} × {width} pixels. In the image: rows {top} to {bottom}, columns {left} to {right}."
        )
    return N_(
        "At most {height} × {width} pixels. In the image: rows {top} to {bottom}, columns {left} to {right}."
    )


def placed(pixels: Pixels, frame: Frame, alt: str, boxes: list[Frame]) -> str:
    """A part of the image plane as html: the image's pixels, hatching for padding, frames on top."""
    top, bottom = max(frame.top, 0), min(frame.bottom, len(pixels))
    left, right = max(frame.left, 0), min(frame.right, pixels.shape[1])
    inner = []
    if top < bottom and left < right:
        part = Frame(top, bottom, left, right)
        picture = markup.image(pixels[top:bottom, left:right], alt, fill=True)
        inner.append(f'<div style="{_style(part, frame)}">{picture}</div>')
    else:
        inner.append(markup.text(tr("padding only"), "muted"))
    inner += [f'<i style="{_style(one, frame)}"></i>' for one in boxes]
    ratio = f"aspect-ratio:{frame.width}/{frame.height}"
    return f'<div class="fx-sight" style="{ratio}">{"".join(inner)}</div>'


def _style(part: Frame, whole: Frame) -> str:
    return (
        f"left:{(part.left - whole.left) / whole.width:.3%};top:{(part.top - whole.top) / whole.height:.3%};"
        f"width:{part.width / whole.width:.3%};height:{part.height / whole.height:.3%}"
    )


# The convolution


@dataclass(frozen=True)
class ProductRanges:
    """The color ranges of a convolution's input patch, its kernel and their products."""

    patch: Range
    kernel: Range
    products: Range


def products(selection: Selection, conv: ConvStep) -> str:
    """Patch × kernel for the strongest input channels, the others summed up, and the sum."""
    sums = conv.products.sum((1, 2))
    order = np.argsort(-np.abs(sums), kind="stable").tolist()
    strongest = order[:STRONGEST] if len(order) > STRONGEST + 1 else sorted(order)
    others = order[len(strongest) :]
    colors = ProductRanges(
        ranges.shared(conv.patch[strongest], signed=bool(conv.patch.min() < 0)),
        ranges.symmetric(conv.kernel),
        ranges.symmetric(conv.products[strongest]),
    )
    names = patch_names(selection, conv)
    rows = [product(conv, k, names[k], colors, k == strongest[0]) for k in strongest]
    if others:
        one, total = tr("sum of the other input channels ({n})", n=len(others)), float(sums[others].sum())
        rows.append(_sum_row(one, fixed(total)))
    rows.append(_sum_row(tr("sum of all products"), fixed(conv.sum), "total"))
    rows.append(_sum_row(tr("bias"), _plus(conv.bias) if conv.bias else tr("none")))
    rows.append(result(conv.value))
    caption = markup.text(products_caption(conv, colors, len(strongest)), "muted")
    return step_html(tr("Convolution · {layer}", layer=conv.layer), *rows, caption, cls="wide")


def patch_names(selection: Selection, conv: ConvStep) -> list[str]:
    """The names of the convolution's input channels, with the layer that they come from if it is known."""
    source = selection.seen.inputs[conv.layer].source
    if not source:
        return input_names(selection, conv.layer, conv.channels)
    return [tr("channel {channel} of {layer}", channel=channel, layer=source) for channel in conv.channels]


def products_caption(conv: ConvStep, colors: ProductRanges, shown: int) -> str:
    """How to read the rows of products, in sentences."""
    height, width = conv.padding.shape
    template = N_(
        "Each row: {height} × {width} input positions times the kernel slice of that input channel."
    )
    sentences = [tr(template, height=height, width=width)]
    if shown < len(conv.patch):
        sentences.append(
            tr("Only the {n} input channels whose sums are largest in magnitude are shown.", n=shown)
        )
    sentences.append(
        tr(
            "Colors: input {input}, kernel {kernel}, products {products}.",
            input=ranges.text(colors.patch),
            kernel=ranges.text(colors.kernel),
            products=ranges.text(colors.products),
        )
    )
    if conv.patch[:, conv.padding].any():
        sentences.append(tr("Hatched: padding, filled from the map itself."))
    elif conv.padding.any():
        sentences.append(tr("Hatched: padding, which counts as 0."))
    return " ".join(sentences)


def _sum_row(name: str, value: str, cls: str = "") -> str:
    return markup.element("div", markup.text(name), markup.text(value, "sum"), cls=f"fx-sum {cls}")


def product(conv: ConvStep, k: int, name: str, colors: ProductRanges, first: bool) -> str:
    """One input channel: patch × kernel = products, and their sum; the first row has titles.

    Wide kernels are shown as colors, with their numbers to unfold.
    """
    width = conv.kernel.shape[2]
    row = line(conv, k, name, colors, matrix if width <= IN_LINE else plain, first)
    if IN_LINE < width <= MOST:
        summary = markup.text(tr("Show the numbers"), tag="summary")
        row += markup.element("details", summary, line(conv, k, name, colors, matrix, True))
    total = _sum_row(name, fixed(float(conv.products[k].sum())))
    return markup.element("div", total, row, cls="fx-product")


def line(
    conv: ConvStep, k: int, name: str, colors: ProductRanges, draw: Callable[..., str], titled: bool
) -> str:
    """Patch, kernel and products of one input channel side by side, each drawn by `draw`."""
    parts = [
        draw(conv.patch[k], colors.patch, tr("Input patch of {input}", input=name), padding=conv.padding),
        draw(conv.kernel[k], colors.kernel, tr("Kernel slice for {input}", input=name)),
        draw(conv.products[k], colors.products, tr("Products for {input}", input=name), padding=conv.padding),
    ]
    if titled:
        titles = (tr("input"), tr("kernel"), tr("products"))
        parts = [markup.text(title, "muted") + part for title, part in zip(titles, parts, strict=True)]
    patch, kernel, made = (markup.element("div", part) for part in parts)
    times, equals = markup.text("×", "sign"), markup.text("=", "sign")
    return markup.element("div", patch, times, kernel, equals, made, cls="fx-line")


# The layers that follow


def between(before: float, after: float) -> str:
    """A change between two layers that no module makes, such as a skip's addition."""
    return step_html(
        tr("Between these layers"),
        markup.text(
            tr("The network changes the value here outside its layers, for example by a skip connection.")
        ),
        formula(f"{fixed(before)} {_plus(after - before)}"),
        result(after),
    )


def step_html_of(step: Step, probe: CellProbe) -> str:
    """Any step after the convolution as html."""
    if isinstance(step, NormStep):
        return normed(step)
    if isinstance(step, PoolStep):
        return pooled(step, (probe.row, probe.column))
    assert isinstance(step, ActStep)
    return activated(step)


def normed(step: NormStep) -> str:
    name = "BatchNorm" if "BatchNorm" in step.kind else step.kind
    mean = f"({fixed(step.mean)})" if step.mean < 0 else fixed(step.mean)
    spread = f"√({fixed(step.var)} + {number(step.eps)})"
    return step_html(
        tr("{kind} · {layer}", kind=name, layer=step.layer),
        markup.text("z = (x − μ) / √(σ² + ε)", "muted"),
        formula(f"({fixed(step.before)} − {mean}) / {spread}"),
        formula(f"z = {fixed(step.normalized)}"),
        markup.text("z · γ + β", "muted"),
        formula(f"{fixed(step.normalized)} · {fixed(step.weight)} {_plus(step.bias)}"),
        result(step.value),
    )


def activated(step: ActStep) -> str:
    title = tr("{kind} · {layer}", kind=step.kind, layer=step.layer)
    if step.kind != "ReLU":
        return step_html(title, formula(f"{step.kind}({fixed(step.before)})"), result(step.value))
    positive = step.before > 0
    text = tr("Positive: ReLU keeps it.") if positive else tr("Not positive: ReLU sets it to zero.")
    return step_html(title, markup.text(text), formula(f"max(0, {fixed(step.before)})"), result(step.value))


def pooled(step: PoolStep, here: Cell) -> str:
    """The followed window with the cell or the winner framed, its result, and the other windows."""
    window = step.followed
    range = ranges.shared(window.cells, signed=bool(np.nanmin(window.cells) < 0))
    framed = window.winner or here
    marked = [
        (i, j)
        for i, row in enumerate(window.rows.tolist())
        for j, column in enumerate(window.columns.tolist())
        if (row, column) == framed
    ]
    label = tr("The window of {layer}", layer=step.layer)
    picture = matrix(window.cells, range, label, padding=window.padding, marked=marked)
    return step_html(
        tr(POOLINGS.get(step.kind, N_("Pooling · {layer}")), layer=step.layer),
        picture,
        markup.text(outcome(window, step, here)),
        result(step.value),
        other_windows(step, here),
    )


POOLINGS = {
    "MaxPool2d": N_("Max pooling · {layer}"),
    "AdaptiveMaxPool2d": N_("Max pooling · {layer}"),
    "AvgPool2d": N_("Average pooling · {layer}"),
    "AdaptiveAvgPool2d": N_("Average pooling · {layer}"),
}


def outcome(window: PoolWindow, step: PoolStep, here: Cell) -> str:
    """The result of the pooling window in one or two sentences."""
    fields: dict[str, object] = {"size": " × ".join(map(str, window.cells.shape)), "layer": step.layer}
    fields |= {"row": window.position[0], "column": window.position[1]}
    if window.winner is None and "Avg" in step.kind:
        return tr("The mean of {size} positions. It becomes position ({row}, {column}) of {layer}.", **fields)
    if window.winner is None:
        return tr("{size} positions become position ({row}, {column}) of {layer}.", **fields)
    if window.winner == here:
        template = N_(
            "This position has the largest of {size} values. "
            "It becomes position ({row}, {column}) of {layer}."
        )
        return tr(template, **fields)
    fields |= {"winner_row": window.winner[0], "winner_column": window.winner[1]}
    if step.before == window.value:
        template = N_(
            "Position ({winner_row}, {winner_column}) has the same value and comes first. "
            "It becomes position ({row}, {column}) of {layer}."
        )
        return tr(template, **fields)
    template = N_(
        "Position ({winner_row}, {winner_column}) has the largest of {size} values. "
        "The value of this position is not used further."
    )
    return tr(template, **fields)


def other_windows(step: PoolStep, here: Cell) -> str:
    """The results of the windows that overlap the followed one, to unfold; nothing without any."""
    windows = [window for window in step.windows if window is not step.followed]
    if not windows:
        return ""
    won = sum(window.winner == here for window in windows)
    text = ngettext("It is in {n} more window.", "It is in {n} more windows.", len(windows))
    if windows[0].winner:
        text = ngettext(
            "It is in {n} more window (largest value in {won}).",
            "It is in {n} more windows (largest value in {won}).",
            len(windows),
            won=won,
        )
    lines = [markup.text(window_text(window, here)) for window in windows[:MORE]]
    if len(windows) > MORE:
        lines.append(markup.text(tr("… and {n} more.", n=len(windows) - MORE), "muted"))
    return markup.element("details", markup.text(text, tag="summary"), *lines)


def window_text(window: PoolWindow, here: Cell) -> str:
    """The result of a window that is not followed, in a line."""
    (row, column), value = window.position, fixed(window.value)
    if window.winner is None:
        template = N_(
            "Position ({row}, {column}) = {value}: rows {top} to {bottom}, columns {left} to {right}."
        )
        top, bottom, left, right = *window.rows[[0, -1]], *window.columns[[0, -1]]
        return tr(
            template, row=row, column=column, value=value, top=top, bottom=bottom, left=left, right=right
        )
    if window.winner == here:
        template = N_("Position ({row}, {column}) = {value}: this position has the largest value.")
        return tr(template, row=row, column=column, value=value)
    template = N_("Position ({row}, {column}) = {value}: position {winner} has the largest value.")
    return tr(template, row=row, column=column, value=value, winner=window.winner)


# Pieces


def step_html(title: str, *inner: str, cls: str = "") -> str:
    return markup.element("li", markup.text(title, tag="h4"), *inner, cls=cls)


def formula(text: str) -> str:
    return markup.text(text, "fx-formula")


def result(value: float) -> str:
    return markup.text(f"= {fixed(value)}", "fx-result")


def _plus(value: float) -> str:
    return f"− {fixed(-value)}" if value < 0 else f"+ {fixed(value)}"


def agreement(probe: CellProbe, block: Block) -> str:
    """How far the values of the steps are from those that the network computed."""
    results: list[Step | PoolWindow] = []
    for step in probe.steps:
        results += step.windows if isinstance(step, PoolStep) else (step,)
    difference = max(abs(each.value - each.traced) for each in results)
    text = tr("The network computed exactly the same at every step.")
    if difference:
        template = N_("The network computed the same to within {difference} at every step.")
        text = tr(template, difference=number(difference))
    if block.pool and not any(isinstance(step, PoolStep) for step in probe.steps):
        end = tr("No window of {layer} covers this position, so the steps end here.", layer=block.pool)
        text = f"{text} {end}"
    return markup.text(text, "muted")
