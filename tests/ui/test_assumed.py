"""A file without a card is fed as the course's script does, which the page says with the way to change it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor, nn
from torchvision import transforms

from benchmarks import listing
from explorer.engine.network_source import Source, assumed
from explorer.engine.opening import open_checkpoint
from model.card import Card, Pixels
from model.checkpoint import load_checkpoint, save_checkpoint
from model.nets import NETS

# As the course's script writes it.
COURSE = transforms.Compose(
    [transforms.ToTensor(), transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))]
)
OTHER_MEAN, OTHER_STD = (0.5, 0.4, 0.3), (0.3, 0.2, 0.1)
Open = Callable[..., AppTest]


@pytest.fixture
def pixels() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return NETS["course"]().eval()


@pytest.fixture
def path(net: nn.Module, tmp_path: Path) -> Path:
    torch.save(net.state_dict(), tmp_path / "cnn.pt")
    return tmp_path / "cnn.pt"


def theirs(net: nn.Module, pixels: Pixels) -> tuple[Tensor, Tensor]:
    """The course script's input and logits."""
    x = COURSE(pixels)[None]
    with torch.no_grad():
        return x, net(x)


def test_the_input_is_the_course_scripts_and_so_are_the_logits(
    path: Path, net: nn.Module, pixels: Pixels
) -> None:
    checkpoint = load_checkpoint(path)
    x, logits = theirs(net, pixels)
    torch.testing.assert_close(checkpoint.card.to_input(pixels), x, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(checkpoint.build()(x), logits)


def test_safetensors_without_a_card_are_fed_alike(net: nn.Module, tmp_path: Path, pixels: Pixels) -> None:
    from safetensors.torch import save_file

    save_file(net.state_dict(), tmp_path / "cnn.safetensors")
    x = load_checkpoint(tmp_path / "cnn.safetensors").card.to_input(pixels)
    torch.testing.assert_close(x, theirs(net, pixels)[0], rtol=1e-6, atol=1e-6)


def test_other_numbers_are_taken(path: Path, pixels: Pixels) -> None:
    source = Source(path, mean=OTHER_MEAN, std=OTHER_STD)
    expected = transforms.Normalize(OTHER_MEAN, OTHER_STD)(transforms.ToTensor()(pixels))[None]
    torch.testing.assert_close(open_checkpoint(source).card.to_input(pixels), expected, rtol=1e-5, atol=1e-6)
    assert assumed(open_checkpoint(source).card, source) == {}


def test_the_listing_is_the_courses(pixels: Pixels) -> None:
    torch.testing.assert_close(listing.PLAIN(pixels), COURSE(pixels))


def captions(at: AppTest) -> str:
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value
    return " ".join(each.value for each in at.sidebar.caption)


@pytest.mark.parametrize("page", ["explain", "training"])
def test_the_page_says_what_is_assumed_and_how_to_change_it(visit: Open, path: Path, page: str) -> None:
    said = captions(visit(page, "--checkpoint", str(path)))
    assert "The course’s values are assumed: mean 0.4914, 0.4822, 0.4465; std 0.2023, 0.1994, 0.2010." in said
    assert "`--mean R,G,B --std R,G,B`" in said


def test_the_page_says_nothing_of_what_was_given(visit: Open, path: Path) -> None:
    said = captions(visit("explain", "--checkpoint", str(path), "--std", "0.3,0.2,0.1"))
    assert "The course’s values are assumed: mean 0.4914, 0.4822, 0.4465." in said
    assert "`--mean R,G,B` to" in said
    both = visit("explain", "--checkpoint", str(path), "--mean", "0.5,0.4,0.3", "--std", "0.3,0.2,0.1")
    assert "assumed" not in captions(both)


def test_the_page_says_nothing_of_a_file_with_a_card(visit: Open, net: nn.Module, tmp_path: Path) -> None:
    assert "assumed" not in captions(visit("explain"))
    save_checkpoint(tmp_path / "own.safetensors", Card(), net.state_dict())
    assert "assumed" not in captions(visit("explain", "--checkpoint", str(tmp_path / "own.safetensors")))


def test_weights_of_another_network_without_a_card_say_it_too(visit: Open, path: Path) -> None:
    said = captions(visit("explain", "--checkpoint", str(path), "--net", "model.nets:CourseCNN",
                          "--input-size", "32"))  # fmt: skip
    assert "ImageNet’s values are assumed: mean 0.4850, 0.4560, 0.4060; std 0.2290, 0.2240, 0.2250." in said
