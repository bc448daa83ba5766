"""From the last map to the prediction: which positions of which maps push the class; then probabilities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.pictures import data_uri
from explorer.drawing.ranges import (
    adding_up,
    enough_digits,
    equals,
    in_decimals,
    number,
    plain_number,
    plainly,
    probability,
    signed,
    with_decimals,
    with_zeros,
)
from explorer.engine.account import Account
from explorer.engine.prediction import Prediction, prediction
from explorer.ui import cached, markup, panels
from explorer.ui.channel_link import open_channel
from explorer.ui.components.picture_grid import CARD, MAP, Bar, Picture, picture_grid
from explorer.ui.frame import checkup
from explorer.ui.markdown import literal, sentence
from explorer.ui.selection import Selection
from model.problems import Problem
from model.words import N_, ngettext, tr

TITLE = N_("From the last map to the prediction")
SUPPORTING, OPPOSING = 5, 3  # the most maps shown of each
UNITS = 6  # hidden units with the largest contributions
CLASSES = 5  # of the table, besides the explained and the true one
LEAST = 1e-9  # rounding that is called less than a bound, not 0
FAINT = 1e-6  # of the logit: a float32 cannot tell it from 0
EXACT = N_(
    "The logit of “{class_name}” is {logit}: {maps} from the {positions} values of {layer}, value times "
    "derivative, and {constant} from the biases after it. With every ReLU and every maximum as it is for "
    "this image they add up to the logit, so the sum is exact, except for rounding ({rest})."
)
APPROXIMATE = N_(
    "The logit of “{class_name}” is {logit}. What follows {layer} is not linear, so this is a first-order "
    "approximation, value times derivative: {maps} from its {positions} values, {constant} from biases, and "
    "{rest} that it leaves over."
)
PASSED = N_(
    "The logit of “{class_name}” is {logit}: {maps} from the {positions} values of {layer}, value times "
    "derivative, {constant} from biases, and {rest} that does not come through these maps, but through "
    "branches beside them, or that the derivatives leave over."
)


@dataclass(frozen=True)
class Named:
    """The account's layer as sentences call it."""

    layer: str
    read: bool
    after: bool

    def __str__(self) -> str:
        if not self.layer:
            return tr("the maps computed from the image")
        if self.after:
            return tr("the maps computed from {layer}", layer=self.layer)
        return tr("the maps that {layer} reads", layer=self.layer) if self.read else self.layer


def show(selection: Selection) -> None:
    """The section for the class to explain; what cannot be told of the maps is one sentence in its place."""
    st.header(tr(TITLE), anchor=False)
    try:
        selection.check_prediction()
    except Problem as problem:
        st.info(sentence(problem))
        return
    try:
        account = cached.account(selection.network, selection.input, selection.target)
    except Problem as problem:
        checkup.without_maps(selection.opened, str(problem))
    else:
        show_maps(selection, account)
    show_prediction(selection, prediction(selection.net, selection.seen.logits, selection.sample.label))


def show_maps(selection: Selection, account: Account) -> None:
    """The sum in a sentence, the positions, the maps and the hidden units."""
    st.markdown(literal(in_words(selection, account)))
    left, right = st.columns([2, 3], gap="large")
    with left:
        markup.show(positions(selection, account))
        panels.explain_dimmed(selection)
    with right:
        maps_with_contributions(selection, account)
        if account.units is not None:
            markup.show(units(account))


def in_words(selection: Selection, account: Account) -> str:
    """The sum that makes the logit, in a sentence with its numbers."""
    rest = number(max(float(np.abs(account.residual)), LEAST))  # as a rule it is 0 by chance
    biases = float(account.constant)
    if abs(biases) < FAINT * abs(float(account.logit)):
        biases = 0.0  # there are none: what is left is rounding
    terms = [float(account.contributions.sum()), biases]
    if account.exact:
        logit, maps, constant = adding_up(float(account.logit), *terms)
    else:
        logit, maps, constant, rest = adding_up(float(account.logit), *terms, float(account.residual))
    return tr(
        EXACT if account.exact else PASSED if account.passed else APPROXIMATE,
        class_name=selection.target_name,
        logit=plainly(logit),
        maps=plainly(maps),
        constant=plainly(constant),
        positions=f"{account.maps.size:,}",
        layer=Named(account.layer, account.read, account.after),
        rest=plainly(rest),
    )


