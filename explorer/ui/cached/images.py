"""Pictures, test sets and drawn scenes."""

from pathlib import Path

from explorer.drawing.pictures import icon_uri
from explorer.engine import batches, samples
from explorer.engine.batches import Batch
from explorer.engine.samples import Sample, TestSet
from explorer.ui.cached.keys import announced, data, resource
from explorer.ui.pictures import Picture
from model import cifar10
from model.card import Card
from model.words import N_


@resource(max_entries=2, ttl=60)
@announced(N_("Listing the test set …"))
def test_set(data_dir: Path) -> TestSet | None:
    return samples.find_test_set(data_dir)


@resource(max_entries=8, ttl=600)
@announced(N_("Opening the test images …"))
def test_batch(images: TestSet, wanted: int, card: Card, fit: str) -> Batch:
    """An even spread over the test set; looked at again after ten minutes. Raises Problem."""
    return batches.from_test_set(images, wanted, card, fit)


@resource(max_entries=8)
@announced(N_("Drawing the scenes …"))
def scene_batch(wanted: int, card: Card) -> Batch:
    """Drawn scenes, always the same for a count and a kind of network."""
    return batches.from_scenes(wanted, card)


@data(max_entries=64)
@announced(N_("Drawing …"))
def scene(label: int, size: int = 256) -> Sample:
    return samples.scene(label, size)


@data()
@announced(N_("Drawing …"))
def gallery() -> dict[str, str]:
    """Class → thumbnail of its built-in sample, as a data address."""
    return {name: icon_uri(samples.scene(label, 64).pixels) for label, name in enumerate(cifar10.CLASSES)}


@data(max_size="100MB")
def decoded(picture: Picture) -> Sample:
    """An uploaded file's picture; the same bytes are decoded once. Raises Problem."""
    return samples.decode(picture.data, picture.name)
