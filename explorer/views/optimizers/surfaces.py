"""A surface of two numbers, and the steps of the optimizers on it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from explorer.drawing.chart import LineChart
from explorer.drawing.ranges import in_decimals
from explorer.engine.descent import SURFACES, VARIANTS, Path, Surface
from explorer.ui import cached, choices, link, markup, panels
from explorer.ui.frame import presentation
from explorer.views.optimizers import charts
from model.words import N_, paragraph, tr

OUTSIDE = N_(
    "Points outside the drawing, and losses above twice that of the start, are left "
    "out. Adam lies under AdamW where their steps are nearly the same."
)
SCALES = N_(
    "The two axes have different scales, and their lengths follow the width of the page: a bowl that is "
    "drawn round can be long."
)
USUAL = {
    "bowl": {"sgd": 0.08, "momentum": 0.02, "rmsprop": 0.05, "adam": 0.2, "adamw": 0.2},
    "saddle": {"sgd": 0.1, "momentum": 0.05, "rmsprop": 0.05, "adam": 0.1, "adamw": 0.1},
}
LARGEST_RATE = 10.0
MOST_STEPS = 500
WIDTH = 168  # pixels of a field: five beside one another, or two on a phone


@dataclass(frozen=True, eq=False)
class Descents:
    """The paths of the chosen optimizers on a surface, by name, with their rates and the charts."""

    name: str
    rates: Mapping[str, float]
    steps: int
    paths: Mapping[str, Path]
    charts: Mapping[str, LineChart]

    @property
    def surface(self) -> Surface:
        return SURFACES[self.name]


def show() -> Descents:
    st.header(tr("Optimizers on a surface of two numbers"), anchor=False)
    with st.container(horizontal=True):
        titles = {name: tr(surface.title) for name, surface in SURFACES.items()}
        name = choices.choice(tr("Surface"), titles, "toy")
        steps = link.number(tr("Steps"), 1, MOST_STEPS, "toy_steps", 60, width=presentation.pixels(WIDTH))
    variants = {key: tr(variant.title) for key, variant in VARIANTS.items()}
    chosen = link.several(
        st.multiselect, tr("Optimizers"), list(variants), "toy_opt", list(variants),
        format_func=variants.get,
    )  # fmt: skip
    with st.container(horizontal=True):
        rates = {each: _rate(name, each) for each in VARIANTS if each in chosen}
    paths = {each: cached.descent_path(each, name, rate, steps) for each, rate in rates.items()}
    surface = SURFACES[name]
    drawn = {"surface": charts.on_surface(surface, paths), "losses": charts.losses(surface, paths)}
    descents = Descents(name, rates, steps, paths, drawn)
    draw(descents)
    return descents


def _rate(surface: str, variant: str) -> float:
    """An optimizer's rate; each surface has one of its own."""
    label = tr("Rate: {optimizer}", optimizer=tr(VARIANTS[variant].title))
    return link.decimal(
        label,
        0.0001,
        LARGEST_RATE,
        f"toy_{surface}_{variant}",
        USUAL[surface][variant],
        width=presentation.pixels(WIDTH),
    )


def draw(descents: Descents) -> None:
    surface = descents.surface
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown(tr("**{title}**: loss = {formula}", title=tr(surface.title), formula=surface.formula))
        markup.show(panels.legend(descents.charts["surface"]))
        panels.chart(descents.charts["surface"])
    with right:
        st.markdown(tr("**Loss** after every step"))
        markup.show(panels.legend(descents.charts["losses"]))
        panels.chart(descents.charts["losses"])
    st.caption(paragraph([tr(surface.about), tr(SCALES), tr(OUTSIDE)]))
    markup.show(markup.element("div", table(descents), cls="fx-wrapped"))
    st.markdown(
        tr(
            "**A surface of two numbers does not tell which optimizer is better for a network.** It shows "
            "how each makes its steps. A network has millions of weights, its gradients are of batches and "
            "change from step to step, and which optimizer does best there also depends on the rate, the "
            "scheduler and the time spent on choosing them."
        )
    )


def table(descents: Descents) -> str:
    """A row for every optimizer: its rate, its step, and where it is after the last."""
    heads = (tr("optimizer"), tr("rate"), tr("one step of gradient g and rate η"), tr("ends at"), tr("loss"))
    last = [one for one in descents.paths.values() if one.steps == descents.steps]
    place = in_decimals(float(value) for one in last for value in one.points[-1])
    loss = in_decimals(float(one.losses[-1]) for one in last)
    return markup.table(heads, [row(descents, name, place, loss) for name in descents.paths])


def row(
    descents: Descents, name: str, place: Callable[[float], str], loss: Callable[[float], str]
) -> list[str]:
    """The cells of an optimizer; `place` writes coordinates, `loss` losses, as in the other rows."""
    one, variant = descents.paths[name], VARIANTS[name]
    rate = f"{descents.rates[name]:g}"
    if one.steps < descents.steps:
        left = tr("diverges: beyond every bound after {steps} steps", steps=one.steps + 1)
        return [tr(variant.title), rate, tr(variant.step), left, "–"]
    x, y = (place(float(value)) for value in one.points[-1])
    return [tr(variant.title), rate, tr(variant.step), f"({x}, {y})", loss(float(one.losses[-1]))]
