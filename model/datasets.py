"""Training and test images as one `Dataset` value: CIFAR-10, a folder of images, or drawn scenes."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.request import urlopen

import numpy as np
import numpy.typing as npt
from PIL import Image

from model import cifar10 as constants
from model import scenes as drawn
from model.files import replacing, sweep
from model.pixels import square, to_rgb

Split = Literal["train", "test"]
OnCorrupt = Literal["fail", "skip"]
Progress = Callable[[float], None]  # told the share done, from 0 to 1
Triple = tuple[float, float, float]
Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

DATA_DIR = Path("data")
IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")


class DatasetError(ValueError):
    """A data set that cannot be had or used; the message says why and what to do, in one sentence."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images of one split, decoded: `images` uint8 (N,H,W,3), `labels` int64 (N,) indices into `classes`.

    `mean` and `std` are the train split's in [0, 1], also in a test split; `provenance` says where the images
    come from, and how many were left out.
    """

    name: str
    images: Images
    labels: Labels
    classes: tuple[str, ...]
    mean: Triple
    std: Triple
    provenance: str

    def __len__(self) -> int:
        return len(self.labels)


def mean_and_std(images: Images) -> tuple[Triple, Triple]:
    """Return the exact per-channel mean and standard deviation, in [0, 1], of uint8 (N,H,W,3) `images`."""
    counts = np.zeros((3, 256), dtype=np.int64)
    for start in range(0, len(images), 64):  # a chunk fits the cache: four times faster than all at once
        for channel, values in enumerate(images[start : start + 64].reshape(-1, 3).T):
            counts[channel] += np.bincount(values, minlength=256)
    levels, total = np.arange(256), images.size // 3
    mean = counts @ levels / total
    std = np.sqrt(np.maximum(counts @ levels**2 / total - mean**2, 1))  # one flat colour must not divide by 0
    return _triple(mean / 255), _triple(std / 255)


def _triple(values: npt.NDArray[np.float64]) -> Triple:
    red, green, blue = map(float, values)
    return red, green, blue


# A folder of images


@dataclass(frozen=True)
class Listing:
    """The images of one split: `files` are (path below root, class index, bytes, mtime_ns), by class."""

    root: Path
    classes: tuple[str, ...]
    files: tuple[tuple[str, int, int, int], ...]

    def key(self, size: int) -> str:
        """Return a digest that changes with any file's name, size or time, and with the target `size`."""
        return _digest(CACHE_VERSION, size, self.classes, *self.files)


@dataclass(frozen=True, eq=False)
class Decoded:
    """A split's readable images with their labels, and the paths of the files that could not be read."""

    images: Images
    labels: Labels
    corrupt: tuple[str, ...] = ()


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
    listing = list_images(data_dir, "train")
    chosen = _checked(_decoded(listing, size, progress), listing, on_corrupt)
    mean, std = mean_and_std(chosen.images)
    if split == "test":
        listing = list_images(data_dir, "test", listing.classes)
        chosen = _checked(_decoded(listing, size, progress), listing, on_corrupt)
    name, left_out = data_dir.resolve().name, len(chosen.corrupt)
    provenance = f"{len(chosen.labels):,} images of the folder {name}/{split}"
    provenance += f", {left_out:,} unreadable left out" if left_out else ""
    return Dataset(name, chosen.images, chosen.labels, listing.classes, mean, std, provenance)


def list_images(data_dir: Path, split: Split, classes: tuple[str, ...] | None = None) -> Listing:
    """List the images below `data_dir`/`split`/<class>; `classes` fixes what labels mean (the train split's).

    DatasetError when a folder is missing, a class folder has no image, or a class is not among `classes`.
    """
    root = data_dir / split
    found = class_folders(root)
    if not found:
        state = "holds no class folders" if root.is_dir() else "is missing"
        raise DatasetError(
            f"The folder {root} {state}: put images into {root}/<class>/, a folder for each class."
        )
    for name in found:
        if classes is not None and name not in classes:
            raise DatasetError(
                f"The class {name} is in {root} but not in {data_dir / 'train'}: add or remove it."
            )
    order = classes or found
    files = tuple(row for name in found for row in _rows(root, name, order.index(name)))
    return Listing(root, order, files)


