"""Augmented pictures, and the batches of a training run."""

from pathlib import Path

from explorer.engine import augmented, normalization
from explorer.engine.augmented import Draws, TrainingBatch, TrainingImages
from explorer.engine.network import Network
from explorer.engine.normalization import DataStatistics
from explorer.engine.tracing import Floats
from explorer.ui.cached.images import scene
from explorer.ui.cached.keys import announced, data, resource
from model import cifar10
from model.card import Card, Pixels
from model.recipes import Config
from model.words import N_


@data(max_size="40MB")
def draws(
    pixels: Pixels, name: str, strength: float, seed: int, count: int, partners: tuple[Pixels, ...]
) -> Draws:
    return augmented.draws(pixels, name, strength, seed, count, partners)


@data(max_size="10MB")
@announced(N_("Predicting the draws …"))
def answers(network: Network, pictures: Pixels) -> Floats:
    """The probabilities of framed pictures (N, s, s, 3), in one pass."""
    return normalization.probabilities_of(network.net, network.card, pictures)


@data(max_entries=8)
def data_statistics(images: TrainingImages, card: Card) -> DataStatistics:
    return normalization.estimate(card, images.data.images)


@data(max_entries=8)
def mixing_partners(card: Card) -> tuple[Pixels, ...]:
    """The built-in samples by class, as a network gets them."""
    return tuple(card.framed(scene(label).pixels) for label in range(len(cifar10.CLASSES)))


@resource(max_entries=4, ttl=600)
@announced(N_("Opening training images …"))
def training_images(data_dir: Path, card: Card) -> TrainingImages:
    """A few training images; looked for again after ten minutes. Raises Problem."""
    return augmented.training_images(data_dir, card)


@data(max_size="30MB")
def first_batch(images: TrainingImages, config: Config, epoch: int) -> TrainingBatch:
    """The first batch of an epoch by a config. Raises Problem."""
    return augmented.first_batch(images, config, epoch)
