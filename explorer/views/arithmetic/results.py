"""What follows from a layer's settings, in numbers with their formulas, and in sentences."""

from collections.abc import Callable

from torch import nn

from explorer.drawing.ranges import MINUS
from explorer.engine.arithmetic import Settings
from explorer.engine.geometry import LayerSize, WindowAxis
from explorer.engine.passes import layer_module
from explorer.engine.what_if import Chain, LayerReach
from explorer.views.arithmetic.settings import SIDES, WhatIf
from model.words import N_, ngettext, paragraph, tr

Row = tuple[str, str, str, str]


def reach_of(chain: Chain, layer: str) -> LayerReach | None:
    """What a chain says of a layer; None where it did not run."""
    return next((each for each in chain.layers if each.layer == layer), None)


def heads(what_if: WhatIf) -> Row:
    return ("", tr("in the network") if what_if.layer else tr("initially"), tr("here"), tr("computation"))


def rows(what_if: WhatIf, before: Chain | None, after: Chain | None) -> list[Row]:
    """Quantity, in the network, here, and how it is computed here."""
    start, here = what_if.in_network, what_if.here
    table = [
        (tr("output size"), size(start), size(here), size_formula(here)),
        (tr("window"), window(start), window(here), both(here, window_formula)),
    ]
    if before and after and (old := reach_of(before, what_if.layer)):
        new = reach_of(after, what_if.layer)
        table.append((
            tr("receptive field (pixels)"), field(old), field(new) if new else "–",
            field_formula(new, here) if new else "–",
        ))  # fmt: skip
    if here.kind == "conv":
        table.append((
            tr("parameters"), f"{start.parameters:,}", f"{here.parameters:,}", parameter_formula(here)
        ))  # fmt: skip
        table.append((
            tr("multiplications"), f"{start.multiplications:,}", f"{here.multiplications:,}",
            multiplication_formula(here),
        ))  # fmt: skip
    else:
        table.append((tr("parameters"), "0", "0", tr("a pooling learns nothing")))
    return table


# Numbers and formulas


def size(settings: Settings) -> str:
    return f"{settings.rows.output} × {settings.columns.output}"


def size_formula(settings: Settings) -> str:
    return LayerSize("", "", settings.channels, settings.rows, settings.columns).formula


def window(settings: Settings) -> str:
    return f"{settings.rows.span} × {settings.columns.span}"


def window_formula(axis: WindowAxis) -> str:
    return f"{axis.dilation}·({axis.kernel} − 1) + 1 = {axis.span}"


def both(settings: Settings, formula: Callable[[WindowAxis], str]) -> str:
    if settings.square:
        return formula(settings.rows)
    return tr(
        "rows {rows}; columns {columns}", rows=formula(settings.rows), columns=formula(settings.columns)
    )


def field(reach: LayerReach) -> str:
    if reach.exact:
        return f"{reach.field[0]} × {reach.field[1]}"
    return tr("at most {height} × {width}", height=reach.field[0], width=reach.field[1])


def field_formula(reach: LayerReach, settings: Settings) -> str:
    """The field of what the layer reads, and what its window adds; "–" where these do not add up to it, as
    where a position in the middle reads less than others, or where the jump is not known."""
    sides = (settings.rows, settings.columns)
    if not reach.exact and 0 in reach.jump:
        return "–"
    sums = [
        (reach.read_field[n] + (axis.span - 1) * reach.jump[n], _field_formula(reach, axis, n))
        for n, axis in enumerate(sides)
    ]
    if any(total != reach.field[n] for n, (total, _) in enumerate(sums)):
        return "–"
    (_, rows), (_, columns) = sums
    return rows if rows == columns else tr("rows {rows}; columns {columns}", rows=rows, columns=columns)


def _field_formula(reach: LayerReach, axis: WindowAxis, n: int) -> str:
    return f"{reach.read_field[n]} + ({axis.span} − 1)·{reach.jump[n]} = {reach.field[n]}"


def parameter_formula(settings: Settings) -> str:
    inside, outside = settings.channels
    read = f"({inside} / {settings.groups})" if settings.groups > 1 else f"{inside}"
    bias = f" + {outside}" if settings.bias else ""
    kernel = f"{settings.rows.kernel}·{settings.columns.kernel}"
    return f"{outside}·{read}·{kernel}{bias} = {settings.parameters:,}"


def multiplication_formula(settings: Settings) -> str:
    positions = f"{settings.rows.output}·{settings.columns.output}"
    kernel = f"{settings.rows.kernel}·{settings.columns.kernel}"
    reads = f"{settings.channels[1]}·{settings.kernel_channels}"
    return f"{positions}·{reads}·{kernel} = {settings.multiplications:,}"


# Sentences


def own_parameters(net: nn.Module, what_if: WhatIf) -> list[str]:
    """What the table does not count of a layer whose weight is computed from other parameters."""
    if what_if.in_network.kind != "conv" or not what_if.layer:
        return []
    count = sum(each.numel() for each in layer_module(net, what_if.layer).parameters())
    if count <= what_if.in_network.parameters:
        return []
    template = N_(
        "In the network {layer} learns {count} numbers, because its weights are computed from other ones, as "
        "with weight_norm; the table counts those of an ordinary convolution."
    )
    return [tr(template, layer=what_if.layer, count=f"{count:,}")]


