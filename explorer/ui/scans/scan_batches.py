"""The images of a scan as a network gets them, batch by batch, for work that needs more than the scan has."""

from collections.abc import Callable
from functools import partial

import numpy as np
from torch import Tensor

from explorer.engine.batches import spread
from explorer.engine.network import Network
from explorer.engine.samples import Sample
from explorer.engine.scan.images import drawn_scenes, of_test_set, scene_number
from explorer.engine.scan.result import Scan
from explorer.engine.values import Integers
from explorer.ui import cached
from explorer.ui.options import options
from model.problems import Problem

BATCH = 64  # images of one step of a job
Take = Callable[[int], Sample]


def batches(
    network: Network, scan: Scan, rows: Integers, size: int = BATCH
) -> list[tuple[Callable[[], Tensor], Integers]]:
    """For up to `size` of the rows after another what makes their x, float (n, C, h, w), and the rows.

    Making x touches nothing of Streamlit. It raises Problem for an image that can no longer be read, and this
    where the images are gone.
    """
    take = _taking(network, scan)
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [(partial(_images, network, take, scan.ids[part]), part) for part in parts]


def _images(network: Network, take: Take, ids: Integers) -> Tensor:
    return network.card.to_inputs([take(int(each)).pixels for each in ids])


def _taking(network: Network, scan: Scan) -> Take:
    """What gives the image of an id of the scan."""
    if scan.dataset == "scenes":
        scenes = drawn_scenes(network.card)
        return lambda seed: scenes.take(scene_number(seed))
    test_set = cached.test_set(options().data_dir)
    if test_set is None or test_set.digest != scan.images:
        raise Problem("The images of this scan are no longer in the folder: start with their --data-dir.")
    return of_test_set(test_set, network.card).take


def labeled_rows(scan: Scan, count: int | None = None) -> Integers:
    """The rows whose label is a class of the network, or `count` of them evenly spread."""
    return _spread(np.flatnonzero(scan.labels >= 0), count)


def rows_of(scan: Scan, label: int, count: int | None = None, predicted: int | None = None) -> Integers:
    """The rows of a class, or only those predicted as a class; or `count` of them evenly spread."""
    wanted = scan.labels == label
    if predicted is not None:
        wanted = wanted & (scan.logits.argmax(1) == predicted)
    return _spread(np.flatnonzero(wanted), count)


def _spread(rows: Integers, count: int | None) -> Integers:
    return rows if count is None else rows[spread(len(rows), count)]
