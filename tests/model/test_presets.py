"""Pictures resized and cropped as torchvision's presets do, and the names of ImageNet's classes."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from PIL import Image

import model  # noqa: F401  (before torchvision)
from explorer.engine.network_source import Source, assumed
from explorer.engine.opening import open_checkpoint
from model.card import Card
from model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.nets import NETS
from model.pixels import Rectangle, ResizedCrop
from model.presets import preset_of
from model.problems import Problem

models = pytest.importorskip("torchvision.models")
SIZES = [(300, 400), (401, 333), (1024, 683), (64, 96), (256, 256), (224, 224), (50, 1000), (1023, 1024)]
WEIGHTS = [
    "ResNet50_Weights.IMAGENET1K_V1",
    "ResNet50_Weights.IMAGENET1K_V2",
    "Inception_V3_Weights.IMAGENET1K_V1",
    "EfficientNet_B1_Weights.IMAGENET1K_V1",
    "ConvNeXt_Tiny_Weights.IMAGENET1K_V1",
    "ViT_H_14_Weights.IMAGENET1K_SWAG_LINEAR_V1",
]


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def card_of(name):
    builder = {"EfficientNet_B1": "efficientnet_b1", "ConvNeXt_Tiny": "convnext_tiny"}.get(
        name.split("_W")[0]
    )
    builder = builder or name.split("_Weights")[0].lower()
    preset = preset_of(f"torchvision.models:{builder}(weights={name!r})")
    assert preset.name == name
    assert preset.certain
    return Card(
        mean=preset.mean,
        std=preset.std,
        input_size=preset.size,
        resize=preset.resize,
        interpolation=preset.interpolation,
    )


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_input_is_what_the_preset_gives(name):
    card, transforms = card_of(name), models.get_weight(name).transforms()
    scale = torch.tensor(card.std).reshape(3, 1, 1) * 255
    for size in SIZES:
        pixels = noise(*size)
        wanted = transforms(Image.fromarray(pixels))
        assert float(((card.to_input(pixels)[0] - wanted) * scale).abs().max()) < 1.001


def test_a_long_strip_is_not_made_larger_than_memory():
    pixels = np.repeat(np.linspace(0, 255, 30_000).astype(np.uint8)[None, :, None], 3, 2)
    framed = Card(input_size=224, resize=256).framed(pixels)
    assert framed.shape == (224, 224, 3)
    assert abs(int(framed.mean()) - 127) <= 1


@pytest.mark.parametrize("shape", [(427, 640), (640, 427), (64, 64), (31, 33), (5, 32), (256, 256)])
@pytest.mark.parametrize(("resize", "size"), [(256, 224), (36, 32), (64, 64)])
def test_what_is_received_is_the_crop_in_the_picture(shape, resize, size):
    """By the definition: where the crop's edges are in the resized picture, in pixels of the picture."""
    height, width = shape
    short = min(shape)
    tall, wide = resize * height // short, resize * width // short
    top, left = round((tall - size) / 2), round((wide - size) / 2)
    part = ResizedCrop(resize, size).received(height, width)
    for got, wanted in (
        ((part.top, part.bottom), (top * height / tall, (top + size) * height / tall)),
        ((part.left, part.right), (left * width / wide, (left + size) * width / wide)),
    ):
        assert got == (math.floor(wanted[0] + 1e-9), math.ceil(wanted[1] - 1e-9))


def test_what_is_received_changes_the_input_and_what_is_far_away_does_not():
    card = Card(input_size=32, resize=40)
    part = card.received(200, 300)
    assert part == Rectangle(20, 180, 70, 230)
    dark = np.zeros((200, 300, 3), np.uint8)
    edge = 2 * 200 // 40  # what a filter of the resizing reaches beyond its pixel
    for axis, low, high in ((0, part.top, part.bottom), (1, part.left, part.right)):
        for at, changes in ((low, True), (high - 1, True), (low - edge, False), (high + edge, False)):
            lit = dark.copy()
            lit[(slice(None),) * axis + (at,)] = 255
            assert bool((card.framed(lit) != card.framed(dark)).any()) is changes


def test_without_resize_nothing_changes():
    pixels = noise(32, 32)
    assert Card(input_size=32).framed(pixels) is pixels
    assert Card(input_size=32).received(40, 60) == Rectangle(0, 40, 10, 50)
    squashed = Card(input_size=32, resize=40).framed(noise(50, 70), "squash")
    np.testing.assert_array_equal(squashed, Card(input_size=32).framed(noise(50, 70), "squash"))


# Kept in files