def _rows(root: Path, name: str, label: int) -> Iterator[tuple[str, int, int, int]]:
    files = image_files(root / name)
    if not files:
        kinds = ", ".join(suffix[1:] for suffix in IMAGE_SUFFIXES)
        raise DatasetError(f"The class folder {root / name} has no images ({kinds}): add some, or remove it.")
    for entry in files:
        stat = entry.stat()
        yield f"{name}/{entry.name}", label, stat.st_size, stat.st_mtime_ns


def class_folders(root: Path) -> tuple[str, ...]:
    """Return the sorted names of the folders in `root`; none when `root` does not exist or cannot be read."""
    return tuple(entry.name for entry in _entries(root) if entry.is_dir())


def image_files(folder: Path) -> list[os.DirEntry[str]]:
    """Return the files in `folder` whose suffix is an image's, sorted by name."""
    return [
        entry for entry in _entries(folder) if entry.name.lower().endswith(IMAGE_SUFFIXES) and entry.is_file()
    ]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if not e.name.startswith(".")), key=lambda entry: entry.name)
    except OSError:
        return []


def _checked(decoded: Decoded, listing: Listing, on_corrupt: OnCorrupt) -> Decoded:
    count, total = len(decoded.corrupt), len(listing.files)
    if count and (on_corrupt == "fail" or count == total):
        named = ", ".join(decoded.corrupt[:3]) + (", …" if count > 3 else "")
        raise DatasetError(
            f"{count:,} of the {total:,} images in {listing.root} cannot be read ({named}): "
            "replace or remove them, or choose to skip unreadable images."
        )
    return decoded


def _decoded(listing: Listing, size: int, progress: Progress | None) -> Decoded:
    name = f"{listing.root.name}-{size}.npz"
    return _cached(listing.root.parent, name, listing.key(size), lambda: decode_all(listing, size, progress))


def decode_all(listing: Listing, size: int, progress: Progress | None = None) -> Decoded:
    """Decode every file of `listing` to uint8 (N,size,size,3), on threads."""
    paths = [f"{listing.root}/{row[0]}" for row in listing.files]
    images = np.empty((len(paths), size, size, 3), dtype=np.uint8)
    good = np.zeros(len(paths), dtype=bool)

    def decode(rows: range) -> range:
        for row in rows:
            pixels = _read_image(paths[row], size)
            if pixels is not None:
                images[row], good[row] = pixels, True
        return rows

    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        chunks = (range(start, min(start + 256, len(paths))) for start in range(0, len(paths), 256))
        for rows in pool.map(decode, chunks):
            _tell(progress, rows.stop / len(paths))
    labels = np.array([label for _, label, _, _ in listing.files], dtype=np.int64)
    corrupt = tuple(listing.files[row][0] for row in np.flatnonzero(~good))
    return Decoded(images[good] if corrupt else images, labels[good], corrupt)


def _read_image(path: str, size: int) -> Images | None:
    try:
        with open(path, "rb", buffering=0) as file:
            image = Image.open(io.BytesIO(file.read()), formats=IMAGE_FORMATS)  # twice as fast as by its path
        image.draft(None, (4 * size, 4 * size))  # a big JPEG is decoded at a fraction of its size
        return np.asarray(square(to_rgb(image), size))
    except Exception:  # Pillow's readers raise whatever a broken file makes them trip over
        return None


def _tell(progress: Progress | None, share: float) -> None:
    if progress is not None:
        progress(share)


# A cache of decoded images

CACHE_VERSION = 1
CACHE_FOLDER = ".decoded"


def _cached(data_dir: Path, name: str, key: str, make: Callable[[], Decoded]) -> Decoded:
    """Read `name` from the cache if it was written under `key`, else make it and write it where possible."""
    paths = [place / name for place in (data_dir / CACHE_FOLDER, _home_cache(data_dir))]
    for path in paths:
        if (kept := _read_cache(path, key)) is not None:
            return kept
    fresh = make()
    any(_write_cache(path, key, fresh) for path in paths)  # the second only where the first cannot be written
    return fresh


def _home_cache(data_dir: Path) -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "feature-map-explorer" / _digest(str(data_dir.resolve()))[:16]


def _digest(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(repr, parts)).encode()).hexdigest()


