"""What a shift by up to three pixels does to both networks: on many drawn scenes, and on this picture."""

import streamlit as st

from explorer.drawing.colormaps import color
from explorer.drawing.ranges import Range, percent, probability
from explorer.engine.translation import MOST, Counted, ShiftedPredictions
from explorer.ui import cached, lessons, markup, panels
from explorer.ui.cached import Opened
from explorer.ui.class_names import glossed
from explorer.ui.selection import Selection
from explorer.views.mlp import charts
from explorer.views.mlp.pair import NetworkPair, framed
from model.words import N_, tr

IMAGES = 256
ABOUT = N_(
    "{count} drawn scenes that were not used in any training; each is moved in one of eight directions, "
    "drawn once, and the pixels at its border are repeated. 95% intervals: Wilson. In training both networks "
    "saw scenes that were moved, flipped and rotated at random; “not moved in training” are the same two "
    "networks trained with flips and colors only. “Same” is the fraction of predictions that are those of "
    "the scene that is not moved; chance is 10% for a correct prediction."
)
LINES = N_("Accuracy with its 95% interval. Dashed: not moved in training. Gray line: chance.")


def show(pair: NetworkPair, selection: Selection) -> dict[str, ShiftedPredictions]:
    """This picture, and many scenes moved, whose predictions it returns."""
    this_picture(pair, selection)
    st.subheader(tr("Many scenes, moved"), anchor=False)
    measured = {
        name: cached.shifted_predictions(each.network, IMAGES) for name, each in networks(pair).items()
    }
    panels.chart(charts.by_shift(measured))
    st.caption(tr(LINES))
    st.markdown(finding(measured))
    markup.show(markup.element("div", table(measured), cls="fx-even"))
    st.caption(tr(ABOUT, count=IMAGES))
    return measured


def networks(pair: NetworkPair) -> dict[str, Opened]:
    """What each is called → the two networks, and the two that saw no moved scenes in training."""
    still = {"mlp": lessons.network("mlp-still"), "cnn": lessons.network("batch-still")}
    return pair.sides | {
        tr("MLP, not moved in training"): still["mlp"],
        tr("CNN, not moved in training"): still["cnn"],
    }


def finding(measured: dict[str, ShiftedPredictions]) -> str:
    """What the largest shift changes, as Markdown."""
    (mlp, cnn), (mlp_still, cnn_still) = (list(measured.values())[start : start + 2] for start in (0, 2))
    return tr(
        "Moved by {pixels} pixels, **{mlp}** of the MLP’s predictions stay the same and **{cnn}** of the "
        "CNN’s; of the networks that saw no moved scenes in training {mlp_still} and {cnn_still}. A "
        "convolution moves its map with the picture, and pooling tolerates a shift of a pixel or two; but "
        "the dense layer after it still looks at places, so a shift can change the CNN’s prediction too. On "
        "scenes that are not moved the MLP is correct for {mlp_correct} when it was trained on moved ones, "
        "for {still_correct} when not.",
        mlp_correct=percent(mlp.correct(0).value),
        still_correct=percent(mlp_still.correct(0).value),
        pixels=MOST,
        mlp=percent(mlp.same(MOST).value),
        cnn=percent(cnn.same(MOST).value),
        mlp_still=percent(mlp_still.same(MOST).value),
        cnn_still=percent(cnn_still.same(MOST).value),
    )


def table(measured: dict[str, ShiftedPredictions]) -> str:
    heads = [
        tr("Network"),
        tr("Correct, not moved"),
        *(tr("Same, moved by {pixels}", pixels=pixels) for pixels in range(1, MOST + 1)),
    ]
    rows = [
        [name, interval(each.correct(0)), *(interval(each.same(pixels)) for pixels in range(1, MOST + 1))]
        for name, each in measured.items()
    ]
    return markup.table(heads, rows)


def interval(counted: Counted) -> str:
    low, high = counted.ends
    return tr("{value} ({low} to {high})", value=percent(counted.value), low=percent(low), high=percent(high))


# The chosen picture


def this_picture(pair: NetworkPair, selection: Selection) -> None:
    """The probability of each network's own prediction when the picture is moved by −3 … 3 pixels."""
    st.subheader(tr("This picture, moved by up to three pixels"), anchor=False)
    sections = [side(name, opened, selection) for name, opened in pair.sides.items()]
    markup.show(
        markup.element("div", *sections, cls="fx-panels"),
        markup.scale(Range(0.0, 1.0), tr("probability, shared scale")),
    )
    st.caption(
        tr(
            "Each cell is the picture moved by so many pixels, from {most} up and left to {most} down and "
            "right; the center is not moved. Its color is the probability of the class predicted in the "
            "center. Both networks know drawn scenes only: a photograph is unlike everything that they have "
            "learned from.",
            most=MOST,
        )
    )


def side(name: str, opened: Opened, selection: Selection) -> str:
    pixels = framed(opened, selection)
    values = cached.every_shift(opened.network, pixels)
    first = int(values[MOST, MOST].argmax())
    by_shift = values[:, :, first]
    title = tr(
        "{network}: {name}, {probability}",
        network=name,
        name=glossed(opened.card.classes[first]),
        probability=probability(by_shift[MOST, MOST]),
    )
    note = tr(
        "the same class in {same} of {count} places, from {low} to {high}",
        same=int((values.argmax(2) == first).sum()),
        count=by_shift.size,
        low=probability(float(by_shift.min())),
        high=probability(float(by_shift.max())),
    )
    pictures = (
        markup.figure(pixels, tr("The picture as the {network} gets it", network=name), fill=True),
        markup.figure(
            color(by_shift, Range(0.0, 1.0)), tr("{title}; {note}", title=title, note=note), fill=True
        ),
    )
    return markup.element(
        "section",
        markup.text(title, tag="h3"),
        markup.element("div", *pictures, cls="fx-two"),
        markup.text(note, "muted"),
    )
