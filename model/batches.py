"""The batches of an epoch: shuffled and augmented by streams that derive from seed, epoch and step alone."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from model import augment
from model.datasets import Dataset, Split, load
from model.images import Labels
from model.recipes import Config, strengths_of
from model.shortcut import planted
from model.words import tr
from model.wrong_labels import with_wrong_labels

BATCHES_PER_CHUNK = 8  # augmented at once: enough to amortize the calls, little enough to stay in the cache

ORDER, AUGMENTATION, DROPOUT, FLIP = 1, 2, 3, 4  # what a random stream is for


def seed_for(purpose: int, seed: int, epoch: int, step: int = 0) -> int:
    """The seed of a random stream: the same for the same keys, unrelated for others."""
    state = np.random.SeedSequence((purpose, seed, epoch, step)).generate_state(2)
    return int(state[0]) << 31 | int(state[1]) >> 1


def generator_for(purpose: int, seed: int, epoch: int, step: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed_for(purpose, seed, epoch, step))


def steps_of(data: Dataset, config: Config) -> int:
    """The number of batches an epoch has; the last may be smaller."""
    return -(-len(data.labels) // config.batch_size)


def order_of(count: int, config: Config, epoch: int) -> Tensor:
    """The images of an epoch in the order of its batches: int64 (count,), each index once."""
    return torch.randperm(count, generator=generator_for(ORDER, config.seed, epoch))


def batches(
    data: Dataset, config: Config, epoch: int, device: torch.device | str = "cpu"
) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of one epoch on `device`: float32 (n, 3, s, s) with int64 (n,) labels.

    Where the augmentation mixes images, labels are float32 (n, classes) instead, rows that sum to 1.
    """
    images, labels = torch.from_numpy(data.images).to(device), torch.from_numpy(data.labels).to(device)
    strengths, flips = strengths_of(config), _flips(config, len(data.labels), epoch)
    if flips is not None:
        strengths.pop("flip")
    order = order_of(len(labels), config, epoch)
    for number, chosen in enumerate(torch.split(order, config.batch_size * BATCHES_PER_CHUNK)):
        drawn = generator_for(AUGMENTATION, config.seed, epoch, number)
        here = chosen.to(device)
        pictures = images[here] if flips is None else _flipped(images[here], flips[chosen].to(device))
        x, y = _augmented(pictures, labels[here], strengths, drawn, data)
        yield from zip(torch.split(x, config.batch_size), torch.split(y, config.batch_size), strict=True)


def images_of(config: Config) -> tuple[Dataset, Dataset]:
    """Training and test images, as many as the config takes, with a progress bar where it takes long."""
    limit = config.limit or None
    train, test = _split(config, "train"), _split(config, "test")
    train, test = _first(train, limit, config.seed), _first(test, limit, config.seed)
    if config.shortcut is not None:
        train, test = planted(train, test, config.shortcut, config.seed)
    if config.wrong_labels is not None:
        train = with_wrong_labels(train, config.wrong_labels, config.seed)
    return train, test


def _split(config: Config, split: Split) -> Dataset:
    form = "{desc} {percentage:3.0f}%|{bar}| {remaining}"
    title = tr("train images") if split == "train" else tr("test images")
    with tqdm(total=1.0, desc=title, bar_format=form, leave=False, disable=None, delay=1) as bar:
        return load(
            config.dataset,
            Path(config.data_dir),
            split,
            config.size,
            on_corrupt="skip" if config.on_corrupt == "skip" else "fail",
            progress=lambda fraction: bar.update(fraction - bar.n),
        )


def _first(data: Dataset, limit: int | None, seed: int) -> Dataset:
    """`limit` images drawn at random: a folder's order goes class by class."""
    if limit is None or limit >= len(data.labels):
        return data
    chosen = limited_rows(len(data.labels), limit, seed)
    return replace(data, images=data.images[chosen], labels=data.labels[chosen])


def limited_rows(count: int, limit: int | None, seed: int) -> Labels:
    """Which of `count` images of a split a run with a `limit` takes: int64, ascending; None or 0: all."""
    if not limit or limit >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).permutation(count)[:limit])


def _augmented(
    images: Tensor, labels: Tensor, strengths: Mapping[str, float], drawn: torch.Generator, data: Dataset
) -> tuple[Tensor, Tensor]:
    if not strengths:
        return augment.normalize(images, data.mean, data.std), labels
    targets = augment.one_hot(labels, len(data.classes))
    x, mixed = augment.augment(images, targets, strengths, drawn, data.mean, data.std)
    return x, mixed if augment.mixes(strengths) else labels


def _flips(config: Config, count: int, epoch: int) -> Tensor | None:
    """Which images are mirrored in an epoch when flips alternate: bool (N,), inverted from epoch to epoch.

    So two epochs together show each image both ways (KellerJordan/cifar10-airbench, arXiv:2404.00498).
    """
    if not config.alternating_flip:
        return None
    first = torch.rand(count, generator=generator_for(FLIP, config.seed, 0)) < 0.5
    return first if epoch % 2 else ~first


def _flipped(images: Tensor, mirrored: Tensor) -> Tensor:
    return torch.where(mirrored[:, None, None, None], images.flip(2), images)
