"""One run in several processes (torchrun): each works on its share of every batch, and the first one writes.

The batch is the same however many processes there are. BatchNorm takes its statistics over the whole batch,
Dropout draws its mask for the whole batch, and gradients are those of the whole batch's mean loss. So any
number of processes comes to what one does, but for the rounding of sums that are added in another order.

What else a network of one's own has keeps to its own rows: a random layer draws for them alone, and a layer
that gathers something from the batch into a buffer sees the first process's rows, which all processes then
share. Weights may be tied, used twice, or left out by a step.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from model.problems import Problem


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


LET_GO = 0.3
"""Seconds for the group's threads to let go of their tensors: one that does so at Python's end aborts it."""


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
        time.sleep(LET_GO)


@contextmanager
def first_before_others() -> Iterator[None]:
    """Let the first process through, then the others: what it writes they find."""
    if rank():
        try:
            dist.barrier()
        except RuntimeError as error:
            raise Problem("The first process could not start; read its message above.") from error
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


def all_lengths(rows: Tensor) -> list[int]:
    """How many rows each process has, in order of rank."""
    if world_size() < 2:
        return [len(rows)]
    lengths = torch.zeros(world_size(), dtype=torch.int64, device=rows.device)
    lengths[rank()] = len(rows)
    return [int(each) for each in all_reduce_sum(lengths)]


def parallel(net: nn.Module, own: bool = False) -> nn.Module:
    """The net as every process's training steps call it; by itself where there is one process.

    Its layers that look at a whole batch, and no subclass of them, are from then on those of `WHOLE`;
    parameters, buffers and their names stay as they are. Of a person's `own` net any step may leave weights
    unused and any layer may write into a buffer: each step then looks for the former and shares the latter.
    """
    if world_size() < 2:
        return net
    for module in net.modules():
        module.__class__ = WHOLE.get(type(module), type(module))
    if not own:
        return DistributedDataParallel(net, forward_sync_buffers=False)
    return DistributedDataParallel(Spared(net), forward_sync_buffers=True, find_unused_parameters=True)


class Spared(nn.Module):
    """A net and one weight that no step uses: where there is none, torch warns that it looks in vain."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.spare = nn.Parameter(next(net.parameters()).new_zeros(1))

    def forward(self, x: Tensor) -> Any:
        return self.net(x)


@torch.no_grad()
def share_buffers(net: nn.Module) -> None:
    """Give every process the buffers of the first, whose network is the one that is saved."""
    for buffer in net.buffers() if world_size() > 1 else ():
        dense = buffer.contiguous()
        dist.broadcast(dense, 0)
        buffer.copy_(dense)


class Sum(torch.autograd.Function):
    """The sum over all processes; its gradient is the sum of the gradients that all of them have for it."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return all_reduce_sum(values.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return all_reduce_sum(gradients[0].clone())


class WholeBatchNorm(_BatchNorm):
    """BatchNorm of any number of dimensions whose training statistics are the whole batch's.

    Torch's SyncBatchNorm does so on GPUs only. x (N, C, …) of any float type; statistics in float32.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        """Any shape will do."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        channels = (1, -1, *(1 for _ in x.shape[2:]))
        count = all_reduce_sum(torch.tensor(x.numel() / x.shape[1], device=x.device))
        mean = _sums(x.float()) / count
        centerd = x.float() - mean.view(channels)  # in two passes: Σx² − mean² would lose the digits
        var = _sums(centerd.square()) / count
        if self.track_running_stats:
            self._remember(mean.detach(), var.detach() * count / (count - 1))
        scale = (var + self.eps).rsqrt() * (1 if self.weight is None else self.weight)
        scaled = centerd * scale.view(channels)
        shifted = scaled if self.bias is None else scaled + self.bias.view(channels)
        return shifted.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, var: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        weight = self.momentum if self.momentum is not None else 1 / self.num_batches_tracked.item()
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(var, weight)


def _sums(x: Tensor) -> Tensor:
    """Each channel's sum over all processes: (N, C, …) → (C,)."""
    here = x.sum([dimension for dimension in range(x.ndim) if dimension != 1])
    return Sum.apply(here)  # type: ignore[no-any-return, no-untyped-call]


class WholeDropout(nn.Dropout):
    """Dropout whose mask is drawn for the whole batch, alike in every process, and cut to the rows here.

    For this every process begins a step with the same seed.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x * whole_mask(super().forward, x) if self.training else x


class WholeDropout2d(nn.Dropout2d):
    """The same for whole channels."""

    def forward(self, x: Tensor) -> Tensor:
        return x * whole_mask(super().forward, x) if self.training else x


def whole_mask(drop: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """This process's rows of what `drop` makes of ones in the shape of the whole batch."""
    lengths = all_lengths(x)
    ones = x.new_ones((sum(lengths), *x.shape[1:]))
    if x.ndim == 4 and not x.is_contiguous():  # random values are drawn in the order of the memory
        ones = ones.contiguous(memory_format=torch.channels_last)
    return torch.split(drop(ones), lengths)[rank()]


WHOLE: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: WholeBatchNorm,
    nn.BatchNorm2d: WholeBatchNorm,
    nn.BatchNorm3d: WholeBatchNorm,
    nn.Dropout: WholeDropout,
    nn.Dropout2d: WholeDropout2d,
}
"""Which layer takes the place of one that looks at a whole batch."""
