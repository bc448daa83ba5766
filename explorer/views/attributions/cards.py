"""The maps as small multiples: each over the image, with its range and time, and its trust strip."""

from collections.abc import Sequence

import numpy as np

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.overlay import overlay
from explorer.drawing.ranges import Range, number
from explorer.engine.scores.deletion import Deletions
from explorer.engine.values import Doubles, Floats
from explorer.ui import markup
from explorer.ui.selection import Selection
from explorer.views.attributions.measuring import Attribution, TimedMap
from explorer.views.attributions.strip import Extent, extents, strip
from model.words import tr


def show(selection: Selection, attributions: Sequence[Attribution]) -> None:
    """All maps on one grid, those that are not there yet as a title."""
    ends = extents(attributions)
    markup.show(
        markup.element("div", *(card(selection, each, ends) for each in attributions), cls="fx-attributions")
    )


def card(selection: Selection, attribution: Attribution, ends: dict[str, Extent]) -> str:
    title = markup.text(attribution.choice.title, tag="h3")
    problem = attribution.maps.problem or attribution.strip.problem
    if problem is not None:
        return markup.element("section", title, markup.text(str(problem), "muted"))
    if attribution.map is None:
        return markup.element("section", title, markup.text(tr("Computing …"), "muted"))
    classes = selection.card.classes
    return markup.element(
        "section",
        title,
        pictures(selection, attribution),
        markup.scale(range_of(attribution), tr("its own scale")),
        markup.text(facts(attribution.map), "muted"),
        strip(attribution, ends, classes),
    )


def range_of(attribution: Attribution) -> Range:
    """The range of a map that is there: about zero for a signed method, else from zero."""
    assert attribution.map is not None
    choose = ranges.symmetric if attribution.choice.record.signed else ranges.positive
    return choose(attribution.map.heat.values)


def pictures(selection: Selection, attribution: Attribution) -> str:
    """The map over the image; beside it the raw map, and what removing each patch really changes."""
    assert attribution.map is not None
    heat, range = attribution.map.heat.values, range_of(attribution)
    height, width = heat.shape
    about = tr("{title}, for {name}", title=attribution.choice.title, name=class_name(selection))
    over = overlay(selection.sample.pixels, heat, range, selection.received)
    raw = markup.figure(
        color(heat, range),
        tr("{title}, the raw map", title=about),
        markup.text(tr("Raw, {height} × {width}", height=height, width=width)),
        fill=True,
    )
    return markup.element(
        "div",
        markup.figure(over, tr("{title}, over the image", title=about), fill=True),
        markup.element("div", raw, measured_drops(attribution)),
        cls="fx-pair",
    )


def measured_drops(attribution: Attribution) -> str:
    """The measured drop of the logit for each patch; nothing before it is there."""
    deletion = attribution.scored("deletion")
    if not isinstance(deletion, Deletions):
        return ""
    range = ranges.symmetric(deletion.drops)
    return markup.figure(
        color(deletion.drops, range),
        tr("Measured drop of the logit when each patch is removed, {range}", range=ranges.text(range)),
        markup.text(tr("Measured drops, ±{reach}", reach=number(range.high))),
        fill=True,
    )


def facts(timed: TimedMap) -> str:
    """The least and the largest value, and the time, of a map."""
    values: Floats | Doubles = timed.heat.values
    return tr(
        "{low} … {high}; computed in {seconds} s.",
        low=number(float(np.min(values))),
        high=number(float(np.max(values))),
        seconds=number(timed.seconds),
    )


def class_name(selection: Selection) -> str:
    return selection.card.classes[selection.target]
