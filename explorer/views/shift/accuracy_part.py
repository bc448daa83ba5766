"""What the shift does to accuracy, and what recalibrated statistics give back."""

from collections.abc import Sequence

import streamlit as st

from explorer.drawing.ranges import MINUS, percent
from explorer.engine.shift_measuring import CorrectCount, CorrectnessChange, SeverityResult
from explorer.ui import panels
from explorer.views.shift import charts
from explorer.views.shift.measuring import ShiftQuestion
from model.words import N_, paragraph, tr

ABOUT = N_(
    "Accuracy on {measuring}, with Wilson’s 95% interval; chance is {chance}. “Change by the shift” and "
    "“change by recalibrating” are percentage points over the same images (95% interval by Agresti and Min). "
    "Recalibrated: the running mean and variance of every BatchNorm are recomputed on {calibrating} of the "
    "same severity, as train mode with `momentum=None` does, in batches of at most 128; weights stay as they "
    "are, and none of the images that measure is among them. The chosen checkpoint itself is not changed."
)


def show(question: ShiftQuestion, steps: Sequence[SeverityResult]) -> None:
    if not steps[0].running.n:
        st.info(
            tr("None of the images has a label that the network knows, so there is no accuracy to follow.")
        )
        return
    st.markdown(finding(question, steps))
    chart = charts.accuracies(question, steps)
    if chart is not None:
        panels.chart(chart)
    st.markdown(table(question, steps))
    st.caption(about(question, steps))


def about(question: ShiftQuestion, steps: Sequence[SeverityResult]) -> str:
    """How the numbers were measured."""
    last = steps[-1]
    measuring = tr("the {images} that measure", images=question.images(steps[0].running.n))
    if not last.paired:
        return tr(
            "Accuracy on {measuring} and on {own} pictures of the folder with a known class, with Wilson’s "
            "95% interval. These are different images, so a difference between the two rows may also come "
            "from what they show. Recalibrated: the running mean and variance of every BatchNorm are "
            "recomputed on the other half of the same images ({calibrating} of the folder), as train mode "
            "with `momentum=None` does; weights stay as they are.",
            measuring=measuring,
            own=last.running.n,
            calibrating=last.calibrated_on,
        )
    chance = percent(1 / len(question.network.card.classes))
    calibrating = tr("{images} others", images=last.calibrated_on)
    return tr(ABOUT, measuring=measuring, calibrating=calibrating, chance=chance)


def finding(question: ShiftQuestion, steps: Sequence[SeverityResult]) -> str:
    """The fall at the strongest severity, and what recalibrating gives back, as Markdown."""
    first, last = steps[0], steps[-1]
    fields = {
        "severity": question.severity(last),
        "before": percent(first.running.value),
        "after": percent(last.running.value) if last.running.n else "–",
        "recovered": percent(last.recovered.value) if last.recovered.n else "–",
        "cost": points(first.gain),
    }
    if not last.running.n:
        return tr("The pictures of the folder have no labels that the network knows, so only their drift is "
                  "measured.")  # fmt: skip
    templates = {
        "gains": N_(
            "Unshifted accuracy is **{before}**, at {severity} it is **{after}**. Recalibrated statistics "
            "give **{recovered}**: part of the fall comes from statistics that no longer fit."
        ),
        "loses": N_(
            "Unshifted accuracy is **{before}**, at {severity} it is **{after}**. Recalibrated statistics "
            "give **{recovered}**, which is worse: the fall does not come from statistics that no longer fit."
        ),
        "unclear": N_(
            "Unshifted accuracy is **{before}**, at {severity} it is **{after}**. Recalibrated statistics "
            "give **{recovered}**; the interval of the change includes zero, so no effect of recalibrating "
            "can be measured with so many images."
        ),
    }
    control = tr(
        "On unshifted images recalibrating changes accuracy by {cost} percentage points. Changes are "
        "computed before rounding.",
        cost=fields.pop("cost"),
    )
    return paragraph([tr(templates[verdict(last.gain)], **fields), control])


def verdict(change: CorrectnessChange) -> str:
    """Whether the interval of a change is above zero, below, or includes it."""
    low, high = change.ends
    return "gains" if low > 0 else "loses" if high < 0 else "unclear"


def table(question: ShiftQuestion, steps: Sequence[SeverityResult]) -> str:
    """One row for each severity, as Markdown."""
    head = [
        tr("Severity"),
        tr("Running statistics"),
        tr("Change by the shift"),
        tr("Recalibrated"),
        tr("Change by recalibrating"),
    ]
    rows = [
        [
            question.severity(step),
            cell(step.running),
            "" if step is steps[0] else points(step.since(steps[0])),
            cell(step.recovered),
            points(step.gain),
        ]
        for step in steps
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows])


def cell(accuracy: CorrectCount) -> str:
    if not accuracy.n:
        return "–"
    low, high = accuracy.ends
    return tr(
        "**{value}** ({low} to {high})", value=percent(accuracy.value), low=percent(low), high=percent(high)
    )


def points(change: CorrectnessChange | None) -> str:
    """A change in percentage points with its interval."""
    if change is None or not change.n:
        return "–"
    low, high = change.ends
    return tr("{value} ({low} to {high})", value=signed(change.value), low=signed(low), high=signed(high))


def signed(fraction: float) -> str:
    """A difference of fractions in percentage points, with its sign unless it is zero when rounded.

    >>> signed(-0.125), signed(0.02), signed(-0.0001)
    ('−12.5', '+2.0', '0.0')
    """
    points = f"{100 * fraction:+.1f}".replace("-", MINUS)
    return points if points.strip(f"+{MINUS}") != "0.0" else "0.0"
