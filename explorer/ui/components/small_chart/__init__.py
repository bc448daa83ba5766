"""A small chart that the server has drawn: a tip for each of its columns, and a click that chooses one."""

from collections.abc import Callable
from dataclasses import astuple

import streamlit as st

from explorer.drawing.small_chart import SmallChart
from explorer.ui.components.beside import component

# Without a style of its own: the page's style sheet holds for it.
_CHART = component(__file__, isolate_styles=False)


def small_chart(
    chart: SmallChart, height: int, key: str, on_choose: Callable[[int], None] | None = None
) -> None:
    """Show a chart `height` pixels high; `on_choose` is called with the index of a column that is clicked."""
    data = {
        "xhtml": chart.xhtml,
        "titles": chart.titles,
        "columns": [astuple(column) for column in chart.columns],
        "chooses": on_choose is not None,
    }

    def report() -> None:
        index = (st.session_state.get(key) or {}).get("column")  # the browser may send anything
        if on_choose is not None and type(index) is int and 0 <= index < len(chart.columns):
            on_choose(index)

    _CHART(key=key, data=data, height=height, on_column_change=report)
