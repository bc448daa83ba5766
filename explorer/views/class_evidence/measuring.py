"""The work behind the page: Grad-CAM's evidence of some images of each class, and of two groups of images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explorer.engine import class_evidence
from explorer.engine.class_evidence import Differences, Evidence
from explorer.engine.scan.result import Scan
from explorer.engine.values import Integers
from explorer.ui import cached
from explorer.ui.jobs import Progress, Work
from explorer.ui.scans.scan_batches import batches, rows_of
from explorer.ui.selection import Selection

BATCH = 32  # images of one step
LEAST = 3  # images of a group that is compared


@dataclass(frozen=True, eq=False)
class Groups:
    """Two groups of images, by their rows, and the classes whose difference is explained."""

    first: int
    second: int
    rows: tuple[Integers, Integers]
    errors: bool

    @property
    def enough(self) -> bool:
        return min(map(len, self.rows)) >= LEAST


def groups_of(scan: Scan, first: int, second: int, errors: bool, count: int) -> Groups:
    """Images of both classes; for `errors` those of the first class predicted as each of the two."""
    if errors:
        rows = (rows_of(scan, first, count, first), rows_of(scan, first, count, second))
    else:
        rows = (rows_of(scan, first, count), rows_of(scan, second, count))
    return Groups(first, second, rows, errors)


def averages(
    selection: Selection, scan: Scan, layer: str, classes: Sequence[int], count: int
) -> Work[Evidence]:
    """The evidence for their own class of up to `count` images of each class."""
    rows = np.concatenate([rows_of(scan, label, count) for label in classes])
    return _work(selection, scan, layer, rows, scan.labels[rows], scan.labels[rows], None)


def between(selection: Selection, scan: Scan, layer: str, groups: Groups) -> Work[Evidence]:
    """The evidence for the first class rather than the second; labels are 0 and 1, for the groups."""
    rows = np.concatenate(groups.rows)
    labels = np.repeat([0, 1], [len(each) for each in groups.rows])
    return _work(selection, scan, layer, rows, labels, np.full(len(rows), groups.first), groups.second)


def _work(
    selection: Selection,
    scan: Scan,
    layer: str,
    rows: Integers,
    labels: Integers,
    classes: Integers,
    against: int | None,
) -> Work[Evidence]:
    network = selection.network
    starts = range(0, len(rows), BATCH)
    parts = [
        (make, labels[start : start + BATCH], classes[start : start + BATCH])
        for start, (make, _) in zip(starts, batches(network, scan, rows, BATCH), strict=True)
    ]
    return Work(
        "class evidence",
        (network, scan.images, scan.ids[rows], layer, labels, classes, against),
        len(parts),
        lambda: class_evidence.evidence_of_batches(network.net, parts, layer, against),
    )


def finished(progress: Progress[Evidence]) -> Evidence | None:
    """The evidence of all images; None before it is there."""
    if not progress.finished or len(progress.results) < progress.steps:
        return None
    return class_evidence.joined(progress.results)


def differences_of(evidence: Evidence) -> Differences:
    """How the two groups differ by channel."""
    return cached.evidence_differences(evidence.of(0).contributions, evidence.of(1).contributions)
