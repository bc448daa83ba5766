"""How well the positions where a channel is largest lie on objects: Network Dissection, arXiv:1704.05796.

One threshold for all images: the value that a given fraction of all positions exceeds. Maps are first
interpolated to the size of the masks. What lies above it is compared with a concept's mask over all images
together.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from explorer.engine.values import Floats, Integers, Value

PAPER = 0.005  # of all positions lie above the threshold
SHIFTS = 20  # of every mask, at random
Masks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Overlap:
    """How far the largest positions of a channel lie on a concept.

    `iou` is the intersection over the union. `chance` is the mean of SHIFTS times, after every mask was moved
    around by a random distance, and `chance_high` the largest of them; `best` is the largest IoU that areas
    of these two sizes can have. `inside` is the fraction of the largest positions on the concept, which
    covers `area` of all positions.
    """

    concept: str
    iou: float
    chance: float
    chance_high: float
    best: float
    inside: float
    area: float

    @property
    def above_chance(self) -> bool:
        """Whether it is larger than with every shift."""
        return self.iou > self.chance_high


@dataclass(frozen=True, eq=False)
class Dissection(Value):
    """A channel on N images: its `threshold`, the `fraction` of positions that really lie above it, and the
    Overlap with each concept.
    """

    threshold: float
    fraction: float
    overlaps: tuple[Overlap, ...]


def enlarged(maps: Floats, height: int, width: int) -> Floats:
    """Maps (N, h, w), interpolated bilinearly to (N, height, width)."""
    large = functional.interpolate(torch.from_numpy(maps)[:, None], (height, width), mode="bilinear")
    return np.asarray(large[:, 0].numpy(), np.float32)


def threshold_of(maps: Floats, quantile: float) -> float:
    """The value that at most a fraction `quantile` of all positions of maps (N, h, w) exceeds."""
    return float(np.quantile(maps, 1 - quantile, method="higher"))


def dissect(
    maps: Floats,
    masks: Masks,
    labels: Integers,
    classes: tuple[str, ...],
    quantile: float = PAPER,
    seed: int = 0,
) -> Dissection:
    """A channel's Dissection by its maps, float32 (N, h, w), and the objects' masks, bool (N, H, W).

    Concepts are any object, named "", then the object of each class that `labels` int64 (N,) has.
    """
    large = enlarged(maps, *masks.shape[1:])
    threshold = threshold_of(large, quantile)
    high = large > threshold
    shifted = _shifted(masks, seed)
    concepts = {"": np.ones(len(masks), bool)}
    concepts |= {name: labels == k for k, name in enumerate(classes) if (labels == k).any()}
    overlaps = tuple(_overlap(name, high, masks, shifted, rows) for name, rows in concepts.items())
    return Dissection(threshold, float(high.mean()), overlaps)


def _overlap(name: str, high: Masks, masks: Masks, shifted: list[Masks], rows: Masks) -> Overlap:
    """The Overlap with the objects in some images; the others have none of the concept."""
    area, total = int(masks[rows].sum()), int(high.sum())
    ious = [iou(high, each, rows) for each in shifted]
    inside = int((high[rows] & masks[rows]).sum())
    return Overlap(
        name,
        iou(high, masks, rows),
        float(np.mean(ious)),
        max(ious),
        min(area, total) / max(area, total) if max(area, total) else 0.0,
        inside / total if total else 0.0,
        area / masks.size,
    )


def iou(high: Masks, masks: Masks, rows: Masks) -> float:
    """The intersection over the union of positions and masks, bool (N, H, W), that count in some `rows`."""
    common = int((high[rows] & masks[rows]).sum())
    union = int(high.sum()) + int(masks[rows].sum()) - common
    return common / union if union else 0.0


def _shifted(masks: Masks, seed: int) -> list[Masks]:
    """The masks, each moved around by distances of its own, SHIFTS times: area and shape stay."""
    rng = np.random.default_rng(seed)
    count, height, width = masks.shape
    moved = []
    for _ in range(SHIFTS):
        down, right = rng.integers(0, height, (count, 1, 1)), rng.integers(0, width, (count, 1, 1))
        rows = (np.arange(height)[:, None] + down) % height
        columns = (np.arange(width) + right) % width
        moved.append(masks[np.arange(count)[:, None, None], rows, columns])
    return moved
