"""One run in several processes (torchrun): each works on its share of every batch, and the first one writes.

The batch is the same however many processes there are. BatchNorm takes its statistics over the whole batch,
gradients are those of the whole batch's mean loss; Dropout draws other masks in every process.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from model.recipes import TrainingError


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


@contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Be one of torchrun's processes for as long as this lasts; nothing happens in a process by itself."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def first_before_others() -> Iterator[None]:
    """Let the first process through, then the others: what it writes they find."""
    if rank():
        try:
            dist.barrier()
        except RuntimeError as error:
            raise TrainingError("The first process could not begin; its own message says why.") from error
    yield
    if world_size() > 1 and not rank():
        dist.barrier()


def shard(batch: Tensor) -> Tensor:
    """This process's rows of a batch: as many as any other's, or one more; none at all is possible."""
    return torch.tensor_split(batch, world_size())[rank()]


def all_reduce_sum(values: Tensor) -> Tensor:
    """The sum of `values` over all processes."""
    if world_size() > 1:
        dist.all_reduce(values)
    return values


def parallel(net: nn.Module) -> nn.Module:
    """The net as every process's training steps call it; by itself where there is one process."""
    if world_size() < 2:
        return net
    for module in net.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = WholeBatchNorm
    return DistributedDataParallel(net, broadcast_buffers=False)


class Sum(torch.autograd.Function):
    """The sum over all processes; its gradient is the sum of the gradients that all of them have for it."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return all_reduce_sum(values.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return all_reduce_sum(gradients[0].clone())


RUNNING = ("num_batches_tracked", "running_mean", "running_var")


class WholeBatchNorm(nn.BatchNorm2d):
    """BatchNorm whose training statistics are those of the whole batch, whatever part of it is here."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        here = torch.stack([x.sum((0, 2, 3)), x.square().sum((0, 2, 3))])
        count = all_reduce_sum(torch.tensor(x.numel() / x.shape[1], device=x.device))
        mean, square = Sum.apply(here) / count  # type: ignore[no-untyped-call]
        var = square - mean.square()
        self._remember(mean.detach(), var.detach() * count / (count - 1))
        scale = self.weight * (var + self.eps).rsqrt()
        normalised: Tensor = x * scale.view(-1, 1, 1) + (self.bias - mean * scale).view(-1, 1, 1)
        return normalised

    @torch.no_grad()
    def _remember(self, mean: Tensor, var: Tensor) -> None:
        counts, means, variances = (getattr(self, name) for name in RUNNING)
        counts.add_(1)
        means.lerp_(mean, self.momentum)
        variances.lerp_(var, self.momentum)
