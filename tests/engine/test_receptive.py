import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.engine.receptive import ReceptiveField, receptive_fields, wraps_around


class Sum(nn.Module):
    """Stands in for max pooling, whose gradient shows only the winner."""

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        p = self.pool
        kernel = torch.ones(x.shape[1], 1, p.kernel_size, p.kernel_size, dtype=x.dtype)
        return F.conv2d(x, kernel, None, p.stride, p.padding, p.dilation, groups=x.shape[1])


def by_gradient(net: nn.Module, size: int, row: int, column: int) -> tuple[int, int, int, int]:
    """The bounding box of the pixels a cell depends on: its gradient where every weight is positive."""
    for module in net.modules():
        for parameter in module.parameters(recurse=False):
            parameter.data.uniform_(0.1, 1)
    image = torch.ones(1, 3, size, size, dtype=torch.float64).requires_grad_()
    made = net.double()(image)
    (gradient,) = torch.autograd.grad(made[0, :, row, column].sum(), image)
    box = []
    for axis in (2, 3):
        read = gradient.sum(tuple({1, 2, 3} - {axis})).flatten().nonzero().flatten().tolist()
        box += [read[0], read[-1] + 1] if read else [0, 0]
    return tuple(box) if box[1] and box[3] else (0, 0, 0, 0)


