"""How large the pictures in AV1 data are by its own headers: a container around it may claim anything.

The structure is section 5 of the AV1 bitstream specification.
"""

from __future__ import annotations

MOST_UNITS = 10_000
_SEQUENCE_HEADER = 1


def largest_picture(data: bytes) -> tuple[int, int]:
    """Width and height of the largest picture that the data's sequence headers allow; 0, 0 without one.

    ValueError for headers of a film, which a still picture has no use for.
    """
    sizes = [_size(data[start:stop]) for kind, start, stop in _units(data) if kind == _SEQUENCE_HEADER]
    return max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))


def _units(data: bytes) -> list[tuple[int, int, int]]:
    """The kind of each unit, and where its content starts and stops."""
    units: list[tuple[int, int, int]] = []
    at = 0
    while at < len(data) and len(units) < MOST_UNITS:
        head = data[at]
        at += 2 if head & 4 else 1
        size = len(data) - at
        if head & 2:
            size, at = _length(data, at)
        units.append((head >> 3 & 15, at, at + size))
        at += size
    if at < len(data):
        raise ValueError("too many units")
    return units


def _length(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where the next thing starts."""
    value = 0
    for index in range(8):
        byte = data[at + index]
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, at + index + 1
    raise ValueError("a number without an end")


def _size(header: bytes) -> tuple[int, int]:
    bits = _Bits(header)
    bits.take(3 + 1)  # profile, still picture
    if bits.take(1):  # the short header of a still picture
        bits.take(5)
    else:
        if bits.take(1):
            raise ValueError("timing of a film")
        delays = bits.take(1)
        for _ in range(bits.take(5) + 1):
            bits.take(12)
            if bits.take(5) > 7:
                bits.take(1)
            if delays and bits.take(1):
                bits.take(4)
    across, down = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(across) + 1, bits.take(down) + 1


class _Bits:
    """The bits of some bytes, the highest first."""

    def __init__(self, data: bytes) -> None:
        self.value, self.left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        """The next number of so many bits. ValueError past the end."""
        self.left -= count
        if self.left < 0:
            raise ValueError("the header is cut short")
        return self.value >> self.left & (1 << count) - 1
