"""The convolution's step of a position's arithmetic: input patch times kernel, summed up."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from explorer.drawing import ranges
from explorer.drawing.ranges import Range
from explorer.engine.probe import ConvStep
from explorer.ui import markup
from explorer.ui.selection import Selection
from explorer.views.maps.inspector import input_names
from explorer.views.maps.matrix import MOST, fixed, matrix, plain, product_sign
from explorer.views.maps.step_html import as_shown, result, signed_term, step_html
from model.words import N_, paragraph, tr

STRONGEST = 3  # input channels shown with all numbers; the others are summed up
IN_LINE = 3  # columns of a kernel whose numbers fit side by side with patch and products


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
    rows.append(_sum_row(tr("bias"), signed_term(conv.bias) if conv.bias else tr("none")))
    rows.append(result(conv.value, as_shown(conv.sum) + as_shown(conv.bias)))
    caption = markup.text(products_caption(conv, colors, len(strongest)), "muted")
    return step_html(tr("Convolution · {layer}", layer=conv.layer), *rows, caption, cls="wide")


def patch_names(selection: Selection, conv: ConvStep) -> list[str]:
    """The names of the convolution's input channels, with the layer that they come from if it is known."""
    source = selection.seen.inputs[conv.layer].source
    if not source:
        return input_names(selection, conv.layer, conv.channels)
    return [tr("channel {channel} of {layer}", channel=channel, layer=source) for channel in conv.channels]


def products_caption(conv: ConvStep, colors: ProductRanges, count: int) -> str:
    """How to read the rows of products, in sentences."""
    height, width = conv.padding.shape
    template = N_(
        "Each row: {height} × {width} input positions times the kernel slice of that input channel."
    )
    sentences = [tr(template, height=height, width=width)]
    if count < len(conv.patch):
        sentences.append(
            tr("Only the {n} input channels whose sums are largest in magnitude are shown.", n=count)
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
    return paragraph(sentences)


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
    patch, kernel, products = (markup.element("div", part) for part in parts)
    times = markup.text("×", "sign")
    sign = product_sign(
        conv.patch[k], conv.kernel[k], conv.products[k], colors.patch, colors.kernel, colors.products
    )
    equal = markup.text(sign, "sign")
    return markup.element("div", patch, times, kernel, equal, products, cls="fx-line")
