"""The cell probe: one cell of a feature map, walked from the pixels it sees to what is handed on."""

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
from explorer.views.maps.inspector import Cell, input_names
from explorer.views.maps.matrix import MOST, fixed, matrix, plain

SHOWN = 3  # input channels spelled out; the others are summed up
IN_LINE = 3  # columns of a kernel whose numbers fit side by side with patch and products
MORE = 9  # windows that are not followed, spelled out
MARGIN = 0.35  # of the image's size: how much padding is drawn around it at most

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Frame:
    """A part of the image plane in pixels; below 0 and beyond the image lies padding."""

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


def show(selection: Selection, block: Block, layer: str, channel: int, cell: Cell) -> None:
    """The walk for a cell of the chosen channel of a layer of the block."""
    try:
        walked = walk(selection, block, layer, channel, cell)
    except ValueError as error:
        st.info(sentence(error))
        return
    steps = [looks_at(selection, block, layer, cell, walked), *arithmetic(selection, walked)]
    markup.show(markup.element("ol", *steps, cls="fx-walk"), agreement(walked, block))


def arithmetic(selection: Selection, walked: CellProbe) -> list[str]:
    """Every step of the probe as html, and what the network adds between two of them."""
    conv, *later = walked.steps
    assert isinstance(conv, ConvStep)
    steps, before = [products(selection, conv)], conv.value
    for step in later:
        assert not isinstance(step, ConvStep)
        if abs(step.before - before) > 1e-5 * max(1.0, abs(before)):
            steps.append(between(before, step.before))
        steps.append(spelled_out(step, walked))
        before = step.value
    return steps


# Which cell is followed


def walk(selection: Selection, block: Block, layer: str, channel: int, cell: Cell) -> CellProbe:
    """The probe of a cell of any stage; a pooled cell is followed back to the one that won its window.

    Raises ValueError where the walk cannot be spelled out.
    """
    order = list(stages(block, selection.seen).values())
    if block.pool is None or order.index(block.pool) > order.index(layer):
        return selection.probe(block, channel, *cell)
    inside = inside_window(selection, block.pool, cell)
    window = pooling(selection.probe(block, channel, *inside)).into(cell).followed
    walked = selection.probe(block, channel, *(window.winner or largest(window)))
    mine = pooling(walked).into(cell)
    return replace(walked, steps=tuple(mine if isinstance(step, PoolStep) else step for step in walked.steps))


def inside_window(selection: Selection, pool: str, place: Cell) -> Cell:
    """A cell of the map that the pooling's window for `place` covers."""
    size = layer_size(selection.net, selection.seen, pool)
    if size is None:
        raise ValueError(f"How {pool} pools is not spelled out here: choose another stage.")
    return _last_inside(size.rows, place[0]), _last_inside(size.columns, place[1])


def _last_inside(axis: Axis, place: int) -> int:
    taps = axis.taps(place)
    return int(taps[(taps >= 0) & (taps < axis.input)].max())


def pooling(walked: CellProbe) -> PoolStep:
    """The walk's pooling step. Raises ValueError where it has none."""
    for step in walked.steps:
        if isinstance(step, PoolStep):
            return step
    raise ValueError(f"The walk does not come to {walked.block.pool}: choose another stage.")


def largest(window: PoolWindow) -> Cell:
    row, column = np.unravel_index(np.nanargmax(window.cells), window.cells.shape)
    return int(window.rows[row]), int(window.columns[column])


# What it looks at


