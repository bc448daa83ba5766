"""The downloads of a channel's biography: what the page shows, as far as it is measured."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import ranges
from explorer.drawing.figures import Panel, Part, mapped
from explorer.drawing.ranges import number
from explorer.engine.channel_effects import ClassEffect
from explorer.engine.dissection import Dissection
from explorer.engine.visualization import Visualization
from explorer.ui.class_names import glossed_all
from explorer.ui.exports import downloads, export_parts, scan_export
from explorer.ui.exports.downloads import Offer, Pictures, Tables
from explorer.ui.exports.export_parts import TRACE, Arrays
from explorer.ui.exports.snippets import program
from explorer.views.channel import charts, over_scan, switched_off, tiles
from explorer.views.channel.examples import Examples
from explorer.views.channel.over_scan import Numbers, largest_classes
from explorer.views.channel.over_time import MapHistory
from explorer.views.channel.subject import ChannelSubject
from explorer.views.channel.tiles import ExampleTile
from model.card import Pixels
from model.words import tr

IN_FIGURE = 4  # top images


@dataclass(frozen=True, eq=False)
class Biography:
    """All that the page shows of a channel; None or nothing for what is not there, or not yet."""

    subject: ChannelSubject
    examples: Examples | None = None
    numbers: Numbers | None = None
    made: Visualization | None = None
    effects: Sequence[ClassEffect] = field(default_factory=list)
    dissection: Dissection | None = None
    history: MapHistory | None = None


def show(biography: Biography) -> None:
    downloads.show(partial(offer, biography))


def offer(biography: Biography) -> Offer:
    subject = biography.subject
    selection, layer, channel = subject.selection, subject.layer, subject.channel
    value = float(selection.seen.maps[layer][channel].max())
    lines = [f"print(trace(net, x).maps[{layer!r}][{channel}].max())"]
    return Offer(
        name=f"channel {layer} {channel}",
        caption=caption(biography),
        pictures=pictures(biography),
        tables=tables(biography),
        arrays=partial(arrays, biography),
        figure=partial(figure, biography),
        snippet=program([selection], [TRACE], lines),
        printed=tr(
            "It prints the largest value of the channel’s map of the selected image: {value}.",
            value=number(value),
        ),
    )


def caption(biography: Biography) -> str:
    """The image, the channel and the scan, and how to read the figure."""
    subject = biography.subject
    name = tr("{layer}, channel {channel}", layer=subject.layer, channel=subject.channel)
    parts = [export_parts.caption(subject.selection, layer=name, target="")]
    if subject.scan is not None:
        parts.append(scan_export.images(subject.scan))
    if biography.examples is not None:
        parts.append(tiles.field_in_words(subject, True))
    if biography.numbers is not None:
        parts.append(over_scan.about_classes(subject, biography.numbers))
    if biography.effects:
        parts.append(switched_off.about(subject, biography.effects))
    return " · ".join(parts)


def pictures(biography: Biography) -> Pictures:
    """The map, the image made for the channel, and the images that the page shows."""
    subject = biography.subject
    drawn: Pictures = {tr("the map of the selected image"): partial(map_picture, subject)}
    if biography.made is not None:
        made = biography.made
        drawn[tr("the image made for the channel")] = lambda: made.pixels
    for name, each in kinds(biography).items():
        for rank, tile in enumerate(each, start=1):
            text = tr("{kind}, number {rank}", kind=name, rank=rank)
            drawn[text] = partial(tiles.picture, subject, tile, False)
    return drawn


def kinds(biography: Biography) -> dict[str, list[ExampleTile]]:
    """What is shown of the scan's images: a name → tiles."""
    one = biography.examples
    if one is None:
        return {}
    every = {
        tr("largest activation"): one.top,
        tr("largest contribution"): one.contributing,
        tr("smallest"): one.bottom,
    }
    return {name: each for name, each in every.items() if each}


def map_picture(subject: ChannelSubject) -> Pixels:
    return map_panel(subject).pixels


def map_panel(subject: ChannelSubject) -> Panel:
    values = subject.selection.seen.maps[subject.layer][subject.channel]
    own = ranges.shared(values, signed=bool(values.min() < 0))
    return mapped(values, own, tr("the map of the selected image"), tr("this channel only"))


def tables(biography: Biography) -> Tables:
    made: Tables = {tr("This image"): partial(image_numbers, biography.subject)}
    if biography.examples is not None:
        one = biography.examples
        made[tr("Largest activation")] = partial(image_table, biography, one.top)
        if one.contributing:
            made[tr("Largest contribution")] = partial(image_table, biography, one.contributing)
        made[tr("Smallest")] = partial(image_table, biography, one.bottom)
    if biography.numbers is not None:
        made[tr("Classes")] = partial(class_table, biography, biography.numbers)
        made[tr("Correlations")] = partial(correlation_table, biography.numbers)
    if biography.effects:
        made[tr("Switched off")] = partial(effect_table, biography)
    if biography.dissection is not None:
        made[tr("Overlap with objects")] = partial(overlap_table, biography.dissection)
    return made


