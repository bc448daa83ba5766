"""Images made for a channel: against a layer whose best image is known, and against the card's input."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from explorer.engine import visualization
from explorer.engine.network import Network
from explorer.engine.visualization import Prior, image_of, prior_of, responses, to_input, visualize
from model.card import Card
from model.problems import Problem

SIZE = 16
GENERATOR = np.random.default_rng(0)
PIXELS = GENERATOR.normal((120, 128, 140), (3, 5, 4), (20, SIZE, SIZE, 3)).round().astype(np.uint8)
PLAIN = Card(mean=(0.0,) * 3, std=(1.0,) * 3, input_size=SIZE)


class Linear(nn.Module):
    """One position that sees the whole image, or nothing behind a ReLU that is always off."""

    def __init__(self, dead: bool = False) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv2d(3, 2, SIZE, bias=dead)
        self.act = nn.ReLU()
        self.head = nn.Linear(2, 2)
        if dead:
            self.conv.bias.data.fill_(-1e3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.act(self.conv(x)).flatten(1))


def network(dead: bool = False) -> Network:
    return Network(Linear(dead).eval(), PLAIN, f"linear {dead}")


def best_of_all(net: nn.Module, prior: Prior, channel: int) -> float:
    """The largest response that phases can give: each frequency in phase with that of the kernel."""
    kernel = net.conv.weight[channel].detach().numpy().astype(np.float64)
    parts = np.einsum("rc,rhw->chw", prior.color, kernel)
    phases = torch.from_numpy(np.angle(np.fft.rfft2(parts, norm="ortho")).astype(np.float32))
    return float((image_of(prior, phases[None])[0].numpy() * kernel).sum())


def test_the_phases_of_a_linear_layer_reach_their_known_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visualization, "STEPS", (96, 96))
    linear, prior = network(), prior_of(PIXELS)
    *_, last = visualize(linear, "conv", 1, prior, jitter=0)
    middle = float((prior.mean[:, None, None] * linear.net.conv.weight[1].detach().numpy()).sum())
    optimum = best_of_all(linear.net, prior, 1) - middle
    assert last.response.mean - middle == pytest.approx(optimum, rel=0.02)
    assert last.best_random.mean - middle < 0.5 * optimum
    assert (last.step, last.steps) == (96, 96)


def test_an_image_is_made_of_its_own_amplitudes_and_phases() -> None:
    prior = prior_of(PIXELS[:1])
    inverse = np.linalg.inv(prior.color.astype(np.float64))
    parts = ((PIXELS[0] / 255 - prior.mean) @ inverse.T).transpose(2, 0, 1)
    phases = torch.from_numpy(np.angle(np.fft.rfft2(parts)).astype(np.float32))[None]
    again = image_of(prior, phases)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(again * 255, PIXELS[0], atol=0.01)


def test_colors_have_the_covariance_of_the_images() -> None:
    prior = prior_of(PIXELS)
    values = PIXELS.reshape(-1, 3) / 255
    np.testing.assert_allclose(prior.color @ prior.color.T, np.cov(values.T, bias=True), rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(prior.mean, values.mean(0), rtol=1e-6)
    gray = prior_of(np.repeat(PIXELS[..., :1], 3, 3))  # one color component is left
    assert np.isfinite(gray.color).all()
    assert np.isfinite(gray.amplitude).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_the_input_is_that_of_the_card(channels: int) -> None:
    card = replace(PLAIN, channels=channels, mean=(0.4,) * channels, std=(0.2,) * channels)
    wanted = card.to_inputs(PIXELS[:2])
    images = torch.from_numpy(PIXELS[:2]).permute(0, 3, 1, 2) / 255
    rounding = 0.51 / 255 / 0.2 + 1e-4  # of gray, which the card rounds to whole numbers
    np.testing.assert_allclose(to_input(images, card), wanted, atol=rounding if channels != 3 else 1e-5)


def test_the_same_seed_gives_the_same_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visualization, "STEPS", (32, 32))
    net, prior = network(), prior_of(PIXELS)
    one, same, other = (list(visualize(net, "conv", 0, prior, seed))[-1] for seed in (3, 3, 4))
    assert one == same
    assert not np.array_equal(one.pixels, other.pixels)


def test_the_response_is_that_of_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visualization, "STEPS", (32, 32))
    linear = network()
    first, last = visualize(linear, "conv", 0, prior_of(PIXELS))
    assert (first.step, last.step) == (16, 32)
    with torch.no_grad():
        maps = linear.net.conv(PLAIN.to_input(last.pixels))[0, 0]
    assert last.response.mean == pytest.approx(float(maps.mean()), rel=1e-5)
    each = responses(linear, "conv", 0, last.pixels[None])[0]
    np.testing.assert_allclose(each, [last.response.mean, last.response.maximum], rtol=1e-5)


def test_what_cannot_be_made_is_a_sentence() -> None:
    prior = prior_of(PIXELS)
    with pytest.raises(Problem, match="No gradient of channel 0 of 'act' reaches an image"):
        next(visualize(network(dead=True), "act", 0, prior))
    with pytest.raises(Problem, match="There is no channel 7 in 'conv'"):
        next(visualize(network(), "conv", 7, prior))
