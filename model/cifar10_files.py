"""CIFAR-10 as a dataset: torchvision's files, downloaded whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import threading
import zlib
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
from PIL import Image

from model import cifar10 as constants
from model.files import replacing, sweep
from model.image_folder import class_folders
from model.images import Dataset, Images, OnCorrupt, Progress, Split, tell
from model.names import short_path
from model.pixels import square
from model.problems import Problem

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

    Mean and std are the usual ones of the train split. Problem when the download fails, and before it where
    the folder is one of images.
    """
    _check_no_image_folder(data_dir)
    download_cifar10(data_dir, progress)
    return read_cifar10(data_dir, split, size)


def _check_no_image_folder(data_dir: Path) -> None:
    """Problem where a folder of images is given: CIFAR-10 would be downloaded into it."""
    if not (data_dir / CIFAR10_FOLDER).exists() and class_folders(data_dir / "train"):
        raise Problem(
            "{folder} has class folders in train, and no CIFAR-10: give --dataset folder to take its images, "
            "or another --data-dir to download CIFAR-10 into.",
            folder=short_path(data_dir),
        )


def read_cifar10(data_dir: Path, split: Split, size: int = 32) -> Dataset:
    """Load CIFAR-10 from torchvision's files in `data_dir`; Problem when they are missing or damaged."""
    source = _torchvision_cifar10()
    try:
        batches = source(data_dir, train=split == "train", download=False)
    except (RuntimeError, OSError) as error:
        raise Problem(
            "CIFAR-10 in {data_dir} is missing or damaged; remove {folder} and download it again.",
            data_dir=short_path(data_dir),
            folder=short_path(data_dir / CIFAR10_FOLDER, 1),
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

    Problem says what was tried and names the two ways that need no network.
    """
    with _DOWNLOADING:  # a second visitor waits and finds it there
        try:
            if not _intact(data_dir):
                _fetch_and_unpack(data_dir, progress)
        except PermissionError as error:
            raise Problem(
                "CIFAR-10 in {data_dir} cannot be read or written ({reason}: {file}); "
                "change the permissions, or choose another folder with --data-dir.",
                data_dir=short_path(data_dir),
                reason=error.strerror,
                file=short_path(Path(error.filename or "")),
            ) from error
        except (OSError, HTTPException, tarfile.TarError, EOFError, zlib.error) as error:
            raise Problem(
                "CIFAR-10 could not be downloaded from {url} into {data_dir} ({reason}); "
                "try again later, or train without a network connection on your own images with "
                "--dataset folder --data-dir DIR, or on drawn images with --dataset scenes.",
                url=_torchvision_cifar10().url,
                data_dir=short_path(data_dir),
                reason=str(error),
            ) from error
    tell(progress, 1.0)


def _torchvision_cifar10() -> Any:
    from torchvision.datasets import CIFAR10  # a second of import that the other sources do without

    return CIFAR10


def _intact(data_dir: Path) -> bool:
    source = _torchvision_cifar10()
    files = [*source.train_list, *source.test_list, (source.meta["filename"], source.meta["md5"])]
    return all(_md5_is(data_dir / CIFAR10_FOLDER / name, md5) for name, md5 in files)


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
    checksum, received = hashlib.md5(usedforsecurity=False), 0
    with urlopen(url, timeout=30) as response, replacing(path) as file:
        total = int(response.headers.get("Content-Length") or 0)
        while chunk := response.read(1 << 18):
            file.write(chunk)
            checksum.update(chunk)
            received += len(chunk)
            tell(progress, 0.95 * received / total if total else 0.0)  # the rest is unpacking
        if checksum.hexdigest() != md5:
            raise OSError("what arrived is cut short or not the dataset")


def _unpack(archive: Path) -> None:
    folder = archive.parent / CIFAR10_FOLDER
    with tempfile.TemporaryDirectory(prefix=".cifar-10-", dir=archive.parent) as unfinished:
        with tarfile.open(archive) as tar:
            tar.extractall(unfinished)  # its checksum is known, so are its members
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(Path(unfinished) / CIFAR10_FOLDER, folder)


def _resized(images: Images, size: int) -> Images:
    if images.shape[1:3] == (size, size):
        return images
    return np.stack([np.asarray(square(Image.fromarray(pixels), size)) for pixels in images])
