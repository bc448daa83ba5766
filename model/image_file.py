"""An image file's bytes, opened as a Pillow image within bounds of time and memory.

A file's size says little of what it unpacks to: each format has a way for a few bytes to claim hours or
gigabytes. What Pillow reads goes through `_Bounded`, whatever the format; the rest is looked at before.
"""

from __future__ import annotations

import io
import re
import struct
import time
from collections.abc import Iterator

from PIL import Image

MOST_BYTES = 80_000_000
MOST_SIDE = 30_000
MOST_SECONDS = 1.5  # of this thread's CPU
MOST_SCANS = 40  # of a JPEG; usual are 1 to 16, and each goes over all pixels
MOST_SEGMENTS = 2_000
TIFF_COMPRESSIONS = {"raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "jpeg"}
TIFF_COMPRESSIONS |= {"tiff_ccitt", "group3", "group4"}
ORIENTATION = 0x0112
SMALLER, SAVE_AGAIN = "make it smaller and try again", "save it again as PNG"

Formats = tuple[str, ...]


class ImageFileError(ValueError):
    """An image beyond bounds: what it has too much of and what to do, to follow a file's name."""


class _Bounded(io.BytesIO):
    """Bytes that are read a few times over at most, and not after their time."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.left = 2 * len(data) + 1_000_000
        self.end = time.thread_time() + MOST_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        self.left -= len(found)
        if self.left < 0 or time.thread_time() > self.end:
            raise ImageFileError(f"takes too long or too much memory to decode: {SAVE_AGAIN}")
        return found


def opened(data: bytes, formats: Formats, most_pixels: int) -> Image.Image:
    """The image in a file's bytes, not decoded yet; decode it at once.

    ImageFileError if it is too large in any way; whatever Pillow raises if it is damaged. Of a JPEG, only
    the orientation is kept of what is no picture: `exif` in the image's `info`.
    """
    if len(data) > MOST_BYTES:
        raise ImageFileError(f"is larger than {MOST_BYTES // 1_000_000} MB: {SMALLER}")
    kept = data
    if data[:2] == b"\xff\xd8":
        kept = _jpeg(data)
    elif data[:4] == b"RIFF":
        _check_size(*_webp_size(data), most_pixels)
    image = Image.open(_Bounded(kept), formats=formats)
    _check_size(*image.size, most_pixels)
    if image.format == "TIFF":
        _check_tiff(image, data, most_pixels)
    if kept is not data:
        image.info["orientation"] = _orientation_in_jpeg(data)
    return image


def orientation(image: Image.Image) -> int:
    """How an image was held, 1 to 8 as in EXIF; 1 where it does not say."""
    info = image.info
    if "orientation" in info:
        return int(info["orientation"])
    if image.format == "TIFF":  # what Pillow has not applied while decoding
        return int(image.getexif().get(ORIENTATION, 1))
    return _orientation_in(info.get("exif") or _raw_profile(info.get("Raw profile type exif")))


def _check_size(width: int, height: int, most_pixels: int) -> None:
    if width * height > most_pixels:
        raise ImageFileError(f"has more than {most_pixels // 1_000_000} million pixels: {SMALLER}")
    if max(width, height) > MOST_SIDE:
        raise ImageFileError(f"has a side of more than {MOST_SIDE:,} pixels: {SMALLER}")


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of a WebP's canvas, which Pillow makes while opening; 0 for other data."""
    if data[12:16] != b"VP8X":  # the others have 16,383 pixels a side at most, and Pillow's own check
        sides = struct.unpack("<HH", data[26:30]) if data[12:16] == b"VP8 " and len(data) >= 30 else (0, 0)
        return sides[0] & 0x3FFF, sides[1] & 0x3FFF
    return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")


def _check_tiff(image: Image.Image, data: bytes, most_pixels: int) -> None:
    compression, tags = image.info.get("compression", "raw"), image.tag_v2  # type: ignore[attr-defined]
    if compression not in TIFF_COMPRESSIONS:
        raise ImageFileError(f"is compressed in a way that is not read ({compression}): {SAVE_AGAIN}")
    _check_size(int(tags.get(322, 1)), int(tags.get(323, 1)), most_pixels)  # of a tile
    parts = tags.get(273) or tags.get(324) or ()
    if compression == "jpeg" and data.count(b"\xff\xda") > MOST_SCANS + 2 * len(parts):
        raise ImageFileError(f"has too many scans: {SAVE_AGAIN}")


# JPEG


def _jpeg(data: bytes) -> bytes:
    """A JPEG without the segments of its applications, which Pillow reads far and wide while opening."""
    if data.count(b"\xff\xda") > MOST_SCANS:
        raise ImageFileError(f"has more than {MOST_SCANS} scans: {SAVE_AGAIN}")
    kept, end = [data[:2]], 2
    for start, stop in _segments(data):
        end = stop
        if data[start + 1] in (0xE0, 0xEE) or not 0xE0 <= data[start + 1] <= 0xEF:  # JFIF, Adobe's colors
            kept.append(data[start:stop])
    return b"".join((*kept, data[end:]))


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each segment before a JPEG's first scan starts and stops."""
    start = 2
    for _ in range(MOST_SEGMENTS):
        if start + 4 > len(data) or data[start] != 0xFF or data[start + 1] == 0xDA:
            return
        if data[start + 1] == 0xFF:  # a fill byte
            start += 1
            continue
        stop = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        yield start, stop
        start = stop
    raise ImageFileError(f"has more than {MOST_SEGMENTS:,} segments: {SAVE_AGAIN}")


def _orientation_in_jpeg(data: bytes) -> int:
    for start, stop in _segments(data):
        held = data[start + 4 : stop]
        if data[start + 1] == 0xE1 and held[:4] == b"Exif":
            return _orientation_in(held)
        if found := re.search(rb'tiff:Orientation(?:="|>)([1-8])', held):
            return int(found[1])
    return 1


def _orientation_in(exif: bytes) -> int:
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


def _raw_profile(text: str | None) -> bytes:
    """EXIF as ImageMagick once wrote it into PNG."""
    try:
        return bytes.fromhex("".join((text or "").split("\n")[3:]))
    except ValueError:
        return b""
