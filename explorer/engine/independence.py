"""Whether a network computes each image of a batch as it computes this image alone.

One that normalizes by the batch, or gives each image its own random numbers, does not: such a network gets
its images one at a time, so that a batch still gives what its images give.
"""

from weakref import WeakSet

import torch
from torch import Tensor, nn

from explorer.engine.outputs import varying
from explorer.engine.passes import private_view
from explorer.engine.randomness import is_random

TOLERANCE = 1e-4  # of the range of the logits: a smaller difference is rounding
MEANS, SPREADS = (-1.5, 1.5, 0.0, 0.0), (1.0, 1.0, 0.2, 2.0)  # a forward may decide by them

_ALONE: "WeakSet[nn.Module]" = WeakSet()
_TOGETHER: "WeakSet[nn.Module]" = WeakSet()


def mixes_rows(net: nn.Module, x: Tensor) -> bool:
    """Whether images like x, float (N, C, h, w), change each other's logits, or cannot run together.

    Found once for each network, by images of noise, dark and bright, weak and strong: together, and each
    alone.
    """
    if net not in _ALONE and net not in _TOGETHER:
        (_ALONE if _change_each_other(net, x) else _TOGETHER).add(net)
    return net in _ALONE


def pieces(net: nn.Module, x: Tensor, most: int) -> list[slice]:
    """The rows of images x, float (N, C, h, w), that may run together: at most so many."""
    step = 1 if len(x) > 1 and mixes_rows(net, x) else most
    return [slice(start, start + step) for start in range(0, len(x), step)]


def _change_each_other(net: nn.Module, x: Tensor) -> bool:
    noise = torch.randn(len(SPREADS), *x.shape[1:], generator=torch.Generator().manual_seed(0))
    mean, spread = (torch.tensor(each)[:, None, None, None] for each in (MEANS, SPREADS))
    images = (mean + spread * noise).to(x)
    with torch.inference_mode(False), torch.no_grad():
        alone = torch.cat([private_view(net)(one.clone()) for one in torch.split(images, 1)])
        try:
            together = private_view(net)(images.clone())
        except Exception:  # it takes one image at a time, and says so in whatever way
            return True
    if is_random(net) or together.shape != alone.shape:
        return True
    change = (together - alone).abs().nan_to_num(0, 0).max()
    alone = varying(alone)
    return bool(change > TOLERANCE * (alone.max() - alone.min()).nan_to_num(0))
