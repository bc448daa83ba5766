"""A confusion matrix whose cells, rows and columns can be chosen with the pointer or the keyboard."""

from collections.abc import Callable, Sequence

import streamlit as st

from explorer.drawing.ranges import percent
from explorer.engine.values import Integers
from explorer.ui.components.beside import component
from model.words import ngettext, tr

__all__ = ["Cell", "confusion_matrix"]

Cell = tuple[int | None, int | None]
"""The true and the predicted class of images, None for all of them."""

_MATRIX = component(__file__)


def confusion_matrix(
    table: Integers,
    names: Sequence[str],
    classes: Sequence[int],
    *,
    key: str,
    percents: bool,
    chosen: Cell,
    on_choose: Callable[[Cell], None],
) -> None:
    """Show the rows and columns `classes` of a table int (K, K), the images of each class by prediction.

    Cells show counts, or how many percent of their row's class they are. `on_choose` is called with the cell
    that is clicked, or with a row's class, or a column's, alone.
    """
    data = {
        "label": tr("Confusion matrix"),
        "rows": tr("true class"),
        "columns": tr("predicted class"),
        "names": [names[k] for k in classes],
        "row_tips": [_row_tip(names[k], int(table[k].sum())) for k in classes],
        "column_tips": [_column_tip(names[k], int(table[:, k].sum())) for k in classes],
        "cells": [[_cell(table, names, row, column, percents) for column in classes] for row in classes],
        "chosen": [_place(classes, chosen[0]), _place(classes, chosen[1])],
    }

    def report() -> None:
        cell = (st.session_state.get(key) or {}).get("cell")  # the browser may send anything
        if _is_cell(cell, len(classes)):
            on_choose(tuple(None if place < 0 else classes[place] for place in cell))  # type: ignore[arg-type]

    _MATRIX(key=key, data=data, on_cell_change=report)


def _is_cell(cell: object, count: int) -> bool:
    return (
        isinstance(cell, list)
        and len(cell) == 2
        and all(type(place) is int and -1 <= place < count for place in cell)
    )


def _place(classes: Sequence[int], chosen: int | None) -> int:
    """Where a class is; −1 for all classes, −2 for one that is not shown."""
    if chosen is None:
        return -1
    return classes.index(chosen) if chosen in classes else -2


def _cell(
    table: Integers, names: Sequence[str], row: int, column: int, percents: bool
) -> tuple[str, str, float]:
    """What a cell shows, what it says, and how strongly it is colored: by its part of the row's class."""
    count, total = int(table[row, column]), int(table[row].sum())
    part = count / total if total else 0.0
    text = (f"{100 * part:.0f}" if part >= 0.095 else f"{100 * part:.1f}") if percents else f"{count:,}"
    tip = ngettext(
        "{true} predicted as {predicted}: {n:,} image, {percent} of the class {true}",
        "{true} predicted as {predicted}: {n:,} images, {percent} of the class {true}",
        count,
        true=names[row],
        predicted=names[column],
        percent=percent(part),
    )
    return (text if count else ""), tip, round(part, 4)


def _row_tip(name: str, count: int) -> str:
    return ngettext("{n:,} image of the class {name}", "{n:,} images of the class {name}", count, name=name)


def _column_tip(name: str, count: int) -> str:
    return ngettext("{n:,} image predicted as {name}", "{n:,} images predicted as {name}", count, name=name)
