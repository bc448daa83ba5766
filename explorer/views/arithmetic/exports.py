"""What the page Convolution arithmetic offers for download: its drawing, its numbers and the chain."""

from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing.figures import Panel
from explorer.drawing.windows import output_map, padded_input
from explorer.engine.what_if import Chain
from explorer.ui.exports import downloads, export_parts
from explorer.ui.exports.downloads import Offer
from explorer.ui.exports.export_parts import Arrays
from explorer.ui.exports.snippets import joined
from explorer.ui.selection import Selection
from explorer.views.arithmetic import results
from explorer.views.arithmetic.settings import WhatIf
from model.words import N_, tr

Both = tuple[Chain, Chain] | None


READ = {
    "rows": (
        N_("the input rows that output row {index} reads (k,); others are padding"),
        N_("the input rows in no window (n,)"),
    ),
    "columns": (
        N_("the input columns that output column {index} reads (k,); others are padding"),
        N_("the input columns in no window (n,)"),
    ),
}


def show(selection: Selection, what_if: WhatIf, position: tuple[int, int], both: Both) -> None:
    downloads.show(partial(offer, selection, what_if, position, both))


def offer(selection: Selection, what_if: WhatIf, position: tuple[int, int], both: Both) -> Offer:
    here = what_if.here
    padded = partial(padded_input, here.rows, here.columns, *position)
    made = partial(output_map, here.rows, here.columns, *position)
    tables = {tr("Numbers"): lambda: numbers(what_if, both)}
    if both is not None:
        tables[tr("Layers")] = lambda: layers(*both)
    return Offer(
        name=f"arithmetic {what_if.layer}".strip(),
        caption=caption(selection, what_if, position),
        pictures={tr("padded input"): padded, tr("output"): made},
        tables=tables,
        arrays=lambda: arrays(what_if, position),
        figure=lambda: [Panel(padded(), results.about_input(here)), Panel(made(), tr("Output"))],
        snippet=program(what_if),
        printed=tr(
            "It prints the output’s rows, columns and the number of parameters: {rows} {columns} "
            "{parameters}.",
            rows=here.rows.output, columns=here.columns.output, parameters=here.parameters,
        ),
    )  # fmt: skip


def caption(selection: Selection, what_if: WhatIf, position: tuple[int, int]) -> str:
    """The layer with its settings, the position, and the checkpoint with its digest."""
    here, axis = what_if.here, what_if.here.rows
    template = tr(
        "rows: size {size}, kernel {kernel}, stride {stride}, padding {padding}, dilation {dilation}",
        size=axis.input, kernel=axis.kernel, stride=axis.stride, padding=axis.padding[0],
        dilation=axis.dilation,
    )  # fmt: skip
    parts = [template, results.size_formula(here), results.position(here, *position)]
    if what_if.layer:
        parts.append(export_parts.caption(selection, layer=what_if.layer, target=""))
    return " · ".join(parts)


def numbers(what_if: WhatIf, both: Both) -> pd.DataFrame:
    """The page's table of numbers, one row for each quantity."""
    before, after = both or (None, None)
    columns = ["quantity", "in_network" if what_if.layer else "at_first", "here", "computation"]
    return pd.DataFrame(results.rows(what_if, before, after), columns=columns)


def layers(before: Chain, after: Chain) -> pd.DataFrame:
    """One row for each layer with a window, of the network as it is and with the change."""
    rows = []
    for state, chain in (("in_network", before), ("here", after)):
        for each in chain.layers:
            sizes = {"rows": each.size[0], "columns": each.size[1]}
            fields = {"field_rows": each.field[0], "field_columns": each.field[1], "exact": each.exact}
            rows.append({"state": state, "layer": each.layer, "kind": each.kind} | sizes | fields)
    return pd.DataFrame(rows)


def arrays(what_if: WhatIf, position: tuple[int, int]) -> Arrays:
    here = what_if.here
    described: Arrays = {}
    for side, axis, index in (("rows", here.rows, position[0]), ("columns", here.columns, position[1])):
        read, unread = READ[side]
        described[f"read_{side}"] = (axis.taps(index), tr(read, index=index))
        described[f"unread_{side}"] = (axis.unread, tr(unread))
    described["output_size"] = (
        np.array([here.rows.output, here.columns.output]), tr("rows and columns of the output (2,)")
    )  # fmt: skip
    return described


def program(what_if: WhatIf) -> str:
    """A program that prints the output's size and the number of parameters."""
    here = what_if.here
    axes = [
        f"{name} = window({axis.input}, {axis.kernel}, {axis.stride}, {axis.padding}, {axis.dilation}, "
        f"{axis.ceil_mode})"
        for name, axis in (("rows", here.rows), ("columns", here.columns))
    ]
    made = f"Settings({here.kind!r}, rows, columns, {here.channels}, {here.groups}, {here.bias})"
    imports = [
        "from explorer.engine.arithmetic import Settings",
        "from explorer.engine.geometry import window",
    ]
    lines = [*axes, f"layer = {made}", "print(rows.output, columns.output, layer.parameters)"]
    return joined(imports, lines)
