import io
import pickle
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from explorer.engine import samples
from explorer.engine.samples import MAX_SIDE, Sample, decode, in_classes
from model import scenes
from model.datasets import Dataset, list_images
from model.problems import Problem
from tests.model.containers import grid


def noise(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(image, kind, **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def refusal(data, name):
    """The sentence `decode` refuses `data` with: one line that names the file and ends in a full stop."""
    with pytest.raises(Problem) as caught:
        decode(data, name)
    message = str(caught.value)
    assert message.startswith(name)
    assert message.endswith(".")
    assert message.count(".") <= 2
    assert "\n" not in message
    return message


# What is taken


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "GIF", "JPEG"])
def test_every_format_becomes_rgb(kind):
    pixels = np.full((20, 30, 3), (200, 60, 20), np.uint8)
    options = {"lossless": True} if kind == "WEBP" else {}
    sample = decode(encoded(pixels, kind, **options), "photo")
    assert sample.name == "photo"
    assert sample.label is None
    assert sample.mask is None
    assert sample.pixels.dtype == np.uint8
    tolerance = 3 if kind == "JPEG" else 0
    np.testing.assert_allclose(sample.pixels.astype(int), pixels, atol=tolerance)


def test_lossless_pixels_come_back_unchanged_and_writable():
    pixels = noise(33, 17)
    sample = decode(encoded(pixels, "PNG"), "a.png")
    np.testing.assert_array_equal(sample.pixels, pixels)
    assert sample.pixels.flags.writeable  # torch.from_numpy warns about anything else


def test_one_pixel_is_an_image():
    np.testing.assert_array_equal(decode(encoded(noise(1, 1), "PNG"), "dot.png").pixels, noise(1, 1))


def test_a_long_strip_is_reduced_and_keeps_a_row():
    assert decode(encoded(noise(3000, 5), "PNG"), "strip.png").pixels.shape == (2, MAX_SIDE, 3)
    assert decode(encoded(noise(3000, 1), "PNG"), "line.png").pixels.shape == (1, MAX_SIDE, 3)


def test_a_large_image_is_reduced_with_antialiasing():
    stripes = np.zeros((100, 2048, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels = decode(encoded(stripes, "PNG"), "stripes.png").pixels
    assert pixels.shape == (50, MAX_SIDE, 3)
    assert np.abs(pixels[:, 4:-4].astype(int) - 127).max() <= 3  # every other pixel alone would be 0 or 255


def test_the_longest_side_allowed_is_untouched():
    pixels = noise(MAX_SIDE, 3)
    np.testing.assert_array_equal(decode(encoded(pixels, "PNG"), "a.png").pixels, pixels)


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "lime", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode(data, "a.gif").pixels, np.full((8, 8, 3), (255, 0, 0)))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind):
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # no cyan: red
    red, green, blue = decode(encoded(cmyk, kind), "print").pixels[8, 8].astype(int)
    assert red > 200
    assert max(green, blue) < 60


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(kind):
    values = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    pixels = decode(encoded(values, kind), "x-ray").pixels
    np.testing.assert_array_equal(pixels[0, :, 0], [0, 0, 1, 1, 128, 255])
    np.testing.assert_array_equal(pixels[..., 0], pixels[..., 2])


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_transparent_palette_color_is_laid_on_white(kind):
    image = Image.new("P", (4, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putdata([0, 0, 1, 1])
    data = encoded(image, kind, transparency=1)
    expected = [(255, 0, 0)] * 2 + [(255, 255, 255)] * 2
    np.testing.assert_array_equal(decode(data, "logo").pixels[0], expected)


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (0, 0, 0, 51), (204, 204, 204)),
        ("LA", (0, 51), (204, 204, 204)),
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("1", 0, (0, 0, 0)),
    ],
)
def test_transparency_and_grey(mode, color, expected):
    pixels = decode(encoded(Image.new(mode, (3, 3), color), "PNG"), "a.png").pixels
    np.testing.assert_array_equal(pixels, np.full((3, 3, 3), expected))


