"""No picture takes more than 2 seconds and 500 MB, whatever its file claims."""

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from explorer.engine.samples import decode
from model.image_file import MOST_PIXELS, orientation
from model.problems import Problem
from tests.model.containers import grid

MEGABYTES, SECONDS = 500, 2.0
LOOP = 0.14
"""Seconds of an empty loop of two million rounds where the bound holds: a busy machine has more for both."""
TRIES = 6


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(width: int, height: int, channels: int = 3) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, channels), dtype=np.uint8)
    return Image.fromarray(values.repeat(8, 0).repeat(8, 1))


# JPEG


def progressive_scans(count: int, side: int = 4000) -> bytes:
    """A progressive JPEG whose last scan, of one coefficient, comes many times more."""
    data = encoded(noise(side, side), "JPEG", progressive=True, quality=20)
    start = data.rindex(b"\xff\xc4")  # the last scan with its table
    return data[:-2] + data[start:-2] * count + data[-2:]


def fill_of_segments() -> bytes:
    data = encoded(noise(64, 64), "JPEG")
    return data[:2] + b"\xff\xfe\x00\x02" * 2_000_000 + data[2:]


def directory(count: int, size: int, order: str = "<") -> bytes:
    """A TIFF directory of many entries, each of which claims the same many bytes."""
    entries = b"".join(struct.pack(order + "HHII", 1_000 + k, 7, size, 8) for k in range(count))
    return struct.pack(order + "H", count) + entries + b"\0" * 4


def jpeg_with_wide_exif() -> bytes:
    data = encoded(noise(64, 64), "JPEG")
    tiff = b"II*\0\x08\0\0\0" + directory(5_000, 60_000)
    tiff += b"\0" * (65_000 - len(tiff))
    first = b"Exif\0\0" + tiff
    segments = b"\xff\xe1" + struct.pack(">H", len(first) + 2) + first
    return data[:2] + segments * 40 + data[2:]


# PNG


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: bytes, width: int = 64, height: int = 64, rows: bytes | None = None) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = zlib.compress(rows if rows is not None else b"\0" * (height * (3 * width + 1)))
    middle = b"".join(chunks)
    return b"\x89PNG\r\n\x1a\n" + header + middle + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    packer, out = zlib.compressobj(9), []
    for _ in range(count // 1_000_000):
        out.append(packer.compress(b"\0" * 1_000_000))
    return b"".join([*out, packer.flush()])


def exif_png() -> bytes:
    return png(chunk(b"eXIf", b"II*\0\x08\0\0\0" + directory(60_000, 9_000_000) + b"\0" * 9_000_000))


def deep_png(channels: int = 3) -> bytes:
    """A PNG of 16 bits a color, of which 12 are used; with 4 channels the last is alpha."""
    row = b"\0" + b"\x0f\x08" * (channels * 6000)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 6000, 4000, 16, 2 if channels == 3 else 6, 0, 0, 0))
    body = zlib.compress(row * 4000, 1)
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", body) + chunk(b"IEND", b"")


# Others


def tiff(width: int, height: int, compression: int = 1, tags: dict[int, int] | None = None) -> bytes:
    """A TIFF of 8-bit grey whose strip is not there."""
    fields = {256: width, 257: height, 258: 8, 259: compression, 262: 1, 273: 8, 277: 1, 278: height, 279: 8}
    fields |= tags or {}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(fields.items()))
    return b"II*\0" + struct.pack("<I", 16) + b"\0" * 8 + struct.pack("<H", len(fields)) + entries + b"\0" * 4


def tiff_with_wide_directory() -> bytes:
    return b"II*\0\x08\0\0\0" + directory(60_000, 9_000_000) + b"\0" * 9_100_000


def webp_canvas() -> bytes:
    body = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + b"\xff\x3f\0" * 2
    body += b"ANIM" + struct.pack("<I", 6) + b"\0" * 6
    frame = encoded(Image.new("RGB", (8, 8)), "WEBP", lossless=True)[12:]
    head = b"\0" * 6 + struct.pack("<I", 7)[:3] * 2 + b"\x01\0\0\0"
    body += b"ANMF" + struct.pack("<I", len(head) + len(frame)) + head + frame
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def gif_comments() -> bytes:
    data = encoded(noise(64, 64).convert("P"), "GIF")
    start = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    comment = b"!\xfe" + (b"\xff" + b"a" * 255) * 60_000 + b"\0"
    return data[:start] + comment + data[start:]


