"""What a JPEG is made of, read off its markers: the first picture by itself, its profile, how it was held.

Cameras put a file's own thumbnail, a second picture or a whole video behind the picture that is meant.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from model.problems import Problem

MOST_PIXELS = 200_000_000  # decoded at a fraction of their size
MOST_SCANS = 40  # usual are 1 to 16, and each goes over all pixels
MOST_SCANNED = 1_100_000_000  # pixels, all scans together
MOST_COEFFICIENTS = 350_000_000  # bytes, of a picture in several scans, which are all kept
MOST_SEGMENTS = 2_000
ORIENTATION = 0x0112

_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
_START_OF_SCAN, _END = 0xDA, 0xD9


@dataclass(frozen=True)
class Parts:
    """A JPEG's first picture without its applications' segments, and what these say of it."""

    picture: bytes
    scans: int
    progressive: bool
    orientation: int
    profile: bytes


def looked_into(data: bytes, name: str) -> Parts:
    """The parts of a JPEG. Pillow would read its applications' segments far and wide. Raises Problem."""
    pieces, start, end, scans, progressive, applications = [data[:2]], 2, len(data), 0, False, []
    for marker, stop in _segments(data, name):
        code = data[marker + 1]
        if 0xE0 <= code <= 0xEF and code not in (0xE0, 0xEE):  # all but JFIF and Adobe's colors
            applications.append(data[marker + 1 : stop])
            pieces.append(data[start:marker])
            start = stop
        scans += code == _START_OF_SCAN
        progressive |= code in (0xC2, 0xCA)
        end = stop if code == _END else len(data)  # without an end it is cut off
    if scans > MOST_SCANS:
        raise too_many_scans(name)
    pieces.append(data[start:end])
    return Parts(b"".join(pieces), scans, progressive, _orientation(applications), _profile(applications))


def _segments(data: bytes, name: str) -> Iterator[tuple[int, int]]:
    """Where each segment of the first picture starts and stops, its end marker among them."""
    start = 2
    for _ in range(MOST_SEGMENTS):
        match = _MARKER.search(data, start)
        if match is None:
            return
        marker = match.start()
        if data[marker + 1] == _END:
            yield marker, marker + 2
            return
        start = min(marker + 2 + int.from_bytes(data[marker + 2 : marker + 4], "big"), len(data))
        yield marker, start
    raise Problem(
        "{name} has more than {most:,} segments: save it again as PNG.", name=name, most=MOST_SEGMENTS
    )


def check_effort(parts: Parts, image: Image.Image, name: str) -> None:
    """Problem for a JPEG whose scans take too long, or all too much memory together."""
    pixels = image.width * image.height
    if parts.scans * pixels > MOST_SCANNED:
        raise too_many_scans(name)
    layers: list[tuple[int, int, int, int]] = image.layer  # type: ignore[attr-defined]
    full = max(across * down for _, across, down, _ in layers)
    coefficients = sum(2 * pixels * across * down // full for _, across, down, _ in layers)
    if (parts.progressive or parts.scans > 1) and coefficients > MOST_COEFFICIENTS:
        raise Problem(
            "{name} is a progressive JPEG of too many pixels: save it as a baseline JPEG or smaller.",
            name=name,
        )


def too_many_scans(name: str) -> Problem:
    """The sentence for a JPEG that goes over its pixels too often."""
    return Problem(
        "{name} has too many scans (more than {most} of a large picture): save it again as PNG.",
        name=name,
        most=MOST_SCANS,
    )


def _profile(applications: list[bytes]) -> bytes:
    """The color profile, put together from its parts; empty where one of them is missing."""
    parts = {each[15]: each for each in applications if each[3:15] == b"ICC_PROFILE\0" and len(each) > 17}
    if not parts or sorted(parts) != list(range(1, 1 + next(iter(parts.values()))[16])):
        return b""
    return b"".join(parts[number][17:] for number in sorted(parts))


def _orientation(applications: list[bytes]) -> int:
    for each in applications:
        content = each[3:]
        if each[0] == 0xE1 and content[:4] == b"Exif":
            return orientation_in(content)
        if match := re.search(rb'tiff:Orientation(?:="|>)([1-8])', content):
            return int(match[1])
    return 1


def orientation_in(exif: bytes) -> int:
    """The orientation in EXIF's first directory: Pillow would read every entry, each as large as it says."""
    body = exif[6:] if exif[:4] == b"Exif" else exif
    order = {b"II": "<", b"MM": ">"}.get(body[:2])
    try:
        if order is None:
            return 1
        (start,) = struct.unpack_from(order + "I", body, 4)
        (count,) = struct.unpack_from(order + "H", body, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", body, entry)
            if tag == ORIENTATION and kind == 3:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:  # cut short
        pass
    return 1
