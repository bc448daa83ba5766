"""The steps after the convolution: what is added, normalization, activation, pooling."""

import numpy as np

from explorer.drawing import ranges
from explorer.drawing.ranges import equals, in_full
from explorer.engine.probe import ActStep, NormStep, PoolStep, PoolWindow, PositionProbe, ProbeStep
from explorer.ui import markup
from explorer.views.maps.matrix import fixed, matrix
from explorer.views.maps.step_html import as_shown, formula, result, signed_term, step_html
from explorer.views.maps.view import Position
from model.words import N_, ngettext, tr

MORE = 9  # windows that are not followed, with a line each


def between(before: float, after: float) -> str:
    """A change between two layers that no module makes, such as a skip's addition."""
    return step_html(
        tr("Between these layers"),
        markup.text(
            tr("The network changes the value here outside its layers, for example by a skip connection.")
        ),
        formula(f"{fixed(before)} {signed_term(after - before)}"),
        result(after, as_shown(before) + as_shown(after - before)),
    )


def step_html_of(step: ProbeStep, probe: PositionProbe) -> str:
    """Any step after the convolution as html."""
    if isinstance(step, NormStep):
        return normed(step)
    if isinstance(step, PoolStep):
        return pooled(step, (probe.row, probe.column))
    assert isinstance(step, ActStep)
    return activated(step)


def normed(step: NormStep) -> str:
    name = tr("BatchNorm") if "BatchNorm" in step.kind else step.kind
    mean = f"({fixed(step.mean)})" if step.mean < 0 else fixed(step.mean)
    spread = f"√({fixed(step.var)} + {in_full(step.eps)})"
    centered = as_shown(step.before) - as_shown(step.mean)
    z = centered / np.sqrt(as_shown(step.var) + step.eps)
    output = as_shown(step.normalized) * as_shown(step.weight) + as_shown(step.bias)
    return step_html(
        tr("{kind} · {layer}", kind=name, layer=step.layer),
        markup.text("z = (x − μ) / √(σ² + ε)", "muted"),
        formula(f"({fixed(step.before)} − {mean}) / {spread}"),
        formula(f"z {equals(z, fixed(step.normalized))} {fixed(step.normalized)}"),
        markup.text("z · γ + β", "muted"),
        formula(f"{fixed(step.normalized)} · {fixed(step.weight)} {signed_term(step.bias)}"),
        result(step.value, output),
    )


def activated(step: ActStep) -> str:
    title = tr("{kind} · {layer}", kind=step.kind, layer=step.layer)
    if step.kind != "ReLU":
        return step_html(title, formula(f"{step.kind}({fixed(step.before)})"), result(step.value))
    positive = step.before > 0
    text = tr("Positive: ReLU keeps it.") if positive else tr("Not positive: ReLU sets it to zero.")
    return step_html(title, markup.text(text), formula(f"max(0, {fixed(step.before)})"), result(step.value))


def pooled(step: PoolStep, here: Position) -> str:
    """The followed window with the position or the winner framed, its result, and the other windows."""
    window = step.followed
    range = ranges.shared(window.values, signed=bool(np.nanmin(window.values) < 0))
    framed = window.winner or here
    marked = [
        (i, j)
        for i, row in enumerate(window.rows.tolist())
        for j, column in enumerate(window.columns.tolist())
        if (row, column) == framed
    ]
    label = tr("The window of {layer}", layer=step.layer)
    picture = matrix(window.values, range, label, padding=window.padding, marked=marked)
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


def outcome(window: PoolWindow, step: PoolStep, here: Position) -> str:
    """The result of the pooling window in one or two sentences."""
    fields: dict[str, object] = {"size": " × ".join(map(str, window.values.shape)), "layer": step.layer}
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


def other_windows(step: PoolStep, here: Position) -> str:
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


def window_text(window: PoolWindow, here: Position) -> str:
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