def test_transparent_color_of_an_rgb_png():
    data = encoded(Image.new("RGB", (2, 2), (1, 2, 3)), "PNG", transparency=(1, 2, 3))
    np.testing.assert_array_equal(decode(data, "a.png").pixels, np.full((2, 2, 3), 255))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_rotation_is_applied(kind):
    image = Image.new("RGB", (40, 20), "white")
    image.paste("black", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be seen, turn a quarter clockwise
    pixels = decode(encoded(image, kind, exif=exif), "phone").pixels
    assert pixels.shape == (40, 20, 3)
    assert pixels[5, 10].max() < 30
    assert pixels[35, 10].min() > 225


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_leaves_the_picture():
    pixels = np.full((16, 16, 3), 90, np.uint8)
    data = encoded(pixels, "JPEG", exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff" + b"\xff" * 40)
    np.testing.assert_allclose(decode(data, "phone.jpg").pixels.astype(int), pixels, atol=2)


# What is refused


def test_zero_bytes():
    assert "is empty" in refusal(b"", "nothing.png")


def test_text_named_png():
    assert "choose a PNG, JPEG" in refusal(b"Dear diary,\n" * 50, "diary.png")


def test_truncated_jpeg():
    data = encoded(noise(200, 200), "JPEG")
    assert "cut off before its end" in refusal(data[: len(data) // 2], "half.jpg")


def test_every_cut_of_a_png_is_refused():
    data = encoded(noise(5, 5), "PNG")
    for end in range(1, len(data) - 30):  # the last bytes are checksums and an empty chunk
        refusal(data[:end], "cut.png")


def bare_png(width, height):
    """A PNG that claims a size and holds one row's worth of nothing."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(10_000, 6_000), (24_000, 1_001), (100_000, 100_000)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_too_many_pixels_are_refused_before_decoding(width, height, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda *_: pytest.fail("it was decoded"))
    assert "more than 24 million pixels" in refusal(bare_png(width, height), "poster.png")


def test_a_whole_60_megapixel_png_is_not_decoded(monkeypatch):
    data = encoded(Image.new("L", (10_000, 6_000)), "PNG")
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda *_: pytest.fail("it was decoded"))
    assert "million pixels" in refusal(data, "poster.png")


@pytest.mark.filterwarnings("error")
def test_pillows_bomb_warning_is_our_error():
    assert "million pixels" in refusal(bare_png(10_000, 10_000), "poster.png")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("PPM", "choose a PNG, JPEG"),
        ("PCX", "choose a PNG, JPEG"),
        ("TGA", "choose a PNG, JPEG"),
        ("ICO", "is a picture in the ICO format"),
        ("PDF", "is a PDF document"),
        ("EPS", "is a PostScript document"),
    ],
)
def test_formats_that_are_not_on_the_list(kind, message):
    assert message in refusal(encoded(noise(16, 16), kind), "odd")


def test_the_process_limit_of_pillow_is_left_alone():
    assert Image.MAX_IMAGE_PIXELS == 1024 * 1024 * 1024 // 4 // 3


ORIGINALS = [
    encoded(noise(24, 16), "PNG"),
    encoded(noise(24, 16), "JPEG"),
    encoded(noise(24, 16), "GIF"),
    encoded(noise(24, 16), "WEBP"),
    encoded(noise(24, 16), "BMP"),
    encoded(noise(24, 16), "TIFF", compression="tiff_lzw"),
    grid("HEIF", 2, 1, 64),
    grid("AVIF", 2, 1, 64),
]


@pytest.mark.filterwarnings("ignore:Tag data larger than file")  # Pillow, of a damaged one
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(ORIGINALS), st.lists(st.tuples(st.integers(0), st.binary(min_size=1, max_size=4))))
def test_damaged_bytes_give_an_image_or_a_sentence(original, damage):
    data = bytearray(original)
    for place, piece in damage:
        start = place % len(data)
        data[start : start + len(piece)] = piece
    try:
        sample = decode(bytes(data), "noise")
    except Problem:
        return
    assert sample.pixels.dtype == np.uint8
    assert max(sample.pixels.shape) <= MAX_SIDE


# The value


def test_digest_is_of_shape_and_pixels_alone():
    pixels = noise(6, 4)
    assert Sample("a", pixels).digest == Sample("b", pixels.copy(), label=3).digest
    assert Sample("a", pixels).digest != Sample("a", pixels.reshape(6, 4, 3)).digest
    changed = pixels.copy()
    changed[0, 0, 0] ^= 1
    assert Sample("a", pixels).digest != Sample("a", changed).digest
    assert len(Sample("a", pixels).digest) == 64


def test_digest_is_computed_once():
    sample = Sample("a", noise(6, 4))
    assert sample.digest is sample.digest


def test_samples_compare_and_pickle_by_value():
    mask = np.zeros((4, 6), bool)
    sample = Sample("a", noise(6, 4), 2, mask)
    again = pickle.loads(pickle.dumps(sample))
    assert again == sample
    assert hash(again) == hash(sample)
    assert sample != Sample("a", noise(6, 4), 2)
    assert sample != Sample("a", noise(6, 4), 2, ~mask)
    assert sample != Sample("a", noise(6, 4), 1, mask)
    assert sample != "a"


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3)),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_pixels_have_one_layout(pixels):
    with pytest.raises(ValueError, match=r"uint8 \(H,W,3\)"):
        Sample("a", pixels)


def test_mask_has_the_pixels_shape():
    with pytest.raises(ValueError, match="mask must be bool"):
        Sample("a", noise(6, 4), mask=np.zeros((6, 4), bool))


def test_label_is_mapped_by_class_name():
    sample = Sample("a", noise(2, 2), label=1)
    assert in_classes(sample, ("dog", "Polar bear"), ("polar_bear", "dog")).label == 0
    assert in_classes(sample, ("dog", "cat"), ("dog", "ship")).label is None
    unlabelled = Sample("a", noise(2, 2))
    assert in_classes(unlabelled, ("dog",), ("dog",)) is unlabelled


@pytest.mark.parametrize(
    ("own", "wanted", "place"),
    [
        ("plane", ("bird", "airplane"), 1),
        ("aeroplane", ("plane", "bird"), 0),
        ("automobile", ("Car", "truck"), 0),
        ("car", ("AUTOMOBILE",), 0),
        ("Polar  bear", ("dog", "polar_bear"), 1),
        ("car", ("automobile", "car"), 1),  # as it is written goes first
        ("CAR", ("automobile", "car"), 1),
        ("car", ("automobile", "auto"), None),  # which of them is not known
        ("cat", ("Cat", "CAT"), None),
        ("boat", ("ship",), None),
        ("cart", ("car",), None),
        ("猫", ("dog", "cat"), 1),
        ("汽车", ("Car", "truck"), 0),
        ("cat", ("狗", "猫"), 1),
    ],
)
def test_labels_match_by_meaning_where_only_the_spelling_differs(own, wanted, place):
    assert in_classes(Sample("a", noise(2, 2), label=0), (own,), wanted).label == place


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        (
            ["cat/a.png", "dog/b.png", "test/a.txt"],
            r"It has folders of images \(cat, dog\): move them into \S+test\.",
        ),
        (
            ["test/a.png"],
            r"The images in \S+test are in no class folder: move those of each class",
        ),
        (["train/cat/a.png", "notes/a.txt", "a.png"], "^$"),
    ],
)
def test_images_that_are_not_where_a_test_set_has_them_are_named(tmp_path, files, hint):
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"")
    assert re.search(hint, samples.misplaced_images(tmp_path))
    assert samples.find_test_set(tmp_path) is None


def test_images_in_class_folders_without_a_split_are_all_test_images(tmp_path):
    pixels = {"cat": noise(4, 4), "dog": noise(5, 4)}
    for name in pixels:
        (tmp_path / name).mkdir()
        Image.fromarray(pixels[name]).save(tmp_path / name / "0.png")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("none of the images")
    outside = tmp_path.parent / f"{tmp_path.name} outside.png"
    Image.fromarray(pixels["cat"]).save(outside)
    (tmp_path / "cat" / "1.png").symlink_to(outside)
    images = samples.find_test_set(tmp_path)
    assert (images.classes, images.files) == (("cat", "dog"), ("cat/0.png", "dog/0.png"))
    for index, name in enumerate(pixels):
        np.testing.assert_array_equal(images.sample(index).pixels, pixels[name])
        assert images.sample(index).label == index
    assert images.notes().endswith(
        "has neither train nor test: all images in its class folders are test images."
    )
    with pytest.raises(Problem, match="are not divided into training and test images"):
        list_images(tmp_path, "train")
    (tmp_path / "train" / "cat").mkdir(parents=True)
    assert samples.find_test_set(tmp_path) is None


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_validation_images_are_the_test_set_where_there_is_no_other(tmp_path, name):
    for folder, label in (("train", "cat"), ("train", "dog"), (name, "dog")):
        (tmp_path / folder / label).mkdir(parents=True)
        Image.fromarray(noise(4, 4)).save(tmp_path / folder / label / "0.png")
    (tmp_path / "test").mkdir()
    Image.fromarray(noise(4, 4)).save(tmp_path / "test" / "0.png")  # test images without labels
    images = samples.find_test_set(tmp_path)
    assert (images.classes, images.files) == (("cat", "dog"), ("dog/0.png",))
    assert images.sample(0).label == 1
    assert images.notes().endswith(f"has no class folders in test: the images in {name} are the test images.")
    (tmp_path / "test" / "cat").mkdir()
    Image.fromarray(noise(4, 4)).save(tmp_path / "test" / "cat" / "0.png")
    images = samples.find_test_set(tmp_path)
    assert (images.files, images.notes()) == (("cat/0.png",), "")


def test_a_class_may_be_called_valid(tmp_path):
    for name in ("invalid", "valid"):
        (tmp_path / name).mkdir()
        Image.fromarray(noise(4, 4)).save(tmp_path / name / "0.png")
    assert samples.find_test_set(tmp_path).classes == ("invalid", "valid")


# Built-in scenes


def test_ten_scenes_with_masks():
    found = samples.scenes()
    assert [sample.name for sample in found] == [f"{name} (drawn)" for name in scenes.CLASSES]
    assert [sample.label for sample in found] == list(range(10))
    assert len({sample.digest for sample in found}) == 10
    for sample in found:
        assert 0 < sample.mask.mean() < 1


# Test sets


@pytest.fixture
def pets(tmp_path):
    """Three classes in train, of which test has two, and another of its own."""
    for name in ("cat", "dog", "eel"):
        (tmp_path / "train" / name).mkdir(parents=True)
    for name, count in (("dog", 3), ("cat", 2), ("yak", 1), ("empty", 0)):
        (tmp_path / "test" / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(noise(40 + number, 30, number)).save(tmp_path / "test" / name / f"{number}.png")
    (tmp_path / "test" / "dog" / "notes.txt").write_text("good dog")
    (tmp_path / "test" / "dog" / "._0.png").write_bytes(b"a Mac was here")
    return tmp_path


def test_folder_is_listed_with_training_labels(pets):
    test_set = samples.folder_test_set(pets)
    assert test_set.name == pets.name
    assert test_set.classes == ("cat", "dog", "eel", "empty", "yak")
    assert len(test_set) == 6
    assert test_set.labels.dtype == np.int64
    assert test_set.labels.tolist() == [0, 0, 1, 1, 1, 4]
    assert test_set.where(1).tolist() == [2, 3, 4]
    assert test_set.where(2).tolist() == []


def test_folder_decodes_the_asked_image_at_its_own_size(pets):
    sample = samples.folder_test_set(pets).sample(3)
    assert sample.name == "dog/1.png"
    assert sample.label == 1
    np.testing.assert_array_equal(sample.pixels, noise(41, 30, 1))


def test_folder_order_stays(pets):
    first, second = samples.folder_test_set(pets), samples.folder_test_set(pets)
    assert [first.sample(i).name for i in range(6)] == [second.sample(i).name for i in range(6)]


def test_listing_opens_no_image(pets):
    (pets / "test" / "dog" / "0.png").write_bytes(b"broken")
    test_set = samples.folder_test_set(pets)
    with pytest.raises(Problem, match=r"dog/0\.png is not an image"):
        test_set.sample(2)
    assert test_set.sample(3).label == 1


def test_image_that_vanished(pets):
    test_set = samples.folder_test_set(pets)
    (pets / "test" / "dog" / "0.png").unlink()
    with pytest.raises(Problem, match="cannot be opened"):
        test_set.sample(2)


@pytest.mark.parametrize("index", [-1, 6])
def test_index_outside(pets, index):
    with pytest.raises(Problem, match="from 0 to 5"):
        samples.folder_test_set(pets).sample(index)


def test_test_set_can_be_pickled(pets):
    again = pickle.loads(pickle.dumps(samples.folder_test_set(pets)))
    assert again.sample(0).label == 0


def test_folder_without_test_images(tmp_path):
    with pytest.raises(Problem, match="no test images"):
        samples.folder_test_set(tmp_path)


def tiny_cifar10(data_dir, split, size=32):
    images = np.stack([noise(32, 32, seed) for seed in range(5)])
    labels = np.array([3, 0, 3, 9, 3])
    return Dataset("cifar10", images, labels, scenes.CLASSES, (0, 0, 0), (1, 1, 1), f"{split} of {data_dir}")


def test_cifar10_test_set(monkeypatch):
    monkeypatch.setattr(samples, "read_cifar10", tiny_cifar10)
    test_set = samples.cifar10_test_set(Path("data"))
    assert len(test_set) == 5
    assert test_set.where(3).tolist() == [0, 2, 4]
    sample = test_set.sample(3)
    assert sample.name == "cifar10 3 (truck)"
    assert sample.label == 9
    np.testing.assert_array_equal(sample.pixels, noise(32, 32, 3))


def test_damaged_cifar10_is_a_problem(monkeypatch):
    def fail(*_):
        raise Problem("CIFAR-10 is damaged: download it again.")

    monkeypatch.setattr(samples, "read_cifar10", fail)
    with pytest.raises(Problem, match="download it again"):
        samples.cifar10_test_set(Path("data"))


def test_find_recognises_both_and_nothing(monkeypatch, pets, tmp_path_factory):
    assert samples.find_test_set(pets).name == pets.name
    assert samples.find_test_set(tmp_path_factory.mktemp("nothing")) is None
    assert samples.find_test_set(pets / "missing") is None
    monkeypatch.setattr(samples, "cifar10_present", lambda _: True)
    monkeypatch.setattr(samples, "read_cifar10", tiny_cifar10)
    assert samples.find_test_set(pets).name == "cifar10"


def test_folders_with_the_same_names_of_files_and_other_images_are_told_apart(tmp_path):
    def folder(name, shade, changed=-1):
        for k in range(40):
            path = tmp_path / name / "test" / "cat" / f"{k:02}.bmp"  # all of the same size
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 4), (shade, 0, 0)).save(path)
        if changed >= 0:
            Image.new("RGB", (5, 4), (shade, 0, 0)).save(
                tmp_path / name / "test" / "cat" / f"{changed:02}.bmp"
            )
        return samples.folder_test_set(tmp_path / name).digest

    digest = folder("one", 10)
    assert folder("copy", 10) == digest
    assert folder("darker", 5) != digest
    assert folder("cropped", 10, changed=1) != digest, "one file of another size"
