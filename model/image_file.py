"""An image file's bytes, opened as a Pillow image within bounds of time and memory.

A file's size says little of what it unpacks to: each format has a way for a few bytes to claim hours or
gigabytes. What Pillow reads goes through `_Bounded`, whatever the format; the rest is looked at before.
"""

from __future__ import annotations

import io
import struct
import time

from PIL import Image, JpegImagePlugin, UnidentifiedImageError

from model import heif, jpeg
from model.image_kind import MOST_READ, is_cut_off, is_raw_tiff, kind_of, no_picture, raw_of_a_camera
from model.problems import Problem
from model.words import N_

MOST_BYTES = 80_000_000
MOST_PIXELS = 24_000_000  # of a picture that is decoded whole
MOST_SIDE = 30_000
MOST_SECONDS = 1.5  # of this thread's CPU
TIFF_COMPRESSIONS = {"raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "jpeg"}
TIFF_COMPRESSIONS |= {"tiff_ccitt", "group3", "group4"}
MOST_TIFF_SCANS = 40  # of JPEGs within a TIFF, beyond two for each part


class _Bounded(io.BytesIO):
    """Bytes that are read a few times over at most, and not after their time."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name
        self.left = 2 * len(data) + 1_000_000
        self.end = time.thread_time() + MOST_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.left -= len(data)
        if self.left < 0 or time.thread_time() > self.end:
            raise Problem(
                "{name} takes too long or too much memory to decode: save it again as PNG.", name=self.name
            )
        return data


def opened(data: bytes, name: str, most_pixels: int = MOST_PIXELS) -> Image.Image:
    """The picture in a file's bytes, the first of several; decode it at once.

    Its first bytes decide what kind it is. A JPEG may have more pixels than `most_pixels`, if `draft` then
    asks for fewer. Of a JPEG, only the orientation (`orientation` in `info`) and the color profile are kept
    of what is not the picture. Problem for what is not a picture, or too large in any way; whatever Pillow
    raises if it is damaged.
    """
    if len(data) > MOST_BYTES:
        raise Problem(
            "{name} is larger than {megabytes} MB: make it smaller and try again.",
            name=name,
            megabytes=MOST_BYTES // 1_000_000,
        )
    kind = kind_of(data[:MOST_READ])
    if kind is None:
        raise no_picture(data, name)
    try:
        return _of_kind(kind, data, name, most_pixels)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(most_pixels, name) from error
    except UnidentifiedImageError as error:
        if is_cut_off(data, kind):
            raise
        raise Problem(
            "{name} is damaged, or of a rare form of {kind}: save it again as PNG.",
            name=name,
            kind=kind,
        ) from error


def _of_kind(kind: str, data: bytes, name: str, most_pixels: int) -> Image.Image:
    if kind == "JPEG":
        return _jpeg(data, name)
    if kind == "HEIF":
        most, parts = max(most_pixels, heif.MOST_PIXELS), max(2 * most_pixels, heif.MOST_OF_PARTS)
        _check_claims(data, name, most, parts)
        return heif.decoded(data)
    if kind == "AVIF":
        _check_claims(data, name, most_pixels, 2 * most_pixels)
        data = heif.still(data)
    if kind == "TIFF" and is_raw_tiff(data):
        raise raw_of_a_camera(name)
    if kind == "WEBP":
        _check_size(*_webp_size(data), name, most_pixels)
    image = Image.open(_Bounded(data, name), formats=[kind])
    _check_size(*image.size, name, most_pixels)
    if kind == "TIFF":
        _check_tiff(image, data, name, most_pixels)
    return image


def _jpeg(data: bytes, name: str) -> Image.Image:
    parts = jpeg.looked_into(data, name)
    image = JpegImagePlugin.JpegImageFile(_Bounded(parts.picture, name))  # Image.open warns of many pixels
    _check_size(*image.size, name, jpeg.MOST_PIXELS)
    jpeg.check_effort(parts, image, name)
    image.info["orientation"] = parts.orientation
    image.info["icc_profile"] = parts.profile
    return image


def orientation(image: Image.Image) -> int:
    """How an image was held, 1 to 8 as in EXIF; 1 where it does not say."""
    info = image.info
    if image.format == "HEIF":  # turned while it was decoded
        return 1
    if "orientation" in info:
        return int(info["orientation"])
    if image.format == "TIFF":  # what Pillow has not applied while decoding
        return int(image.getexif().get(jpeg.ORIENTATION, 1))
    return jpeg.orientation_in(info.get("exif") or _raw_profile(info.get("Raw profile type exif")))


def _check_size(width: int, height: int, name: str, most_pixels: int) -> None:
    if width * height > most_pixels:
        raise _too_many_pixels(most_pixels, name)
    if max(width, height) > MOST_SIDE:
        raise Problem(
            "{name} has a side of more than {pixels:,} pixels: make it smaller and try again.",
            name=name,
            pixels=MOST_SIDE,
        )


def _too_many_pixels(most: int, name: str) -> Problem:
    template = N_("{name} has more than {millions} million pixels: make it smaller or save it as JPEG.")
    if most >= jpeg.MOST_PIXELS:
        template = N_("{name} has more than {millions} million pixels: make it smaller and try again.")
    return Problem(template, name=name, millions=most // 1_000_000)


def _check_claims(data: bytes, name: str, most_pixels: int, most_of_parts: int) -> None:
    sizes = heif.claimed_pixels(data)
    for width, height in sizes:
        _check_size(width, height, name, most_pixels)
    if sum(width * height for width, height in sizes[1:]) > most_of_parts:  # tiles may stand over the edge
        raise _too_many_pixels(most_pixels, name)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of a WebP's canvas, which Pillow makes while opening; 0 for other data."""
    if data[12:16] != b"VP8X":  # the others have 16,383 pixels a side at most, and Pillow's own check
        sides = struct.unpack("<HH", data[26:30]) if data[12:16] == b"VP8 " and len(data) >= 30 else (0, 0)
        return sides[0] & 0x3FFF, sides[1] & 0x3FFF
    return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")


def _check_tiff(image: Image.Image, data: bytes, name: str, most_pixels: int) -> None:
    compression, tags = image.info.get("compression", "raw"), image.tag_v2  # type: ignore[attr-defined]
    if compression not in TIFF_COMPRESSIONS:
        raise Problem(
            "{name} is compressed in a way that is not read ({compression}): save it again as PNG.",
            name=name,
            compression=compression,
        )
    _check_size(int(tags.get(322, 1)), int(tags.get(323, 1)), name, most_pixels)  # of a tile
    parts = tags.get(273) or tags.get(324) or ()
    if compression == "jpeg" and data.count(b"\xff\xda") > MOST_TIFF_SCANS + 2 * len(parts):
        raise jpeg.too_many_scans(name)


def _raw_profile(text: str | None) -> bytes:
    """EXIF as ImageMagick once wrote it into PNG."""
    try:
        return bytes.fromhex("".join((text or "").split("\n")[3:]))
    except ValueError:
        return b""