def bmp_run_lengths() -> bytes:
    side = 4_800
    body = b"\x01\x07" * (side * side // 2)
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(body), 0, 0, 256, 0)
    head = b"BM" + struct.pack("<IHHI", 14 + 40 + 1024 + len(body), 0, 0, 14 + 40 + 1024)
    return head + header + b"\0" * 1024 + body


HOSTILE: dict[str, Callable[[], bytes]] = {
    "progressive JPEG of very many scans": lambda: progressive_scans(2_000),
    "JPEG of a few more scans than usual": lambda: progressive_scans(28, 4_800),
    "JPEG of very many segments": fill_of_segments,
    "JPEG with EXIF that claims itself again and again": jpeg_with_wide_exif,
    "PNG with an inflated text": lambda: png(chunk(b"zTXt", b"a\0\0" + zeros(1_000_000_000))),
    "PNG with an inflated color profile": lambda: png(chunk(b"iCCP", b"a\0\0" + zeros(1_000_000_000))),
    "PNG of very many chunks": lambda: png(chunk(b"tIME", b"\0" * 7) * 1_000_000),
    "PNG with EXIF that claims itself again and again": exif_png,
    "PNG of one column": lambda: png(width=1, height=24_000_000, rows=b""),
    "PNG of one row": lambda: png(width=24_000_000, height=1, rows=b""),
    "TIFF of one column": lambda: tiff(1, 24_000_000),
    "TIFF of one row": lambda: tiff(24_000_000, 1),
    "TIFF with a huge tile": lambda: tiff(64, 64, 8, {322: 40_000, 323: 40_000, 324: 8, 325: 8}),
    "TIFF with a directory that claims the file again and again": tiff_with_wide_directory,
    "TIFF of a rare compression": lambda: tiff(64, 64, 34925),
    "WebP animation on a huge canvas": webp_canvas,
    "GIF of very many comments": gif_comments,
    "BMP of very short runs": bmp_run_lengths,
    "JPEG of many scans of very many pixels": lambda: progressive_scans(8, 7_600),
    "HEIC of more tiles than it shows": lambda: grid("HEIF", 20, 20, size=(512, 512)),
    "AVIF of tiles that claim to be small": lambda: grid("AVIF", 2, 2, 2_048, (64, 64), 32),
}
LARGE: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: encoded(noise(6000, 4000), "JPEG", quality=90),
    "progressive JPEG, turned": lambda: encoded(
        noise(6000, 4000), "JPEG", quality=90, progressive=True, subsampling=0, exif=turned()
    ),
    "JPEG of 48 megapixels": lambda: encoded(noise(8064, 6048), "JPEG", quality=80),
    "progressive JPEG of 48 megapixels": lambda: encoded(
        noise(8064, 6048), "JPEG", quality=80, progressive=True, subsampling=0
    ),
    "HEIC": lambda: grid("HEIF", 12, 8, size=(6000, 4000)),
    "HEIC of 48 megapixels": lambda: grid("HEIF", 16, 12, size=(8064, 6048)),
    "AVIF": lambda: grid("AVIF", 12, 8, size=(6000, 4000)),
    "PNG with transparency": lambda: encoded(noise(6000, 4000, 4), "PNG", compress_level=1),
    "PNG of a palette with transparency": lambda: encoded(
        Image.new("P", (6000, 4000), 1), "PNG", transparency=1, compress_level=1
    ),
    "PNG of 16 bits": lambda: encoded(
        Image.fromarray(np.full((4000, 6000), 300, np.uint16)), "PNG", compress_level=1
    ),
    "PNG of 12 bits in 16": deep_png,
    "PNG of 12 bits in 16, with transparency": lambda: deep_png(4),
    "TIFF": lambda: encoded(noise(6000, 4000), "TIFF"),
    "TIFF, deflated": lambda: encoded(noise(6000, 4000), "TIFF", compression="tiff_adobe_deflate"),
    "WebP": lambda: encoded(noise(6000, 4000), "WEBP", quality=50, method=0),
    "GIF": lambda: encoded(Image.new("P", (6000, 4000), 7), "GIF"),
    "BMP": lambda: encoded(noise(6000, 4000), "BMP"),
}
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from explorer.engine.samples import decode
from model.problems import Problem
def grown():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1000
for path in sys.stdin:
    if not os.fork():
        signal.alarm(120)
        data = Path(path.rstrip()).read_bytes()
        start = time.process_time()
        for _ in range(2_000_000):
            pass
        loop = time.process_time() - start
        before, start = grown(), time.process_time()
        try:
            said = str(decode(data, "picture").pixels.shape)
        except Problem as error:
            said = str(error)
        print(f"{grown() - before} {time.process_time() - start} {loop} {said}", flush=True)
        os._exit(0)
    if status := os.wait()[1]:
        sys.exit(status)