@pytest.fixture
def checkpoint():
    net = NETS["course"](classes=10, input_size=32)
    return Checkpoint(Card(), net.state_dict(), "")


def test_a_card_keeps_its_preprocessing(tmp_path, checkpoint):
    card = replace(Card(), resize=36, interpolation="bicubic", preset="My_Weights.V1")
    save_checkpoint(tmp_path / "a.safetensors", card, checkpoint.state)
    again = load_checkpoint(tmp_path / "a.safetensors").card
    assert (again.resize, again.interpolation, again.preset) == (36, "bicubic", "My_Weights.V1")


def test_a_card_of_before_has_none(tmp_path, checkpoint):
    from safetensors.torch import save_file

    old = {
        name: value
        for name, value in asdict(Card()).items()
        if name not in ("resize", "interpolation", "preset")
    }
    save_file(dict(checkpoint.state), tmp_path / "a.safetensors", {"card": json.dumps(old)})
    card = load_checkpoint(tmp_path / "a.safetensors").card
    assert (card.resize, card.interpolation, card.preset) == (None, "bilinear", "")


@pytest.mark.parametrize("values", [{"resize": 31}, {"resize": 10_000}, {"interpolation": "lanczos"}])
def test_an_impossible_card_is_refused(tmp_path, checkpoint, values):
    save_checkpoint(tmp_path / "a.safetensors", replace(Card(), **values), checkpoint.state)
    with pytest.raises(Problem, match="impossible mean, std, input size, resize"):
        load_checkpoint(tmp_path / "a.safetensors")


# Networks of torchvision


def saved(tmp_path, name, **arguments):
    torch.manual_seed(0)
    path = tmp_path / name
    torch.save(models.mobilenet_v3_small(**arguments).state_dict(), path)
    return path


def test_a_file_that_torchvision_publishes_is_prepared_as_published(tmp_path):
    url = models.MobileNet_V3_Small_Weights.IMAGENET1K_V1.url
    source = Source(saved(tmp_path, url.rpartition("/")[2]), "torchvision.models:mobilenet_v3_small")
    card = open_checkpoint(source).card
    assert (card.input_size, card.resize, card.interpolation) == (224, 256, "bilinear")
    assert card.preset == "MobileNet_V3_Small_Weights.IMAGENET1K_V1"
    assert card.classes == tuple(models.MobileNet_V3_Small_Weights.IMAGENET1K_V1.meta["categories"])
    assert (card.classes[0], card.classes[281], len(card.classes)) == ("tench", "tabby", 1000)
    assert assumed(card, source) == {}
    unnamed = Source(saved(tmp_path, "mine.pth"), source.net)
    assert set(assumed(open_checkpoint(unnamed).card, unnamed)) == {"mean", "std"}


def test_what_is_given_goes_before_the_preset(tmp_path):
    path, net = saved(tmp_path, "mine.pth"), "torchvision.models:mobilenet_v3_small"
    card = open_checkpoint(Source(path, net, input_size=64)).card
    assert (card.input_size, card.resize, card.preset) == (64, None, "")
    card = open_checkpoint(Source(path, net, input_size=64, resize=72, mean=(0.5,) * 3)).card
    assert (card.input_size, card.resize, card.mean) == (64, 72, (0.5,) * 3)
    assert open_checkpoint(Source(path, net, classes="1000")).card.classes[0] == "class 0"
    with pytest.raises(Problem, match="resized to 60 pixels and then cropped to 64: give a --resize"):
        open_checkpoint(Source(path, net, input_size=64, resize=60))


def test_random_weights_get_the_names_only(tmp_path):
    card = open_checkpoint(Source(net="torchvision.models:mobilenet_v3_small")).card
    assert (card.input_size, card.resize, card.preset, card.classes[1]) == (224, None, "", "goldfish")


def test_another_head_gets_neither(tmp_path):
    net = "torchvision.models:mobilenet_v3_small(num_classes=3)"
    card = open_checkpoint(Source(saved(tmp_path, "mine.pth", num_classes=3), net)).card
    assert (card.classes, card.resize, card.preset) == (("class 0", "class 1", "class 2"), None, "")


@pytest.mark.parametrize("spec", ["json:loads", "torchvision.models:ResNet", "nowhere:nothing", "", "a:b(c"])
def test_what_has_no_weights_has_no_preset(spec):
    assert preset_of(spec) is None


def test_a_vision_transformer_takes_the_size_that_it_is_built_for():
    assert preset_of("torchvision.models:vit_h_14").size == 224
    assert preset_of("torchvision.models:vit_h_14(image_size=518)").size == 518
    assert preset_of("torchvision.models:vit_b_16(image_size=100)") is None
