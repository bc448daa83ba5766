"""Every reduction equals the naive computation with all activations kept."""

import numpy as np
import pytest
import torch
from torch import nn

from explorer.engine.network import Network
from explorer.engine.samples import ArrayTestSet
from explorer.engine.scan import running
from explorer.engine.scan.images import ScanImages
from explorer.engine.scan.parts import LayerPart, merge_layer
from explorer.engine.scan.reductions import (
    UNKNOWN,
    Maxima,
    Numbered,
    Running,
    edges_of,
    first_rows,
    maxima_after,
    ranges_of,
    sampled_positions,
)
from explorer.engine.scan.result import BINS, SAMPLED, TOP, LayerScan, Scan
from explorer.engine.tracing import trace
from tests.engine.scan.conftest import CARD, CLASSES, IMAGES

LAYERS = ("conv1", "bn1", "relu", "pool", "conv2", "bn2", "relu#2")


@pytest.fixture(scope="module")
def scan(network: Network, images: ScanImages) -> Scan:
    return running.scan(network, images)


@pytest.fixture(scope="module")
def maps(network: Network, photos: ArrayTestSet) -> dict[str, np.ndarray]:
    x = CARD.to_inputs(photos.images)
    return {layer: each.astype(np.float64) for layer, each in trace(network.net, x).maps.items()}


@pytest.fixture(params=LAYERS)
def both(
    request: pytest.FixtureRequest, scan: Scan, maps: dict[str, np.ndarray]
) -> tuple[LayerScan, np.ndarray]:
    return scan.layers[request.param], maps[request.param]


def test_it_scans_the_layers_of_the_blocks(scan: Scan) -> None:
    assert tuple(scan.layers) == LAYERS


