"""The trust strip of a map: each score beside what chance gives, in a sentence, and how it can mislead."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

import numpy as np

from explorer.drawing.ranges import column, percent
from explorer.engine.scores import SCORES, STRIP, Scored, reading
from explorer.engine.scores.findings import Findings
from explorer.engine.scores.randomized import Randomized
from explorer.engine.scores.redrawing import PartTruth
from explorer.engine.scores.score import FEWEST_FOR_QUANTILES
from explorer.ui import markup
from explorer.views.attributions.measuring import Attribution, MeasuredScore, marks_nothing
from model.words import N_, ngettext, tr

DIRECTIONS = {
    "higher": N_("higher is better"),
    "lower": N_("lower is better"),
    "none": N_("neither is better"),
}
NO_VALUE = N_("There is no value: all values of a map are equal, or nothing is left to compare with.")
MARGIN = 0.04  # of a bar, free at each end


@dataclass(frozen=True)
class Extent:
    """The ends of a score's bars, the same for all maps that are shown."""

    low: float
    high: float

    def position(self, value: float) -> float:
        """Where a value lies on a bar, 0 to 1."""
        inside = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return MARGIN + (1 - 2 * MARGIN) * min(max(inside, 0.0), 1.0)


def extents(attributions: Iterable[Attribution]) -> dict[str, Extent]:
    """Score → the ends that hold every value and every band of the maps."""
    together: dict[str, list[float]] = {}
    for attribution in attributions:
        for name, measured in attribution.scores.items():
            if measured.scored is not None:
                together.setdefault(name, []).extend(
                    (*measured.scored.chance_band, float(measured.scored.value))
                )
    finite = {name: [each for each in values if np.isfinite(each)] for name, values in together.items()}
    return {name: Extent(min(values), max(values)) for name, values in finite.items() if values}


def strip(attribution: Attribution, extents: Mapping[str, Extent]) -> str:
    """One row for each score of STRIP, as html; a score that is still to come has its name only."""
    if (why := flat(attribution)) is not None:
        return markup.element("div", markup.text(tr(why)), cls="fx-trust")
    measured = {name: attribution.scores.get(name) for name in STRIP}
    rows = [
        row(name, each, extents.get(name, Extent(0, 1)))
        for name, each in measured.items()
        if each is None or each.scored is not None
    ]
    return markup.element("div", *rows, cls="fx-trust")


def flat(attribution: Attribution) -> str | None:
    """Why no score is measured of this map, a template; None where that is no matter of the map."""
    return None if attribution.map is None else marks_nothing(attribution.map.heat)


def reasons(attributions: Iterable[Attribution]) -> dict[str, str]:
    """The scores that cannot be measured here, each with the reason, a template."""
    with_scores = (each for each in attributions if flat(each) is None)
    measured = (each for attribution in with_scores for each in attribution.scores.values())
    return {each.name: each.reason for each in measured if each.scored is None}


def row(name: str, measured: MeasuredScore | None, extent: Extent) -> str:
    score = SCORES[name]
    if measured is None or measured.scored is None:
        return head(tr(score.title), "…", "")
    scored = measured.scored
    about = (tr(score.summary), tr(score.chance), draws(scored), tr(score.pitfall), tr(score.paper))
    return (
        head(tr(score.title), value_of(scored), bar(scored, extent))
        + markup.text(says(name, scored))
        + "".join(markup.text(each, "muted") for each in details(scored))
        + markup.element(
            "details",
            markup.text(beside_chance(name, scored), tag="summary"),
            *(markup.text(each, "muted", "p") for each in about),
        )
    )


def value_of(scored: Scored) -> str:
    return written(scored)[0] if np.isfinite(scored.value) else "–"


def written(scored: Scored) -> tuple[str, str, str]:
    """The value and the ends of chance's band, with equally many decimals."""
    value, low, high = column([float(scored.value), *map(float, scored.chance_band)])
    return value, low, high


def head(title: str, value: str, bar: str) -> str:
    names = markup.element("div", markup.text(title, "strong"), markup.text(value, "strong"), cls="head")
    return names + bar


def bar(scored: Scored, extent: Extent) -> str:
    """The band of chance and a mark at the value."""
    value, (low, high) = float(scored.value), scored.chance_band
    if not np.isfinite([value, low, high]).all():
        return ""
    start, end = extent.position(float(low)), extent.position(float(high))
    texts = dict(zip(("value", "low", "high"), written(scored), strict=True))
    label = tr("{value}; chance {low} to {high}", **texts)
    return (
        f'<div class="band" role="img" aria-label="{escape(label, quote=True)}">'
        f'<i style="left:{start:.1%};width:{max(end - start, 0.01):.1%}"></i>'
        f'<b style="left:{extent.position(value):.1%}"></b></div>'
    )


def says(name: str, scored: Scored) -> str:
    """What the value says beside chance, in one sentence."""
    return tr(reading(SCORES[name], scored) or NO_VALUE)


def beside_chance(name: str, scored: Scored) -> str:
    """The band where 95% of what chance gives lies, and which direction is better."""
    direction = tr(DIRECTIONS[SCORES[name].direction])
    if not np.isfinite(scored.chance_band).all():
        return tr("Chance has no value; {direction}.", direction=direction)
    _, low, high = written(scored)
    return tr("Chance {low} … {high}; {direction}.", low=low, high=high, direction=direction)


def draws(scored: Scored) -> str:
    """How the band of chance was made."""
    if scored.draws < FEWEST_FOR_QUANTILES:
        return ngettext(
            "Chance: {n} draw, too few for a band.",
            "Chance: {n} draws; the band is where one more draw would lie with a probability of 95%, if "
            "draws are normally distributed.",
            scored.draws,
        )
    return ngettext(
        "Chance: {n} draw; the band holds the middle 95% of it.",
        "Chance: {n} draws; the band holds the middle 95% of them.",
        scored.draws,
    )


def details(scored: Scored) -> list[str]:
    """What else a score has found, each in a sentence."""
    match scored:
        case Randomized(rise=rise) if np.isfinite(rise):
            template = N_("The values of the random maps have an entropy that is {percent} higher.")
            if rise < 0:
                template = N_("The values of the random maps have an entropy that is {percent} lower.")
            return [tr(template, percent=percent(abs(float(rise))))]
        case PartTruth(strongest=strongest) if np.isfinite(strongest):
            return [strongest_part(scored)]
        case Findings():
            return findings(scored)
    return []


def strongest_part(scored: PartTruth) -> str:
    """Whether the part that matters most has the most heat, beside the map in the wrong place and a draw."""
    found = np.array([float(scored.strongest_moved), float(scored.strongest_chance)])
    template = N_(
        "The part with the most heat is the one that matters most; the same is true of {moved} of maps in "
        "the wrong place, and of {drawn} of parts chosen at random."
    )
    if float(scored.strongest) < 1:
        found = 1 - found
        template = N_(
            "The part with the most heat is not the one that matters most; the same is true of {moved} of "
            "maps in the wrong place, and of {drawn} of parts chosen at random."
        )
    moved, drawn = (percent(float(each), 0) for each in found)
    return tr(template, moved=moved, drawn=drawn)


def findings(numbers: Findings) -> list[str]:
    texts = []
    if numbers.negative > 0:
        template = N_("{percent} of the heat is negative, which a ReLU cuts off.")
        texts.append(tr(template, percent=percent(float(numbers.negative))))
    if numbers.tied > 0:
        template = N_("{percent} of the positions share their value with others.")
        texts.append(tr(template, percent=percent(float(numbers.tied))))
    return texts
