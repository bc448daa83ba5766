"""HEIC, HEIF and AVIF: what a file claims about its images, looked at before a decoder believes it.

The pictures are items of ISO's media container (ISO/IEC 23008-12): one coded image, or a grid of tiles.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

from PIL import Image

from model import av1
from model.problems import Problem

MOST_ITEMS = 4_000
MOST_PIXELS = 50_000_000  # of HEVC, as phones make it: 350 MB while it is decoded
MOST_OF_PARTS = 56_000_000  # pixels of all its tiles and of its transparency
CODED = (b"hvc1", b"hev1", b"av01")
DERIVED = (b"grid", b"iden")
Span = tuple[int, int]


def decoded(data: bytes) -> Image.Image:
    """The main picture of a HEIF file, decoded and turned upright as the file says.

    EXIF may repeat that turn and does not count, as the standard has it. Problem without pillow-heif;
    whatever that raises for a damaged file.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise Problem("HEIC pictures need the package pillow-heif: run `pip install pillow-heif`.") from error
    options = pillow_heif.options
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
    options.DECODE_THREADS = 1
    image = pillow_heif.open_heif(io.BytesIO(data)).to_pillow()
    image.format = "HEIF"
    return image


def still(data: bytes) -> bytes:
    """An AVIF file as one picture: the decoder would take a film's first frame, at which nobody looked."""
    end = min(int.from_bytes(data[:4], "big"), len(data))
    return data[:8] + data[8:end].replace(b"avis", b"avif") + data[end:]


def claimed_pixels(data: bytes) -> list[Span]:
    """Width and height of every image that decoding the main picture takes, a tile as often as it is used.

    What AV1's own headers say counts where it is more; the decoder of HEVC holds to what the container says.
    ValueError for a file that is damaged, or of rarely used parts.
    """
    try:
        return _claimed(data)
    except (struct.error, KeyError, IndexError) as error:
        raise ValueError("the container is damaged") from error


def _claimed(data: bytes) -> list[Span]:
    meta = _find(data, (0, len(data)), b"meta")
    inside = (meta[0] + 4, meta[1])
    main = _main_item(data, _find(data, inside, b"pitm"))
    kinds, sizes = _kinds(data, _find(data, inside, b"iinf")), _sizes(data, _find(data, inside, b"iprp"))
    if kinds[main] not in CODED + DERIVED:
        raise ValueError(f"items of kind {kinds[main]!r}")
    references = list(_references(data, inside))
    masks = [
        owner for how, owner, of in references if how == b"auxl" and main in of
    ]  # transparency and others
    owners = [main, *masks]
    parts = [part for how, owner, of in references if how == b"dimg" and owner in owners for part in of]
    if any(kinds[part] not in CODED for part in parts):
        raise ValueError("a picture of derived pictures")
    items = [*owners, *parts]
    coded = dict.fromkeys(item for item in items if kinds[item] == b"av01")
    spans = _item_spans(data, inside) if coded else {}
    headers = {item: av1.largest_picture(b"".join(data[a:b] for a, b in spans[item])) for item in coded}
    return [max(sizes[item], headers.get(item, (0, 0)), key=_pixels) for item in items]


def _pixels(size: Span) -> int:
    return size[0] * size[1]


def _boxes(data: bytes, within: Span) -> Iterator[tuple[bytes, Span]]:
    """Each box's kind, and where its content starts and stops."""
    start, stop = within
    for _ in range(MOST_ITEMS):
        if start + 8 > stop:
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            (size,), head = struct.unpack_from(">Q", data, start + 8), 16
        end = start + size if size else stop
        if (size and size < head) or end > stop:
            raise ValueError("a box leaves its box")
        yield kind, (start + head, end)
        start = end
    raise ValueError("too many boxes")


def _find(data: bytes, within: Span, wanted: bytes) -> Span:
    return next((span for kind, span in _boxes(data, within) if kind == wanted), None) or _missing(wanted)


