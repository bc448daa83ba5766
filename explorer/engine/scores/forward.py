"""Predictions of many changed images, from one private view and without gradients."""

import torch
from torch import Tensor, nn

from explorer.engine.passes import private_view
from model.nets import check_logits

CHUNK = 64


def logits(net: nn.Module, x: Tensor) -> Tensor:
    """The logits of images x (n, 3, h, w), float64 (n, K)."""
    view = private_view(net)
    with torch.inference_mode(False), torch.no_grad():
        return torch.cat([_logits(view, part) for part in torch.split(x.detach(), CHUNK)]).double()


def _logits(view: nn.Module, x: Tensor) -> Tensor:
    """Logits (n, K), in the faster memory order if the network can work in it.

    A network that calls `.view` on its maps cannot.
    """
    try:
        return check_logits(view(x.clone(memory_format=torch.channels_last)))
    except RuntimeError as error:
        if "view size is not compatible" not in str(error):
            raise
    return check_logits(view(x.clone(memory_format=torch.contiguous_format)))
