"""The measured curve: accuracy and evidence by the fraction of training scenes whose mark told the class."""

import streamlit as st

from explorer.drawing.ranges import percent
from explorer.engine.intervals import interval
from explorer.engine.shortcut import CONDITIONS
from explorer.engine.shortcut_curve import ShortcutCurve, fractions_correct
from explorer.ui import markup, panels
from explorer.ui.markdown import code
from explorer.views.shortcut import charts
from explorer.views.shortcut.charts import Networks
from model.words import N_, paragraph, tr


def show(curve: ShortcutCurve) -> None:
    left, right = st.columns(2, gap="large")
    drawn = {left: charts.accuracy(curve), right: charts.evidence(curve)}
    for column, title in ((left, tr("Accuracy")), (right, tr("Grad-CAM on the mark"))):
        with column:
            st.markdown(f"**{title}**")
            markup.show(panels.legend(drawn[column]))
            panels.chart(drawn[column])
    for text in meaning(curve):
        st.markdown(text)
    st.caption(about(curve))


def meaning(curve: ShortcutCurve) -> list[str]:
    """What the two ends of the curve say, as Markdown."""
    control, always = curve.at(0.0), curve.at(1.0)
    texts = []
    if control:
        template = N_(
            "**Control at 0%**, where the marks are those of random classes: accuracy {own} with the mark of "
            "the class, {wrong} with another, {none} without. The 95% intervals of the first two overlap, "
            "so no use of the mark can be measured."
        )
        if uses_mark(control):
            template = N_(
                "**Control at 0%**, where the marks are those of random classes: accuracy {own} with the "
                "mark of the class, {wrong} with another, {none} without. The 95% intervals of the first two "
                "do not overlap, although the marks said nothing of the class."
            )
        texts.append(tr(template, **accuracies(control)))
    if always:
        template = N_(
            "**At 100%**, where the mark is always that of the class: accuracy {own} with the mark of the "
            "class, {wrong} with another, {none} without. A test set with the same marks shows the first "
            "number only."
        )
        texts.append(tr(template, **accuracies(always)))
    if between := [fraction for fraction in curve.fractions if 0 < fraction < 1]:
        texts.append(little_evidence(between[-1], curve.at(between[-1])))
    return texts


def little_evidence(fraction: float, networks: Networks) -> str:
    """How the accuracy and the heat on the mark compare at one fraction, as Markdown."""
    positive, area = (
        percent(sum(getattr(each.on_mark, name) for each in networks) / len(networks))
        for name in ("positive", "area")
    )
    return tr(
        "**At {fraction}** the accuracy is {own} with the mark of the class and {wrong} with another, and "
        "{positive} of Grad-CAM’s positive evidence is on the mark (an even map: {area}). The accuracies "
        "tell how much the network uses the mark; the heat map does not.",
        fraction=percent(fraction, 0),
        positive=positive,
        area=area,
        **accuracies(networks),
    )


def accuracies(networks: Networks) -> dict[str, str]:
    """The mean accuracy in each condition, as text."""
    return {name: percent(mean_correct(networks, name)) for name in CONDITIONS}


def mean_correct(networks: Networks, condition: str) -> float:
    return sum(fractions_correct(networks, condition)) / len(networks)


def uses_mark(networks: Networks) -> bool:
    """Whether true marks are better than wrong ones by more than the intervals of both."""
    n = sum(each.accuracy.n for each in networks)
    own, wrong = (mean_correct(networks, name) for name in ("own", "wrong"))
    return interval(own, n)[0] > interval(wrong, n)[1]


ONE_SEED = N_(
    "Measured once by {command}: the course’s network and recipe, {epochs} epochs, one seed, on "
    "{count:,} test scenes. Grad-CAM of the class at {layer}: mean over the scenes with the mark of "
    "their class. Every training scene has a mark, at 0% that of a random class."
)
SEEDS = N_(  # not the plural of the other, which Chinese does not have
    "Measured once by {command}: the course’s network and recipe, {epochs} epochs, {seeds} seeds (line: "
    "mean, band: least to largest), on {count:,} test scenes. Grad-CAM of the class at {layer}: mean "
    "over the scenes with the mark of their class. Every training scene has a mark, at 0% that of "
    "a random class."
)


def about(curve: ShortcutCurve) -> str:
    """How the curve was measured, as Markdown."""
    seeds = len({each.seed for each in curve.networks})
    epochs = min(each.epochs for each in curve.networks)
    longer = [
        tr(
            "The network of seed {seed} at {fraction} has {epochs} epochs.",
            seed=one.seed,
            fraction=f"{one.fraction:.0%}",
            epochs=one.epochs,
        )
        for one in curve.networks
        if one.epochs != epochs
    ]
    measured = tr(
        ONE_SEED if seeds == 1 else SEEDS,
        seeds=seeds,
        command=code(curve.command),
        epochs=epochs,
        count=curve.networks[0].accuracy.n,
        layer=code(curve.layer),
    )
    return paragraph([measured, *longer])