LAYERS = st.one_of(
    st.builds(
        lambda k, s, p, d: nn.Conv2d(3, 3, k, s, p, d),
        st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2),
    ),
    st.builds(
        lambda k, d: nn.Conv2d(3, 3, k, padding="same", dilation=d), st.integers(1, 4), st.integers(1, 2)
    ),
    st.builds(
        lambda k, s, p, d: nn.ConvTranspose2d(3, 3, k, s, p, 0, 1, True, d),
        st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2),
    ),
    st.builds(lambda k, s: nn.MaxPool2d(k, s, k // 2), st.integers(1, 3), st.integers(1, 3)),
    st.builds(nn.AvgPool2d, st.integers(1, 3), st.integers(1, 3)),
    st.builds(lambda n: nn.AdaptiveAvgPool2d(n), st.integers(3, 5)),
    st.builds(lambda p: nn.Conv2d(3, 3, 3, padding=p, padding_mode="replicate"), st.integers(0, 1)),
    st.builds(nn.ReLU), st.builds(nn.Softplus),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(LAYERS, min_size=1, max_size=4), st.data())
def test_chains_against_gradients(chain: list[nn.Module], data: st.DataObject) -> None:
    net = nn.Sequential(*chain).eval()
    try:
        fields = receptive_fields(net, torch.ones(1, 3, 21, 21))[str(len(chain) - 1)]
    except RuntimeError:  # a kernel larger than what is left
        return
    row, column = (data.draw(st.integers(0, len(side) - 1)) for side in (fields.rows, fields.columns))
    seen = fields.at(row, column)
    summed = nn.Sequential(*(Sum(layer) if isinstance(layer, nn.MaxPool2d) else layer for layer in chain))
    assert seen.exact or any(isinstance(layer, nn.ConvTranspose2d) for layer in chain)
    assert seen.reach == by_gradient(summed, 21, row, column)
    top, bottom, left, right = seen.reach
    if bottom:
        assert seen.top <= top < bottom <= seen.bottom
        assert seen.left <= left < right <= seen.right


def test_the_course_network(course: nn.Module, x: Tensor) -> None:
    fields = receptive_fields(course, x)
    whole = {name: field.at(2, 2) for name, field in fields.items()}
    assert {name: seen.bottom - seen.top for name, seen in whole.items()} == {
        "conv1": 3, "bn1": 3, "relu1": 3, "pool1": 4,
        "conv2": 8, "bn2": 8, "relu2": 8, "pool2": 10,
        "conv3": 18, "bn3": 18, "relu3": 18, "pool3": 22,
    }  # fmt: skip
    assert fields["conv3"].at(0, 7) == ReceptiveField(-7, 11, 21, 39, (0, 11, 21, 32), True)
    assert fields["relu3"] == pickle.loads(pickle.dumps(fields["relu3"]))
    with pytest.raises(ValueError, match="outside a map of 8 × 8"):
        fields["conv3"].at(8, 0)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "extra", "dilation"),
    [(2, 2, 0, 0, 1), (3, 2, 1, 1, 1), (4, 2, 1, 0, 1), (2, 3, 1, 0, 2), (5, 1, 2, 0, 1), (1, 3, 0, 2, 1)],
)
def test_transposed_convolutions_against_gradients(
    kernel: int, stride: int, padding: int, extra: int, dilation: int
) -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 3, 6, 6),
        nn.ConvTranspose2d(3, 3, kernel, stride, padding, extra, dilation=dilation),
        nn.Conv2d(3, 3, 3, padding=1),
    ).eval()
    fields = receptive_fields(net, torch.ones(1, 3, 30, 30))
    for name, at in [("1", n) for n in range(len(fields["1"].rows))] + [("2", 0), ("2", 3)]:
        seen = fields[name].at(at, 2)
        assert seen.exact
        assert seen.reach == by_gradient(net[: int(name) + 1], 30, at, 2)
    widths = {stop - start for start, stop in fields["1"].row_reach if start < stop}
    assert max(widths) <= 6 * (1 + (kernel - 1) * dilation // stride)


def test_where_transposed_convolutions_are_finer_than_pixels_padding_is_counted_at_most() -> None:
    net = nn.Sequential(nn.ConvTranspose2d(3, 3, 4, 2, 1), nn.Conv2d(3, 3, 3, padding=1)).eval()
    seen = receptive_fields(net, torch.ones(1, 3, 8, 8))["1"].at(5, 0)
    assert not seen.exact
    assert seen.reach == by_gradient(net, 8, 5, 0)


def test_circular_padding_wraps_around() -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular"), nn.CircularPad2d(1)).eval()
    fields = receptive_fields(net, torch.ones(1, 3, 9, 9))
    for name, position in (("0", (4, 7)), ("1", (5, 2))):
        assert fields[name].at(*position).reach == by_gradient(net[: int(name) + 1], 9, *position)
    corner = fields["0"].at(0, 4)  # reads the first two rows and the last: all, at most
    assert corner == ReceptiveField(0, 9, 3, 6, (0, 9, 3, 6), False)
    assert wraps_around(net)
    assert not wraps_around(nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"))


def test_fractional_pooling_reads_at_most_the_windows_it_may_draw() -> None:
    net = nn.FractionalMaxPool2d(2, output_size=7)
    fields = receptive_fields(nn.Sequential(net).eval(), torch.ones(1, 3, 16, 16))["0"]
    assert not fields.exact
    image = torch.rand(200, 3, 16, 16, requires_grad=True)  # each draws its own windows
    for row in (0, 3, 6):
        (gradient,) = torch.autograd.grad(net(image)[:, :, row].sum(), image)
        read = gradient.sum((0, 1, 3)).nonzero()
        assert fields.row_reach[row].tolist() == [int(read.min()), int(read.max()) + 1]


class Volume(nn.Module):
    """Takes the channels for a third dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.deep, self.pool = nn.Conv3d(1, 2, (3, 3, 2), (1, 2, 1), 1), nn.AvgPool3d(2)
        self.end = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.pool(self.deep(x[:, None])).sum(2))


def test_three_dimensional_windows_against_gradients() -> None:
    net = Volume().eval()
    fields = receptive_fields(net, torch.ones(1, 3, 16, 16))["end"]
    for position in ((0, 0), (2, 3), (3, 7)):
        assert fields.at(*position).exact
        assert fields.at(*position).reach == by_gradient(net, 16, *position)


class Residual(nn.Module):
    """A skip around two convolutions, a strided shortcut, a concatenation; functions, not modules."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(3, 3, k, padding=k // 2) for k in (3, 5, 1))
        self.norm = nn.BatchNorm2d(3)
        self.down, self.short = nn.Conv2d(3, 3, 3, 2, 1), nn.Conv2d(3, 3, 1, 2)
        self.head = nn.Conv2d(6, 3, 1)
        self.end = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.b(F.relu_(self.a(x))))
        y += x
        y = self.down(y) + self.short(x)
        y = torch.cat([y, self.c(x)[:, :, ::2, ::2]], 1)
        return self.end(F.avg_pool2d(self.head(F.pad(y, (1, 0, 2, 1))), 2, 1))


def test_branches_against_gradients() -> None:
    net = Residual().eval()
    fields = receptive_fields(net, torch.ones(1, 3, 32, 32))["end"]
    for row in range(len(fields.rows)):
        seen = fields.at(row, 15 - row // 2)
        assert seen.exact
        assert seen.reach == by_gradient(net, 32, row, 15 - row // 2)
    inner = fields.at(8, 8)  # away from the border both are the same
    assert (inner.top, inner.bottom, inner.left, inner.right) == inner.reach


def test_squeeze_and_excitation_sees_everything(x: Tensor) -> None:
    class Excited(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.squeeze, self.gate = (
                nn.Conv2d(3, 4, 3),
                nn.AdaptiveAvgPool2d(1),
                nn.Conv2d(4, 4, 1),
            )
            self.after = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            return self.after(x * torch.sigmoid(self.gate(self.squeeze(x))))

    fields = receptive_fields(Excited().eval(), x)
    assert fields["conv"].at(4, 4).reach == (4, 7, 4, 7)
    assert fields["after"].at(4, 4) == ReceptiveField(0, 32, 0, 32, (0, 32, 0, 32), True)


@pytest.mark.parametrize("norm", [nn.GroupNorm(1, 4), nn.InstanceNorm2d(4), nn.LayerNorm([4, 30, 30])])
def test_norms_of_the_image_itself_see_everything(x: Tensor, norm: nn.Module) -> None:
    fields = receptive_fields(nn.Sequential(nn.Conv2d(3, 4, 3), norm).eval(), x)
    assert fields["1"].at(3, 3).reach == (0, 32, 0, 32)
    assert fields["1"].exact


def test_what_cannot_be_followed_is_the_whole_image_at_most(x: Tensor) -> None:
    class Rolled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular")
            self.roll = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.roll(torch.roll(x, 5, 2)))

    receptive = receptive_fields(Rolled().eval(), x)
    assert receptive.keys() == {"roll", "conv"}
    for name, fields in receptive.items():
        assert not fields.exact, name
        assert fields.at(9, 9).reach == (0, 32, 0, 32)


def test_shuffled_channels_and_splits_are_followed(x: Tensor) -> None:
    class Shuffled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.end = nn.Conv2d(3, 4, 3), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            left, right = self.conv(x).chunk(2, 1)
            x = torch.cat([left, right.amax(1, keepdim=True), right.mean(1, True)], 1)
            return self.end(x.view(1, 2, 2, 30, 30).transpose(1, 2).reshape(1, 4, 30, 30))

    seen = receptive_fields(Shuffled().eval(), x)["end"].at(4, 9)
    assert seen == ReceptiveField(4, 7, 9, 12, (4, 7, 9, 12), True)


def test_a_view_taken_earlier_follows_what_is_written_into_its_tensor() -> None:
    class Written(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.end = nn.Conv2d(3, 4, 3, padding=1), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            maps = self.conv(x)
            buffer = torch.zeros_like(maps)
            early, empty = maps[:, :2], buffer[:, :2]
            buffer[:] = maps
            maps.add_(100 * maps.mean((2, 3), keepdim=True))
            return self.end(early + empty)

    net, x = Written().eval(), torch.zeros(1, 3, 16, 16)
    far = x.clone()
    far[..., 15, 15] = 10
    assert (net(far) - net(x))[0, :, 0, 0].abs().max() > 0
    assert receptive_fields(net, x)["end"].at(0, 0).reach == (0, 16, 0, 16)


def test_nothing_is_left_behind(tricky: nn.Module, x: Tensor, untouched: Callable) -> None:
    with untouched(tricky), torch.inference_mode():
        fields = receptive_fields(tricky, x)
    assert [name for name, field in fields.items() if not field.exact] == []
    assert fields["relu"].at(0, 0).reach == (0, 2, 0, 2)
    assert fields["relu#2"].at(5, 5).reach == (3, 8, 3, 8)
    np.testing.assert_array_equal(fields["down.1"].rows, fields["relu"].rows)


class PerPosition(nn.Module):
    """As ConvNeXt: norm and linear layers over channels, which are last in between."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 5, 2, 2), nn.LayerNorm(4)
        self.wide, self.narrow, self.end = nn.Linear(4, 8), nn.Linear(8, 4), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        y = self.narrow(F.gelu(self.wide(self.norm(x.permute(0, 2, 3, 1)))))[:, 1:, :-2]
        y = F.pad(y, (0, 0, 2, 0, 0, 1)).transpose(3, 2).transpose(2, 1).unsqueeze(2)[:, :, 0]
        return self.end(x + y)


def test_layers_over_channels_read_their_own_position() -> None:
    net = PerPosition().eval()
    fields = receptive_fields(net, torch.ones(1, 3, 20, 20))
    assert list(fields) == ["conv", "norm", "wide", "narrow", "end"]
    assert all(field.exact for field in fields.values())
    assert fields["norm"].at(4, 2) == fields["conv"].at(4, 2)
    assert fields["narrow"].at(4, 2) == fields["conv"].at(4, 2)
    for position in ((0, 3), (4, 5), (8, 9)):
        assert fields["end"].at(*position).reach == by_gradient(net, 20, *position)


def test_tokens_may_read_the_whole_image() -> None:
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.end = nn.Conv2d(3, 4, 4, 4), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.patches(x).flatten(2).transpose(1, 2)[:, 3:]
            return self.end(x + tokens.mean((1, 2))[:, None, None, None])

    seen = receptive_fields(Other().eval(), torch.ones(1, 3, 16, 16))["end"].at(3, 3)
    assert seen == ReceptiveField(0, 16, 0, 16, (0, 16, 0, 16), False)
