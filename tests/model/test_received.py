"""Which part of a picture a network receives: by what changes its input, and by torchvision."""

import inspect

import numpy as np
import pytest
import torch

from explorer.engine.batches import from_test_set
from explorer.ui.selection import Selection
from model.card import Card
from model.pixels import Rectangle, whole

SHAPES = [
    (107, 160),
    (160, 107),
    (32, 32),
    (31, 33),
    (33, 32),
    (90, 91),
    (1, 9),
    (10, 1),
    (1, 1),
    (64, 64),
    (5, 32),
]


def felt(card: Card, height: int, width: int, fit: str) -> Rectangle:
    """The rows and columns of a picture whose change changes the network's input."""
    dark = np.zeros((height, width, 3), np.uint8)

    def changes(axis: int, place: int) -> bool:
        lit = dark.copy()
        lit[(slice(None),) * axis + (place,)] = 255
        return bool((card.to_input(lit, fit) != card.to_input(dark, fit)).any())

    rows = [at for at in range(height) if changes(0, at)]
    columns = [at for at in range(width) if changes(1, at)]
    assert rows == list(range(rows[0], rows[-1] + 1))
    assert columns == list(range(columns[0], columns[-1] + 1))
    return Rectangle(rows[0], rows[-1] + 1, columns[0], columns[-1] + 1)


@pytest.mark.parametrize("fit", ["crop", "squash"])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_received_is_what_changes_the_input(shape: tuple[int, int], fit: str) -> None:
    card = Card(input_size=32)
    assert card.received(*shape, fit) == felt(card, *shape, fit)


@pytest.mark.parametrize("shape", [(427, 641), (641, 427), (40, 40), (30, 34), (2, 8)])
def test_the_crop_is_torchvisions(shape: tuple[int, int]) -> None:
    from torchvision.transforms.v2.functional import center_crop  # after `model`, which lets it load

    places = torch.arange(shape[0] * shape[1]).reshape(1, *shape)  # every pixel says where it is
    theirs = center_crop(places, [min(shape)])[0]
    assert torch.equal(places[0][Card().received(*shape).inside], theirs)


@pytest.mark.parametrize("shape", [(20, 35), (36, 21), (16, 16)])
def test_a_crop_that_needs_no_resizing_is_that_part_of_the_picture(shape: tuple[int, int]) -> None:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    places = np.stack([rows, columns, 0 * rows], -1).astype(np.uint8)
    part = Card(input_size=min(shape)).received(*shape)
    framed = Card(input_size=min(shape)).framed(places)
    np.testing.assert_array_equal(framed, places[part.inside])


def test_everything_crops_unless_told_otherwise() -> None:
    asked = (Card.framed, Card.to_input, Card.received, from_test_set, Selection)
    assert {inspect.signature(each).parameters["fit"].default for each in asked} == {"crop"}


def test_another_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="'crop' or 'squash', not 'fill'"):
        Card().received(8, 9, "fill")


def test_a_part_keeps_its_place_when_the_picture_is_reduced() -> None:
    part = Rectangle(0, 427, 106, 533)
    assert part.scaled((427, 640), (342, 512)) == Rectangle(0, 342, 85, 426)
    assert part.scaled((427, 640), (427, 640)) == part
    thin = Card().received(1, 1000).scaled((1, 1000), (1, 9))
    assert thin == Rectangle(0, 1, 4, 5)
    assert whole(1, 1000).scaled((1, 1000), (1, 9)) == whole(1, 9)