def image_numbers(subject: ChannelSubject) -> pd.DataFrame:
    """The map of the selected image, and the block's BatchNorm, in one row."""
    values = subject.selection.seen.maps[subject.layer][subject.channel]
    row: dict[str, object] = {"layer": subject.layer, "channel": subject.channel}
    row |= {name: float(getattr(values, name)()) for name in ("mean", "min", "max")}
    if (norm := over_scan.statistics(subject)) is not None:
        names = {"gamma": norm.weight, "beta": norm.bias, "running_mean": norm.running_mean}
        names |= {"running_std": norm.running_std, "image_mean": norm.mean}
        row |= {name: float(each[subject.channel]) for name, each in names.items()}
    return pd.DataFrame([row])


def image_table(biography: Biography, each: list[ExampleTile]) -> pd.DataFrame:
    """One row an image, with the receptive field of its position if there is one."""
    subject = biography.subject
    assert subject.scan is not None
    rows = []
    for rank, tile in enumerate(each, start=1):
        row: dict[str, object] = {"rank": rank, **scan_export.image_columns(subject.scan, tile.row)}
        row |= {"class": tiles.label_of(subject, tile.row), "value": tile.value}
        if tile.position is not None:
            edges = (*tile.position, *subject.field(tile.position).reach)
            row |= dict(zip(("y", "x", "top", "bottom", "left", "right"), edges, strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def class_table(biography: Biography, numbers: Numbers) -> pd.DataFrame:
    assert biography.subject.scan is not None
    return pd.DataFrame({"class": biography.subject.scan.classes, "mean": numbers.class_means}).dropna()


def correlation_table(numbers: Numbers) -> pd.DataFrame:
    channels = np.arange(len(numbers.correlations))
    return pd.DataFrame({"channel": channels, "correlation": numbers.correlations}).dropna()


def effect_table(biography: Biography) -> pd.DataFrame:
    names = biography.subject.selection.card.classes
    rows = [
        {"class": names[one.label], "images": one.fall.n, "fall_of_logit": one.fall.mean, "low": one.fall.low,
         "high": one.fall.high, "changed_predictions": one.changed}
        for one in biography.effects
    ]  # fmt: skip
    return pd.DataFrame(rows)


def overlap_table(dissection: Dissection) -> pd.DataFrame:
    table = pd.DataFrame([vars(one) for one in dissection.overlaps])
    table["concept"] = [one.concept or tr("any object") for one in dissection.overlaps]
    return table


def arrays(biography: Biography) -> Arrays:
    subject = biography.subject
    values = subject.selection.seen.maps[subject.layer][subject.channel]
    made: Arrays = {"map": (values, tr("the map of the selected image (h, w)"))}
    if biography.made is not None:
        made["made"] = (biography.made.pixels, tr("the image made for the channel (s, s, 3), RGB, 0 to 255"))
    if (scanned := subject.scanned) is not None:
        k = subject.channel
        made["image_mean"] = (
            scanned.image_mean[:, k],
            tr("the mean of the map for each image of the scan (N,)"),
        )
        made["histogram"] = (scanned.histogram[k], tr("how many values are in each bin (B,)"))
        made["edges"] = (scanned.edges[k], tr("the edges of the bins (B + 1,)"))
    if biography.history is not None:
        made["epochs"] = (np.array(biography.history.epochs), tr("the epochs of the snapshots (E,)"))
        made["maps"] = (biography.history.maps, tr("the map of the selected image at each epoch (E, h, w)"))
    return made


def figure(biography: Biography) -> list[Part]:
    """The map of the selected image, the image made for the channel, its first images, and the charts."""
    subject = biography.subject
    parts: list[Part] = [map_panel(subject)]
    if biography.made is not None:
        parts.append(Panel(biography.made.pixels, tr("made for the channel")))
    if biography.examples is not None:
        for rank, tile in enumerate(biography.examples.top[:IN_FIGURE], start=1):
            parts.append(Panel(tiles.picture(subject, tile, True), tr("top image {rank}", rank=rank)))
    if biography.numbers is not None and subject.scan is not None:
        order = largest_classes(biography.numbers.class_means)
        if order:
            names = glossed_all(subject.scan.classes)
            parts.append(charts.class_means(biography.numbers.class_means, names, order))
    if biography.effects:
        parts.append(charts.effects(biography.effects, subject.selection.class_names))
    return parts