def _missing(kind: bytes) -> Span:
    raise ValueError(f"no box {kind!r}")


def _number(data: bytes, at: int, wide: bool) -> tuple[int, int]:
    """A number of two or four bytes, and where the next thing starts."""
    (value,) = struct.unpack_from(">I" if wide else ">H", data, at)
    return value, at + (4 if wide else 2)


def _main_item(data: bytes, pitm: Span) -> int:
    return _number(data, pitm[0] + 4, data[pitm[0]] > 0)[0]


def _kinds(data: bytes, iinf: Span) -> dict[int, bytes]:
    """The kind of every item."""
    _, start = _number(data, iinf[0] + 4, data[iinf[0]] > 0)
    kinds = {}
    for _, (at, _) in _boxes(data, (start, iinf[1])):
        item, at = _number(data, at + 4, data[at] > 2)
        kinds[item] = data[at + 2 : at + 6]
    return kinds


def _sizes(data: bytes, iprp: Span) -> dict[int, Span]:
    """Width and height of every item that has them."""
    shared = [
        struct.unpack_from(">II", data, span[0] + 4) if kind == b"ispe" else None
        for kind, span in _boxes(data, _find(data, iprp, b"ipco"))
    ]
    sizes: dict[int, Span] = {}
    for kind, span in _boxes(data, iprp):
        for item, index in _associations(data, span) if kind == b"ipma" else ():
            size = shared[index - 1] if 0 < index <= len(shared) else None
            if size is not None:
                width, height = sizes.get(item, (0, 0))
                sizes[item] = max(size[0], width), max(size[1], height)
    return sizes


def _item_spans(data: bytes, meta: Span) -> dict[int, list[Span]]:
    """Where the parts of every item's data start and stop in the file."""
    (at, _), idat = _find(data, meta, b"iloc"), dict(_boxes(data, meta)).get(b"idat", (0, 0))
    version, sizes = data[at], struct.unpack_from(">BB", data, at + 4)
    offset, length, base, index = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4, sizes[1] & 15
    count, at = _number(data, at + 6, version > 1)
    spans: dict[int, list[Span]] = {}
    for _ in range(min(count, MOST_ITEMS)):
        item, at = _number(data, at, version > 1)
        inside = version > 0 and data[at + 1] & 15 == 1
        at += 4 if version > 0 else 2
        start, at = idat[0] * inside + _sized(data, at, base), at + base
        (parts,) = struct.unpack_from(">H", data, at)
        at += 2
        spans[item] = []
        for _ in range(parts):
            at += index if version > 0 else 0
            first, size = start + _sized(data, at, offset), _sized(data, at + offset, length)
            spans[item].append((first, first + size if length else len(data)))
            at += offset + length
    return spans


def _sized(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _associations(data: bytes, ipma: Span) -> Iterator[tuple[int, int]]:
    """Each item with the number of each of its properties, counted from 1."""
    version, wide = data[ipma[0]], bool(data[ipma[0] + 3] & 1)
    count, at = _number(data, ipma[0] + 4, True)
    for _ in range(min(count, MOST_ITEMS)):
        item, at = _number(data, at, version > 0)
        for _ in range(data[at]):
            index = struct.unpack_from(">H" if wide else ">B", data, at + 1)[0]
            at += 2 if wide else 1
            yield item, index & (0x7FFF if wide else 0x7F)
        at += 1


def _references(data: bytes, meta: Span) -> Iterator[tuple[bytes, int, list[int]]]:
    """How an item refers to others, which item, and to which."""
    for kind, iref in _boxes(data, meta):
        wide = kind == b"iref" and data[iref[0]] > 0
        for how, (at, _) in _boxes(data, (iref[0] + 4, iref[1])) if kind == b"iref" else ():
            owner, at = _number(data, at, wide)
            (count,) = struct.unpack_from(">H", data, at)
            parts = struct.unpack_from(f">{count}{'I' if wide else 'H'}", data, at + 2)
            yield how, owner, list(parts)
