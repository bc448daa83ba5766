"""How far a scan is, and how long the rest takes at its pace."""

from collections import deque
from collections.abc import Iterable
from datetime import timedelta

from model.words import tr

RECENT = 16
"""The last batches, whose pace counts."""
AT_ONCE = 0.2
"""Batches this much faster than the slowest of them do not count: an earlier scan has left them on disk."""


def progress_text(done: int, total: int, pace: float) -> str:
    """How many images are scanned, and about how long the rest takes at a pace in seconds an image.

    >>> progress_text(2560, 10_000, 0.01)
    '2,560 of 10,000 images, about 0:01:14 left'
    """
    left = timedelta(seconds=round(pace * (total - done)))
    return tr("{done:,} of {total:,} images, about {left} left", done=done, total=total, left=left)


def recent_pace(batches: Iterable[tuple[int, float]]) -> float | None:
    """Seconds an image of the last batches, each its images and its seconds; None where it is unknown.

    >>> recent_pace([(128, 0.0)] * 40 + [(128, 1.28)]), recent_pace([(128, 1.28)])
    (0.01, None)
    """
    recent = [(count, seconds) for count, seconds in deque(batches, RECENT) if count]
    slowest = max((seconds / count for count, seconds in recent), default=0.0)
    counted = [each for each in recent if each[1] / each[0] >= AT_ONCE * slowest]
    if len(recent) < 2:
        return None
    return sum(seconds for _, seconds in counted) / sum(count for count, _ in counted)
