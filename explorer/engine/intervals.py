"""How far a fraction that was counted may be from the true one."""

from math import sqrt


def interval(fraction: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a fraction observed in `count` trials (95% for z = 1.96)."""
    center = (fraction + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * sqrt(fraction * (1 - fraction) / count + z * z / (4 * count * count))
    return max(center - half, 0.0), min(center + half, 1.0)  # rounding may lead beyond


def paired_interval(gained: int, lost: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """An interval of (gained − lost) / count, the change of a fraction over the same `count` trials.

    `gained` trials are successes only after the change, `lost` only before (95% for z = 1.96). By Agresti
    and Min: half a trial is added to each of the four outcomes.
    """
    total, gains, losses = count + 2, gained + 0.5, lost + 0.5
    change = (gains - losses) / total
    half = z * sqrt((gains + losses) / total - change * change) / sqrt(total)
    return change - half, change + half
