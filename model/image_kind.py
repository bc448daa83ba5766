"""What a file is, by its first bytes, whatever its name: a picture that opens, or what it is instead."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from model.archives import ARCHIVES
from model.problems import Problem
from model.words import N_

KINDS = ("PNG", "JPEG", "HEIF", "AVIF", "WEBP", "GIF", "BMP", "TIFF")
"""The kinds of pictures that open, by Pillow's names."""

PICTURE_SUFFIXES = (
    *(".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".hif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo"),
    *(".png", ".apng", ".tif", ".tiff", ".webp"),
)
MOST_READ = 4096  # bytes that tell the kind of a file

NEW_SUBFILE_TYPE, COLORS, SUB_IMAGES, DNG_VERSION = 254, 262, 330, 50706  # tags of a TIFF
CAMERA_COLORS = (32803, 34892)  # of a sensor, before they are colors of pixels

_AVIF, _HEIF = {b"avif", b"avis"}, {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_STARTS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}

_RAW = N_("{name} is the RAW file of a camera, which is not read here: export it as JPEG or PNG.")
_VIDEO = N_("{name} is a video: save one of its frames as PNG or JPEG.")
_ARCHIVE = N_("{name} is an archive: unpack it and choose a picture in it.")
_OTHER = N_("{name} is a picture in the {format} format, which is not read here: save it as PNG or JPEG.")
_OTHER_STARTS = {
    b"version https://git-lfs": N_(
        "{name} is a Git LFS pointer, not the picture itself: fetch the picture with `git lfs pull`."
    ),
    b"%PDF": N_("{name} is a PDF document: export its page or picture as PNG."),
    b"%!PS": N_("{name} is a PostScript document: export its page as PNG."),
    b"II*\0\x10\0\0\0CR": _RAW,
    b"IIRO": _RAW,
    b"IIRS": _RAW,
    b"MMOR": _RAW,
    b"IIU\0": _RAW,
    b"FUJIFILMCCD-RAW": _RAW,
    b"FOVb": _RAW,
    b"\0MRM": _RAW,
    b"\x1aE\xdf\xa3": _VIDEO,
    b"\0\0\x01\xba": _VIDEO,
    b"\0\0\x01\xb3": _VIDEO,
    b"FLV\x01": _VIDEO,
    b"OggS": _VIDEO,
    b"0&\xb2u\x8ef\xcf\x11": _VIDEO,
    **dict.fromkeys((b"PK\x03\x04", *ARCHIVES), _ARCHIVE),
}
_OTHER_PICTURES = {
    b"8BPS": "Photoshop",
    b"gimp xcf": "GIMP",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\x01\0": "ICO",
    b"v/1\x01": "OpenEXR",
    b"#?RADIANCE": "Radiance HDR",
    b"SIMPLE  =": "FITS",
    b"DDS ": "DDS",
    b"II+\0": "BigTIFF",
    b"MM\0+": "BigTIFF",
}
_VIDEO_IN_RIFF = b"AVI "


def kind_of(start: bytes) -> str | None:
    """Which of KINDS a file is by its first MOST_READ bytes; None for anything else."""
    if _is_raw(start):
        return None
    if start[:4] == b"RIFF":
        return "WEBP" if start[8:12] == b"WEBP" else None
    if start[4:8] == b"ftyp":
        brands = _brands(start)
        return "AVIF" if brands & _AVIF else "HEIF" if brands & _HEIF else None
    return next((kind for first, kind in _STARTS.items() if start.startswith(first)), None)


def no_picture(data: bytes, name: str) -> Problem:
    """The sentence for a file that is none of KINDS: what it is, and what to do."""
    start = data[:MOST_READ]
    if not data:
        return Problem("{name} is empty: choose a file that contains a picture.", name=name)
    for first, template in _OTHER_STARTS.items():
        if start.startswith(first):
            return Problem(template, name=name)
    for first, format in _OTHER_PICTURES.items():
        if start.startswith(first):
            return Problem(_OTHER, name=name, format=format)
    if start[128:132] == b"DICM":
        return Problem(_OTHER, name=name, format="DICOM")
    return _container(start, name) or _text(start, name) or _unknown(name)


def raw_of_a_camera(name: str) -> Problem:
    """The sentence for a camera's own file, whose picture of a usual kind is only a thumbnail."""
    return Problem(_RAW, name=name)


def is_raw_tiff(data: bytes) -> bool:
    """Whether a TIFF is a camera's own file, by the entries of its first directory."""
    entries = dict(_entries(data))
    reduced = entries.get(NEW_SUBFILE_TYPE) == 1 and SUB_IMAGES in entries
    return DNG_VERSION in entries or entries.get(COLORS) in CAMERA_COLORS or reduced


def _entries(data: bytes) -> Iterator[tuple[int, int]]:
    """The tags of a TIFF's first directory with their first values; 0 where the value is elsewhere."""
    order = "<" if data[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, number = struct.unpack_from(order + "HHI", data, at)
            how = {3: "H", 4: "I"}.get(kind)
            yield tag, struct.unpack_from(order + how, data, at + 8)[0] if how and number == 1 else 0
    except struct.error:  # cut short
        return


def _container(start: bytes, name: str) -> Problem | None:
    if start[4:8] == b"ftyp":
        return Problem(_RAW if b"crx " in _brands(start) else _VIDEO, name=name)
    if start[:4] == b"RIFF" and start[8:12] == _VIDEO_IN_RIFF:
        return Problem(_VIDEO, name=name)
    return None


def _text(start: bytes, name: str) -> Problem | None:
    """The sentence for a drawing or a page in text."""
    text = start.decode("utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "ignore")
    if re.match(r"\s*(<!--.*?-->\s*)*<(!doctype html|html|head|body)\b", text, re.IGNORECASE | re.DOTALL):
        return Problem(
            "{name} is a web page, not a picture: open it in a browser and save the picture itself.",
            name=name,
        )
    if re.search(r"<svg[\s>]", text) and text.lstrip().startswith("<"):
        return Problem("{name} is an SVG drawing, which has no pixels: export it as PNG.", name=name)
    return None


def _unknown(name: str) -> Problem:
    return Problem(
        "{name} is not an image that can be read: "
        "choose a PNG, JPEG, HEIC, AVIF, WebP, GIF, BMP or TIFF file.",
        name=name,
    )


def _brands(start: bytes) -> set[bytes]:
    """The brands of a file of ISO's media container: the main one and the compatible ones."""
    end = min(int.from_bytes(start[:4], "big"), len(start))
    return {start[at : at + 4] for at in (8, *range(16, end - 3, 4))}


def _is_raw(start: bytes) -> bool:
    """Whether a file begins as a TIFF and is a camera's own: its picture of that kind is a thumbnail."""
    return any(start.startswith(first) for first, template in _OTHER_STARTS.items() if template == _RAW)


def is_cut_off(data: bytes, kind: str) -> bool:
    """Whether a damaged file of this kind lacks its end, as after an interrupted download."""
    if kind == "JPEG":
        return b"\xff\xd9" not in data[-65536:]
    if kind == "PNG":
        return b"IEND" not in data[-65536:]
    if kind == "GIF":
        return not data.rstrip(b"\0").endswith(b";")
    if kind == "WEBP":
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    if kind == "BMP":
        return len(data) < int.from_bytes(data[2:6], "little")
    return kind in ("HEIF", "AVIF") and _ends_within_a_box(data)


def _ends_within_a_box(data: bytes) -> bool:
    start = 0
    while 0 <= start + 8 <= len(data):
        size = int.from_bytes(data[start : start + 4], "big")
        if size == 0:  # to the end of the file
            return False
        if size == 1:
            size = int.from_bytes(data[start + 8 : start + 16], "big")
        start += max(size, 8)
    return start != len(data)