def looks_at(selection: Selection, block: Block, layer: str, cell: Cell, walked: CellProbe) -> str:
    """The input image with the receptive field framed, and the field by itself."""
    fields = selection.receptive_fields()
    field = fields[layer].cell(*cell)
    inner = fields[block.conv].cell(walked.row, walked.column)
    pixels = selection.framed
    boxes = [box(field)] + ([box(inner)] if box(inner) != box(field) else [])
    around = surroundings(pixels, fields[layer].rows, fields[layer].columns)
    seen = in_words(field, pixels)
    pictures = [placed(pixels, around, f"The input with the receptive field framed: {seen}", boxes)]
    if not covers(field, pixels):
        pictures.append(placed(pixels, box(field), "What the cell sees of the image", boxes[1:]))
    words = [markup.text(seen)]
    if len(boxes) > 1:
        words.append(markup.text("Inner frame: the cell that is followed from here.", "muted"))
    title = f"What cell ({cell[0]}, {cell[1]}) looks at"
    return step_html(title, markup.element("div", *pictures, cls="fx-sights"), *words)


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


def in_words(field: ReceptiveField, pixels: Pixels) -> str:
    """The receptive field's size and place in a sentence."""
    height, width = field.bottom - field.top, field.right - field.left
    most = "" if field.exact else "at most "
    if covers(field, pixels):
        return f"{most}the whole image: {height} × {width} pixels, with padding"
    beyond = field.top < 0 or field.left < 0 or field.bottom > len(pixels) or field.right > pixels.shape[1]
    top, bottom, left, right = field.reach
    padding = "; what is hatched is padding" if beyond else ""
    return (
        f"{most}{height} × {width} pixels: rows {top} to {bottom - 1}, columns {left} to {right - 1}{padding}"
    )


def placed(pixels: Pixels, frame: Frame, said: str, boxes: list[Frame]) -> str:
    """A part of the image plane as html: the image's pixels, hatching for padding, frames on top."""
    top, bottom = max(frame.top, 0), min(frame.bottom, len(pixels))
    left, right = max(frame.left, 0), min(frame.right, pixels.shape[1])
    inner = []
    if top < bottom and left < right:
        part = Frame(top, bottom, left, right)
        picture = markup.image(pixels[top:bottom, left:right], said, fill=True)
        inner.append(f'<div style="{_style(part, frame)}">{picture}</div>')
    else:
        inner.append(markup.text("padding only", "muted"))
    inner += [f'<i style="{_style(one, frame)}"></i>' for one in boxes]
    ratio = f"aspect-ratio:{frame.width}/{frame.height}"
    return f'<div class="fx-sight" style="{ratio}">{"".join(inner)}</div>'


def _style(part: Frame, whole: Frame) -> str:
    return (
        f"left:{(part.left - whole.left) / whole.width:.3%};top:{(part.top - whole.top) / whole.height:.3%};"
        f"width:{part.width / whole.width:.3%};height:{part.height / whole.height:.3%}"
    )


# The convolution


def products(selection: Selection, conv: ConvStep) -> str:
    """Patch × kernel for the strongest input channels, the others summed up, and the sum."""
    each = conv.products.sum((1, 2))
    names = input_names(selection, conv.layer, conv.channels)
    order = np.argsort(-np.abs(each), kind="stable").tolist()
    shown = order[:SHOWN] if len(order) > SHOWN + 1 else sorted(order)
    scales = (
        ranges.shared(conv.patch[shown], signed=bool(conv.patch.min() < 0)),
        ranges.symmetric(conv.kernel),
        ranges.symmetric(conv.products[shown]),
    )
    source = selection.seen.inputs[conv.layer].source
    read = {"": "the image", None: "what comes in"}.get(source, source)
    of = f" of {source}" if source else ""
    rows = [product(conv, k, names[k] + of, scales, k == shown[0]) for k in shown]
    rest = [k for k in order if k not in shown]
    if rest:
        total = fixed(float(each[rest].sum()))
        rows.append(_sum_row(f"the {len(rest)} other input channels together", total))
    rows.append(_sum_row("sum of all products", fixed(conv.sum), "total"))
    rows.append(_sum_row("bias", _plus(conv.bias) if conv.bias else "none"))
    rows.append(result(conv.value))
    size = " × ".join(map(str, conv.padding.shape))
    padded = " Hatched: padding, which counts as 0." if conv.padding.any() else ""
    if padded and conv.patch[:, conv.padding].any():
        padded = " Hatched: padding, filled from the map itself."
    size = " × ".join(map(str, conv.padding.shape))
    whose = f"the {len(shown)} input channels that weigh most here" if rest else "each input channel"
    colours = (
        f"{words} {ranges.text(scale)}"
        for words, scale in zip(("input", "kernel", "products"), scales, strict=True)
    )
    said = (
        f"Each row: {size} cells of {read} times their slice of the kernel, for {whose}. "
        f"Colours: {', '.join(colours)}.{padded}"
    )
    return step_html(f"Convolution · {conv.layer}", *rows, markup.text(said, "muted"), cls="wide")