def findings(settings: Settings) -> list[str]:
    """What is easily missed: what is left out, what is skipped, where a window has no middle."""
    if settings.square:
        return _of_axis(settings.rows)
    return [
        tr("{side}: {sentence}", side=tr(SIDES[name]), sentence=text)
        for name, axis in (("rows", settings.rows), ("columns", settings.columns))
        for text in _of_axis(axis)
    ]


def _of_axis(axis: WindowAxis) -> list[str]:
    sentences = [*_rounding(axis)]
    if unread := len(axis.unread):
        sentences.append(ngettext(
            "{n} of {size} input positions in this direction is in no window: its values change nothing.",
            "{n} of {size} input positions in this direction are in no window: their values change nothing.",
            unread, size=axis.input,
        ))  # fmt: skip
    if axis.dilation > 1 and axis.kernel > 1:
        sentences.append(ngettext(
            "The window skips one position between two that it reads.",
            "The window skips {n} positions between two that it reads.",
            axis.dilation - 1,
        ))  # fmt: skip
    if axis.span % 2 == 0:
        template = N_("The window reaches over {span} positions, an even number: its center lies between two "
                      "positions.")  # fmt: skip
        sentences.append(tr(template, span=axis.span))
    if axis.padding[0] != axis.padding[1]:
        before, after = axis.padding
        template = N_("The padding is uneven: {before} before and {after} after.")
        sentences.append(tr(template, before=before, after=after))
    return sentences


def _rounding(axis: WindowAxis) -> list[str]:
    """What becomes of a size that the stride does not divide."""
    padded = axis.input + sum(axis.padding)
    left = padded - (axis.output - 1) * axis.stride - axis.span
    exact = f"{(padded - axis.span) / axis.stride:.4g}"
    numbers = {"padded": padded, "span": axis.span, "stride": axis.stride, "exact": exact}
    if left > 0 and axis.ceil_mode:
        template = N_("({padded} − {span}) / {stride} = {exact} is rounded up, but the last window would "
                      "begin behind the input and is left out.")  # fmt: skip
        return [tr(template, **numbers)]
    if left > 0:
        return [ngettext(
            "({padded} − {span}) / {stride} = {exact} is rounded down: the last row or column, of {padded} "
            "with padding, is in no window.",
            "({padded} − {span}) / {stride} = {exact} is rounded down: the last {n} rows or columns, of "
            "{padded} with padding, are in no window.",
            left, **numbers,
        )]  # fmt: skip
    if left < 0:
        template = N_("({padded} − {span}) / {stride} = {exact} is rounded up: the last window reaches past "
                      "the end of the padded input.")  # fmt: skip
        return [tr(template, **numbers)]
    return []


def position(settings: Settings, row: int, column: int) -> str:
    """What an output position reads, and where its center lies, in sentences."""
    rows, columns = settings.rows.taps(row), settings.columns.taps(column)
    outside = _outside(settings, row, column)
    count = len(rows) * len(columns)
    sentences = [
        tr(
            "Output position ({row}, {column}) reads input rows {top} to {bottom} and columns {left} to "
            "{right}; its center is at row {middle_row}, column {middle_column}.",
            row=row, column=column, top=_index(rows[0]), bottom=_index(rows[-1]), left=_index(columns[0]),
            right=_index(columns[-1]), middle_row=_index((rows[0] + rows[-1]) / 2),
            middle_column=_index((columns[0] + columns[-1]) / 2),
        )
    ]  # fmt: skip
    if outside:
        sentences.append(
            ngettext(
                "Of its {count} positions, {n} is padding.",
                "Of its {count} positions, {n} are padding.",
                outside,
                count=count,
            )
        )
    return paragraph(sentences)


def about_input(settings: Settings) -> str:
    """The size of the padded input, and what its colors mean."""
    rows, columns = settings.rows, settings.columns
    size = {"height": rows.input + sum(rows.padding), "width": columns.input + sum(columns.padding)}
    if len(rows.unread) or len(columns.unread):
        return tr(
            "Padded input of {height} × {width} positions; hatched: padding; orange: in no window", **size
        )
    return tr("Padded input of {height} × {width} positions; hatched: padding", **size)


def _index(value: float) -> str:
    """The number of a position, below 0 in the padding; between two positions it has a half.

    >>> _index(3), _index(-1), _index(0.5)
    ('3', '−1', '0.5')
    """
    return f"{value:g}".replace("-", MINUS)


def _outside(settings: Settings, row: int, column: int) -> int:
    """How many positions of a window lie outside of the input."""
    inside = [
        int(((taps >= 0) & (taps < axis.input)).sum())
        for axis, taps in (
            (settings.rows, settings.rows.taps(row)),
            (settings.columns, settings.columns.taps(column)),
        )
    ]
    return settings.rows.kernel * settings.columns.kernel - inside[0] * inside[1]
