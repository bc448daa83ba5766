"""Training and test images as one `Dataset` value: CIFAR-10, a folder of images, or drawn scenes."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.pixels import square, to_rgb

Split = Literal["train", "test"]
OnCorrupt = Literal["fail", "skip"]
Progress = Callable[[float], None]
Triple = tuple[float, float, float]

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")


class DatasetError(ValueError):
    """A data set that cannot be used, in one sentence that says what to do."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images of one split, decoded: `images` uint8 (N,H,W,3), `labels` int64 (N,) indices into `classes`.

    `mean` and `std` are those of the train split in [0, 1], also in a test split; `provenance` says where
    the images came from, and how many were left out.
    """

    name: str
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    mean: Triple
    std: Triple
    provenance: str

    def __len__(self) -> int:
        return len(self.labels)


# --- a folder of images -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listing:
    """The image files of one split: `files` are (path below root, class index, bytes, mtime_ns), sorted."""

    root: Path
    classes: tuple[str, ...]
    files: tuple[tuple[str, int, int, int], ...]

    def key(self, size: int) -> str:
        """Return a digest that changes with any file's name, size or time, or with the target `size`."""
        lines = [f"{CACHE_VERSION} {size} {self.classes}", *map(repr, self.files)]
        return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, eq=False)
class Decoded:
    """A split's readable images with their labels, and the paths of the files that could not be read."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    corrupt: tuple[str, ...]


CACHE_VERSION = 1
CACHE_FOLDER = ".decoded"


def folder(
    data_dir: Path,
    split: Split,
    size: int = 32,
    *,
    on_corrupt: OnCorrupt = "fail",
    progress: Progress | None = None,
) -> Dataset:
    """Load `data_dir`/`split`/<class>/* as uint8 (N,size,size,3); decoded once, then read from a cache.

    Each image is centre-cropped to a square and resized with antialiasing; one that is size × size already is
    taken as it is. Classes are the sorted folder names below `data_dir`/train, which also gives mean and std.
    Unreadable images end in a DatasetError that names and counts them, or are left out with "skip".
    """
    train_listing = list_images(data_dir, "train")
    train = _checked(_decoded(train_listing, size, progress if split == "train" else None), train_listing, on_corrupt)
    mean, std = mean_and_std(train.images)
    chosen, listing = train, train_listing
    if split == "test":
        listing = list_images(data_dir, "test", train_listing.classes)
        chosen = _checked(_decoded(listing, size, progress), listing, on_corrupt)
    left_out = f", {len(chosen.corrupt)} unreadable left out" if chosen.corrupt else ""
    return Dataset(
        name=data_dir.resolve().name,
        images=chosen.images,
        labels=chosen.labels,
        classes=listing.classes,
        mean=mean,
        std=std,
        provenance=f"image folder {data_dir.resolve().name}/{split}: {len(chosen.labels):,} images{left_out}",
    )


def list_images(data_dir: Path, split: Split, classes: tuple[str, ...] | None = None) -> Listing:
    """List the images below `data_dir`/`split`/<class>; `classes` fixes the label order (the train split's).

    DatasetError when a folder is missing, a class folder has no image, or a class is not among `classes`.
    """
    root = data_dir / split
    if not root.is_dir():
        raise DatasetError(
            f"{data_dir} has no folder '{split}': put the images into {data_dir}/{split}/<class>/, one folder a class."
        )
    found = tuple(sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and entry.name[0] != "."))
    if not found:
        raise DatasetError(f"{root} has no class folders: put the images into {root}/<class>/, one folder a class.")
    unknown = [name for name in found if classes is not None and name not in classes]
    if unknown:
        raise DatasetError(f"{root / unknown[0]} is a class that {data_dir}/train does not have: add it there or remove it.")
    order = classes or found
    files = [row for name in found for row in _class_files(root, name, order.index(name))]
    return Listing(root, order, tuple(files))


def _class_files(root: Path, name: str, label: int) -> list[tuple[str, int, int, int]]:
    rows = []
    for entry in os.scandir(root / name):
        if os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES and entry.is_file():
            stat = entry.stat()
            rows.append((f"{name}/{entry.name}", label, stat.st_size, stat.st_mtime_ns))
    if not rows:
        kinds = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
        raise DatasetError(f"The class folder {root / name} holds no images ({kinds}): add some or remove the folder.")
    return sorted(rows)


def mean_and_std(images: npt.NDArray[np.uint8]) -> tuple[Triple, Triple]:
    """Return the per-channel mean and standard deviation of uint8 (N,H,W,3) `images`, both in [0, 1]."""
    counts = [np.bincount(images[..., channel].ravel(), minlength=256) for channel in range(3)]
    levels = np.arange(256) / 255
    means = [float((count * levels).sum() / count.sum()) for count in counts]
    squares = [float((count * (levels - m) ** 2).sum() / count.sum()) for count, m in zip(counts, means, strict=True)]
    stds = [max(value**0.5, 1 / 255) for value in squares]  # one flat colour must not divide by zero
    return (means[0], means[1], means[2]), (stds[0], stds[1], stds[2])


def _checked(decoded: Decoded, listing: Listing, on_corrupt: OnCorrupt) -> Decoded:
    count, total = len(decoded.corrupt), len(listing.files)
    if count and (on_corrupt == "fail" or count == total):
        named = ", ".join(decoded.corrupt[:3]) + (", …" if count > 3 else "")
        raise DatasetError(
            f"{count} of the {total:,} images in {listing.root} cannot be read ({named}): "
            "replace or remove them, or choose to skip unreadable images."
        )
    return decoded


def _decoded(listing: Listing, size: int, progress: Progress | None) -> Decoded:
    key = listing.key(size)
    places = [place / f"{listing.root.name}-{size}.npz" for place in _cache_folders(listing.root.parent)]
    for path in places:
        cached = _read_cache(path, key)
        if cached is not None:
            return cached
    fresh = decode_all(listing, size, progress)
    for path in places:
        if _write_cache(path, key, fresh):
            break
    return fresh


def decode_all(listing: Listing, size: int, progress: Progress | None = None) -> Decoded:
    """Decode every file of `listing` to uint8 (N,size,size,3) on threads; `progress` gets the share done, 0 to 1."""
    total = len(listing.files)
    images = np.empty((total, size, size, 3), dtype=np.uint8)
    good = np.zeros(total, dtype=bool)

    def decode(rows: range) -> int:
        for row in rows:
            pixels = _read_image(listing.root / listing.files[row][0], size)
            if pixels is not None:
                images[row], good[row] = pixels, True
        return len(rows)

    done = 0
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for count in pool.map(decode, _chunks(total, 256)):
            done += count
            if progress is not None:
                progress(done / total)
    labels = np.array([label for _, label, _, _ in listing.files], dtype=np.int64)
    corrupt = tuple(listing.files[row][0] for row in np.flatnonzero(~good))
    return Decoded(images[good] if corrupt else images, labels[good], corrupt)


def _chunks(total: int, step: int) -> Iterator[range]:
    return (range(start, min(start + step, total)) for start in range(0, total, step))


def _read_image(path: Path, size: int) -> npt.NDArray[np.uint8] | None:
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as image:
            image.draft("RGB", (4 * size, 4 * size))  # a big JPEG is decoded at a fraction of its size
            return np.asarray(square(to_rgb(image), size))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _cache_folders(data_dir: Path) -> tuple[Path, Path]:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256(str(data_dir.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return data_dir / CACHE_FOLDER, home / "feature-map-explorer" / name


def _read_cache(path: Path, key: str) -> Decoded | None:
    try:
        with np.load(path, allow_pickle=False) as saved:
            if str(saved["key"]) != key:
                return None
            return Decoded(saved["images"], saved["labels"], tuple(map(str, saved["corrupt"])))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write_cache(path: Path, key: str, decoded: Decoded) -> bool:
    def write(file: BinaryIO) -> None:
        corrupt = np.array(decoded.corrupt, dtype=np.str_)
        np.savez(file, key=np.array(key), images=decoded.images, labels=decoded.labels, corrupt=corrupt)

    try:
        _write_atomically(path, write)
    except OSError:
        return False
    return True


def _write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write beside `path` and rename: whoever reads sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


# --- choosing a source --------------------------------------------------------------------------------------


class Source(Protocol):
    """What every entry of SOURCES can be called as."""

    def __call__(
        self,
        data_dir: Path,
        split: Split,
        size: int = 32,
        *,
        on_corrupt: OnCorrupt = "fail",
        progress: Progress | None = None,
    ) -> Dataset: ...


SOURCES: dict[str, Source] = {"folder": folder}


def load(
    source: str,
    data_dir: Path,
    split: Split,
    size: int = 32,
    *,
    on_corrupt: OnCorrupt = "fail",
    progress: Progress | None = None,
) -> Dataset:
    """Load one split of the data set `source` (a key of SOURCES) at size × size pixels.

    `progress` is called with the share done, 0 to 1; DatasetError when the data cannot be had or read.
    """
    if source not in SOURCES:
        raise DatasetError(f"There is no data set '{source}': choose one of {', '.join(SOURCES)}.")
    return SOURCES[source](data_dir, split, size, on_corrupt=on_corrupt, progress=progress)