def _read_cache(path: Path, key: str) -> Decoded | None:
    try:
        with np.load(path, allow_pickle=False) as saved:
            if str(saved["key"]) == key:
                return Decoded(saved["images"], saved["labels"], tuple(map(str, saved["corrupt"])))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        pass  # none yet, or a damaged one: it is made anew
    return None


def _write_cache(path: Path, key: str, decoded: Decoded) -> bool:
    corrupt = np.array(decoded.corrupt, dtype=np.str_)
    try:
        sweep(path)
        with replacing(path) as file:
            np.savez(file, key=np.array(key), images=decoded.images, labels=decoded.labels, corrupt=corrupt)
    except OSError:  # read-only or full: the images are good without a cache
        return False
    return True


# CIFAR-10

CIFAR10_FOLDER = "cifar-10-batches-py"
CIFAR10_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")
_DOWNLOADING = threading.Lock()


def cifar10(
    data_dir: Path,
    split: Split,
    size: int = 32,
    *,
    on_corrupt: OnCorrupt = "fail",
    progress: Progress | None = None,
) -> Dataset:
    """Load CIFAR-10 as uint8 (N,size,size,3), downloading it into `data_dir` when it is not there or damaged.

    Mean and std are the usual ones of the train split. DatasetError when the download fails.
    """
    download_cifar10(data_dir, progress)
    return read_cifar10(data_dir, split, size)


def read_cifar10(data_dir: Path, split: Split, size: int = 32) -> Dataset:
    """Load CIFAR-10 from torchvision's files in `data_dir`; DatasetError when they are missing or damaged."""
    source = _torchvision_cifar10()
    try:
        batches = source(data_dir, train=split == "train", download=False)
    except (RuntimeError, OSError) as error:
        raise DatasetError(
            f"CIFAR-10 in {data_dir} is missing or damaged: "
            f"remove {data_dir / CIFAR10_FOLDER} and download it again."
        ) from error
    images = _resized(np.ascontiguousarray(batches.data), size)
    labels = np.array(batches.targets, dtype=np.int64)
    provenance = f"CIFAR-10, {split} split, {len(labels):,} images ({source.url})"
    return Dataset("cifar10", images, labels, constants.CLASSES, constants.MEAN, constants.STD, provenance)


def cifar10_present(data_dir: Path) -> bool:
    """Say at once whether torchvision's CIFAR-10 files are in `data_dir`; checksums are not computed."""
    return all((data_dir / CIFAR10_FOLDER / name).is_file() for name in CIFAR10_BATCHES)


def download_cifar10(data_dir: Path, progress: Progress | None = None) -> None:
    """Download CIFAR-10 into `data_dir` unless it is there intact: checked by MD5, whole or not at all.

    DatasetError says what was tried and names the two ways that need no network.
    """
    with _DOWNLOADING:  # a second visitor waits and finds it there
        if not _intact(data_dir):
            try:
                _fetch_and_unpack(data_dir, progress)
            except (OSError, HTTPException, tarfile.TarError, EOFError, zlib.error) as error:
                url = _torchvision_cifar10().url
                raise DatasetError(
                    f"CIFAR-10 could not be downloaded from {url} into {data_dir} ({error}): "
                    "try again later, or work without a network on your own images with "
                    "--dataset folder --data-dir DIR, or on drawn ones with --dataset scenes."
                ) from error
    _tell(progress, 1.0)


def _torchvision_cifar10() -> Any:
    from torchvision.datasets import CIFAR10  # a second of import that the other sources do without

    return CIFAR10


def _intact(data_dir: Path) -> bool:
    source = _torchvision_cifar10()
    wanted = [*source.train_list, *source.test_list, (source.meta["filename"], source.meta["md5"])]
    return all(_md5_is(data_dir / CIFAR10_FOLDER / name, md5) for name, md5 in wanted)


def _md5_is(path: Path, md5: str) -> bool:
    from torchvision.datasets.utils import check_integrity

    return bool(check_integrity(path, md5))


def _fetch_and_unpack(data_dir: Path, progress: Progress | None) -> None:
    source = _torchvision_cifar10()
    archive = data_dir / source.filename
    if _md5_is(archive, source.tgz_md5):  # downloaded by hand: used, and left where it is
        return _unpack(archive)
    _fetch(source.url, archive, source.tgz_md5, progress)
    _unpack(archive)
    archive.unlink()


