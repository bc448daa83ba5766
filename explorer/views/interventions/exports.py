"""What the page “Interventions” offers for download."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from explorer.drawing import figures, ranges
from explorer.drawing.chart import LineChart, PointChart
from explorer.drawing.figures import Panel
from explorer.drawing.ranges import before_and_after, number
from explorer.engine.effects import Effects
from explorer.engine.intervention import How
from explorer.engine.smallest_set import GreedySearch
from explorer.engine.values import Floats
from explorer.ui.exports import downloads, export_parts
from explorer.ui.exports.downloads import Offer, Pictures
from explorer.ui.exports.export_parts import Arrays
from explorer.ui.exports.snippets import program
from explorer.ui.selection import Selection
from explorer.views.interventions import before_after, covering, marks
from explorer.views.interventions.before_after import BeforeAfter
from model.words import N_, tr

if TYPE_CHECKING:
    from explorer.views.interventions.channels import Intervened
    from explorer.views.interventions.occlusion import Occluded

CHANGED: dict[How, str] = {
    "zero": N_("Channels set to zero: {channels}."),
    "mean": N_("Channels set to their mean: {channels}."),
    "scale": N_("Channels multiplied by {factor}: {channels}."),
}


def channels(selection: Selection, made: "Intervened") -> None:
    """The prediction and the heat maps with marked channels changed."""
    downloads.show(partial(channels_offer, selection, made))


def channels_offer(selection: Selection, made: "Intervened") -> Offer:
    both, target = made.both, selection.target
    lines = [
        f"changes = [{', '.join(map(repr, made.changes))}]",
        "made = intervene(net, x, changes)",
        f"print(made.logits[{target}], made.changed[{target}])  # {selection.card.classes[target]!r}",
    ]
    imports = ["from explorer.engine.intervention import Change, intervene"]
    return Offer(
        name=f"intervention {selection.sample.name}",
        caption=" · ".join([caption(selection, both), *changed(made)]),
        pictures=pictures(selection, both),
        tables={tr("Classes"): partial(classes, selection, both)},
        arrays=partial(arrays, selection, both),
        figure=partial(figure, selection, both),
        snippet=program([selection], imports, lines),
        printed=logits_printed(selection, both),
    )


def changed(made: "Intervened") -> list[str]:
    """What was done to which channels, in a sentence, unless nothing was."""
    if not made.changes:
        return []
    channels = tr("; ").join(marks.by_layer(made.marks))
    first = made.changes[0]
    return [tr(CHANGED[first.how], factor=number(first.factor), channels=channels)]


def logits_printed(selection: Selection, both: BeforeAfter) -> str:
    """The logits that the program prints, with the digits that the page shows."""
    target = selection.target
    before, after, _ = before_and_after(both.before.logits[target], both.after.logits[target])
    return tr(
        "It prints the logit of {name} before and after: {before} and {after}.",
        name=selection.target_name,
        before=before,
        after=after,
    )


def caption(selection: Selection, both: BeforeAfter) -> str:
    shared = ranges.text(both.range, tr("shared scale for both maps"))
    return export_parts.caption(selection, method="Grad-CAM", layer=both.layer, range=shared)


def classes(selection: Selection, both: BeforeAfter) -> pd.DataFrame:
    """One row per class: its logit and probability before and after."""
    rows = {
        "class": selection.card.classes,
        "logit_before": both.before.logits,
        "logit_after": both.after.logits,
        "probability_before": both.before.probabilities,
        "probability_after": both.after.probabilities,
    }
    return pd.DataFrame(rows).sort_values("probability_after", ascending=False, kind="stable")


def heats(both: BeforeAfter) -> dict[str, Floats]:
    """Title → heat map (h, w), where there is one."""
    each = {tr("before"): both.before.heat, tr("after"): both.after.heat}
    return {title: heat for title, heat in each.items() if heat is not None}


def pictures(selection: Selection, both: BeforeAfter) -> Pictures:
    named = {before_after.BEFORE: both.before.heat, before_after.AFTER: both.after.heat}
    drawn = {
        tr(name): partial(before_after.over, selection, both, heat)
        for name, heat in named.items()
        if heat is not None
    }
    return drawn | export_parts.the_image(selection)


def arrays(selection: Selection, both: BeforeAfter) -> Arrays:
    changed: Arrays = {
        "logits_after": (both.after.logits, tr("logits with the change (K,)")),
        "probabilities_after": (both.after.probabilities, tr("probabilities with the change (K,)")),
    }
    for name, heat in (("before", both.before.heat), ("after", both.after.heat)):
        if heat is not None:
            changed[f"heat_{name}"] = (heat, tr("Grad-CAM (h, w) at {layer}, raw values", layer=both.layer))
    return export_parts.input_arrays(selection) | changed


def figure(selection: Selection, both: BeforeAfter) -> list[Panel]:
    scale = tr("shared scale for both maps")
    make = partial(export_parts.printed, selection) if both.pixels is None else Panel
    panels = [
        make(before_after.over(selection, both, heat), title, both.range, scale, True)
        for title, heat in heats(both).items()
    ]
    return [export_parts.printed(selection, selection.sample.pixels, selection.sample.name), *panels]


# A covered square


def occlusion(selection: Selection, made: "Occluded") -> None:
    """The prediction and the heat maps with a square of the image covered."""
    downloads.show(partial(occlusion_offer, selection, made))


def occlusion_offer(selection: Selection, made: "Occluded") -> Offer:
    target, patch = selection.target, made.patch
    lines = [
        f"patch = Patch({patch.top}, {patch.left}, {patch.side})",
        f"images = torch.cat([x, covered(checkpoint.card, x, patch, {made.fill!r})])",
        f"print(*trace(net, images).logits[:, {target}])  # {selection.card.classes[target]!r}",
    ]
    imports = [
        "import torch",
        "from explorer.engine.occluding import Patch, covered",
        "from explorer.engine.tracing import trace",
    ]
    covered: Arrays = {"covered": (made.input.x.numpy(), tr("the covered normalized input (1, C, s, s)"))}
    return Offer(
        name=f"covered {selection.sample.name}",
        caption=" · ".join([caption(selection, made.both), covering.in_words(patch, made.fill)]),
        pictures=pictures(selection, made.both),
        tables={tr("Classes"): partial(classes, selection, made.both)},
        arrays=lambda: arrays(selection, made.both) | covered,
        figure=partial(figure, selection, made.both),
        snippet=program([selection], imports, lines),
        printed=logits_printed(selection, made.both),
    )


# Contribution against effect


def contribution(selection: Selection, measured: Effects, chart: PointChart) -> None:
    """The contribution and the effect of every channel of a layer."""
    downloads.show(partial(contribution_offer, selection, measured, chart))


def contribution_offer(selection: Selection, measured: Effects, chart: PointChart) -> Offer:
    layer, target = measured.layer, selection.target
    name = selection.card.classes[target]
    lines = [
        f"proof = channel_evidence(net, x, {layer!r}, {target})  # {name!r}",
        f"falls = without_sets(net, x, {layer!r}).falls({target})",
        "print(spearman(proof.contributions.astype(float), falls.astype(float)))",
    ]
    imports = [
        "from explorer.engine.ablation import without_sets",
        "from explorer.engine.attribution import channel_evidence",
        "from explorer.engine.scores.ranks import spearman",
    ]
    return Offer(
        name=f"contribution and effect {layer} {selection.sample.name}",
        caption=export_parts.caption(selection, method="Grad-CAM", layer=layer),
        pictures={chart.title: partial(figures.picture, chart)} | export_parts.the_image(selection),
        tables={tr("Channels"): partial(export_parts.effects, measured)},
        arrays=partial(effect_arrays, selection, measured),
        figure=lambda: [chart],
        snippet=program([selection], imports, lines),
        printed=tr("It prints the rank correlation: {value}.", value=number(measured.correlation)),
    )


def effect_arrays(selection: Selection, measured: Effects) -> Arrays:
    name = selection.target_name
    contributions = tr("weight × mean of the map (C,) for the class {name}", name=name)
    falls = tr("how much the logit of {name} falls with each channel at zero (C,)", name=name)
    return export_parts.input_arrays(selection) | {
        "contributions": (measured.contributions, contributions),
        "falls": (measured.falls, falls),
    }


# The smallest set


def search(selection: Selection, state: GreedySearch, chart: LineChart) -> None:
    """The channels that a greedy search has taken, and the logits after each."""
    downloads.show(partial(search_offer, selection, state, chart))


def search_offer(selection: Selection, state: GreedySearch, chart: LineChart) -> Offer:
    lines = [f"*_, last = search(net, x, {state.layer!r})", "print(*last.channels)"]
    return Offer(
        name=f"greedy search {state.layer} {selection.sample.name}",
        caption=export_parts.caption(selection, layer=state.layer),
        pictures={chart.title: partial(figures.picture, chart)} | export_parts.the_image(selection),
        tables={tr("Steps"): partial(search_rows, selection, state)},
        arrays=lambda: (
            export_parts.input_arrays(selection)
            | {
                "taken": (np.array(state.channels, np.int64), tr("the channels in order (n,)")),
                "logits_after": (state.logits, tr("logits before the first and after each (1 + n, K)")),
            }
        ),
        figure=lambda: [chart],
        snippet=program([selection], ["from explorer.engine.smallest_set import search"], lines),
        printed=tr("It prints the channels: {channels}.", channels=", ".join(map(str, state.channels))),
    )


def search_rows(selection: Selection, state: GreedySearch) -> pd.DataFrame:
    """One row per channel taken: the margin and the prediction without it and those before."""
    names = selection.card.classes
    rows = {
        "channel": ["none", *map(str, state.channels)],
        "margin": state.margins,
        "prediction": [names[k] for k in state.logits.argmax(1)],
    }
    return pd.DataFrame(rows)
