"""The downloads of the page: mean heat maps, contributions of every channel, and how two classes differ."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import ranges
from explorer.drawing.colormaps import color
from explorer.drawing.figures import Panel, Part
from explorer.drawing.ranges import number
from explorer.engine.class_evidence import Evidence
from explorer.engine.scan.images import scene_number
from explorer.engine.scan.result import Scan
from explorer.engine.values import Integers
from explorer.ui.class_names import glossed
from explorer.ui.exports import downloads, scan_export
from explorer.ui.exports.downloads import Offer, Pictures, Tables
from explorer.ui.exports.export_parts import Arrays
from explorer.ui.exports.snippets import Origin, path_text, program_of
from explorer.ui.options import options
from explorer.ui.scans.scan_batches import rows_of
from explorer.ui.selection import Selection
from explorer.views.class_evidence import charts, per_class
from explorer.views.class_evidence.pair import GroupPair, named
from model.words import tr

IMPORTS = ("from explorer.engine.class_evidence import evidence", "import numpy as np")


@dataclass(frozen=True, eq=False)
class EvidenceView:
    """The averages of classes at a layer, of up to `count` images each, and of two groups of images."""

    scan: Scan
    layer: str
    count: int
    averages: Evidence
    pair: GroupPair | None


def show(selection: Selection, view: EvidenceView) -> None:
    downloads.show(partial(offer, selection, view))


def offer(selection: Selection, view: EvidenceView) -> Offer:
    program, printed = first_class(selection, view)
    return Offer(
        name=f"class evidence {scan_export.name(selection, view.scan, view.layer)}",
        caption=caption(selection, view),
        pictures=pictures(view),
        tables=tables(view),
        arrays=lambda: arrays(view),
        figure=lambda: parts(view),
        snippet=program,
        printed=printed,
    )


def caption(selection: Selection, view: EvidenceView) -> str:
    own = scan_export.caption(selection, view.scan, view.layer, tr("Grad-CAM"))
    said = [own, tr("means over up to {count} images of each class", count=view.count)]
    if view.pair is not None:
        first, second = map(glossed, view.pair.classes)
        said.append(tr("Mean Grad-CAM for {first} minus {second}", first=first, second=second))
    return " · ".join(said)


def pictures(view: EvidenceView) -> Pictures:
    range = per_class.common_range(view.averages)
    return {
        tr("mean heat map of {name}", name=glossed(view.scan.classes[label])): partial(
            color, view.averages.of(label).heats.mean(0), range
        )
        for label in per_class.present(view.averages)
    }


def tables(view: EvidenceView) -> Tables:
    means: Tables = {
        tr("Mean contributions"): lambda: per_class.table(view.scan.classes, view.averages),
    }
    pair = view.pair
    return means if pair is None else means | {tr("Differences"): lambda: differences(pair)}


def differences(pair: GroupPair) -> pd.DataFrame:
    """One row per channel, the largest difference beside chance first."""
    measured, order = pair.differences, pair.differences.order
    columns = {name: getattr(measured, name)[order] for name in ("difference", "low", "high", "chance", "p")}
    means = {"mean_of_group": measured.first[order], "mean_of_minus": measured.second[order]}
    first, second = named(pair.classes, pair.groups.errors)
    return pd.DataFrame({"channel": order, "group": first, "minus": second, **means, **columns})


def arrays(view: EvidenceView) -> Arrays:
    labels = per_class.present(view.averages)
    names = tr(", ").join(glossed(view.scan.classes[label]) for label in labels)
    each = [view.averages.of(label) for label in labels]
    made: Arrays = {
        "heats": (
            np.stack([one.heats.mean(0) for one in each]),
            tr("mean heat maps (K, h, w), raw, of {names}", names=names),
        ),
        "contributions": (
            view.averages.contributions,
            tr("contribution of each channel for each image (N, C)"),
        ),
        "labels": (view.averages.labels, tr("the class of each image (N,)")),
    }
    if view.pair is not None:
        first, second = map(glossed, view.pair.classes)
        made["pair_contributions"] = (
            view.pair.evidence.contributions,
            tr("contributions for {first} minus {second} (N, C)", first=first, second=second),
        )
        made["pair_groups"] = (view.pair.evidence.labels, tr("the group of each image (N,), 0 or 1"))
    return made


def parts(view: EvidenceView) -> list[Part]:
    """The mean maps of two classes and the chart of their differences; without two, those of all classes."""
    if view.pair is None:
        labels = per_class.present(view.averages)
        heats = {glossed(view.scan.classes[label]): view.averages.of(label).heats.mean(0) for label in labels}
    else:
        pair = view.pair
        heats = {
            tr("over images of {name}", name=name): pair.evidence.of(group).heats.mean(0)
            for group, name in enumerate(pair.names)
        }
    range = ranges.symmetric(*heats.values())
    panels: list[Part] = [
        Panel(color(heat, range), name, range, tr("shared scale"), shared=True)
        for name, heat in heats.items()
    ]
    if view.pair is None:
        return panels
    return [*panels, charts.differences(view.layer, view.pair.names, view.pair.differences)]


def first_class(selection: Selection, view: EvidenceView) -> tuple[str, str]:
    """A program that prints the largest mean contribution to the first class; what it prints."""
    scan, label = view.scan, per_class.present(view.averages)[0]
    means = view.averages.of(label).contributions.mean(0)
    channel = int(means.argmax())
    lines = [
        f"numbers = {numbers(scan, rows_of(scan, label, view.count))}",
        "x = checkpoint.card.to_inputs([batch.take(number).pixels for number in numbers])",
        f"labels = np.full(len(x), {label})  # {scan.classes[label]!r}",
        f"one = evidence(net, x, labels, {view.layer!r}, {label})",
        f"print(one.contributions.mean(0)[{channel}])",
    ]
    sentence = tr(
        "It prints the mean contribution of channel {channel} to {name}: {value}.",
        channel=channel,
        name=glossed(scan.classes[label]),
        value=number(means[channel]),
    )
    return program_of(selection.opened.source, images(scan), IMPORTS, lines), sentence


def images(scan: Scan) -> Origin:
    """The images of a scan, as `batch` of a program."""
    if scan.dataset == "scenes":
        imports = ("from explorer.engine.scan.images import drawn_scenes",)
        return Origin(imports, "drawn_scenes(checkpoint.card)")
    folder = path_text(options().data_dir)
    return Origin(
        ("from explorer.engine.scan.images import scan_images",),
        f"scan_images({scan.dataset!r}, checkpoint.card, {folder}, {scan.split!r})",
    )


def numbers(scan: Scan, rows: Integers) -> list[int]:
    """What the images of some rows are taken by."""
    ids: list[int] = scan.ids[rows].tolist()
    return [scene_number(each) for each in ids] if scan.dataset == "scenes" else ids
