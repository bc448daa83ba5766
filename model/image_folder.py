"""A folder of images as a dataset: `train/<class>/*` and `test/<class>/*`, of any sizes and classes.

Where there is no `test/<class>`, validation images stand for it: see VALIDATION.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.decoded import CACHE_VERSION, Decoded, cached, digest
from model.decoding import picture
from model.files import contents
from model.image_file import MOST_BYTES
from model.image_kind import MOST_READ, PICTURE_SUFFIXES, kind_of
from model.images import Dataset, Images, OnCorrupt, Progress, Split, first_names, mean_and_std, tell
from model.names import readable, short_path
from model.pixels import square
from model.problems import Problem
from model.words import tr

VALIDATION = ("val", "valid", "validation")
"""The folders that are the test set where `test` has no class folders, the first that has some."""
PIXELS_VERSION = 2  # of how a file becomes pixels: what was decoded otherwise is decoded anew
MOST_PIXELS = 89_000_000  # Pillow's own bound, beyond which it warns


@dataclass(frozen=True)
class Listing:
    """The images of one split: `files` are (path below root, class index, bytes, mtime_ns), by class."""

    root: Path
    classes: tuple[str, ...]
    files: tuple[tuple[str, int, int, int], ...]

    def key(self, size: int) -> str:
        """Return a digest that changes with any file's name, size or time, and with the target `size`."""
        return digest(CACHE_VERSION, PIXELS_VERSION, size, self.classes, *self.files)


def folder(
    data_dir: Path,
    split: Split,
    size: int = 32,
    *,
    on_corrupt: OnCorrupt = "fail",
    progress: Progress | None = None,
) -> Dataset:
    """Load `data_dir`/`split`/<class>/* as uint8 (N,size,size,3); decoded once, then read from a cache.

    Each image is center-cropped to a square and resized with antialiasing; one that is size × size already is
    taken as it is. Classes are the sorted folder names below `data_dir`/train, which also gives mean and std.
    Unreadable images raise a Problem that names and counts them, or are left out with "skip".
    """
    listing = list_images(data_dir, "train")
    chosen = _checked(_decoded(listing, size, progress), listing, on_corrupt)
    mean, std = mean_and_std(chosen.images)
    if split == "test":
        listing = list_images(data_dir, "test", listing.classes)
        chosen = _checked(_decoded(listing, size, progress), listing, on_corrupt)
    name, left_out = readable(data_dir.resolve().name), len(chosen.corrupt)
    provenance = f"{len(chosen.labels):,} images of the folder {name}/{listing.root.name}"
    provenance += f", {left_out:,} unreadable left out" if left_out else ""
    left = tuple(readable(f"{listing.root.name}/{path}") for path in chosen.corrupt)
    classes = tuple(map(readable, listing.classes))
    return Dataset(name, chosen.images, chosen.labels, classes, mean, std, provenance, left)


def list_images(data_dir: Path, split: Split, classes: tuple[str, ...] | None = None) -> Listing:
    """List the images below `data_dir`/`split`/<class>; `classes` fixes what labels mean (the train split's).

    Problem when a folder is missing, a class folder has no image, or a class is not among `classes`.
    """
    check_there(data_dir, split)
    root = split_folder(data_dir, split)
    folders = class_folders(root)
    if not folders:
        _check_permission(root)
        if is_undivided(data_dir):
            raise Problem(
                "The images in {folder} are not divided into training and test images; move those of each "
                "class into {train}/CLASS/ and {test}/CLASS/.",
                folder=short_path(data_dir),
                train=short_path(data_dir / "train", 1),
                test=short_path(data_dir / "test", 1),
            )
        raise Problem(
            "The folder {folder} has no class folders; put the images of each class into {folder}/CLASS/."
            if root.is_dir()
            else "There is no folder {folder}; put the images of each class into {folder}/CLASS/.",
            folder=short_path(root, 1),
        )
    for name in folders:
        if classes is not None and name not in classes:
            raise Problem(
                "The class {name} is in {folder} but not in {train}; add it there or remove it.",
                name=readable(name),
                folder=short_path(root, 1),
                train=short_path(data_dir / "train", 1),
            )
    order = classes or folders
    files = tuple(row for name in folders for row in _rows(root, name, order.index(name)))
    return Listing(root, order, files)


def split_folder(data_dir: Path, split: Split) -> Path:
    """Where a split's class folders are: for the test split where validation images are if it has none."""
    names = (split, *VALIDATION) if split == "test" else (split,)
    folders = (data_dir / name for name in names)
    return next((folder for folder in folders if class_folders(folder)), data_dir / split)


def validation_note(root: Path) -> str:
    """That the images in `root` are the test set, as a sentence, where that is one of VALIDATION; else ""."""
    if root.name not in VALIDATION:
        return ""
    return tr(
        "The folder {name} has no class folders in test: the images in {folder} are the test images.",
        name=readable(root.parent.resolve().name),
        folder=root.name,
    )


def check_there(data_dir: Path, split: Split) -> None:
    """Problem if there is nothing at `data_dir`, or a file: then its name is wrong, not what is in it."""
    if data_dir.is_file():
        raise Problem(
            "{file} is a file: give the folder with the images, as {split}/CLASS/, with --data-dir.",
            file=short_path(data_dir),
            split=split,
        )
    if not os.path.lexists(data_dir):
        raise Problem(
            "There is no folder {folder}: give the one with the images, as {split}/CLASS/, with --data-dir.",
            folder=short_path(data_dir),
            split=split,
        )


