"""How far a fraction that was counted may be from the true one."""

from math import sqrt


def interval(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a fraction observed in `count` trials (95 % for z = 1.96)."""
    center = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return center - half, center + half