def _sum_row(words: str, value: str, cls: str = "") -> str:
    return markup.element("div", markup.text(words), markup.text(value, "sum"), cls=f"fx-sum {cls}")


def product(conv: ConvStep, k: int, name: str, scales: tuple[Range, Range, Range], first: bool) -> str:
    """One input channel: patch × kernel = products, and their sum; the first says which is which.

    Wide kernels stand there as colours, with their numbers to unfold.
    """
    width = conv.kernel.shape[2]
    shown = line(conv, k, name, scales, matrix if width <= IN_LINE else plain, first)
    if IN_LINE < width <= MOST:
        summary = markup.text("the numbers", tag="summary")
        shown += markup.element("details", summary, line(conv, k, name, scales, matrix, True))
    total = _sum_row(name, fixed(float(conv.products[k].sum())))
    return markup.element("div", total, shown, cls="fx-product")


def line(
    conv: ConvStep,
    k: int,
    name: str,
    scales: tuple[Range, Range, Range],
    draw: Callable[..., str],
    headed: bool,
) -> str:
    parts = [
        draw(conv.patch[k], scales[0], f"Input patch of {name}", padding=conv.padding),
        draw(conv.kernel[k], scales[1], f"Kernel slice for {name}"),
        draw(conv.products[k], scales[2], f"Products for {name}", padding=conv.padding),
    ]
    if headed:
        said = ("input", "kernel", "products")
        parts = [markup.text(words, "muted") + part for words, part in zip(said, parts, strict=True)]
    patch, kernel, made = (markup.element("div", part) for part in parts)
    times, equals = markup.text("×", "sign"), markup.text("=", "sign")
    return markup.element("div", patch, times, kernel, equals, made, cls="fx-line")


# What follows


def between(before: float, after: float) -> str:
    """What the network does between two layers without a module, such as a skip's addition."""
    return step_html(
        "In between",
        markup.text("The network itself changes it here, for example by adding a skip connection."),
        formula(f"{fixed(before)} {_plus(after - before)}"),
        result(after),
    )


def spelled_out(step: Step, walked: CellProbe) -> str:
    if isinstance(step, NormStep):
        return normed(step)
    if isinstance(step, PoolStep):
        return pooled(step, walked)
    assert isinstance(step, ActStep)
    return activated(step)


def normed(step: NormStep) -> str:
    name = "BatchNorm" if "BatchNorm" in step.kind else step.kind
    mean = f"({fixed(step.mean)})" if step.mean < 0 else fixed(step.mean)
    spread = f"√({fixed(step.var)} + {number(step.eps)})"
    return step_html(
        f"{name} · {step.layer}",
        markup.text("z = (x − μ) / √(σ² + ε)", "muted"),
        formula(f"({fixed(step.before)} − {mean}) / {spread}"),
        formula(f"z = {fixed(step.normalised)}"),
        markup.text("z · γ + β", "muted"),
        formula(f"{fixed(step.normalised)} · {fixed(step.weight)} {_plus(step.bias)}"),
        result(step.value),
    )


def activated(step: ActStep) -> str:
    if step.kind == "ReLU":
        words = "Positive: it passes." if step.before > 0 else "Not positive: it is cut to zero."
        return step_html(
            f"ReLU · {step.layer}",
            markup.text(words),
            formula(f"max(0, {fixed(step.before)})"),
            result(step.value),
        )
    return step_html(
        f"{step.kind} · {step.layer}", formula(f"{step.kind}({fixed(step.before)})"), result(step.value)
    )


