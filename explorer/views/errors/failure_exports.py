"""What the part “Failures explained” offers for download: its cards, and the effects of their channels."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import figures, ranges
from explorer.drawing.colormaps import color
from explorer.drawing.figures import Panel
from explorer.drawing.ranges import number
from explorer.ui.exports import downloads, scan_export
from explorer.ui.exports.downloads import Offer, Pictures
from explorer.ui.exports.export_parts import Arrays
from explorer.ui.exports.snippets import program
from explorer.ui.jobs import JOBS
from explorer.ui.scans import scanning
from explorer.views.errors import exports, failures
from explorer.views.errors.evaluation import Evaluation
from explorer.views.errors.failures import ErrorCard, Tipping
from model.words import tr

IMPORT = "from explorer.engine.ablation import without_sets"


def show(evaluation: Evaluation, cards: Sequence[ErrorCard]) -> None:
    downloads.show(partial(offer, evaluation, cards))


def offer(evaluation: Evaluation, cards: Sequence[ErrorCard]) -> Offer:
    first = cards[0]
    name, layer = evaluation.classes[first.predicted], first.layer
    lines = [
        f"one = without_sets(net, x, {layer!r})",
        f"falls = one.falls({first.predicted}) - one.falls({first.true})  # {name!r}",
        f"print(one.logits[{first.predicted}] - one.logits[{first.true}])",
    ]
    if tipping(first):
        lines.append("print(falls.max())")
    return Offer(
        name=f"failures {evaluation.opened.name} {evaluation.scan.dataset} {layer}",
        caption=caption(evaluation, cards),
        pictures=pictures(evaluation, cards),
        tables={
            tr("Failures"): lambda: table(evaluation, cards),
            tr("Predictions"): lambda: exports.predictions(evaluation),
        },
        arrays=lambda: arrays(evaluation, cards),
        figure=lambda: [row for card in cards for row in rows(evaluation, card)],
        snippet=program([first.selection], [IMPORT], lines),
        printed=printed(evaluation, first),
    )


def tipping(card: ErrorCard) -> list[Tipping] | None:
    """The channels on a card; None before all of the layer’s are measured."""
    (progress,) = JOBS.look(card.work)
    return failures.tipping(card, progress)


def printed(evaluation: Evaluation, card: ErrorCard) -> str:
    """The numbers that the program prints, as the card shows them."""
    fields = {
        "predicted": evaluation.class_names[card.predicted],
        "true": evaluation.class_names[card.true],
        "number": numbered(evaluation, card),
        "lead": number(failures.lead(card)),
    }
    channels = tipping(card)
    if not channels:
        return tr(
            "It prints how far the logit of {predicted} is above that of {true} in image {number}: {lead}.",
            **fields,
        )
    return tr(
        "It prints how far the logit of {predicted} is above that of {true} in image {number}, and by how "
        "much this lead falls without channel {channel}: {lead} and {fall}.",
        channel=channels[0].channel,
        fall=number(channels[0].fall),
        **fields,
    )


def numbered(evaluation: Evaluation, card: ErrorCard) -> int:
    return scanning.image_number(evaluation.scan, card.row)


def caption(evaluation: Evaluation, cards: Sequence[ErrorCard]) -> str:
    """The images of the cards, method, layer and ranges, and what was scanned."""
    ends = tr(", ").join(ranges.text(card.range) for card in cards if card.heats)
    traced = figures.caption(
        checkpoint=evaluation.opened.name,
        digest=evaluation.opened.checkpoint.digest,
        image=tr(", ").join(card.selection.sample.name for card in cards),
        layer=cards[0].layer,
        method="Grad-CAM",
        range=tr("{ranges}, one scale per image", ranges=ends) if ends else None,
    )
    return " · ".join([traced, exports.scanned(evaluation)])


# Pictures


def pictures(evaluation: Evaluation, cards: Sequence[ErrorCard]) -> Pictures:
    """Of each card what the network gets, the heat maps over it, and the maps of its channels."""
    return {name: draw for card in cards for name, draw in card_pictures(evaluation, card).items()}


def card_pictures(evaluation: Evaluation, card: ErrorCard) -> Pictures:
    names, image = evaluation.class_names, numbered(evaluation, card)
    drawn: Pictures = {tr("image {number}, network input", number=image): lambda: card.selection.framed}
    over = failures.overlays(card, names[card.predicted], names[card.true])
    for title, pixels in over:
        drawn[tr("image {number}, Grad-CAM of {name}", number=image, name=title)] = partial(
            np.asarray, pixels
        )
    for one in tipping(card) or []:
        values = card.selection.seen.maps[card.layer][one.channel]
        name = tr("image {number}, channel {channel}", number=image, channel=one.channel)
        drawn[name] = partial(color, values, failures.map_range(values))
    return drawn


def rows(evaluation: Evaluation, card: ErrorCard) -> list[list[Panel]]:
    """A card for print: the image with its heat maps, and below it the channels."""
    names, image = evaluation.class_names, numbered(evaluation, card)
    predicted, true = names[card.predicted], names[card.true]
    title = tr("Image {number}: {title}", number=image, title=failures.title_of(card, names))
    maps = [
        Panel(pixels, failures.map_name(card, name), card.range, tr(failures.SCALE), True)
        for name, pixels in failures.overlays(card, predicted, true)
    ]
    channels = [channel_panel(card, one, names) for one in tipping(card) or []]
    return [[Panel(card.selection.framed, title), *maps], *([channels] if channels else [])]


def channel_panel(card: ErrorCard, one: Tipping, names: Sequence[str]) -> Panel:
    values = card.selection.seen.maps[card.layer][one.channel]
    own = failures.map_range(values)
    return figures.mapped(values, own, channel_title(card, one, names), tr("this channel only"))


def channel_title(card: ErrorCard, one: Tipping, names: Sequence[str]) -> str:
    fields = {"channel": one.channel, "fall": number(one.fall)}
    if one.predicted == card.predicted:
        return tr("Channel {channel}: lead falls by {fall}; prediction unchanged", **fields)
    name = names[one.predicted]
    return tr("Channel {channel}: lead falls by {fall}; then predicted: {name}", name=name, **fields)


# Numbers


def table(evaluation: Evaluation, cards: Sequence[ErrorCard]) -> pd.DataFrame:
    """One row for each card; of its channels, in order, by how much the lead falls without each alone.

    Before a layer is measured, and behind the last channel that lowers the lead, the fields are empty.
    """
    return pd.DataFrame([table_row(evaluation, card) for card in cards])


def table_row(evaluation: Evaluation, card: ErrorCard) -> dict[str, object]:
    names, probabilities = evaluation.classes, card.selection.seen.probabilities
    channels = tipping(card)
    places = [*(channels or []), *[None] * failures.TIPPING][: failures.TIPPING]
    row: dict[str, object] = {
        **scan_export.image_columns(evaluation.scan, card.row),
        "label": names[card.true],
        "predicted": names[card.predicted],
        "confidence": probabilities[card.predicted],
        "probability_of_label": probabilities[card.true],
        "lead": failures.lead(card),
        "layer": card.layer,
        "measured": channels is not None,
    }
    for place, one in enumerate(places, 1):
        row[f"channel_{place}"] = "" if one is None else str(one.channel)
        row[f"lead_falls_by_{place}"] = None if one is None else one.fall
        row[f"predicted_without_{place}"] = "" if one is None else names[one.predicted]
    return row


def arrays(evaluation: Evaluation, cards: Sequence[ErrorCard]) -> Arrays:
    made: Arrays = {"classes": (np.array(evaluation.classes), tr("the names of the classes (K,)"))}
    for place, card in enumerate(cards, 1):
        made |= card_arrays(evaluation, card, place)
    return made


def card_arrays(evaluation: Evaluation, card: ErrorCard, place: int) -> Arrays:
    image = numbered(evaluation, card)
    made: Arrays = {
        f"input_{place}": (
            card.selection.input.x.numpy(),
            tr("the normalized input (1, C, s, s) of image {number}", number=image),
        ),
        f"logits_{place}": (
            card.selection.seen.logits,
            tr("the logits (K,) of image {number}", number=image),
        ),
    }
    if card.heats:
        made[f"heats_{place}"] = (
            np.stack(card.heats),
            tr(
                "Grad-CAM (3, h, w) of image {number} at {layer}, raw values: of the predicted class, of the "
                "true one, and their difference",
                number=image,
                layer=card.layer,
            ),
        )
    (progress,) = JOBS.look(card.work)
    if (falls := failures.falls_of_lead(card, progress)) is not None:
        made[f"lead_falls_{place}"] = (
            falls,
            tr("how much the lead falls with each channel at zero (C,) in image {number}", number=image),
        )
    return made
