"""Every number that the tour asks for, computed again by torch's functions on the raw network."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine import tour
from explorer.engine.ablation import ablation
from explorer.engine.attribution import channel_evidence
from explorer.engine.batchnorm import statistics
from explorer.engine.network import Network
from explorer.engine.receptive import receptive_fields
from explorer.engine.runs import RecordedRun
from explorer.engine.samples import FromScene, Sample
from explorer.engine.scores import random_nets
from explorer.engine.tracing import Trace, blocks, trace
from model.card import Card
from model.history import About, Epoch
from model.nets import CourseCNN
from model.problems import Problem
from tests import tour_oracle as oracle
from tests.engine.odd_networks import Plain

SIZE, TARGET = 16, 2


@pytest.fixture(scope="module")
def net() -> CourseCNN:
    torch.manual_seed(3)
    net = CourseCNN(classes=5, widths=(6, 8), input_size=SIZE, hidden=12).eval()
    with torch.no_grad():
        for norm in (net.bn1, net.bn2):
            for values in (norm.running_mean, norm.bias):
                values.normal_(0, 0.3)
            for values in (norm.running_var, norm.weight):
                values.uniform_(0.3, 1.5)
    return net


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def seen(net: CourseCNN, x: Tensor) -> Trace:
    return trace(net, x)


def test_the_layer_that_heat_maps_explain(net: CourseCNN, seen: Trace) -> None:
    assert tour.explained_layer(blocks(net, seen), seen) == "relu2"


def test_a_squeezed_map_is_not_explained(net: CourseCNN, seen: Trace) -> None:
    squeezed = replace(seen, shapes=seen.shapes | {"relu2": (4, 1, 1)})
    assert tour.explained_layer(blocks(net, seen), squeezed) == "relu1"


def test_the_first_convolution_is_counted(net: CourseCNN, x: Tensor, seen: Trace) -> None:
    one = tour.first_maps(net, seen)
    assert (one.layer, one.shape) == ("conv1", tuple(oracle.maps(net, x)["conv1"].shape[1:]))
    assert (one.kernel, one.weights) == (tuple(net.conv1.weight[0].shape), net.conv1.weight[0].numel())


def test_the_first_and_the_last_layer_that_shrink(net: CourseCNN, x: Tensor, seen: Trace) -> None:
    one, maps = tour.shrinking(net, seen), oracle.maps(net, x)
    for size, layer, before in ((one.first, "pool1", "relu1"), (one.last, "pool2", "relu2")):
        assert size.layer == layer
        assert (size.rows.output, size.columns.output) == tuple(maps[layer].shape[2:])
        assert (size.rows.input, size.columns.input) == tuple(maps[before].shape[2:])
        rows = size.rows
        assert (rows.input + sum(rows.padding) - rows.kernel) // rows.stride + 1 == rows.output


def test_the_mean_of_a_channel(net: CourseCNN, x: Tensor, seen: Trace) -> None:
    one, norm = tour.channel_mean(statistics(net, x, tour.first_norm(net, seen))), net.bn1
    maps = oracle.maps(net, x)
    observed = maps["conv1"].mean((0, 2, 3)).detach()
    distance = (observed - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
    k = int(distance.abs().argmax())
    assert (one.layer, one.channel) == ("bn1", k)
    assert (one.weight, one.bias) == (norm.weight[k].item(), norm.bias[k].item())
    assert one.running == norm.running_mean[k].item()
    assert one.observed == pytest.approx(float(observed[k]), abs=1e-6)
    assert one.distance == pytest.approx(distance[k].item(), abs=1e-5)
    assert one.after == pytest.approx(maps["bn1"].mean((0, 2, 3))[k].item(), abs=1e-6)


def test_what_relu_cuts(net: CourseCNN, x: Tensor, seen: Trace) -> None:
    before = oracle.maps(net, x)["bn1"]
    wanted = ("relu1", before.numel(), int((before < 0).sum()))
    for known in (seen, trace(net, x, ())):  # with the maps, and without
        one = tour.cut(net, known, x)
        assert (one.layer, one.values, one.negative) == wanted
    assert one.fraction == pytest.approx(float((before < 0).float().mean()))


def test_another_activation_than_relu_is_named(x: Tensor) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Flatten(), nn.LazyLinear(5)).eval()
    net(x)
    with pytest.raises(Problem, match="The first activation of this network, 1, is SiLU and not ReLU"):
        tour.cut(net, trace(net, x), x)


def test_what_a_position_sees(net: CourseCNN, x: Tensor) -> None:
    one = tour.sight(receptive_fields(net, x)["relu2"], (SIZE, SIZE))
    top, bottom, left, right = oracle.reach(net, SIZE, *one.position)
    assert one.position == (4, 4)
    assert one.field.reach == (top, bottom, left, right)
    assert one.reach_size == (bottom - top, right - left) == (8, 8)


def test_the_maps_with_the_largest_contributions(net: CourseCNN, x: Tensor) -> None:
    one = tour.carriers(channel_evidence(net, x, "relu2", TARGET))
    contributions, _ = oracle.grad_cam(net, x, TARGET)
    assert one.order == tuple(contributions.argsort(descending=True, stable=True).tolist())
    assert one.first == one.order[:3]
    np.testing.assert_allclose(one.contributions, contributions[list(one.order)], atol=1e-6)


@pytest.mark.parametrize("channel", [0, 5])
def test_the_logit_without_a_map(net: CourseCNN, x: Tensor, channel: int) -> None:
    one = tour.removal(ablation(net, x, "relu2", channel), TARGET)
    before, after = oracle.without(net, x, channel)
    assert (one.layer, one.channel) == ("relu2", channel)
    assert one.before == pytest.approx(float(before[TARGET]), abs=1e-5)
    assert one.change == pytest.approx(float((after - before)[TARGET]), abs=1e-5)
    assert (one.predicted, one.predicted_after) == (int(before.argmax()), int(after.argmax()))


def test_the_map_of_random_networks(net: CourseCNN, x: Tensor) -> None:
    nets = random_nets(net, torch.randn(4, 3, SIZE, SIZE))
    one = tour.trust(net, x, "relu2", TARGET, nets)
    _, heat = oracle.grad_cam(net, x, TARGET)
    each = [oracle.rank_correlation(heat, oracle.grad_cam(random, x, TARGET)[1]) for random in nets]
    assert one.correlations == pytest.approx(each, abs=1e-3)
    assert float(one.value) == pytest.approx(sum(each) / len(each), abs=1e-3)


def test_the_errors_among_drawn_pictures(net: CourseCNN) -> None:
    card = Card(input_size=SIZE, classes=tuple("abcde"))
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8) for _ in range(6)]
    labels = [0, 1, None, 3, 4, 0]
    samples = [
        Sample("", pixels, label, None, FromScene(0, 0))
        for pixels, label in zip(pictures, labels, strict=True)
    ]
    one = tour.drawn(Network(net, card, "net"), samples)
    kept = [(label, pixels) for label, pixels in zip(labels, pictures, strict=True) if label is not None]
    predicted = [
        int(oracle.logits(net, oracle.last(net, card.to_input(pixels))).argmax()) for _, pixels in kept
    ]
    assert (one.labels, one.predicted) == (tuple(label for label, _ in kept), tuple(predicted))
    assert one.wrong == tuple(
        (label, guess) for (label, _), guess in zip(kept, predicted, strict=True) if label != guess
    )


def run(*accuracies: float) -> RecordedRun:
    rows = [Epoch(n, 1.0, 0.5, 1.0, each, 0.1, 1.0, 1.0) for n, each in enumerate(accuracies, start=1)]
    return RecordedRun(np.zeros(0), tuple(rows), About())


def test_the_epoch_with_half_of_the_gain() -> None:
    assert tour.learned(run(0.2, 0.4, 0.55, 0.5, 0.8)) == tour.Learned(5, 3, 0.2, 0.55, 0.8)
    for accuracies in ((), (0.5,), (0.5, 0.5), (0.5, 0.4)):
        with pytest.raises(Problem, match="has not risen"):
            tour.learned(run(*accuracies))


class Without(nn.Module):
    """No convolution, norm or ReLU that gives feature maps."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3 * SIZE * SIZE, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1))


def test_what_cannot_be_asked_is_a_sentence(x: Tensor) -> None:
    net = Without().eval()
    seen = trace(net, x)
    for asked, sentence in (
        (lambda: tour.explained_layer((), seen), "no layer with feature maps"),
        (lambda: tour.first_maps(net, seen), "no two-dimensional convolution"),
        (lambda: tour.shrinking(net, seen), "makes its feature maps smaller"),
        (lambda: tour.first_norm(net, seen), "no BatchNorm of feature maps"),
        (lambda: tour.cut(net, seen, x), "is a ReLU"),
        (lambda: tour.drawn(Network(net, Card(input_size=SIZE), "net"), ()), "none of the classes"),
    ):
        with pytest.raises(Problem, match=sentence):
            asked()


def test_a_batchnorm_without_running_statistics_has_none_to_compare(x: Tensor) -> None:
    net = Plain().eval()
    net.norm = nn.BatchNorm2d(8, track_running_stats=False)
    with pytest.raises(Problem, match="keep no running statistics"):
        tour.channel_mean(statistics(net, x, "norm"))
