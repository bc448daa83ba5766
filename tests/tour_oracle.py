"""The tour's answers once more: torch's functions on the course's network, and nothing of the engine."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def maps(net: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """The output of every layer of the conv blocks, in execution order."""
    out: dict[str, Tensor] = {}
    for block in range(1, net.depth + 1):
        conv, norm = net.get_submodule(f"conv{block}"), net.get_submodule(f"bn{block}")
        x = out[f"conv{block}"] = F.conv2d(x, conv.weight, conv.bias, padding=1)
        x = out[f"bn{block}"] = F.batch_norm(
            x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
        )
        x = out[f"relu{block}"] = F.relu(x)
        x = out[f"pool{block}"] = F.max_pool2d(x, 2)
    return out


def logits(net: nn.Module, last: Tensor) -> Tensor:
    """The logits (N, K) from the maps of the last ReLU on."""
    hidden = F.relu(F.linear(F.max_pool2d(last, 2).flatten(1), net.fc1.weight, net.fc1.bias))
    return F.linear(hidden, net.fc2.weight, net.fc2.bias)


def last(net: nn.Module, x: Tensor) -> Tensor:
    """The maps of the last ReLU."""
    return maps(net, x)[f"relu{net.depth}"].detach()


def grad_cam(net: nn.Module, x: Tensor, target: int) -> tuple[Tensor, Tensor]:
    """Of the last ReLU: each channel's contribution (C,), and the heat map (h, w)."""
    features = last(net, x).requires_grad_()
    (gradient,) = torch.autograd.grad(logits(net, features)[0, target], features)
    parts = gradient[0].mean((1, 2))[:, None, None] * features[0]
    return parts.mean((1, 2)).detach(), parts.sum(0).detach()


def without(net: nn.Module, x: Tensor, channel: int) -> tuple[Tensor, Tensor]:
    """The logits (K,) as they are, and with one channel of the last ReLU at zero."""
    features = last(net, x)
    off = features.clone()
    off[:, channel] = 0
    return logits(net, features)[0].detach(), logits(net, off)[0].detach()


def reach(net: nn.Module, size: int, row: int, column: int) -> tuple[int, int, int, int]:
    """top, bottom, left, right (without the stops) of the pixels that can change a position of the last ReLU:
    those with a gradient where all weights are positive and every pooling takes a mean.
    """
    x = y = torch.zeros(1, 3, size, size, requires_grad=True)
    for block in range(1, net.depth + 1):
        conv = net.get_submodule(f"conv{block}")
        y = F.conv2d(y if block == 1 else F.avg_pool2d(y, 2), conv.weight.detach().abs() + 1e-3, padding=1)
    (gradient,) = torch.autograd.grad(y[0, 0, row, column], x)
    rows, columns = (gradient[0].abs().sum((0, axis)).nonzero().flatten() for axis in (2, 1))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def rank_correlation(one: Tensor, other: Tensor) -> float:
    """Spearman's, with mean ranks for ties."""
    ranks = [
        (flat[:, None] > flat).sum(1) + (flat[:, None] == flat).sum(1) / 2
        for flat in (one.flatten().double(), other.flatten().double())
    ]
    return float(torch.corrcoef(torch.stack([rank.double() for rank in ranks]))[0, 1])
