"""HEIC and AVIF files of a grid of tiles, put together by hand, honest or not: encoding takes long."""

import io
import struct

import numpy as np
from PIL import Image


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind: bytes, *content: bytes, version: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]), *content)


def tile(kind: str, side: int = 512) -> bytes:
    """A file of one square picture, the left half red and the right half blue."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    pixels = np.full((side, side, 3), (255, 0, 0), np.uint8)
    pixels[:, side // 2 :] = (0, 0, 255)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=50)
    return file.getvalue()


def taken(data: bytes, kind: bytes) -> bytes:
    """A whole box out of a file."""
    start = data.index(kind) - 4
    return data[start : start + int.from_bytes(data[start : start + 4], "big")]


def grid(
    kind: str,
    columns: int,
    rows: int,
    side: int = 512,
    size: tuple[int, int] | None = None,
    claimed_tile: int | None = None,
    quarters: int = 0,
) -> bytes:
    """A picture of tiles that are all the same; `size` (width, height) and the tile's size may be lies.

    `quarters` turns of 90° anticlockwise are asked of whoever shows it.
    """
    coded = tile(kind, side)
    item, config = (b"hvc1", b"hvcC") if kind == "HEIF" else (b"av01", b"av1C")
    width, height = size or (columns * side, rows * side)
    count, said = columns * rows, claimed_tile or side
    properties = [
        full(b"ispe", struct.pack(">II", width, height)),
        full(b"ispe", struct.pack(">II", said, said)),
        taken(coded, config),
        full(b"pixi", b"\x03\x08\x08\x08"),
        box(b"irot", bytes([quarters])),
    ]
    of_grid, of_tile = bytes([3, 1, 4, 0x85]), bytes([3, 2, 0x83, 4])
    associations = struct.pack(">IH", count + 1, 1) + of_grid
    associations += b"".join(struct.pack(">H", number) + of_tile for number in range(2, count + 2))
    infos = [full(b"infe", struct.pack(">HH4s", 1, 0, b"grid"), b"\0", version=2)]
    infos += [full(b"infe", struct.pack(">HH4s", n, 0, item), b"\0", version=2) for n in range(2, count + 2)]
    head = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height)
    payload = taken(coded, b"mdat")[8:]

    def meta(offset: int) -> bytes:
        places = struct.pack(">HHHHII", 1, 1, 0, 1, 0, len(head))
        places += b"".join(
            struct.pack(">HHHHII", n, 0, 0, 1, offset, len(payload)) for n in range(2, count + 2)
        )
        return full(
            b"meta",
            full(b"hdlr", b"\0\0\0\0pict" + b"\0" * 13),
            full(b"pitm", struct.pack(">H", 1)),
            full(b"iloc", b"\x44\0", struct.pack(">H", count + 1), places, version=1),
            full(b"iinf", struct.pack(">H", count + 1), *infos),
            full(b"iref", box(b"dimg", struct.pack(f">HH{count}H", 1, count, *range(2, count + 2)))),
            box(b"iprp", box(b"ipco", *properties), full(b"ipma", associations)),
            box(b"idat", head),
        )

    brand = b"heic" if kind == "HEIF" else b"avif"
    start = box(b"ftyp", brand, b"\0\0\0\0", b"mif1", brand, b"miaf")
    return start + meta(len(start) + len(meta(0)) + 8) + box(b"mdat", payload)
