"""An image made for one channel: the phases of its spectrum are moved until the channel responds most.

The amplitude of every frequency and the covariance of the colors stay those of real images, so that at 32
pixels no noise of high frequency can win (arXiv:2306.06805). The colors are decorrelated, and the image is
padded and jittered at every step, as in Lucid (https://distill.pub/2017/feature-visualization).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from explorer.engine.ablation import check_channels
from explorer.engine.independence import pieces
from explorer.engine.network import Network
from explorer.engine.passes import recorded, tapped, to_numpy
from explorer.engine.values import Doubles, Floats, Value
from model.card import Card, Pixels
from model.problems import Problem

PADDING = 2  # pixels of the mean color around the image
JITTER = 2  # pixels that it is moved by at most, in either direction
RATE = 0.15  # of Adam, in radians
SMALL = 64  # pixels: larger inputs take longer, and get fewer steps
STEPS, STARTS = (256, 96), (4, 1)  # of small inputs, and of larger ones
PART = 16  # steps between two looks
RANDOM = 64  # images with random phases that the result is compared with
GRAY = (0.299, 0.587, 0.114)  # luminance by ITU-R 601


@dataclass(frozen=True, eq=False)
class Prior(Value):
    """What `images` real images of size s have in common: `amplitude` float32 (3, s, s // 2 + 1), the mean
    magnitude of each frequency of their decorrelated colors; `color` float32 (3, 3), which turns these into
    RGB from 0 to 1 about the `mean` color, float32 (3,).
    """

    amplitude: Floats
    color: Floats
    mean: Floats
    images: int

    @property
    def size(self) -> int:
        return int(self.amplitude.shape[1])


@dataclass(frozen=True)
class Response:
    """What a channel gives for an image: the `mean` of its map and the `maximum`."""

    mean: float
    maximum: float


@dataclass(frozen=True, eq=False)
class Visualization(Value):
    """The best image so far for a channel of a layer, `pixels` uint8 (s, s, 3), after `step` of `steps`.

    `response` is what the network gives for just these pixels, without padding or jitter. `random` is the
    mean Response to RANDOM images with the same amplitudes and colors and random phases, `best_random` the
    largest.
    """

    layer: str
    channel: int
    pixels: Pixels
    step: int
    steps: int
    response: Response
    random: Response
    best_random: Response


def prior_of(pixels: Pixels) -> Prior:
    """The Prior of real images, uint8 (N, s, s, 3)."""
    values = pixels.astype(np.float64) / 255
    mean = values.mean((0, 1, 2))
    covariance = np.cov(values.reshape(-1, 3).T, bias=True)
    variances, axes = np.linalg.eigh(covariance)
    deviations = np.sqrt(np.where(variances > 1e-9, variances, 0.0))
    color = axes * deviations
    inverse = np.divide(axes, deviations, out=np.zeros_like(axes), where=deviations > 0)
    parts = ((values - mean) @ inverse).transpose(0, 3, 1, 2)
    amplitude = np.abs(np.fft.rfft2(parts, norm="ortho")).mean(0)
    amplitude, color, mean = (np.asarray(each, np.float32) for each in (amplitude, color, mean))
    return Prior(amplitude, color, mean, len(pixels))


def steps_of(size: int) -> int:
    """How many steps an input of this size gets."""
    return STEPS[size > SMALL]


def visualize(
    network: Network, layer: str, channel: int, prior: Prior, seed: int = 0, jitter: int = JITTER
) -> Iterator[Visualization]:
    """The image with the largest mean of a channel's map, anew after every PART steps; the same for a `seed`.

    Several images with random phases begin; the best of them counts. Raises Problem for a layer or a channel
    that is not there, and where no gradient reaches the images: a ReLU may give zero for all of them.
    """
    starts, steps = STARTS[prior.size > SMALL], steps_of(prior.size)
    generator = torch.Generator().manual_seed(seed)
    random = responses(network, layer, channel, _random_pixels(prior, generator))
    phases = _phases(prior, starts, generator).requires_grad_()
    optimizer = torch.optim.Adam([phases], RATE)
    climb = _Climb(network, layer, channel, prior)
    for step in range(1, steps + 1):
        with torch.inference_mode(False), torch.enable_grad():
            offset = torch.randint(-jitter, jitter + 1, (2,), generator=generator).tolist()
            phases.grad = climb.gradient(phases, offset)
            optimizer.step()
        if step % PART == 0 or step == steps:
            yield _best(network, layer, channel, _quantized(image_of(prior, phases.detach())), random, step)


def image_of(prior: Prior, phases: Tensor) -> Tensor:
    """RGB images (n, 3, s, s) about 0 to 1, not clipped, of phases float (n, 3, s, s // 2 + 1) in radians."""
    amplitude, color, mean = map(torch.from_numpy, (prior.amplitude, prior.color, prior.mean))
    parts = torch.fft.irfft2(
        torch.polar(amplitude.expand_as(phases), phases), (prior.size,) * 2, norm="ortho"
    )
    return torch.einsum("rc,nchw->nrhw", color, parts) + mean[:, None, None]


def responses(network: Network, layer: str, channel: int, pixels: Pixels) -> Doubles:
    """The mean and the maximum of a channel's map for images uint8 (n, s, s, 3): float64 (n, 2).

    Raises Problem for a layer or a channel that is not there.
    """
    x, parts = network.card.to_inputs(pixels), []

    def keep(_: str, __: Tensor, maps: Tensor) -> None:
        check_channels(layer, [channel], maps.shape[1])
        one = maps[:, channel]
        parts.append(torch.stack([one.mean((1, 2)), one.amax((1, 2))], 1))

    for rows in pieces(network.net, x, 16):
        recorded(network.net, x[rows], [layer], keep)
    return to_numpy(torch.cat(parts)).astype(np.float64)


class _Climb:
    """One private view for all steps: which way the phases have to go."""

    def __init__(self, network: Network, layer: str, channel: int, prior: Prior) -> None:
        self.card, self.channel, self.prior, self.net = network.card, channel, prior, network.net
        self.view, points = tapped(network.net, [layer])
        self.maps: list[Tensor] = []
        self.layer = layer
        points[layer].register_forward_hook(lambda _, __, maps: self.maps.append(maps))

    def gradient(self, phases: Tensor, offset: list[int]) -> Tensor:
        """The gradient that Adam follows downhill. Raises Problem where there is none for any image."""
        x = to_input(_moved(image_of(self.prior, phases).clamp(0, 1), self.prior, offset), self.card)
        self.maps.clear()
        for rows in pieces(self.net, x.detach(), len(x)):
            self.view(x[rows])
        response = torch.cat(self.maps)[:, self.channel].mean((1, 2)).sum()
        gradient = (
            torch.autograd.grad(response, phases, allow_unused=True)[0] if response.requires_grad else None
        )
        if gradient is None or not gradient.any():
            raise Problem(
                "No gradient of channel {channel} of {layer} reaches an image: its map is constant for all "
                "images to begin with. Choose another channel, or the layer before the activation.",
                channel=self.channel,
                layer=repr(self.layer),
            )
        return -gradient


def to_input(images: Tensor, card: Card) -> Tensor:
    """As `card.to_inputs`, for RGB images (n, 3, s, s) from 0 to 1: (n, channels, s, s)."""
    gray = (images * images.new_tensor(GRAY)[:, None, None]).sum(1, keepdim=True)
    if card.channels != 3:
        colors = [images] if card.channels > 3 else []
        images = torch.cat([*colors, gray.expand(-1, card.channels - 3 * len(colors), -1, -1)], 1)
    mean, std = (images.new_tensor(each)[:, None, None] for each in (card.mean, card.std))
    return (images - mean) / std


def _moved(images: Tensor, prior: Prior, offset: list[int]) -> Tensor:
    """The images with PADDING of the mean color around them, cut to their size, moved by the offset."""
    mean = torch.from_numpy(prior.mean)[:, None, None]
    padding = max(PADDING, *map(abs, offset))
    padded = functional.pad(images - mean, (padding,) * 4) + mean
    top, left = (padding + each for each in offset)
    return padded[:, :, top : top + prior.size, left : left + prior.size]


def _phases(prior: Prior, count: int, generator: torch.Generator) -> Tensor:
    return (2 * torch.rand(count, *prior.amplitude.shape, generator=generator) - 1) * torch.pi


def _random_pixels(prior: Prior, generator: torch.Generator) -> Pixels:
    return _quantized(image_of(prior, _phases(prior, RANDOM, generator)))


def _quantized(images: Tensor) -> Pixels:
    return (images.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def _best(
    network: Network, layer: str, channel: int, pixels: Pixels, random: Doubles, step: int
) -> Visualization:
    reached = responses(network, layer, channel, pixels)
    best = int(reached[:, 0].argmax())
    each = (reached[best], random.mean(0), random.max(0))
    response, mean, largest = (Response(*one.tolist()) for one in each)
    steps = steps_of(pixels.shape[1])
    return Visualization(layer, channel, pixels[best], step, steps, response, mean, largest)