def _fetch(url: str, path: Path, md5: str, progress: Progress | None) -> None:
    sweep(path)
    seen, received = hashlib.md5(usedforsecurity=False), 0
    with urlopen(url, timeout=30) as response, replacing(path) as file:
        total = int(response.headers.get("Content-Length") or 0)
        while chunk := response.read(1 << 18):
            file.write(chunk)
            seen.update(chunk)
            received += len(chunk)
            _tell(progress, 0.95 * received / total if total else 0.0)  # the rest is unpacking
        if seen.hexdigest() != md5:
            raise OSError("what arrived is cut short or not the data set")


def _unpack(archive: Path) -> None:
    place = archive.parent / CIFAR10_FOLDER
    with tempfile.TemporaryDirectory(prefix=".cifar-10-", dir=archive.parent) as unfinished:
        with tarfile.open(archive) as tar:
            tar.extractall(unfinished)  # its checksum is known, so are its members
        shutil.rmtree(place, ignore_errors=True)
        os.replace(Path(unfinished) / CIFAR10_FOLDER, place)


def _resized(images: Images, size: int) -> Images:
    if images.shape[1:3] == (size, size):
        return images
    return np.stack([np.asarray(square(Image.fromarray(pixels), size)) for pixels in images])


# Drawn scenes

SCENES_COUNT: dict[Split, int] = {"train": 5_000, "test": 1_000}
SCENES_SEED: dict[Split, int] = {"train": 1_000, "test": 2_000}
SCENES_CHUNK = 100


def scenes(
    data_dir: Path,
    split: Split,
    size: int = 32,
    *,
    on_corrupt: OnCorrupt = "fail",
    progress: Progress | None = None,
) -> Dataset:
    """Draw 5,000 (train) or 1,000 (test) scenes as uint8 (N,size,size,3), the same each time; cached.

    The first time takes minutes.
    """
    train = _drawn(data_dir, "train", size, progress)
    mean, std = mean_and_std(train.images)
    chosen = train if split == "train" else _drawn(data_dir, "test", size, progress)
    provenance = f"{len(chosen.labels):,} drawn scenes ({split})"
    return Dataset("scenes", chosen.images, chosen.labels, drawn.CLASSES, mean, std, provenance)


def _drawn(data_dir: Path, split: Split, size: int, progress: Progress | None) -> Decoded:
    try:
        probe, _ = drawn.dataset(len(drawn.CLASSES), 0, size)
    except ValueError as error:
        raise DatasetError(str(error)) from error
    count, seed = SCENES_COUNT[split], SCENES_SEED[split]
    key = _digest(CACHE_VERSION, count, seed, SCENES_CHUNK, probe.tobytes())  # drawn differently, drawn anew
    return _cached(
        data_dir, f"scenes-{split}-{size}.npz", key, lambda: _draw_all(count, seed, size, progress)
    )


def _draw_all(count: int, seed: int, size: int, progress: Progress | None) -> Decoded:
    starts = range(0, count, SCENES_CHUNK)
    parts = []
    for number, start in enumerate(starts):
        parts.append(drawn.dataset(min(SCENES_CHUNK, count - start), seed + number, size))
        _tell(progress, (number + 1) / len(starts))
    images, labels = zip(*parts, strict=True)
    return Decoded(np.concatenate(images), np.concatenate(labels))


# Choosing a source


class Source(Protocol):
    """What every entry of SOURCES is called as."""

    def __call__(
        self,
        data_dir: Path,
        split: Split,
        size: int = 32,
        *,
        on_corrupt: OnCorrupt = "fail",
        progress: Progress | None = None,
    ) -> Dataset: ...


SOURCES: dict[str, Source] = {"cifar10": cifar10, "folder": folder, "scenes": scenes}


def load(
    source: str,
    data_dir: Path = DATA_DIR,
    split: Split = "train",
    size: int = 32,
    *,
    on_corrupt: OnCorrupt = "fail",
    progress: Progress | None = None,
) -> Dataset:
    """Load one split of the data set `source`, a key of SOURCES, at size × size pixels.

    `on_corrupt` matters for image folders. DatasetError when the data cannot be had or read.
    """
    if source not in SOURCES:
        raise DatasetError(f"There is no data set «{source}»: choose one of {', '.join(SOURCES)}.")
    return SOURCES[source](Path(data_dir), split, size, on_corrupt=on_corrupt, progress=progress)
