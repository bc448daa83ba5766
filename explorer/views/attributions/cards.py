"""The maps as small multiples: each over the image, with its range and time, and its trust strip."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.ranges import MINUS, Range, adding_up, from_to, number, plainly
from explorer.engine.scores import SCORES
from explorer.engine.scores.deletion import Deletions
from explorer.ui import markup, panels
from explorer.ui.selection import Selection
from explorer.views.attributions.measuring import Attribution, TimedMap
from explorer.views.attributions.strip import extents, reasons, strip
from model.words import tr


def show(selection: Selection, attributions: Sequence[Attribution]) -> None:
    """All maps on one grid, those that are not there yet as a title.

    Pictures and strips are elements of their own: while strips grow, the browser keeps the pictures.
    """
    ends = extents(attributions)
    with st.container(key="attributions"):
        for each in attributions:
            with st.container(gap="xsmall"):
                title = markup.text(each.choice.title, tag="h3")
                problem = each.maps.problem or each.strip.problem
                if problem is not None:
                    markup.show(title, markup.text(str(problem), "muted"))
                elif each.map is None:
                    markup.show(title, markup.text(tr("Computing …"), "muted"))
                else:
                    markup.show(title, pictures(selection, each), *facts(each))
                    markup.show(strip(each, ends))
    if missing := reasons(attributions):
        texts = (
            tr("{name}: {value}", name=tr(SCORES[name].title), value=tr(reason))
            for name, reason in missing.items()
        )
        markup.show(
            markup.text(tr("Not measured here"), "strong"), *(markup.text(each, "muted") for each in texts)
        )


def range_of(attribution: Attribution) -> Range:
    """The range of a map that is there: about zero for a signed map, else from zero."""
    assert attribution.map is not None
    values = attribution.map.heat.values
    return ranges.shared(values, signed=attribution.choice.record.is_signed(values))


def pictures(selection: Selection, attribution: Attribution) -> str:
    """The map over the image; beside it the raw map, and what removing each patch really changes."""
    assert attribution.map is not None
    heat, range = attribution.map.heat.values, range_of(attribution)
    height, width = heat.shape
    about = tr("{title}, for {name}", title=attribution.choice.title, name=selection.target_name)
    over = panels.over_image(selection, attribution.map.heat.layer, heat, range)
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


def facts(attribution: Attribution) -> tuple[str, ...]:
    """The color scale of a map; its least and its largest value, and its time; what its values add up to."""
    assert attribution.map is not None
    values = attribution.map.heat.values
    low, high = from_to(float(values.min()), float(values.max()))
    text = tr(
        "{low} … {high}; computed in {time}.", low=low, high=high, time=duration(attribution.map.seconds)
    )
    scale = markup.scale(range_of(attribution), tr("its own scale"))
    return (scale, *(markup.text(each, "muted") for each in (text, *sums(attribution.map))))


def sums(timed: TimedMap) -> list[str]:
    """What the values add up to beside what they should, for a method that promises it."""
    if timed.gap is None:
        return []
    total = float(timed.heat.values.astype(np.float64).sum())
    values, difference, gap = adding_up(total, total - timed.gap, timed.gap)
    return [
        tr(
            "The values add up to {total}; the logit minus that of the baseline is {difference}. They differ "
            "by {gap}.",
            total=plainly(values),
            difference=plainly(difference),
            gap=plainly(gap.removeprefix(MINUS)),
        )
    ]


def duration(seconds: float) -> str:
    """A time as a caption says it."""
    if seconds < 1:
        return tr("{number} ms", number=max(1, round(1000 * seconds)))
    return tr("{number} s", number=number(seconds))
