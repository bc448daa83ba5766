"""Which maps are shown: methods, with the layer, the baseline and the settings that each of them asks for."""

from collections.abc import Collection
from dataclasses import dataclass

import streamlit as st

from explorer.engine.attribution import METHODS, Method
from explorer.engine.attribution.baseline import BASELINES
from explorer.ui import cached, choices, link, markup
from explorer.ui.frame import checkup
from explorer.ui.markdown import literal
from explorer.ui.selection import Selection
from model.problems import Problem
from model.words import ngettext, paragraph, tr

AT_FIRST = (
    "grad_cam",
    "layer_cam",
    "ablation_cam",
    "input_x_gradient",
    "integrated_gradients",
    "occlusion",
)


@dataclass(frozen=True)
class MapChoice:
    """One map: a method of METHODS, and what it is asked with; None for what it does not ask for."""

    method: str
    layer: str | None = None
    baseline: str | None = None
    settings: tuple[tuple[str, float], ...] = ()

    @property
    def record(self) -> Method:
        return METHODS[self.method]

    @property
    def title(self) -> str:
        """The method's name, and the layer it explains."""
        title = tr(self.record.title)
        return title if self.layer is None else tr("{method} at {layer}", method=title, layer=self.layer)

    @property
    def value(self) -> tuple[object, ...]:
        """All of it, for a key."""
        return (self.method, self.layer, self.baseline, self.settings)


def choose(selection: Selection) -> list[MapChoice]:
    """The maps by the visitor's choices; methods that this network does not allow are listed with why."""
    box = st.container()
    layer = choose_layer(selection)
    problems = cached.method_problems(selection.network, selection.input, layer)
    allowed = [name for name in METHODS if name not in problems]
    with box:
        methods = choose_methods(allowed)
    list_others(problems)
    if layer is None and (reason := checkup.reason_without_maps(selection.opened)):
        st.caption(literal(reason))
    baseline, settings = choose_settings(methods)
    return [map_choice(method, layer, baseline, settings.get(method, ())) for method in methods]


def map_choice(
    method: str, layer: str | None, baseline: str, settings: tuple[tuple[str, float], ...]
) -> MapChoice:
    """The choices that a method's record asks for."""
    record = METHODS[method]
    return MapChoice(
        method,
        layer if record.needs_layer else None,
        baseline if record.baseline == "image" else None,
        settings,
    )


def choose_layer(selection: Selection) -> str | None:
    """The layer that class activation maps explain, at first the activation of the last block."""
    if not selection.blocks:
        return None
    with st.container(horizontal=True, key="attributed"):
        *_, layer = choices.choose_layer(selection, "att_", first_block=choices.last_block(selection))
    return layer


def choose_methods(allowed: Collection[str]) -> list[str]:
    at_first = [name for name in AT_FIRST if name in allowed] or list(allowed)[:1]
    names = {name: tr(METHODS[name].title) for name in METHODS}
    chosen = link.several(
        st.multiselect, tr("Methods"), list(allowed), "methods", at_first, format_func=names.get
    )
    return [name for name in METHODS if name in chosen]


def list_others(problems: dict[str, Problem]) -> None:
    """The methods that cannot explain this network or this layer, each with the reason."""
    if not problems:
        return
    count = len(problems)
    with st.expander(ngettext("{n} method is not possible here", "{n} methods are not possible here", count)):
        rows = [
            markup.element(
                "p",
                markup.text(tr(METHODS[name].title), "strong", tag="span"),
                " ",
                markup.text(str(problem), tag="span"),
            )
            for name, problem in problems.items()
        ]
        markup.show(*rows)


def choose_settings(methods: Collection[str]) -> tuple[str, dict[str, tuple[tuple[str, float], ...]]]:
    """The baseline, and the settings of each method, in an expander; nothing is asked for in vain."""
    with_baseline = [name for name in methods if METHODS[name].baseline == "image"]
    with_settings = [name for name in methods if METHODS[name].parameters]
    baseline = next(iter(BASELINES))
    if not with_baseline and not with_settings:
        return baseline, {}
    with st.expander(tr("Baseline and settings")):
        if with_baseline:
            baseline = choose_baseline(with_baseline)
        return baseline, {name: settings_of(name) for name in with_settings}


def choose_baseline(methods: Collection[str]) -> str:
    names = {name: tr(each.title) for name, each in BASELINES.items()}
    baseline = choices.choice(tr("Baseline"), names, "baseline")
    titles = tr(", ").join(tr(METHODS[name].title) for name in methods)
    used = tr("{methods} compare the image with it.", methods=titles)
    st.caption(paragraph([tr(BASELINES[baseline].summary), used]))
    return baseline


def settings_of(method: str) -> tuple[tuple[str, float], ...]:
    """The settings of a method, as its record bounds them."""
    record, chosen = METHODS[method], {}
    columns = st.columns(2)
    for column, (name, known) in zip(columns, record.parameters.items(), strict=False):
        label = tr("{method}: {setting}", method=tr(record.title), setting=tr(known.title))
        with column:
            chosen[name] = link.decimal(label, known.low, known.high, f"{method}_{name}", known.default)
    return tuple(chosen.items())
