"""Running statistics of BatchNorm computed anew on many images: networks for every function of the engine."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from explorer.engine.copies import copied
from explorer.engine.norm_inputs import (
    Noting,
    batch_size,
    check_norms,
    norm_layers,
    norm_of,
    running_statistics,
)
from explorer.engine.passes import check_images, is_calm
from model.nets import in_evaluation
from model.problems import Problem


def recalibrated(net: nn.Module, x: Tensor) -> nn.Module:
    """A network like `net` whose running statistics are those of images x: for every function of the engine.

    They are what BatchNorm itself computes in train mode with `momentum=None` from batches of `batch_size`:
    the mean over the batches of each batch's mean and unbiased variance. Dropout stays off, weights are not
    changed, `net` is left as it is. Raises Problem as `check_norms`, and where a channel has one value only.
    """
    check_images(x)
    check_norms(net)

    def statistics(_: str, maps: Tensor) -> tuple[Tensor, Tensor]:
        axes = [axis for axis in range(maps.ndim) if axis != 1]
        unbiased = int(maps.numel() > maps.shape[1])  # one value has no variance: the layer itself says so
        return maps.mean(axes).double(), maps.var(axes, correction=unbiased).double()

    noting = Noting(_by_batch(net), norm_layers(net), statistics)
    for part in _batches(len(x), batch_size(x)):
        _check_values(noting, x[part])
    means = {
        layer: tuple(torch.stack(each).mean(0) for each in zip(*parts, strict=True))
        for layer, parts in noting.statistics.items()
    }
    return with_statistics(net, {layer: (mean, var) for layer, (mean, var) in means.items()})


def _by_batch(net: nn.Module) -> nn.Module:
    """A network over the same weights whose BatchNorm normalizes by the batch, as in training."""
    with torch.inference_mode(False), torch.no_grad():
        made = in_evaluation(copied(net, shared=is_calm(net)))
    for layer in norm_layers(net):
        module = norm_of(made, layer)
        module.running_mean = module.running_var = None
    return made


def with_statistics(net: nn.Module, statistics: Mapping[str, tuple[Tensor, Tensor]]) -> nn.Module:
    """A network over the same weights with other running means and variances, (C,) each, by module."""
    with torch.inference_mode(False), torch.no_grad():
        made = in_evaluation(copied(net, shared=is_calm(net)))
        for layer, (mean, var) in statistics.items():
            module = norm_of(made, layer)
            module.running_mean = mean.to(running_statistics(module)[0])
            module.running_var = var.to(running_statistics(module)[1])
    return made


def _batches(count: int, size: int) -> list[slice]:
    """The rows of batches of `size` images; a last one of a single image goes with the one before."""
    starts = [start for start in range(0, count, size) if count - start > 1 or start == 0]
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], count], strict=True)]


def _check_values(noting: Noting[tuple[Tensor, Tensor]], x: Tensor) -> None:
    """A pass that normalizes by the batch. Raises Problem where a channel has one value only."""
    try:
        noting.run(x)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise Problem("Batch statistics need more than one value per channel: give more images.") from error
