"""Pictures of the kinds that people have: what becomes of their pixels, and what is said of other files."""

import io
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from model.decoding import picture
from model.heif import claimed_pixels
from model.image_folder import image_files
from model.image_kind import kind_of
from model.problems import Problem
from tests.model.containers import grid, tile
from tests.model.profiles import P3, SRGB, p3_to_srgb, profile


def pixels_of(data, **options):
    return np.asarray(picture(data, "a", **options))


def encoded(image, kind, **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def held(turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    return exif


def noise(width=40, height=24, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def close(pixels, wanted, most):
    np.testing.assert_allclose(pixels.astype(int), np.asarray(wanted).astype(int), atol=most)


# HEIC and AVIF


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_heic_and_avif_open_whatever_they_are_called(kind):
    data = tile(kind, 64)
    assert kind_of(data) == kind
    pixels = pixels_of(data)
    assert pixels.shape == (64, 64, 3)
    close(pixels[:, :24], np.full((64, 24, 3), (255, 0, 0)), 6)
    close(pixels[:, 40:], np.full((64, 24, 3), (0, 0, 255)), 6)


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_a_grid_of_tiles_as_phones_write_it(kind):
    pixels = pixels_of(grid(kind, 3, 2, 64))
    assert pixels.shape == (128, 192, 3)
    close(pixels[100, [8, 56, 72, 120]], [(255, 0, 0), (0, 0, 255)] * 2, 6)


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_what_a_container_turns_is_turned(kind, quarters):
    straight = pixels_of(grid(kind, 3, 2, 64))
    close(pixels_of(grid(kind, 3, 2, 64, quarters=quarters)), np.rot90(straight, quarters), 0)


@pytest.mark.parametrize("turn", range(1, 9))
def test_avif_is_upright_by_exif(turn):
    corners = np.zeros((48, 64, 3), np.uint8)
    corners[:24, :32] = (255, 0, 0)
    corners[24:, 32:] = (0, 255, 0)
    png = Image.open(io.BytesIO(encoded(corners, "PNG", exif=held(turn))))
    wanted = np.asarray(ImageOps.exif_transpose(png))
    pixels = pixels_of(encoded(corners, "AVIF", quality=90, exif=held(turn)))
    assert pixels.shape == wanted.shape
    rows, columns = [4, 4, -4, -4], [4, -4, 4, -4]
    close(pixels[rows, columns], wanted[rows, columns], 12)


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_a_container_that_claims_too_much_is_not_decoded(kind):
    for data in (grid(kind, 20, 20), grid(kind, 2, 2, 64, claimed_tile=9000)):
        with pytest.raises(Problem, match=f"more than {50 if kind == 'HEIF' else 24} million pixels"):
            picture(data, "a")


def lying_avif(**options):
    """A small AVIF whose container says 16 × 16 pixels; its own headers say 100 × 77."""
    data = bytearray(encoded(Image.new("RGBA", (100, 77), (1, 2, 3, 90)), "AVIF", speed=10, **options))
    for found in re.finditer(b"ispe", bytes(data)):
        data[found.end() + 4 : found.end() + 12] = struct.pack(">II", 16, 16)
    return bytes(data)


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_what_av1_itself_says_counts(subsampling):
    assert claimed_pixels(lying_avif(subsampling=subsampling)) == [(100, 77)] * 2  # colors and transparency
    assert claimed_pixels(grid("AVIF", 2, 1, 128, claimed_tile=32)) == [(256, 128)] + [(128, 128)] * 2


def test_an_avif_that_hides_its_size_is_not_decoded():
    with pytest.raises(Problem, match="million pixels"):
        picture(lying_avif(), "a", most_pixels=5_000)


def test_the_first_frame_of_an_animated_avif():
    first, second = Image.new("RGB", (64, 48), "red"), Image.new("RGB", (64, 48), "blue")
    data = encoded(first, "AVIF", save_all=True, append_images=[second])
    close(pixels_of(data), np.full((48, 64, 3), (255, 0, 0)), 4)


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_every_cut_of_a_container_is_one_sentence(kind):
    data = tile(kind, 64)
    for end in range(12, len(data), 7):
        with pytest.raises(Problem, match=r"^a (is|has) [^\n]*\.$"):
            picture(data[:end], "a")


# JPEG


def test_of_several_pictures_in_a_jpeg_the_first_is_taken():
    file = io.BytesIO()
    first, second = Image.new("RGB", (40, 24), "red"), Image.new("RGB", (16, 16), "blue")
    first.save(file, "MPO", save_all=True, append_images=[second])
    pixels = pixels_of(file.getvalue())
    assert pixels.shape == (24, 40, 3)
    close(pixels, np.full((24, 40, 3), (254, 0, 0)), 2)


def test_a_jpeg_with_a_film_behind_it_opens():
    film = b"\xff\xda" * 500 + noise(400, 400).tobytes()
    data = encoded(noise(), "JPEG")
    np.testing.assert_array_equal(pixels_of(data + film), pixels_of(data))


def test_a_jpeg_of_48_megapixels_is_decoded_at_a_fraction():
    photo = Image.new("RGB", (8064, 6048), "white")
    photo.paste("red", (0, 0, 8064, 3024))
    pixels = pixels_of(encoded(photo, "JPEG", exif=held(6)), most_side=1024)
    assert pixels.shape == (1024, 768, 3)
    close(pixels[512, [100, 700]], [(255, 255, 255), (254, 0, 0)], 3)


@pytest.mark.parametrize("ycck", [False, True])
def test_the_inks_of_a_printers_jpeg(ycck):
    """Without black ink, a CMYK color is what the inks take away; Adobe stores them inverted."""
    color = np.array([200, 90, 30])
    inks = 255 - color
    if ycck:  # the three inks as luminance and chroma
        r, g, b = inks
        y = 0.299 * r + 0.587 * g + 0.114 * b
        inks = 255 - np.array([y, 128 + (b - y) / 1.772, 128 + (r - y) / 1.402])
    image = Image.new("CMYK", (16, 16), (*np.rint(inks).astype(int).tolist(), 0))
    data = encoded(image, "JPEG", quality=100)
    at = data.index(b"Adobe") + 11
    data = data[:at] + (b"\2" if ycck else data[at : at + 1]) + data[at + 1 :]
    close(pixels_of(data)[8, 8], color, 3)


# Colors


def test_red_of_srgb_as_display_p3():
    """Pure red of sRGB has the numbers (234, 51, 35) in Display P3, as every table has it."""
    patch = np.full((8, 8, 3), (234, 51, 35), np.uint8)
    close(pixels_of(encoded(patch, "PNG", icc_profile=profile(P3, "Display P3")))[0, 0], (255, 0, 0), 3)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF", "HEIF"])
def test_display_p3_in_every_format_is_what_the_matrices_say(kind):
    import pillow_heif

    pillow_heif.register_heif_opener()
    values = (
        np.random.default_rng(0).integers(60, 200, (4, 6, 3)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
    )
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind != "PNG" else {}
    options |= {"subsampling": 0} if kind == "JPEG" else {}
    data = encoded(values, kind, icc_profile=profile(P3, "Display P3"), **options)
    middle = np.s_[8::16, 8::16]
    error = np.abs(pixels_of(data)[middle].astype(float) - p3_to_srgb(values[middle]))
    assert np.median(error) < 2
    assert error.max() < (1.5 if kind in ("PNG", "TIFF", "WEBP") else 12)


def test_transparency_is_kept_through_a_profile():
    image = Image.new("RGBA", (4, 4), (234, 51, 35, 0))
    image.paste((234, 51, 35, 255), (0, 0, 2, 4))
    pixels = pixels_of(encoded(image, "PNG", icc_profile=profile(P3, "Display P3")))
    close(pixels[0], [(255, 0, 0)] * 2 + [(255, 255, 255)] * 2, 3)


def test_gray_of_a_linear_profile():
    values = np.full((4, 4), 55, np.uint8)  # 21.6 % of the light
    pixels = pixels_of(encoded(values, "PNG", icc_profile=profile(SRGB, "gray", b"GRAY")))
    close(pixels[0, 0], [128] * 3, 1)


@pytest.mark.parametrize(
    "data", [b"no profile", profile(P3, "P3")[:200], profile(P3, "gray", b"GRAY"), b"\0" * 500]
)
def test_a_profile_of_no_use_is_ignored(data):
    values = noise()
    np.testing.assert_array_equal(pixels_of(encoded(values, "PNG", icc_profile=data)), values)


def test_srgb_leaves_every_value():
    values = noise()
    data = encoded(values, "PNG", icc_profile=profile(SRGB, "sRGB IEC61966-2.1"))
    np.testing.assert_array_equal(pixels_of(data), values)


# More than 8 bits


def png_of_16_bits(values):
    """A PNG (H,W) or (H,W,2, 3 or 4) of 16 bits a number."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width = values.shape[:2]
    color = {1: 0, 2: 4, 3: 2, 4: 6}[values.size // (height * width)]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def tiff(values, bits, sample_format=1, order="<"):
    """A plain TIFF (H,W) or (H,W,3)."""
    height, width = values.shape[:2]
    count = values.size // (height * width)
    body = values.astype(values.dtype.newbyteorder(order)).tobytes()
    kind, fields = {"<": b"II*\0", ">": b"MM\0*"}[order], order + "HHI"
    start = 8 + len(body)
    after = start + 2 + 12 * 11 + 4
    tags = {256: width, 257: height, 259: 1, 262: 2 if count == 3 else 1, 273: 8, 277: count, 278: height}
    tags |= {279: len(body), 284: 1}
    held = {
        tag: struct.pack(fields, tag, 4, 1) + struct.pack(order + "I", value) for tag, value in tags.items()
    }
    for place, (tag, value) in enumerate(((258, bits), (339, sample_format))):
        short = (
            struct.pack(order + "HH", value, 0) if count == 1 else struct.pack(order + "I", after + 6 * place)
        )
        held[tag] = struct.pack(fields, tag, 3, count) + short
    table = struct.pack(order + "H", len(held)) + b"".join(held[tag] for tag in sorted(held)) + b"\0" * 4
    shorts = b"".join(struct.pack(order + "3H", value, value, value) for value in (bits, sample_format))
    return kind + struct.pack(order + "I", start) + body + table + shorts


def deep(bits, *shape):
    values = np.random.default_rng(0).integers(0, 2**bits, shape).astype(np.uint16)
    values.flat[:3] = 2**bits - 1, 0, 1
    return values


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 3)])
def test_few_bits_in_a_file_of_16_fill_the_range(bits, shape):
    values = deep(bits, *shape)
    wanted = np.broadcast_to((values / (2**bits - 1) * 255).reshape(9, 7, -1), (9, 7, 3))
    for data in (png_of_16_bits(values), tiff(values, 16), tiff(values, 16, order=">")):
        assert np.abs(pixels_of(data) - wanted).max() <= 0.5


@pytest.mark.parametrize(
    ("alpha", "opacity"), [(65535, 1), (32768, 0.5), (4095, 1), ([0, 2048, 4095], [0, 0.5, 1])]
)
@pytest.mark.parametrize("channels", [2, 4])
def test_twelve_bits_keep_their_transparency(channels, alpha, opacity):
    values = deep(12, 5, 3, channels)
    values[..., -1] = alpha
    share = np.broadcast_to(opacity, (5, 3))[..., None]
    wanted = np.broadcast_to(255 - share * (255 - values[..., :-1] / 4095 * 255), (5, 3, 3))
    assert np.abs(pixels_of(png_of_16_bits(values)) - wanted).max() <= 1.5


@pytest.mark.parametrize("most", [65_535, 65_536, 100_000, 1_000_000, 2**31 - 1])
@pytest.mark.parametrize(("kind", "sample_format"), [(np.uint32, 1), (np.int32, 2)])
def test_numbers_of_more_than_16_bits_are_not_black(most, kind, sample_format):
    data = tiff(np.array([[0, most // 2, most]], kind), 32, sample_format)
    wanted = np.array([0, most // 2, most]) / (2 ** most.bit_length() - 1) * 255
    assert np.abs(pixels_of(data)[0, :, 0] - wanted).max() <= 0.5


def test_numbers_without_a_sign_beyond_31_bits():
    data = tiff(np.array([[0, 2_000_000_000, 4_000_000_000]], np.uint32), 32)
    np.testing.assert_array_equal(pixels_of(data)[0, :, 0], [0, 119, 237])


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 3)])
def test_all_16_bits(shape):
    values = deep(16, *shape)
    wanted = np.broadcast_to((values / 257).reshape(9, 7, -1), (9, 7, 3))
    for data in (png_of_16_bits(values), tiff(values, 16)):
        assert np.abs(pixels_of(data) - wanted).max() <= 1


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([0, 0.5, 1], [0, 128, 255]),  # a share
        ([0, 0.25, 0.5], [0, 64, 128]),
        ([0, 100, 255], [0, 100, 255]),  # as 8 bits
        ([-1000, 0, 3000], [0, 64, 255]),  # of its own range
        ([0, 500, 1000], [0, 128, 255]),
        ([np.nan, 0.5, np.inf], [0, 128, 0]),
        ([7e9, 7e9, 7e9], [0, 0, 0]),
    ],
)
def test_floating_point(values, wanted):
    data = tiff(np.array([values], np.float32), 32, 3)
    np.testing.assert_array_equal(pixels_of(data)[0, :, 0], wanted)


@pytest.mark.parametrize(
    ("values", "wanted"), [([0, 2000, 4095], [0, 125, 255]), ([-1000, 0, 3000], [0, 64, 255])]
)
def test_whole_numbers_of_32_bits(values, wanted):
    data = tiff(np.array([values], np.int32), 32, 2)
    np.testing.assert_array_equal(pixels_of(data)[0, :, 0], wanted)


# What is no picture

SAID = {
    b"": "is empty: choose a file",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4\n": "Git LFS pointer, .*git lfs pull",
    b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>': "SVG drawing, .*export it as PNG",
    b"<svg width='1'/>": "SVG drawing",
    b"\n<!DOCTYPE html><html><svg></svg></html>": "web page, not a picture: .*save the picture itself",
    b"<html lang='en'>": "web page",
    b"%PDF-1.7\n": "PDF document: export",
    b"II*\0\x10\0\0\0CR\2\0": "RAW file of a camera, .*export it as JPEG",
    b"\0\0\0\x18ftypcrx \0\0\0\1crx isom": "RAW file of a camera",
    b"FUJIFILMCCD-RAW 0201": "RAW file of a camera",
    b"\0\0\0\x18ftypisom\0\0\2\0isommp42": "video: save one of its frames",
    b"\0\0\0\x14ftypqt  \0\0\0\0qt  ": "video",
    b"\x1aE\xdf\xa3\x01": "video",
    b"RIFF\0\0\0\0AVI LIST": "video",
    b"PK\3\4": "archive: unpack it",
    b"8BPS\0\1": "Photoshop format, .*save it as PNG",
    b"\0\0\0\x0cJXL \r\n": "JPEG XL format",
    b"\0\0\0\x0cjP  \r\n": "JPEG 2000 format",
    b"\0" * 128 + b"DICM": "DICOM format",
    b"Dear diary,\n": "is not an image that can be read: choose a PNG, JPEG, HEIC",
}


@pytest.mark.parametrize("data", SAID, ids=[said[:14] for said in SAID.values()])
def test_another_file_is_named_for_what_it_is(data):
    with pytest.raises(Problem, match=rf"^a is .*{SAID[data].removeprefix('is ')}") as caught:
        picture(data, "a")
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("tag", [(50706, 1, 4), (262, 3, 32803)])
def test_a_cameras_file_in_the_form_of_a_tiff_is_not_its_thumbnail(tag):
    data = bytearray(tiff(np.zeros((4, 4), np.uint8), 8))
    which, kind, value = tag
    start = int.from_bytes(data[4:8], "little") + 2
    places = range(start, start + 12 * 11, 12)
    replaced = 262 if which == 262 else 339
    place = next(at for at in places if int.from_bytes(data[at : at + 2], "little") == replaced)
    data[place : place + 12] = struct.pack("<HHII", which, kind, 1, value)
    with pytest.raises(Problem, match="RAW file of a camera"):
        picture(bytes(data), "a")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_a_file_that_is_cut_off_is_called_so(kind):
    data = encoded(noise(200, 200), kind)
    with pytest.raises(Problem, match=r"^a is cut off before its end: copy or download it again\.$"):
        picture(data[: len(data) // 2], "a")


def test_the_first_bytes_decide_not_the_name(tmp_path):
    folder = tmp_path / "data" / "train" / "cat"
    folder.mkdir(parents=True)
    (folder / "no_suffix").write_bytes(encoded(noise(), "PNG"))
    (folder / "a.dat").write_bytes(tile("HEIF", 64))
    (folder / "b.HEIC").write_bytes(encoded(noise(), "JPEG"))
    (folder / "labels.csv").write_text("a,b\n")
    (folder / "c.avif").write_bytes(tile("AVIF", 64))
    assert [entry.name for entry in image_files(folder)] == ["a.dat", "b.HEIC", "c.avif", "no_suffix"]
