"""Networks that crop their input: found out, and their maps lie where the network without a crop sees it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.drawing import ranges
from explorer.drawing.overlay import overlay
from explorer.engine.attribution import METHODS, attribute
from explorer.engine.checkup import Checkup, check_up
from explorer.engine.passes import private_view
from explorer.engine.places import give_places, on_image, place_of, places_of
from explorer.engine.receptive import receptive_fields
from explorer.engine.scores import SCORES
from explorer.engine.scores.score import Subject
from model.card import Card
from model.pixels import Rectangle, whole

SIZE, QUARTER = 64, 16
CARD = Card(net="x", classes=("a", "b"), mean=(0.0,) * 3, std=(1.0,) * 3, input_size=SIZE, data="")
INNER = Rectangle(QUARTER, 3 * QUARTER, QUARTER, 3 * QUARTER)
ROWS = torch.arange(QUARTER, 3 * QUARTER)


MASK = F.pad(torch.ones(1, 1, 32, 32), (QUARTER,) * 4)


def quarter_mask(x: Tensor) -> Tensor:
    return x * MASK


CROPS: dict[str, Callable[[Tensor], Tensor]] = {
    "slice": lambda x: x[..., QUARTER:-QUARTER, QUARTER:-QUARTER],
    "negative padding": lambda x: F.pad(x, (-QUARTER,) * 4),
    "index": lambda x: x[:, :, ROWS][:, :, :, ROWS],
    "index_select": lambda x: x.index_select(2, ROWS).index_select(3, ROWS),
    "split": lambda x: x.split((QUARTER, 2 * QUARTER, QUARTER), 2)[1].chunk(4, 3)[1:3],
    "resized": lambda x: F.interpolate(x[..., QUARTER:-QUARTER, QUARTER:-QUARTER], size=(48, 48)),
    "resized first": lambda x: F.interpolate(x, scale_factor=2.0)[..., 32:-32, 32:-32],
}


class Crops(nn.Module):
    """Crops, then looks; `late` after its first convolution."""

    def __init__(self, crop: Callable[[Tensor], Tensor], late: bool = False) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.crop, self.late = crop, late
        self.first, self.act = nn.Conv2d(3, 6, 5, padding=2), nn.ReLU()
        self.second = nn.Conv2d(6, 6, 3, stride=2, padding=1)
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.cropped(self.first(x)) if self.late else self.first(self.cropped(x))
        return self.head(self.second(self.act(x)).relu().mean((2, 3)))

    def cropped(self, x: Tensor) -> Tensor:
        made = self.crop(x)
        return torch.cat(made, 3) if isinstance(made, tuple) else made


def opened(net: nn.Module) -> tuple[nn.Module, Checkup]:
    net = net.eval()
    checkup = check_up(net, CARD)
    return give_places(net, checkup.part.places), checkup


def image(seed: int = 0, size: int = SIZE) -> Tensor:
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("crop", CROPS)
def test_what_a_network_reads_and_where_its_maps_lie(crop: str) -> None:
    _, checkup = opened(Crops(CROPS[crop]))
    assert checkup.part.read == INNER
    assert dict(checkup.part.places) == {"first": INNER, "act": INNER, "second": INNER}
    (finding,) = (finding for finding in checkup.findings if finding.name == "part")
    assert str(finding).startswith("The network reads only 32 × 32 of its 64 × 64 input pixels")


def test_a_crop_after_a_convolution_reads_what_that_reads() -> None:
    net, checkup = opened(Crops(CROPS["slice"], late=True))
    assert checkup.part.read == Rectangle(14, 50, 14, 50)
    assert dict(checkup.part.places) == {"act": INNER, "second": INNER}
    assert place_of(net, "first", (SIZE, SIZE)) == whole(SIZE, SIZE)


def test_halves_that_are_both_read_have_a_place_each() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Conv2d(3, 2, 3, padding=1), nn.Conv2d(3, 2, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            left, right = x.chunk(2, 3)
            return self.left(left).mean((2, 3)) + self.right(right).mean((2, 3))

    net, checkup = opened(Halves())
    assert checkup.part.read is None
    assert places_of(net) == {"left": Rectangle(0, 64, 0, 32), "right": Rectangle(0, 64, 32, 64)}
    (finding,) = (finding for finding in checkup.findings if finding.name == "part")
    assert str(finding).startswith("The maps of 2 layers (left, right) come from a part of the input")


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        lambda x: F.pad(x, (3,) * 4),
        lambda x: F.pad(x, (0, 3, 0, 3))[..., :64, :64],
        lambda x: x[..., ::2, ::2] + x[..., 1::2, 1::2],
        lambda x: x.roll(3, 2),
    ],
)
def test_a_network_that_reads_all_has_no_places(change: Callable[[Tensor], Tensor]) -> None:
    _, checkup = opened(Crops(change))
    assert not checkup.part.places
    assert not [each for each in checkup.findings if each.name == "part"]


def test_a_mask_is_no_crop_its_maps_lie_on_the_whole_input() -> None:
    _, checkup = opened(Crops(quarter_mask))
    assert checkup.part.read == INNER
    assert not checkup.part.places
    assert str(checkup.findings[0]).endswith("counted from 0.")


def test_sparse_gradients_are_no_crop() -> None:
    class Maximum(Crops):
        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.second(self.act(self.first(x))).amax((2, 3)))

    _, checkup = opened(Maximum(lambda x: x))
    assert checkup.part.read is None


# The same network without the crop is the oracle


@pytest.mark.parametrize("name", METHODS)
def test_heat_is_that_of_the_cropped_image_in_its_place(name: str) -> None:
    net, _ = opened(Crops(CROPS["slice"]))
    plain = Crops(lambda x: x).eval()
    x, method = image(), METHODS[name]
    part = x[(..., *INNER.inside)]
    layer = "second" if method.needs_layer else None
    if name == "occlusion":  # its patches have another size in another image
        pytest.skip("depends on the size of the image")
    if method.unmet(plain, layer, part):
        pytest.skip("not for this network")
    heat = attribute(net, x, name, layer=layer, target=1).values
    wanted = attribute(plain, part, name, layer=layer, target=1).values
    if heat.shape == (SIZE, SIZE):
        assert not heat[:QUARTER].any()
        assert not heat[:, 3 * QUARTER :].any()
        heat = heat[INNER.inside]
    scale = np.abs(wanted).max()
    assert np.abs(heat - wanted).max() < 1e-4 * scale or name in ("smooth_grad", "expected_gradients")


@pytest.mark.parametrize("at", [(20, 22), (36, 40), (42, 19)])
def test_a_planted_patch_is_found_at_its_place(at: tuple[int, int]) -> None:
    class Redness(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 4, stride=4, bias=False)
            nn.init.zeros_(self.conv.weight)
            self.conv.weight.data[1, 0] = 1.0

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x[..., 16:48, 16:48]).relu().amax((2, 3))

    net, _ = opened(Redness())
    pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
    pixels[at[0] : at[0] + 4, at[1] : at[1] + 4] = (200, 0, 0)
    heat = attribute(net, CARD.to_input(pixels), "hires_cam", layer="conv", target=1).values
    place = place_of(net, "conv", (SIZE, SIZE))
    drawn = overlay(pixels, heat, ranges.positive(heat), place).astype(int)
    changed = np.abs(drawn - pixels).sum(2)
    center = np.average(np.argwhere(changed), axis=0, weights=changed[changed > 0])
    assert np.abs(center - np.array(at) - 1.5).max() < 2.1


def test_places_go_with_every_copy() -> None:
    net, _ = opened(Crops(CROPS["slice"]))
    assert places_of(private_view(net)) == places_of(net) != {}


def test_maps_over_the_whole_image_keep_their_positions() -> None:
    maps = np.arange(1.0, 17).reshape(4, 4)
    made = on_image(maps, INNER, (SIZE, SIZE))
    wanted = np.zeros((8, 8))
    wanted[2:6, 2:6] = maps
    assert np.array_equal(made, wanted)
    assert on_image(maps, whole(SIZE, SIZE), (SIZE, SIZE)) is maps


def test_a_score_is_that_of_the_map_over_the_whole_image() -> None:
    net, _ = opened(Crops(CROPS["slice"]))
    x = image()
    heat = attribute(net, x, "grad_cam", layer="second", target=1)
    mask = np.zeros((SIZE, SIZE), bool)
    mask[INNER.inside] = True
    measured = SCORES["inside_object"].measure(Subject(net, x, heat, mask=mask))
    assert measured.value == pytest.approx(4.0)  # all of the heat is in a quarter of the image


def test_fields_of_resized_maps_hold_what_gradients_reach() -> None:
    for size, mode in ((24, "bilinear"), (12, "bicubic"), (7, "nearest"), (40, "bilinear")):
        view = nn.Sequential(nn.Identity(), Resized(size, mode), nn.Identity()).eval()
        x = image(2, 16)[:, :1].requires_grad_()
        field = receptive_fields(view, x)["2"].at(size // 2, size // 3)
        (gradient,) = torch.autograd.grad(view(x)[0, 0, size // 2, size // 3], x)
        rows, columns = gradient[0, 0].nonzero().T
        top, bottom, left, right = field.reach
        assert top <= rows.min() <= rows.max() < bottom
        assert left <= columns.min() <= columns.max() < right
        assert bottom - top <= 6
        assert not field.exact


class Resized(nn.Module):
    def __init__(self, size: int, mode: str) -> None:
        super().__init__()
        self.size, self.mode = size, mode

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, size=(self.size, self.size), mode=self.mode)
