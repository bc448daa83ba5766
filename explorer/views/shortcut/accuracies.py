"""Accuracies with the mark of the class, with that of another class and without one, as a table."""

from collections.abc import Sequence

from explorer.drawing.ranges import percent
from explorer.engine.intervals import interval
from explorer.engine.shortcut import CONDITIONS, ShortcutAccuracy
from explorer.engine.shortcut_curve import ShortcutCurve
from explorer.ui.markdown import literal
from explorer.views.shortcut.marked import Networks
from model.words import tr

BREAK = "\N{ZERO WIDTH SPACE}"  # where a line of Chinese, which has no space there, may end


def of_networks(networks: Networks, curve: ShortcutCurve) -> str:
    """The table of those of both networks that the curve's file has, as Markdown; "" where it has none."""
    rows = [
        (opened.name, [curve.shipped[opened.checkpoint.digest]])
        for opened in (networks.control, networks.shortcut)
        if opened.checkpoint.digest in curve.shipped
    ]
    return table(rows) if rows else ""


def table(rows: Sequence[tuple[str, Sequence[ShortcutAccuracy]]]) -> str:
    """Rows of a name and measures, whose mean is shown; a single one has its 95% interval. Markdown."""
    head = ["", *(tr(name) for name in CONDITIONS.values()), tr("Follows the wrong mark")]
    lines = [head, ["---"] * len(head), *([literal(name), *_cells(each)] for name, each in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(measures: Sequence[ShortcutAccuracy]) -> list[str]:
    counts = [[one.correct[name] for one in measures] for name in CONDITIONS]
    return [_cell(each, measures[0].n) for each in (*counts, [one.followed for one in measures])]


def _cell(counts: Sequence[int], n: int) -> str:
    value = sum(counts) / len(counts) / n
    if len(counts) > 1:
        return percent(value)
    low, high = interval(value, n)
    text = tr("**{value}** ({low} to {high})", value=percent(value), low=percent(low), high=percent(high))
    return text.replace("**（", f"{BREAK}**（")  # before it, else it would not end the bold text