def pooled(step: PoolStep, walked: CellProbe) -> str:
    """The followed window with the cell or the winner framed, what becomes of it, and the other windows."""
    window, here = step.followed, (walked.row, walked.column)
    range = ranges.shared(window.cells, signed=bool(np.nanmin(window.cells) < 0))
    framed = window.winner or here
    marked = [
        (i, j)
        for i, row in enumerate(window.rows.tolist())
        for j, column in enumerate(window.columns.tolist())
        if (row, column) == framed
    ]
    picture = matrix(
        window.cells, range, f"The window of {step.layer}", padding=window.padding, marked=marked
    )
    return step_html(
        f"{'Max' if window.winner else 'Average'} pooling · {step.layer}",
        picture,
        markup.text(outcome(window, step, here)),
        result(step.value),
        others(step, here),
    )


def outcome(window: PoolWindow, step: PoolStep, here: Cell) -> str:
    """Who won the pooling window, in words."""
    height, width = window.cells.shape
    place = f"It becomes cell {window.place} of {step.layer}."
    if window.winner is None:
        return f"The mean of {height} × {width} cells. {place}"
    if window.winner == here:
        return f"The largest of {height} × {width} is this one. {place}"
    if step.before == window.value:
        return f"As large as cell {window.winner}, which comes first. {place}"
    return f"Cell {window.winner} is the largest of {height} × {width}: it goes on, this one ends here."


def others(step: PoolStep, here: Cell) -> str:
    """What comes of the cell in the windows that overlap the followed one, to unfold; nothing without."""
    rest = [window for window in step.windows if window is not step.followed]
    if not rest:
        return ""
    won = sum(window.winner == here for window in rest)
    how = f", {won} of which it wins" if rest[0].winner else ""
    many = "1 more window" if len(rest) == 1 else f"{len(rest)} more windows"
    lines = [markup.text(in_another(window, here)) for window in rest[:MORE]]
    if len(rest) > MORE:
        lines.append(markup.text(f"… and {len(rest) - MORE} more.", "muted"))
    summary = markup.text(f"It lies in {many}{how}", tag="summary")
    return markup.element("details", summary, *lines)


def in_another(window: PoolWindow, here: Cell) -> str:
    """What a window that is not followed comes to, in a line."""
    made = f"Cell {window.place} = {fixed(window.value)}"
    if window.winner is None:
        return f"{made}: the mean of rows {span(window.rows)}, columns {span(window.columns)}."
    return f"{made}: {'this one' if window.winner == here else f'cell {window.winner}'} is the largest."


def span(taps: npt.NDArray[np.int64]) -> str:
    return f"{taps[0]} to {taps[-1]}"


# Pieces


def step_html(title: str, *inner: str, cls: str = "") -> str:
    return markup.element("li", markup.text(title, tag="h4"), *inner, cls=cls)


def formula(said: str) -> str:
    return markup.text(said, "fx-formula")


def result(value: float) -> str:
    return markup.text(f"= {fixed(value)}", "fx-result")


def _plus(value: float) -> str:
    return f"− {fixed(-value)}" if value < 0 else f"+ {fixed(value)}"


def agreement(walked: CellProbe, block: Block) -> str:
    """How far the walk's numbers lie from what the network computed."""
    made = [
        made for step in walked.steps for made in (step.windows if isinstance(step, PoolStep) else (step,))
    ]
    apart = max(abs(each.value - each.traced) for each in made)
    ended = ""
    if block.pool and not any(isinstance(step, PoolStep) for step in walked.steps):
        ended = f" No window of {block.pool} covers this cell, so it ends here."
    same = "exactly the same" if not apart else f"the same to within {number(apart)}"
    return markup.text(f"The network computed {same} at every step.{ended}", "muted")
