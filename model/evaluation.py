"""How good a network is: loss and accuracy over all images of a data set, in eval mode."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from model import augment
from model.datasets import Dataset
from model.processes import all_reduce_sum, shard, world_size

EVALUATION_BATCH = 250  # more would not be faster, and take a residual network's memory to gigabytes


@torch.no_grad()
def evaluate(net: nn.Module, data: Dataset, device: torch.device) -> tuple[float, float]:
    """Mean cross-entropy in nats and accuracy from 0 to 1 over all of `data`, in eval mode.

    Within `torch.autocast` the logits are as exact as that makes them; they are summed up in float32.
    """
    loss = correct = 0.0
    for x, y in _inputs(net, data, device):
        logits = net(x).cpu().float()
        loss += cross_entropy(logits, y, reduction="sum").item()
        correct += (logits.argmax(1) == y).sum().item()
    loss, correct = _over_all(device, loss, correct)
    return loss / len(data.labels), correct / len(data.labels)


@torch.no_grad()
def flip_averaged(net: nn.Module, data: Dataset, device: torch.device) -> float:
    """Accuracy from 0 to 1 when the probabilities of each image and its mirror image are averaged."""
    correct = 0.0
    for x, y in _inputs(net, data, device):
        probabilities = net(x).softmax(1) + net(x.flip(3)).softmax(1)
        correct += (probabilities.argmax(1).cpu() == y).sum().item()
    return _over_all(device, correct)[0] / len(data.labels)


def _over_all(device: torch.device, *sums: float) -> list[float]:
    """The sums over all processes, each of which measured its own share."""
    if world_size() == 1:
        return list(sums)
    return all_reduce_sum(torch.tensor(sums, dtype=torch.float64, device=device)).tolist()


def _inputs(net: nn.Module, data: Dataset, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    net.eval()
    images, labels = shard(torch.from_numpy(data.images)), shard(torch.from_numpy(data.labels))
    pairs = torch.split(images, EVALUATION_BATCH), torch.split(labels, EVALUATION_BATCH)
    for some, y in zip(*pairs, strict=True):
        x = augment.normalize(some, data.mean, data.std)
        yield x.to(device, memory_format=torch.channels_last), y