def positions(selection: Selection, account: Account) -> str:
    """What each position adds over all maps, over the image and by itself, as html."""
    heat = account.positions.astype(np.float32)
    range = ranges.symmetric(heat)
    title = tr("What each position adds to the logit")
    maps = selection.seen.shapes  # a layer that reads the last maps may give none of its own
    layer = account.layer if account.layer in maps else next(reversed(maps), None)
    note = tr(
        "The sum over all {count:,} maps: red supports the class, blue opposes it.", count=len(account.maps)
    )
    return panels.heat_panel(selection, layer, heat, range, title, title, note, tr("its own scale"))


def maps_with_contributions(selection: Selection, account: Account) -> None:
    """The maps that add most and take most, each a button to its channel."""
    channels = account.channels
    order = np.argsort(-channels, kind="stable").tolist()
    chosen = [k for k in order[:SUPPORTING] if channels[k] > 0]
    chosen += [k for k in order[::-1][:OPPOSING] if channels[k] < 0][::-1]
    markup.show(markup.text(tr("The maps that add and subtract most"), tag="h3"))
    written = in_decimals(account.channels[chosen])
    cards = [card(account, channel, written) for channel in chosen]
    alike = selection.seen.shapes.get(account.layer, (0,))[0] == len(account.maps)
    opens = alike and not account.read
    channel = picture_grid(cards, key="cards_account", side=CARD, crisp=MAP, opens=opens)
    if channel is not None and opens:
        open_channel(selection, account.layer, channel)
    range = ranges.text(ranges.symmetric(account.contributions))
    st.caption(tr("Red adds to the logit, blue subtracts. Shared scale: {range}.", range=range))


def card(account: Account, channel: int, written: Callable[[float], str]) -> Picture:
    """A map with its sum and a bar."""
    values, added = account.contributions[channel], account.channels
    return Picture(
        channel,
        data_uri(color(values, ranges.symmetric(account.contributions))),
        tr("Open channel {channel} of {layer} on Feature maps", channel=channel, layer=account.layer),
        (signed(float(added[channel]), written), Bar(float(added[channel] / np.abs(added).max()))),
        tr("Channel {channel}", channel=channel),
        tr(
            "What the positions of map {channel} add, in total {sum}",
            channel=channel,
            sum=plain_number(added[channel]),
        ),
    )


def units(account: Account) -> str:
    """The hidden units that add most, as html: value times weight, with a bar each."""
    assert account.units is not None
    assert account.unit_contributions is not None
    added = account.unit_contributions
    order = np.argsort(-np.abs(added), kind="stable")[:UNITS].tolist()
    largest = float(np.abs(added).max()) or 1.0
    written = in_decimals(added[order])
    rows = [
        markup.text(tr("unit {unit}", unit=k), tag="span")
        + markup.bar(float(added[k]) / largest)
        + markup.text(product(float(account.units[k]), float(added[k]), written), tag="span")
        for k in order
    ]
    on = int((account.units != 0).sum())
    note = ngettext(
        "Of {count:,} hidden units, {n:,} is not zero for this image. Value × weight is what it adds.",
        "Of {count:,} hidden units, {n:,} are not zero for this image. Value × weight is what each adds.",
        on,
        count=len(added),
    )
    return markup.element(
        "section",
        markup.text(tr("Hidden units of {layer}", layer=account.hidden), tag="h3"),
        markup.text(note, "muted"),
        markup.element("div", *rows, cls="fx-units"),
    )


def product(value: float, added: float, written: Callable[[float], str] = number) -> str:
    """`1.23 × 0.5 = 0.615`, the weight being what the value adds per unit."""
    weight = added / value if value else 0.0
    return " ".join(ranges.product(value, weight, written(added)))


# Logits, probabilities, loss


def show_prediction(selection: Selection, made: Prediction) -> None:
    """The table from logits to probabilities, and the loss of the true class."""
    st.subheader(tr("From logits to probabilities to the loss"), anchor=False)
    markup.show(table(selection, made), markup.text(loss_in_words(selection, made)))


def table(selection: Selection, made: Prediction) -> str:
    """The classes with the largest logits, with the explained and the true one, as html."""
    order = np.argsort(-made.logits, kind="stable").tolist()
    classes = order[:CLASSES]
    label = None if made.label is None else int(made.label)
    classes += [k for k in (selection.target, label) if k is not None and k not in classes]
    classes = sorted(dict.fromkeys(classes), key=order.index)
    names = [selection.class_names[k] for k in classes]
    if made.independent:
        heads = (tr("class"), tr("logit z"), tr("1 / (1 + e⁻ᶻ)"))
        digits = enough_digits(partial(sigmoids_hold, made, classes), MOST_DIGITS)
        written = partial(with_decimals, digits)
        rows = [
            (name, written(made.logits[k]), probability(made.probabilities[k]))
            for name, k in zip(names, classes, strict=True)
        ]
        return markup.table(heads, rows)
    heads4 = (tr("class"), tr("logit z"), tr("e^(z − largest)"), tr("÷ their sum = probability"))
    digits = enough_digits(partial(quotients_hold, made, classes), MOST_DIGITS)
    decimals = enough_digits(partial(exponentials_hold, made, classes, digits), MOST_DIGITS)
    return markup.table(heads4, softmax_rows(made, classes, names, decimals, digits))


