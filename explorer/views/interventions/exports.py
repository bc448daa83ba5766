"""What the page “Interventions” offers for download."""

from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from explorer.drawing import ranges
from explorer.drawing.figures import Panel
from explorer.drawing.ranges import number
from explorer.ui import downloads, export_parts
from explorer.ui.downloads import Offer, Pictures
from explorer.ui.export_parts import Arrays
from explorer.ui.selection import Selection
from explorer.ui.snippets import program
from explorer.views.interventions import before_after, marks
from explorer.views.interventions.before_after import BeforeAfter
from model.words import tr

if TYPE_CHECKING:
    from explorer.views.interventions.channels import Intervened


def channels(selection: Selection, made: "Intervened") -> None:
    """The prediction and the heat maps with marked channels changed."""
    downloads.show(partial(channels_offer, selection, made))


def channels_offer(selection: Selection, made: "Intervened") -> Offer:
    both, target = made.both, selection.target
    changed = "; ".join(f"{layer}: {marks.in_words(each)}" for layer, each in made.marks.items())
    lines = [
        f"changes = [{', '.join(map(repr, made.changes))}]",
        "made = intervene(net, x, changes)",
        f"print(made.logits[{target}], made.changed[{target}])  # {selection.card.classes[target]!r}",
    ]
    imports = ["from explorer.engine.intervention import Change, intervene"]
    return Offer(
        name=f"intervention {selection.sample.name}",
        caption=" ".join([caption(selection, both), tr("Changed channels: {changed}.", changed=changed)]),
        pictures=pictures(selection, both),
        tables={tr("Classes"): partial(classes, selection, both)},
        arrays=partial(arrays, selection, both),
        figure=partial(figure, selection, both),
        snippet=program([selection], imports, lines),
        printed=logits_printed(selection, both),
    )


def logits_printed(selection: Selection, both: BeforeAfter) -> str:
    return tr(
        "It prints the logit of {name} before and after: {before} and {after}.",
        name=selection.card.classes[selection.target],
        before=number(both.before.logits[selection.target]),
        after=number(both.after.logits[selection.target]),
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


def heats(both: BeforeAfter) -> dict[str, before_after.Floats]:
    """Title → heat map (h, w), where there is one."""
    each = {tr("before"): both.before.heat, tr("after"): both.after.heat}
    return {title: heat for title, heat in each.items() if heat is not None}


def pictures(selection: Selection, both: BeforeAfter) -> Pictures:
    drawn = {
        tr("Grad-CAM {title} the change", title=title): partial(before_after.over, selection, both, heat)
        for title, heat in heats(both).items()
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
    panels = [
        Panel(before_after.over(selection, both, heat), title, both.range, scale, True)
        for title, heat in heats(both).items()
    ]
    return [Panel(selection.sample.pixels, selection.sample.name), *panels]
