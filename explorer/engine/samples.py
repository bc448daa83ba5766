"""Where images come from: an upload, a built-in scene, a test set. Each ends in a `Sample`."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model import scenes as drawn
from model.datasets import (
    check_there,
    cifar10_present,
    class_folders,
    image_files,
    is_undivided,
    read_cifar10,
    split_folder,
    validation_note,
)
from model.decoding import picture
from model.files import contents
from model.image_file import MOST_BYTES
from model.images import first_names
from model.names import readable, short_path
from model.problems import Problem
from model.words import tr

Labels = npt.NDArray[np.int64]

MAX_SIDE = 1024


@dataclass(frozen=True)
class FromScene:
    """A drawn scene of CIFAR-10 class `label` by `seed`."""

    label: int
    seed: int


@dataclass(frozen=True)
class FromTestSet:
    """Image `index` of the test set with this digest."""

    index: int
    digest: str


@dataclass(frozen=True)
class FromUpload:
    """An uploaded file, by the SHA-256 of its bytes."""

    digest: str


SampleOrigin = FromScene | FromTestSet | FromUpload


@dataclass(frozen=True, eq=False)
class Sample:
    """One image: `pixels` uint8 (H,W,3), `label` a class index, `mask` bool (H,W) True on the object.

    `origin` says where it came from, None where that is not known. Samples from two places can be equal.
    """

    name: str
    pixels: npt.NDArray[np.uint8]
    label: int | None = None
    mask: npt.NDArray[np.bool_] | None = None
    origin: SampleOrigin | None = None

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if self.pixels.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise ValueError(f"pixels must be uint8 (H,W,3), not {self.pixels.dtype} {shape}")
        if self.mask is not None and (self.mask.dtype != bool or self.mask.shape != shape[:2]):
            raise ValueError(f"mask must be bool {shape[:2]}, not {self.mask.dtype} {self.mask.shape}")

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the shape and the pixels: what results computed from this image are cached under."""
        shape = "×".join(map(str, self.pixels.shape))
        return hashlib.sha256(shape.encode() + b"\n" + self.pixels.tobytes()).hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sample):
            return NotImplemented
        mine, theirs = (self.name, self.label, self.digest), (other.name, other.label, other.digest)
        masks = (self.mask, other.mask)
        return mine == theirs and (masks[0] is masks[1] or np.array_equal(*masks))  # type: ignore[arg-type]

    def __hash__(self) -> int:
        return hash((self.name, self.label, self.digest))


def in_classes(sample: Sample, own: Sequence[str], wanted: Sequence[str]) -> Sample:
    """Return `sample` with its label, an index into `own`, turned into one into `wanted` by the class's name.

    Names are the same if they are written alike; else if only upper case, spaces, “-” and “_” differ; else if
    one is the other's SPELLINGS. The label is None where `wanted` has no such class, or several.
    """
    if sample.label is None:
        return sample
    return replace(sample, label=class_indices(tuple(own), tuple(wanted))[sample.label])


SPELLINGS = {
    "plane": "airplane",
    "aeroplane": "airplane",
    "car": "automobile",
    "auto": "automobile",
    "motorbike": "motorcycle",
    "lorry": "truck",
    "bike": "bicycle",
    "sofa": "couch",
    "tv": "television",
    "飞机": "airplane",
    "汽车": "automobile",
    "轿车": "automobile",
    "鸟": "bird",
    "猫": "cat",
    "鹿": "deer",
    "狗": "dog",
    "青蛙": "frog",
    "马": "horse",
    "船": "ship",
    "卡车": "truck",
}
"""Names of data sets for the same thing: what is on the left means what is on the right."""