"""


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


Measure = Callable[[bytes], tuple[float, float, str]]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measure]:
    """`measured(data)`: megabytes and seconds of CPU that a process of its own takes, and what it says.

    Seconds are those of a machine that needs LOOP for the loop, or of this one if it is faster.

    Each is a fork of one process, which has imported what decoding needs.
    """
    path = tmp_path_factory.mktemp("pictures") / "picture"
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout

        def measure(data: bytes) -> tuple[float, float, str]:
            path.write_bytes(data)
            for _ in range(TRIES):  # others may have taken the CPU's time
                process.stdin.write(f"{path}\n")
                process.stdin.flush()
                megabytes, seconds, loop, said = process.stdout.readline().strip().split(" ", 3)
                scaled = float(seconds) / max(float(loop) / LOOP, 1)
                if scaled < SECONDS:
                    break
            return float(megabytes), scaled, said

        yield measure


needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")


@needs_proc
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_picture_stays_within_bounds(name: str, measured: Measure) -> None:
    megabytes, seconds, said = measured(HOSTILE[name]())
    assert megabytes < MEGABYTES, said
    assert seconds < SECONDS, said
    assert said.startswith("(") or (said.startswith("picture ") and said.endswith("."))


@needs_proc
@pytest.mark.parametrize("name", LARGE)
def test_the_largest_picture_stays_within_bounds(name: str, measured: Measure) -> None:
    assert MOST_PIXELS == 6000 * 4000
    megabytes, seconds, said = measured(LARGE[name]())
    assert said in ("(683, 1024, 3)", "(1024, 683, 3)", "(768, 1024, 3)")
    assert megabytes < MEGABYTES
    assert seconds < SECONDS


def test_a_usual_progressive_jpeg_and_one_with_a_thumbnail_open() -> None:
    image = noise(640, 480)
    for options in ({}, {"progressive": True}, {"progressive": True, "subsampling": 0, "exif": turned()}):
        assert decode(encoded(image, "JPEG", **options), "a.jpg").pixels.size == 640 * 480 * 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_every_orientation_is_pillows(kind: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    data = encoded(noise(48, 32), kind, exif=exif, **options)
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    np.testing.assert_array_equal(decode(data, "a").pixels, wanted)


def test_orientation_in_xmp_and_in_imagemagicks_profile() -> None:
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="8"/>'
    data = encoded(noise(48, 32), "JPEG")
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp + data[2:]
    assert decode(data, "a").pixels.shape == (48, 32, 3)
    image = Image.new("RGB", (4, 2))
    image.info["Raw profile type exif"] = "\nexif\n 30\n" + turned().tobytes().hex()
    assert orientation(image) == 6


def test_damaged_exif_says_nothing() -> None:
    image = Image.new("RGB", (4, 2))
    for exif in (b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff", b"x" * 99):
        image.info["exif"] = exif
        assert orientation(image) == 1


def test_what_is_refused_says_why() -> None:
    for name, said in {
        "progressive JPEG of very many scans": "more than 2,000 segments",
        "TIFF of one column": "side of more than 30,000 pixels",
        "TIFF with a huge tile": "million pixels",
        "TIFF of a rare compression": "lzma",
        "WebP animation on a huge canvas": "million pixels",
    }.items():
        with pytest.raises(Problem, match=said):
            decode(HOSTILE[name](), "picture")
    with pytest.raises(Problem, match="too many scans"):
        decode(progressive_scans(60, 64), "picture")
