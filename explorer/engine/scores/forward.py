"""Predictions of many changed images, from one private view and without gradients."""

import torch
from torch import Tensor, nn

from explorer.engine.passes import private_view
from model.nets import check_logits

CHUNK = 128


def logits(net: nn.Module, x: Tensor) -> Tensor:
    """The logits of images x (n, 3, h, w), float64 (n, K)."""
    view = private_view(net)
    with torch.inference_mode(False), torch.no_grad():
        parts = torch.split(x.detach().clone(), CHUNK)
        return torch.cat([check_logits(view(part)) for part in parts]).double()