@lru_cache(maxsize=64)
def class_indices(own: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[int | None, ...]:
    """For each of the own names, the one index in `wanted` that means the same, or None."""
    return tuple(_index(name, wanted) for name in own)


def _index(name: str, wanted: tuple[str, ...]) -> int | None:
    for key in (str, _plain, _meaning):
        indices = [index for index, other in enumerate(wanted) if key(other) == key(name)]
        if indices:
            return indices[0] if len(indices) == 1 else None
    return None


def _plain(name: str) -> str:
    return " ".join(name.casefold().translate(str.maketrans("_-", "  ")).split())


def _meaning(name: str) -> str:
    return SPELLINGS.get(_plain(name), _plain(name))


# An upload


def decode(data: bytes, name: str) -> Sample:
    """Turn an image file's bytes into a Sample of upright RGB pixels in sRGB, uint8 (H,W,3).

    What it takes, by the first bytes of the file, and what becomes of it: `model.decoding.picture`. More than
    1024 pixels on the long side are reduced to 1024. Problem for anything else, before any pixel of a too
    large image is decoded.
    """
    name = readable(name)
    pixels = np.array(picture(data, name, MAX_SIDE))
    return Sample(name, pixels, origin=FromUpload(hashlib.sha256(data).hexdigest()))


# Built-in scenes


def scene(label: int, size: int = 256) -> Sample:
    """Return the built-in drawn image of CIFAR-10 class `label`, with the object's exact mask."""
    name = drawn.CLASSES[label]
    seed = drawn.DEFAULT_SEEDS[name]
    drawing = drawn.draw(label, seed, size)
    return Sample(scene_name(label), drawing.pixels, label, drawing.mask, FromScene(label, seed))


def scene_name(label: int) -> str:
    """Return what the built-in image of a class is called, in the language in use."""
    return tr("{name} (drawn)", name=drawn.CLASSES[label])


def scenes() -> tuple[Sample, ...]:
    """Return the ten built-in drawn images, one of each CIFAR-10 class."""
    return tuple(scene(label) for label in range(len(drawn.CLASSES)))


# Test sets

MOST_DIGESTED = 16  # files of a folder whose bytes tell it from others


def _size_of(path: Path) -> int:
    """The size of a file in bytes, -1 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


@dataclass(frozen=True, eq=False)
class TestSet(ABC):
    """Labelled images to choose from by index, in a fixed order; `labels` int64 (N,) index `classes`."""

    __test__ = False  # for pytest, which takes any Test… for tests

    name: str
    classes: tuple[str, ...]
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, label: int) -> Labels:
        """Return the indices, int64 and ascending, of the images of class `label`."""
        return np.flatnonzero(self.labels == label)

    def sample(self, index: int) -> Sample:
        """Return image `index` with its label; Problem when there is none or it cannot be read."""
        if not 0 <= index < len(self):
            raise Problem(
                "There is no image {index}: choose one from 0 to {last}.", index=index, last=len(self) - 1
            )
        return replace(self._sample(index), origin=FromTestSet(index, self.digest))

    @abstractmethod
    def _sample(self, index: int) -> Sample: ...

    @property
    @abstractmethod
    def digest(self) -> str:
        """SHA-256 that tells this test set from others."""

    def notes(self) -> str:
        """What a person should know of how it was found, as a sentence; "" for nothing."""
        return ""


@dataclass(frozen=True, eq=False)
class FolderTestSet(TestSet):
    """A folder of images, listed now, decoded one by one as `decode` does; `files` are paths below `root`."""

    root: Path
    files: tuple[str, ...]
    undivided: bool = False

    def notes(self) -> str:
        if not self.undivided:
            return validation_note(self.root)
        return tr(
            "The folder {name} has neither train nor test: all images in its class folders are test images.",
            name=self.name,
        )

    def _sample(self, index: int) -> Sample:
        file = self.files[index]
        try:
            data = contents(self.root / file, MOST_BYTES)
        except OSError as error:
            raise Problem(
                "{name} cannot be opened ({reason}): check that it is there.",
                name=readable(file),
                reason=error.strerror,
            ) from error
        return replace(decode(data, file), label=int(self.labels[index]))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over classes, labels, paths and sizes of files, and over the bytes of a few of them.

        So a folder of the same images, changed, is another one, and a copy elsewhere is not.
        """
        sizes = [_size_of(self.root / file) for file in self.files]
        sha = hashlib.sha256(repr((self.classes, self.files, sizes)).encode() + self.labels.tobytes())
        for file in self.files[:: -(-len(self.files) // MOST_DIGESTED) or 1]:
            with suppress(OSError):
                sha.update(hashlib.sha256(contents(self.root / file, MOST_BYTES)).digest())
        return sha.hexdigest()


@dataclass(frozen=True, eq=False)
class ArrayTestSet(TestSet):
    """A data set in memory, such as CIFAR-10's test images: `images` uint8 (N,H,W,3)."""

    images: npt.NDArray[np.uint8]

    def _sample(self, index: int) -> Sample:
        label = int(self.labels[index])
        return Sample(f"{self.name} {index} ({self.classes[label]})", self.images[index], label)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over classes, labels and images."""
        sha = hashlib.sha256(repr((self.classes, self.images.shape)).encode() + self.labels.tobytes())
        sha.update(self.images.tobytes())
        return sha.hexdigest()


def folder_test_set(data_dir: Path) -> TestSet:
    """List `data_dir`/test/<class>/*, or the folder that stands for it, without opening an image; labels as
    training on `data_dir` numbers them.

    Classes are the folder names below `data_dir`/train, then those only test has; Problem without images.
    Where there is neither, the images in `data_dir`/<class>/* are all test images.
    """
    check_there(data_dir, "test")
    undivided = is_undivided(data_dir)
    root = data_dir if undivided else split_folder(data_dir, "test")
    images = {name: image_files(root / name, data_dir) for name in class_folders(root)}
    trained = class_folders(data_dir / "train")
    tested = tuple(name for name in images if images[name] or not undivided)
    classes = trained + tuple(name for name in tested if name not in trained)
    labeled_files = [(f"{name}/{file.name}", classes.index(name)) for name in tested for file in images[name]]
    if not labeled_files:
        raise Problem(
            "There are no test images in {folder}: put some into {root}/<class>/.",
            folder=short_path(data_dir),
            root=short_path(root, 1),
        )
    files, labels = zip(*labeled_files, strict=True)
    name, names = readable(data_dir.resolve().name), tuple(map(readable, classes))
    return FolderTestSet(name, names, np.array(labels, dtype=np.int64), root, files, undivided)


def cifar10_test_set(data_dir: Path) -> TestSet:
    """Read CIFAR-10's 10,000 test images from torchvision's files; Problem when missing or damaged."""
    data = read_cifar10(data_dir, "test")
    return ArrayTestSet(data.name, data.classes, data.labels, data.images)


MOST_LOOKED_INTO = 4  # folders of images: one more than `few` names


def misplaced_images(data_dir: Path) -> str:
    """Where a folder without a test set has images, and where to move them, as a sentence; "" without any."""
    root = data_dir / "test"
    folders = (
        readable(name)
        for name in class_folders(data_dir)
        if name not in ("train", "test") and image_files(data_dir / name)
    )
    if names := first_names(list(islice(folders, MOST_LOOKED_INTO))):
        return tr(
            "It has folders of images ({names}): move them into {root}.",
            names=names,
            root=short_path(root, 1),
        )
    if image_files(root):
        return tr(
            "The images in {root} are in no class folder: move those of each class into {root}/<class>/.",
            root=short_path(root, 1),
        )
    return ""


def find_test_set(data_dir: Path) -> TestSet | None:
    """Return the test images in `data_dir`: CIFAR-10's files, or test/<class>/*; None without either."""
    if cifar10_present(data_dir):
        return cifar10_test_set(data_dir)
    try:
        return folder_test_set(data_dir)
    except Problem:
        return None
