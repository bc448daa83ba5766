"""Drawn scenes as a data set: drawn once, then read from a cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model import scenes as drawn
from model.decoded import CACHE_VERSION, Decoded, cached, digest
from model.images import Dataset, Labels, OnCorrupt, Progress, Split, mean_and_std, tell

SCENES_COUNT: dict[Split, int] = {"train": 5_000, "test": 1_000}
SCENES_SEED: dict[Split, int] = {"train": 1_000, "test": 2_000}
SCENES_CHUNK = 100


def scenes(
    data_dir: Path,
    split: Split,
    size: int = 32,
    *,
    on_corrupt: OnCorrupt = "fail",
    progress: Progress | None = None,
) -> Dataset:
    """Draw 5,000 (train) or 1,000 (test) scenes as uint8 (N,size,size,3), the same each time; cached.

    The first time takes minutes.
    """
    train = _drawn(data_dir, "train", size, progress)
    mean, std = mean_and_std(train.images)
    chosen = train if split == "train" else _drawn(data_dir, "test", size, progress)
    provenance = f"{len(chosen.labels):,} drawn scenes ({split})"
    return Dataset("scenes", chosen.images, chosen.labels, drawn.CLASSES, mean, std, provenance)


def planned(split: Split) -> tuple[Labels, Labels]:
    """The labels and the seeds of all scenes of a split, int64 (N,) both: `draw` makes each of them alone."""
    count, seed = SCENES_COUNT[split], SCENES_SEED[split]
    parts = [
        drawn.planned(min(SCENES_CHUNK, count - start), seed + number)
        for number, start in enumerate(range(0, count, SCENES_CHUNK))
    ]
    labels, seeds = zip(*parts, strict=True)
    return np.concatenate(labels), np.concatenate(seeds)


def _drawn(data_dir: Path, split: Split, size: int, progress: Progress | None) -> Decoded:
    probe, _ = drawn.dataset(len(drawn.CLASSES), 0, size)
    count, seed = SCENES_COUNT[split], SCENES_SEED[split]
    key = digest(CACHE_VERSION, count, seed, SCENES_CHUNK, probe.tobytes())  # drawn differently, drawn anew
    return cached(data_dir, f"scenes-{split}-{size}.npz", key, lambda: _draw_all(count, seed, size, progress))


def _draw_all(count: int, seed: int, size: int, progress: Progress | None) -> Decoded:
    starts = range(0, count, SCENES_CHUNK)
    parts = []
    for number, start in enumerate(starts):
        parts.append(drawn.dataset(min(SCENES_CHUNK, count - start), seed + number, size))
        tell(progress, (number + 1) / len(starts))
    images, labels = zip(*parts, strict=True)
    return Decoded(np.concatenate(images), np.concatenate(labels))