def softmax_rows(
    made: Prediction, classes: Sequence[int], names: Sequence[str], decimals: int, digits: int
) -> list[tuple[str, ...]]:
    """Rows of the table: name, logit, exponential, probability; the other classes, and the sum."""
    powers = made.exponentials
    rows: list[tuple[str, ...]] = [
        (
            name,
            with_decimals(decimals, made.logits[k]),
            power(powers[k], digits),
            probability(made.probabilities[k]),
        )
        for name, k in zip(names, classes, strict=True)
    ]
    rest = np.delete(np.arange(len(powers)), classes)
    if len(rest):
        others = ngettext("{n} other class", "{n} other classes", len(rest))
        fraction = float(made.probabilities[rest].sum())
        rows.append((others, "", power(powers[rest].sum(), digits), probability(fraction)))
    rows.append((tr("sum"), "", number(powers.sum(), digits), "100%"))
    return rows


def quotients_hold(made: Prediction, classes: Sequence[int], digits: int) -> bool:
    """Whether the exponentials shown with so many digits, divided by their sum as shown, give the
    probabilities shown.
    """
    powers = made.exponentials
    total = float(number(powers.sum(), digits))
    return all(
        probability(float(number(powers[k], digits)) / total) == probability(made.probabilities[k])
        for k in classes
        if powers[k] >= SMALLEST
    )


def exponentials_hold(made: Prediction, classes: Sequence[int], digits: int, decimals: int) -> bool:
    """Whether the logits shown with so many decimals give the exponentials shown with so many digits."""
    powers, largest = made.exponentials, round(float(made.logits.max()), decimals)
    return all(
        number(np.exp(round(float(made.logits[k]), decimals) - largest), digits) == number(powers[k], digits)
        for k in classes
        if powers[k] >= SMALLEST
    )


def sigmoids_hold(made: Prediction, classes: Sequence[int], digits: int) -> bool:
    """Whether the logits shown with so many decimals give the probabilities shown."""
    return all(
        probability(1 / (1 + np.exp(-round(float(made.logits[k]), digits))))
        == probability(made.probabilities[k])
        for k in classes
    )


MOST_DIGITS = 6
SMALLEST = 1e-4  # of the exponentials that are written out


def power(value: float, digits: int = 3) -> str:
    """An exponential from 0 to 1 for the table, where powers of ten would not be read beside each other.

    >>> power(1.0), power(0.00896), power(7.57e-9)
    ('1', '0.00896', '< 0.0001')
    """
    return f"< {SMALLEST:.4f}" if value < SMALLEST else number(value, digits)


def minus_log(loss: float) -> tuple[str, str]:
    """A probability and −ln of it, with so many digits of the first that it gives the second as shown.

    >>> minus_log(0.000119), minus_log(15)
    (('0.999881', '0.000119'), ('0.000000306', '15'))
    """
    shown, fraction = number(loss), float(np.exp(-loss))

    def holds(digits: int) -> bool:
        rounded = float(f"{fraction:.{digits}g}")
        return rounded > 0 and equals(-np.log(rounded), shown) == "="

    return with_zeros(number(fraction, enough_digits(holds, 16))), shown


def loss_in_words(selection: Selection, made: Prediction) -> str:
    """The cross-entropy of the true class with its numbers; what is missing for it without one."""
    if made.label is None or made.loss is None:
        return tr(
            "This image has no label, so it has no loss: cross-entropy is −ln of the probability of the true "
            "class."
        )
    fraction, loss = minus_log(float(made.loss))
    name = selection.class_names[int(made.label)]
    fields = {"class_name": name, "probability": fraction, "loss": loss}
    if made.independent:
        return tr(
            "Cross-entropy of the true label “{class_name}”: −ln {probability} = {loss}. The other labels "
            "have terms of their own.",
            **fields,
        )
    even = number(float(np.log(len(made.logits))))
    return tr(
        "Cross-entropy loss for the true class “{class_name}”: −ln {probability} = {loss}. A network that "
        "gave every class the same probability would have {even}.",
        even=even,
        **fields,
    )
