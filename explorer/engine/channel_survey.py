"""The channels of one layer over all images of a scan: dead, always on, constant, and what explains it."""

from dataclasses import dataclass
from math import erf, sqrt

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from explorer.engine.batchnorm import FAINT
from explorer.engine.duplicates import Partners, partners, redundant, removal_order
from explorer.engine.passes import layer_module
from explorer.engine.scan.calibration import CHANCE
from explorer.engine.scan.result import LayerScan
from explorer.engine.tracing import Block, Trace
from explorer.engine.values import Doubles, Floats, Value

Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Scaling(Value):
    """What a normalization learned per channel, float32 (C,): γ and β; `layer` is its name."""

    layer: str
    gamma: Floats
    beta: Floats

    @property
    def zeros(self) -> Doubles:
        """The fraction of a ReLU's output that is zero, float64 (C,), if what the normalization gives before
        γ and β is normal with mean 0 and variance 1: Φ(−β / |γ|).
        """
        pairs = zip(self.gamma.tolist(), self.beta.tolist(), strict=True)
        return np.array([_below(-beta, abs(gamma)) for gamma, beta in pairs])


def _below(limit: float, spread: float) -> float:
    """How probable a normal number with mean 0 and this spread is not above a limit."""
    if not spread:
        return float(limit >= 0)
    return 0.5 * (1 + erf(limit / spread / sqrt(2)))


@dataclass(frozen=True, eq=False)
class ChannelSurvey(Value):
    """The C channels of a layer over all images of a scan.

    Bool (C,): `dead`, zero at every position of every image; `always_on`, zero nowhere, in a layer that has
    zeros; `constant`, the same value everywhere, but not zero. `has_zeros` is False for those by chance, as
    where values go from negative to positive. `partners` say which are alike, and
    `redundant` which of these can go. `scaling` is what the normalization before the layer learned, None
    without one; `rectified` whether the layer is the ReLU of just that.
    """

    layer: str
    zeros: Doubles
    mean: Doubles
    maximum: Floats
    dead: Booleans
    always_on: Booleans
    has_zeros: bool
    constant: Booleans
    partners: Partners
    redundant: tuple[int, ...]
    order: tuple[int, ...]
    scaling: Scaling | None
    rectified: bool

    @property
    def expected_zeros(self) -> Doubles | None:
        """The fraction of zeros that γ and β alone would give, (C,); None where they do not decide it."""
        return self.scaling.zeros if self.scaling is not None and self.rectified else None

    @property
    def faint(self) -> tuple[int, ...]:
        """The channels with a γ near zero."""
        if self.scaling is None:
            return ()
        return tuple(np.flatnonzero(np.abs(self.scaling.gamma) < FAINT).tolist())


def survey(
    layer: str, one: LayerScan, scaling: Scaling | None = None, rectified: bool = False
) -> ChannelSurvey:
    """The ChannelSurvey of a layer's part of a scan."""
    dead = (one.zeros == 1) & (one.maximum == 0)
    rounding = 1e-6 * np.maximum(np.abs(one.mean), np.abs(one.maximum))
    constant = ~dead & (np.sqrt(one.variance) <= rounding)
    is_rectified = bool((one.edges[:, 0] >= 0).all())
    has_zeros = bool((one.zeros > (0 if is_rectified else CHANCE)).any())
    return ChannelSurvey(
        layer,
        one.zeros,
        one.mean,
        one.maximum,
        dead,
        (one.zeros == 0) & has_zeros,
        has_zeros,
        constant,
        partners(one.image_mean),
        redundant(one.image_mean),
        tuple(channel for channel, _ in removal_order(one.image_mean)),
        scaling,
        rectified,
    )


def scaling_before(net: nn.Module, seen: Trace, block: Block, layer: str) -> tuple[Scaling | None, bool]:
    """What the block's normalization learned, None where the layer is not behind one or has other channels;
    and whether the layer is the ReLU of that.
    """
    if block.norm is None or layer == block.conv:
        return None, False
    norm = layer_module(net, block.norm)
    gamma, beta = getattr(norm, "weight", None), getattr(norm, "bias", None)
    channels = seen.shapes[layer][0]
    if seen.shapes[block.norm][0] != channels or not _per_channel(gamma, channels):
        return None, False
    shift = _array(beta) if _per_channel(beta, channels) else np.zeros(channels, np.float32)
    rectified = isinstance(layer_module(net, layer), nn.ReLU) and seen.inputs[layer].source == block.norm
    return Scaling(block.norm, _array(gamma), shift), rectified


def _per_channel(values: object, channels: int) -> bool:
    return isinstance(values, Tensor) and values.shape == (channels,)


def _array(values: object) -> Floats:
    assert isinstance(values, Tensor)
    return np.asarray(values.detach().cpu().float().numpy().copy(), np.float32)
