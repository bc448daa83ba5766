"""The datasets by name: `SOURCES`; each gives training and test images as one `Dataset` value."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from model.cifar10_files import cifar10, cifar10_present, download_cifar10, read_cifar10
from model.image_folder import (
    check_there,
    class_folders,
    decode_all,
    folder,
    image_files,
    is_undivided,
    list_images,
    split_folder,
    validation_note,
)
from model.images import Dataset, OnCorrupt, Progress, Split, mean_and_std
from model.problems import Problem
from model.scene_set import scenes

__all__ = [
    "SOURCES",
    "Dataset",
    "Split",
    "check_there",
    "cifar10_present",
    "class_folders",
    "decode_all",
    "download_cifar10",
    "image_files",
    "is_undivided",
    "list_images",
    "load",
    "mean_and_std",
    "read_cifar10",
    "split_folder",
    "validation_note",
]

DATA_DIR = Path("data")


class DatasetSource(Protocol):
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


SOURCES: dict[str, DatasetSource] = {"cifar10": cifar10, "folder": folder, "scenes": scenes}


def load(
    source: str,
    data_dir: Path = DATA_DIR,
    split: Split = "train",
    size: int = 32,
    *,
    on_corrupt: OnCorrupt = "fail",
    progress: Progress | None = None,
) -> Dataset:
    """Load one split of the dataset `source`, a key of SOURCES, at size × size pixels.

    `on_corrupt` matters for image folders. Problem when the data cannot be found or read.
    """
    if source not in SOURCES:
        names = ", ".join(SOURCES)
        raise Problem("There is no dataset “{source}”; choose from {known}.", source=source, known=names)
    return SOURCES[source](Path(data_dir), split, size, on_corrupt=on_corrupt, progress=progress)