def is_undivided(data_dir: Path) -> bool:
    """Whether a folder has class folders with images directly, and no `train`, `test` or VALIDATION."""
    if any(os.path.lexists(data_dir / split) for split in ("train", "test")):
        return False
    if split_folder(data_dir, "test").name != "test":
        return False
    return any(image_files(data_dir / name, data_dir) for name in class_folders(data_dir))


def _rows(root: Path, name: str, label: int) -> Iterator[tuple[str, int, int, int]]:
    files = image_files(root / name)
    if not files:
        _check_permission(root / name)
        raise Problem(
            "The class folder {folder} has no images (PNG, JPEG, HEIC, AVIF, WebP, GIF, BMP or TIFF); "
            "add some, or remove the folder.",
            folder=short_path(root / name, 2),
        )
    for entry in files:
        stat = entry.stat()
        yield f"{name}/{entry.name}", label, stat.st_size, stat.st_mtime_ns


def _check_permission(folder: Path) -> None:
    """Problem if the folder is there and may not be looked into: what is in it is then unknown."""
    try:
        os.scandir(folder).close()
    except PermissionError as error:
        raise Problem(
            "The folder {folder} cannot be read ({reason}); change its permissions, or choose another "
            "folder with --data-dir.",
            folder=short_path(folder, 1),
            reason=error.strerror,
        ) from error
    except OSError:  # missing, or not a folder: another check reports that
        pass


def class_folders(root: Path) -> tuple[str, ...]:
    """Return the sorted names of the folders in `root`; none when `root` does not exist or cannot be read."""
    return tuple(entry.name for entry in _entries(root) if entry.is_dir())


def image_files(folder: Path, data_dir: Path | None = None) -> list[os.DirEntry[str]]:
    """Return the files in the class `folder` that are images by their suffix or first bytes, sorted by name.

    A symbolic link that leads out of the data folder, by default two above, is none: what comes from
    elsewhere may lead anywhere.
    """
    named = [entry for entry in _entries(folder) if _is_image(entry)]
    if not any(entry.is_symlink() for entry in named):
        return [entry for entry in named if entry.is_file()]
    inside = ((data_dir or folder.parent.parent).resolve(), folder.resolve())
    return [entry for entry in named if _stays(entry, inside) and entry.is_file()]


def _is_image(entry: os.DirEntry[str]) -> bool:
    """Whether a file is called an image, or begins as one under another name."""
    if entry.name.lower().endswith(PICTURE_SUFFIXES):
        return True
    try:
        if not entry.is_file(follow_symlinks=False):
            return False
        with open(entry.path, "rb") as file:
            return kind_of(file.read(MOST_READ)) is not None
    except OSError:
        return False


def _stays(entry: os.DirEntry[str], folders: tuple[Path, ...]) -> bool:
    try:
        target = Path(entry.path).resolve(strict=True)
    except (OSError, RuntimeError):  # it leads nowhere, or in a circle
        return False
    return any(target.is_relative_to(folder) for folder in folders)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if not e.name.startswith(".")), key=lambda entry: entry.name)
    except OSError:
        return []


def _checked(decoded: Decoded, listing: Listing, on_corrupt: OnCorrupt) -> Decoded:
    count, total = len(decoded.corrupt), len(listing.files)
    if count and (on_corrupt == "fail" or count == total):
        raise Problem(
            "All images in {folder} are unreadable, {count:,} of {total:,} ({names}); replace them."
            if count == total
            else "{count:,} of the {total:,} images in {folder} cannot be read ({names}); "
            "replace or remove them, or leave them out with --on-corrupt skip.",
            count=count,
            total=total,
            folder=short_path(listing.root, 1),
            names=readable(first_names(decoded.corrupt)),
        )
    return decoded


def _decoded(listing: Listing, size: int, progress: Progress | None) -> Decoded:
    name = f"{listing.root.name}-{size}.npz"
    return cached(listing.root.parent, name, listing.key(size), lambda: decode_all(listing, size, progress))


def decode_all(listing: Listing, size: int, progress: Progress | None = None) -> Decoded:
    """Decode every file of `listing` to uint8 (N,size,size,3), on threads."""
    paths = [f"{listing.root}/{row[0]}" for row in listing.files]
    images = np.empty((len(paths), size, size, 3), dtype=np.uint8)
    good = np.zeros(len(paths), dtype=bool)

    def decode(rows: range) -> range:
        for row in rows:
            pixels = read_image(paths[row], size)
            if pixels is not None:
                images[row], good[row] = pixels, True
        return rows

    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        chunks = (range(start, min(start + 256, len(paths))) for start in range(0, len(paths), 256))
        for rows in pool.map(decode, chunks):
            tell(progress, rows.stop / len(paths))
    labels = np.array([label for _, label, _, _ in listing.files], dtype=np.int64)
    corrupt = tuple(listing.files[row][0] for row in np.flatnonzero(~good))
    return Decoded(images[good] if corrupt else images, labels[good], corrupt)


def read_image(path: str, size: int) -> Images | None:
    """An image file as training gets it, uint8 (size, size, 3); None where it cannot be read."""
    try:
        image = picture(contents(Path(path), MOST_BYTES), path, draft=4 * size, most_pixels=MOST_PIXELS)
    except (OSError, Problem):
        return None
    return np.asarray(square(image, size))
