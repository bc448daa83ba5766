"""Which layer's arithmetic is looked at, and the settings that the visitor gives it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import streamlit as st

from explorer.engine.arithmetic import FREE, Settings, changed_axis, check, with_ceil
from explorer.engine.geometry import WindowAxis, window
from explorer.ui import choices, link, markup
from explorer.ui.frame import presentation
from model.problems import Problem
from model.words import N_, tr

LARGEST = {"size": 512, "kernel": 15, "stride": 16, "padding": 16, "dilation": 16}
LABELS = {
    "size": N_("Input size"),
    "kernel": N_("Kernel"),
    "stride": N_("Stride"),
    "padding": N_("Padding"),
    "dilation": N_("Dilation"),
}
SIDES = {"rows": N_("Rows"), "columns": N_("Columns")}
MOST_CHANNELS = 4096
WIDTH = 132  # pixels of a field


@dataclass(frozen=True)
class WhatIf:
    """A layer, "" for one of no network, its settings `in_network`, and those that the visitor gave it."""

    layer: str
    in_network: Settings
    here: Settings

    @property
    def at_own_size(self) -> Settings | None:
        """These settings on the input that the layer has in the network, with its own channels; None where
        they give no output there."""
        own = self.in_network
        rows, columns = (
            window(axis.input, given.kernel, given.stride, given.padding, given.dilation, given.ceil_mode)
            for axis, given in ((own.rows, self.here.rows), (own.columns, self.here.columns))
        )
        settings = replace(own, rows=rows, columns=columns)
        try:
            check(settings)
        except Problem:
            return None
        return settings


def choose(every: Mapping[str, Settings], network: str) -> WhatIf:
    """A layer of the network by its name, one of no network where it has none, and other settings for it."""
    layer, in_network = "", FREE
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if every:
            names = {name: f"{name} · {_kind(settings)}" for name, settings in every.items()}
            layer = choices.pick(tr("Layer"), names, "cv_layer", width=320)
            in_network = every[layer]
        _start_anew(in_network, f"{network} {layer}")
        reset = st.empty()
    here = _settings(in_network)
    _limits(in_network)
    label = tr("As in the network") if layer else tr("Initial settings")
    reset.button(
        label, icon=":material/undo:", key="cv_reset", disabled=here == in_network,
        on_click=_reset, args=(in_network,),
    )  # fmt: skip
    return WhatIf(layer, in_network, here)


def _kind(settings: Settings) -> str:
    """What a layer is, as `Conv2d 3×3`."""
    kinds = {"conv": "Conv2d", "max": "MaxPool2d", "avg": "AvgPool2d"}
    return f"{kinds[settings.kind]} {settings.rows.kernel}×{settings.columns.kernel}"


def _start_anew(in_network: Settings, layer: str) -> None:
    """Begin with the settings of the layer where another one was chosen than in the last run."""
    former = st.session_state.get("_cv_layer", layer)
    st.session_state["_cv_layer"] = layer
    if former != layer and not link.came_back():
        _reset(in_network)


def _reset(in_network: Settings) -> None:
    for key, value in _defaults(in_network).items():
        link.change(key, value)


def _defaults(settings: Settings) -> dict[str, str]:
    """Key of every field → its value for these settings."""
    sides = {"": settings.rows, "_rows": settings.rows, "_columns": settings.columns}
    fields = {
        f"cv_{name}{suffix}": str(value)
        for suffix, axis in sides.items()
        for name, value in _numbers(axis).items()
    }
    inside, outside = settings.channels
    return fields | {
        "cv_in": str(inside), "cv_out": str(outside), "cv_groups": str(settings.groups),
        "cv_ceil": _rounding(settings), "cv_row": "0", "cv_column": "0",
    }  # fmt: skip


def _numbers(axis: WindowAxis) -> dict[str, int]:
    return {
        "size": axis.input,
        "kernel": axis.kernel,
        "stride": axis.stride,
        "padding": axis.padding[0],
        "dilation": axis.dilation,
    }


def _settings(start: Settings) -> Settings:
    """The settings as the visitor changed them."""
    with st.container(horizontal=True, key="arithmetic"):
        if start.square:
            rows = columns = _axis(start, start.rows, "", "")
        else:
            rows = _axis(start, start.rows, "_rows", tr(SIDES["rows"]))
            columns = _axis(start, start.columns, "_columns", tr(SIDES["columns"]))
        here = replace(start, rows=rows, columns=columns)
        return _channels(here) if start.kind == "conv" else _rounded(here)


def _axis(start: Settings, axis: WindowAxis, suffix: str, side: str) -> WindowAxis:
    values = _numbers(axis)
    if start.kind == "avg":  # it has no dilation
        del values["dilation"]
    fields = {
        name: _number(
            _label(tr(LABELS[name]), side), _low(name), _high(name, axis),
            f"cv_{name}{suffix}", value, WIDTH if not side else 150,
        )
        for name, value in values.items()
    }  # fmt: skip
    return changed_axis(axis, **{"dilation": 1} | fields)


LIMIT = N_("{setting}: enter a whole number from {low} to {high}; the number in red is not used.")


def _limits(start: Settings) -> None:
    """What each field takes; the style sheet shows the sentence of one that is red."""
    ends = {
        name: (tr(LABELS[name]), _low(name), max(_high(name, axis) for axis in (start.rows, start.columns)))
        for name in _numbers(start.rows)
    }
    inside, outside = start.channels
    ends |= {
        "in": (tr("Channels in"), 1, max(MOST_CHANNELS, inside)),
        "out": (tr("Channels out"), 1, max(MOST_CHANNELS, outside)),
    }
    sentences = (
        markup.text(tr(LIMIT, setting=label, low=low, high=f"{high:,}"), f"fx-limit cv_{name}")
        for name, (label, low, high) in ends.items()
    )
    markup.show(*sentences)


def _low(name: str) -> int:
    return 0 if name == "padding" else 1


def _high(name: str, axis: WindowAxis) -> int:
    return max(LARGEST[name], _numbers(axis)[name])


def _label(name: str, side: str) -> str:
    return tr("{side}: {setting}", side=side, setting=name.lower()) if side else name


def _channels(settings: Settings) -> Settings:
    inside, outside = settings.channels
    most = max(MOST_CHANNELS, inside, outside)
    inside = _number(tr("Channels in"), 1, most, "cv_in", inside)
    outside = _number(tr("Channels out"), 1, most, "cv_out", outside)
    groups = _number(tr("Groups"), 1, max(inside, settings.groups), "cv_groups", settings.groups)
    return replace(settings, channels=(inside, outside), groups=groups)


def _rounded(settings: Settings) -> Settings:
    names = {"floor": tr("down"), "ceil": tr("up")}
    return with_ceil(
        settings, choices.choice(tr("Rounding"), names, "cv_ceil", _rounding(settings)) == "ceil"
    )


def _rounding(settings: Settings) -> str:
    return "ceil" if settings.rows.ceil_mode else "floor"


def choose_position(settings: Settings) -> tuple[int, int]:
    """The output position whose window is drawn; at first the one in the corner."""
    with st.container(horizontal=True):
        row = _number(tr("Output row"), 0, settings.rows.output - 1, "cv_row", 0)
        column = _number(tr("Output column"), 0, settings.columns.output - 1, "cv_column", 0)
    return row, column


def _number(label: str, low: int, high: int, key: str, value: int, width: int = WIDTH) -> int:
    return link.number(label, low, high, key, value, width=presentation.pixels(width))
