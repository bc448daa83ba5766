"""What the page “Attributions” offers for download: maps, their scores beside chance, and curves."""

from collections.abc import Sequence
from functools import partial

import pandas as pd

from explorer.drawing.chart import Chart
from explorer.drawing.colormaps import color
from explorer.drawing.figures import Part
from explorer.drawing.ranges import number
from explorer.engine.scores import SCORES
from explorer.engine.scores.ordering import Orderings
from explorer.ui.exports import downloads, export_parts
from explorer.ui.exports.downloads import Offer, Pictures
from explorer.ui.exports.export_parts import ATTRIBUTE, Arrays
from explorer.ui.exports.snippets import program
from explorer.ui.jobs import JOBS, Work
from explorer.ui.selection import Selection
from explorer.views.attributions import charts, measuring
from explorer.views.attributions.cards import range_of
from explorer.views.attributions.map_choice import MapChoice
from explorer.views.attributions.measuring import Attribution, MeasuredScore, TimedMap
from model.words import tr

SCORE = "deletion"  # that the program computes
Works = Sequence[Work[TimedMap | MeasuredScore]]


def show(selection: Selection, chosen: Sequence[MapChoice], works: Works, stopped: bool) -> None:
    """The maps that are there; unless they are stopped, all of them, once they are finished."""
    downloads.show(partial(offer, selection, chosen, works, stopped))


def offer(selection: Selection, chosen: Sequence[MapChoice], works: Works, stopped: bool) -> Offer:
    progress = JOBS.look(*works) if stopped else JOBS.wait(*works, seconds=600)
    there = [each for each in measuring.attributions(chosen, progress) if each.map is not None]
    first = next((each for each in there if each.scored(SCORE) is not None), None)
    return Offer(
        name=f"attributions {selection.sample.name} {selection.card.classes[selection.target]}",
        caption=caption(selection, there),
        pictures=pictures(selection, there),
        tables={
            tr("Scores"): lambda: scores(selection, there),
            tr("Classes"): lambda: export_parts.classes(selection),
        },
        arrays=lambda: arrays(selection, there),
        figure=lambda: figure(selection, there),
        snippet=snippet(selection, first),
        printed=printed(first),
    )


def caption(selection: Selection, there: Sequence[Attribution]) -> str:
    ranges = {each.choice.title: range_of(each) for each in there}
    methods = tr(", ").join(ranges)
    return export_parts.caption(selection, method=methods, range=export_parts.each_own(ranges))


def pictures(selection: Selection, there: Sequence[Attribution]) -> Pictures:
    drawn: Pictures = {}
    for each in there:
        heat, range = heat_of(each), range_of(each)
        title = each.choice.title
        drawn[tr("{title}, over the image", title=title)] = partial(
            export_parts.over_image, selection, layer_of(each), heat, range
        )
        drawn[tr("{title}, raw map", title=title)] = partial(color, heat, range)
    return drawn | export_parts.the_image(selection)


def heat_of(attribution: Attribution) -> export_parts.Floats:
    assert attribution.map is not None
    return attribution.map.heat.values


def layer_of(attribution: Attribution) -> str | None:
    assert attribution.map is not None
    return attribution.map.heat.layer


def scores(selection: Selection, there: Sequence[Attribution]) -> pd.DataFrame:
    """One row for each score of each map: its value, and the mean and the band of chance."""
    return pd.DataFrame(
        [row(selection, each, measured) for each in there for measured in each.scores.values()]
    )


def row(selection: Selection, attribution: Attribution, measured: MeasuredScore) -> dict[str, object]:
    choice, scored = attribution.choice, measured.scored
    about: dict[str, object] = {
        "method": choice.method,
        "layer": choice.layer or "",
        "baseline": choice.baseline or "",
        "class": selection.card.classes[selection.target],
        "seconds": None if attribution.map is None else attribution.map.seconds,
        "completeness_gap": None if attribution.map is None else attribution.map.gap,
        "score": measured.name,
        "direction": SCORES[measured.name].direction,
    }
    if scored is None:
        return about
    low, high = scored.chance_band
    return about | {
        "value": scored.value,
        "chance_mean": scored.chance_mean,
        "chance_low": low,
        "chance_high": high,
        "fraction_of_chance_below": scored.above_chance,
    }


def arrays(selection: Selection, there: Sequence[Attribution]) -> Arrays:
    """The image and its prediction, and every map."""
    made = export_parts.input_arrays(selection)
    for each in there:
        name = f"{each.choice.method}_{each.choice.layer or 'input'}"
        made |= export_parts.heat_arrays(each.choice.method, {name: heat_of(each)})
    return made


def figure(selection: Selection, there: Sequence[Attribution]) -> list[Part]:
    panels: list[Part] = [export_parts.printed(selection, selection.sample.pixels, selection.sample.name)]
    for each in there:
        range = range_of(each)
        over = export_parts.over_image(selection, layer_of(each), heat_of(each), range)
        panels.append(export_parts.printed(selection, over, each.choice.title, range, tr("its own scale")))
    return [*panels, *curves(selection, there)]


def curves(selection: Selection, there: Sequence[Attribution]) -> list[Chart]:
    """The two curves of every map that has them."""
    orderings = [(each.choice.title, each.scored("ordering")) for each in there]
    return [
        charts.removal(one, title, selection.target_name)
        for title, one in orderings
        if isinstance(one, Orderings)
    ]


def snippet(selection: Selection, first: Attribution | None) -> str:
    """A program that computes a map, and a score of it beside chance."""
    if first is None:
        return program([selection], [], ["print(net(x))"])
    choice, more = first.choice, ""
    imports, lines = [ATTRIBUTE, "from explorer.engine.scores import SCORES, Subject"], []
    if choice.layer is not None:
        more += f", layer={choice.layer!r}"
    if choice.baseline is not None:
        imports.append("from explorer.engine.attribution.baseline import BASELINES")
        lines.append(f"baseline = BASELINES[{choice.baseline!r}].images(checkpoint.card, x)")
        more += ", baseline=baseline"
    more += "".join(f", {name}={value!r}" for name, value in choice.settings)
    name = selection.card.classes[selection.target]
    lines += [
        f"heat = attribute(net, x, {choice.method!r}, target={selection.target}{more})  # {name!r}",
        f"score = SCORES[{SCORE!r}].measure(Subject(net, x, heat))",
        "print(score.value, *score.chance_band)",
    ]
    return program([selection], imports, lines)


def printed(first: Attribution | None) -> str:
    scored = None if first is None else first.scored(SCORE)
    if first is None or scored is None:
        return ""
    low, high = (number(float(end)) for end in scored.chance_band)
    return tr(
        "It prints {score} of {title}: {value}, and the band of chance: {low}, {high}.",
        score=tr(SCORES[SCORE].title),
        title=first.choice.title,
        value=number(float(scored.value)),
        low=low,
        high=high,
    )