def test_moments_and_zeros(both: tuple[LayerScan, np.ndarray]) -> None:
    layer, maps = both
    assert layer.count == maps[:, 0].size
    np.testing.assert_allclose(layer.mean, maps.mean((0, 2, 3)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.variance, maps.var((0, 2, 3)), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(layer.zeros, (maps == 0).mean((0, 2, 3)), atol=1e-5)
    np.testing.assert_allclose(layer.image_mean, maps.mean((2, 3)), rtol=1e-5, atol=1e-5)


def test_class_means(scan: Scan, both: tuple[LayerScan, np.ndarray]) -> None:
    layer, maps = both
    for label in range(3):
        expected = maps[scan.labels == label].mean((0, 2, 3))
        np.testing.assert_allclose(layer.class_mean[label], expected, rtol=1e-5, atol=1e-5)
    assert np.isnan(layer.class_mean[3]).all()


def test_the_images_at_both_ends(both: tuple[LayerScan, np.ndarray]) -> None:
    layer, maps = both
    maxima = maps.max((2, 3)).T
    for values, rows, sign in (
        (layer.top_values, layer.top_rows, -1),
        (layer.bottom_values, layer.bottom_rows, 1),
    ):
        expected = np.take_along_axis(maxima, np.argsort(sign * maxima, kind="stable")[:, :TOP], 1)
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(values, np.take_along_axis(maxima, rows, 1), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(layer.maximum, maxima.max(1), rtol=1e-5, atol=1e-5)


def test_of_equal_maxima_the_first_image_and_position_count(scan: Scan, maps: dict[str, np.ndarray]) -> None:
    for name in ("conv1", "relu", "relu#2"):  # exactly what a pass gives
        maxima = maps[name].max((2, 3)).T.astype(np.float32)
        expected = np.argsort(-maxima, kind="stable")[:, :TOP]
        constant = maxima.max(1) == maxima.min(1)
        assert constant.any() == (name != "conv1")
        assert (scan.layers[name].top_rows == expected)[constant].all()
        assert scan.layers[name].top_positions[constant].max(initial=0) == 0


def test_positions_are_where_the_maximum_is(both: tuple[LayerScan, np.ndarray]) -> None:
    layer, maps = both
    channels = np.arange(len(layer.mean))[:, None]
    there = maps[layer.top_rows, channels, layer.top_positions[..., 0], layer.top_positions[..., 1]]
    np.testing.assert_allclose(there, layer.top_values, rtol=1e-5, atol=1e-5)


def test_histograms_count_the_sampled_positions(both: tuple[LayerScan, np.ndarray]) -> None:
    layer, maps = both
    n, channels, height, width = maps.shape
    places = sampled_positions(torch.arange(n), height * width).numpy()
    assert places.shape == (n, min(SAMPLED, height * width))
    assert all(len(set(each)) == len(each) for each in places.tolist())
    values = np.take_along_axis(maps.reshape(n, channels, -1), places[:, None], 2)
    for channel in range(channels):
        edges = layer.edges[channel].astype(np.float64)
        inside = np.clip(values[:, channel].ravel(), edges[0], edges[-1])
        cumulated = np.histogram(inside, edges)[0].cumsum()
        assert np.abs(layer.histogram[channel].cumsum() - cumulated).max() <= 2  # values on an edge
        assert layer.histogram[channel].sum() == places.size
    assert layer.edges.shape == (channels, BINS + 1)
    assert (np.diff(layer.edges) > 0).all()


def test_logits_features_and_labels(
    scan: Scan, network: Network, photos: ArrayTestSet, maps: dict[str, np.ndarray]
) -> None:
    with torch.no_grad():
        logits = network.net(CARD.to_inputs(photos.images)).numpy()
    np.testing.assert_allclose(scan.logits, logits, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(scan.features, maps["relu#2"].mean((2, 3)), rtol=1e-5, atol=1e-5)
    assert scan.ids.tolist() == list(range(IMAGES))
    assert (scan.labels == np.where(photos.labels == 3, -1, photos.labels)).all()
    assert scan.classes == CLASSES


@pytest.mark.parametrize("nan_first", [True, False])
@pytest.mark.parametrize("count", [1, 5, 16, 17, 200])
def test_first_rows_are_those_of_a_stable_sort(count: int, nan_first: bool) -> None:
    random = np.random.default_rng(count)
    special = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e-30, -1e-30, 2], np.float32)
    ranks = np.where(
        random.random((count, 6)) < 0.5, random.choice(special, (count, 6)), random.normal(size=(count, 6))
    )
    ranks[:, 5] = 1
    rows = first_rows(torch.from_numpy(ranks.astype(np.float32)), nan_first)
    for channel, column in enumerate(ranks.astype(np.float32).T):
        wanted = sorted(
            range(count), key=lambda n: ((np.isnan(column[n]) != nan_first), np.nan_to_num(column[n]), n)
        )
        assert rows[channel].tolist() == wanted[:TOP]


def test_edges_hold_every_value_and_keep_zero() -> None:
    low, high = np.array([0, -3.0, 2.0, -1e-9]), np.array([5, 0, 2.0, 1e9])
    edges = edges_of(low.astype(np.float32), high.astype(np.float32))
    assert (edges[:, 0] <= low).all()
    assert (edges[:, -1] >= high).all()
    assert edges[0, 0] == 0
    assert edges[1, -1] == 0
    assert (np.diff(edges[:3]) > 0).all()


@pytest.mark.parametrize(
    "ends",
    [(99.97, 100.03), (1000.38, 1000.42), (1e6, 1e6 + 20), (-1e6 - 20, -1e6), (1e6, 1e6), (1e6, 1e6 + 0.07),
     (0, 1e-44), (-3.4e38, 3.4e38)],
)  # fmt: skip
def test_edges_far_from_zero_hold_every_value(ends: tuple[float, float]) -> None:
    low, high = (np.array([end], np.float32) for end in ends)
    edges = edges_of(low, high)[0]
    assert edges[0] <= low[0] <= high[0] <= edges[-1]
    assert (np.diff(edges.astype(np.float64)) > 0).all()
    assert np.isfinite(edges).all()
    if ends[0] != ends[1]:
        needed = max(float(high[0]) - float(low[0]), 300 * float(np.spacing(np.abs(high[0]))))
        assert float(edges[-1]) - float(edges[0]) < max(2 * needed, 3e-30)


@pytest.mark.parametrize("has_zeros", [True, False])
def test_zeros_are_counted_exactly(has_zeros: bool) -> None:
    maps = torch.ones(2, 3, 2, 2)
    maps[0, 0, 0, 0], maps[0, 0, 0, 1], maps[0, 0, 1, 0] = 1e-30, -1e-30, 0
    maps[1, 1] = torch.nan
    maps[1, 1, 0, 0], maps[1, 2, 0, 0] = 0, -0.0
    one = np.ones(3, np.float32)
    running = Running(ranges_of(0 * one, one, 0.5 * one, one, has_zeros))
    running.add(maps, Numbered(torch.arange(2)))
    assert running.part().zeros.tolist() == (maps == 0).sum((0, 2, 3)).tolist() == [1, 1, 1]


class NormAfterReLU(nn.Module):
    """As a network has it that is not trained: what the ReLU made zero stays zero."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 4, 3), nn.ReLU()
        self.norm, self.last = nn.BatchNorm2d(4), nn.Linear(4, len(CLASSES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.norm(self.relu(self.conv(x))).mean((2, 3)))


def test_zeros_that_a_norm_passes_on_are_counted(images: ScanImages, photos: ArrayTestSet) -> None:
    torch.manual_seed(0)
    net = NormAfterReLU().eval()
    made = running.scan(Network(net, CARD, "untrained 0123"), images).layers["norm"]
    zeros = (trace(net, CARD.to_inputs(photos.images)).maps["norm"] == 0).mean((0, 2, 3))
    assert zeros.min() > 0.1
    np.testing.assert_allclose(made.zeros, zeros, atol=1e-5)


def test_a_histogram_wider_than_the_largest_number() -> None:
    values = torch.tensor([-torch.inf, 5.0, torch.inf, 6.0])[:, None, None, None]
    ends = (np.array([end], np.float32) for end in (-np.inf, 6))
    running = Running(ranges_of(*ends, np.zeros(1), np.ones(1), False))
    running.add(values, Numbered(torch.arange(4)))
    part = running.part()
    inside = part.edges[0].searchsorted(5.0) - 1
    assert part.histogram[0].nonzero()[0].tolist() == [0, inside, BINS - 1]
    assert part.histogram[0, inside] == 2


def test_nan_is_the_lowest_maximum_in_any_number_of_parts() -> None:
    random = np.random.default_rng(0)
    values = random.integers(-9, 9, 60).astype(np.float32)
    values[::3] = np.nan
    values[1], values[2] = np.inf, -np.inf
    maps = torch.from_numpy(values)[:, None, None, None]
    ranges = ranges_of(*(np.array([end], np.float32) for end in (-9, 9)), np.zeros(1), np.ones(1), False)

    def part(numbers: range) -> LayerPart:
        running = Running(ranges)
        running.add(maps[numbers.start : numbers.stop], Numbered(torch.tensor(list(numbers))))
        return running.part()

    parts = [part(range(start, start + 20)) for start in (0, 20, 40)]
    lowest = [(-np.inf if np.isnan(value) else value, not np.isnan(value)) for value in values]
    bottom = sorted(range(60), key=lambda number: (*lowest[number], number))
    top = sorted(range(60), key=lambda number: (-lowest[number][0], not lowest[number][1], number))
    for made in (part(range(60)), merge_layer(parts, np.arange(60))):
        assert made.bottom_numbers[0].tolist() == bottom[:TOP]
        assert made.top_numbers[0].tolist() == top[:TOP]
        np.testing.assert_array_equal(made.top_values[0], values[top[:TOP]])
        np.testing.assert_array_equal(made.bottom_values[0], values[bottom[:TOP]])
    few = [part(range(start, start + 4)) for start in (0, 4)]
    assert merge_layer(few, np.arange(8)).top_numbers[0].tolist() == part(range(8)).top_numbers[0].tolist()


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [1, 7, 20])
@pytest.mark.filterwarnings("ignore:invalid value")  # of the mean of infinite values
def test_places_are_exact_in_batches_of_any_size(size: int, order: torch.memory_format) -> None:
    random = torch.Generator().manual_seed(size)
    maps = torch.randint(-3, 60, (200, 5, 3, 4), generator=random).float()
    maps[:, 1] = 0  # a dead channel: all images tie
    maps[torch.rand(200, generator=random) < 0.9, 2] = torch.nan
    maps[::3, 3] = -torch.inf
    maps[:9, 4], maps[9:, 4] = torch.nan, -torch.inf
    ends = (np.full(5, end, np.float32) for end in (-3, 60))
    running = Running(ranges_of(*ends, np.ones(5), np.ones(5), True))
    for some in torch.arange(200).split(size):
        running.add(maps[some].clone(memory_format=order), Numbered(some))
    part = running.part()
    maxima = maps.flatten(2).nan_to_num(nan=-np.inf, posinf=np.inf, neginf=-np.inf).amax(2)
    first = maps.flatten(2).argmax(2)  # NaN counts as a map's maximum
    for channel in range(5):
        is_nan = maps[:, channel].isnan().any(-1).any(-1)
        ranks = sorted(range(200), key=lambda n: (bool(is_nan[n]), -float(maxima[n, channel]), n))[:TOP]
        assert part.top_numbers[channel].tolist() == ranks
        expected = np.stack(np.divmod(first[ranks, channel].numpy(), 4), 1)
        assert (part.top_positions[channel] == expected).all()


def test_a_map_smaller_than_the_sample_is_counted_whole() -> None:
    assert Numbered(torch.tensor([5, 9])).sampled(3).tolist() == [0, 1, 2, 3, 4, 5]


def norm(first: float, second: float) -> nn.BatchNorm2d:
    """One of five channels with statistics of its own; γ of the first two."""
    layer, random = nn.BatchNorm2d(5).eval(), torch.Generator().manual_seed(1)
    assert layer.running_mean is not None
    assert layer.running_var is not None
    with torch.no_grad():
        layer.running_mean.normal_(generator=random)
        layer.running_var.uniform_(0.1, 3, generator=random)
        layer.weight[:2] = torch.tensor([first, second])
        layer.bias.normal_(generator=random)
    return layer


@pytest.mark.parametrize(
    ("layer", "derived"),
    [
        (nn.ReLU(), True),
        (nn.ReLU(inplace=True), True),
        (nn.MaxPool2d(2), True),
        (nn.MaxPool2d(3, stride=1), True),
        (nn.MaxPool2d((2, 4), stride=(2, 1)), True),
        (nn.MaxPool2d(3), False),
        (nn.MaxPool2d(2, stride=4), False),
        (nn.MaxPool2d(2, stride=2, dilation=2), False),
        (nn.MaxPool2d(2, padding=1), False),
        (nn.AvgPool2d(2), False),
        (nn.ReLU6(), False),
        (norm(0.5, 0.1), True),
        (norm(0.5, 0.0), False),  # of −∞ it makes NaN, which is the largest then
        (norm(0.5, -1e-3), False),  # there the largest value is the one of the smallest
        (norm(0.5, 0.1).train(), False),
        (nn.BatchNorm2d(5, track_running_stats=False).eval(), False),
        (nn.BatchNorm2d(5, affine=False).eval(), True),
    ],
    ids=str,
)
def test_maxima_follow_where_no_position_is_left_out(layer: nn.Module, derived: bool) -> None:
    maps = torch.randn(3, 5, 8, 8, generator=torch.Generator().manual_seed(0)) - 1
    maps[0, 0] = -2
    maps[1, 1, 7, 7] = 9  # in the last row and column
    maps[2, 2, 0, 0] = torch.nan
    given = Maxima(maps.amax((2, 3)), maps.flatten(2).argmax(2))
    given.places[0, 1] = UNKNOWN
    maxima = maxima_after(layer, maps, given)
    assert (maxima is not None) == derived
    if maxima is not None:
        after = layer(maps.clone())
        torch.testing.assert_close(maxima.values, after.amax((2, 3)), equal_nan=True, rtol=0, atol=0)
        expected = after.flatten(2).argmax(2)
        known = maxima.places != UNKNOWN
        assert (maxima.places == expected)[known].all()
        if isinstance(layer, nn.ReLU):
            assert known.sum() >= known.numel() - 1
