"""A network as Captum and the methods of the input ask it: images in, the score that is explained out."""

from collections.abc import Iterator
from weakref import ref

import torch
from torch import Tensor, nn

from explorer.engine.attribution.gradients import CHUNK, LogitScore
from explorer.engine.independence import mixes_rows
from explorer.engine.passes import private_view
from model.nets import check_logits, in_evaluation


class ScoredNetwork(nn.Module):
    """A private view that gives each image's score, (N,), instead of logits.

    The classes come as further arguments, so that Captum repeats them wherever it repeats the images. Images
    that would change each other's scores run one at a time.
    """

    def __init__(self, net: nn.Module, view: nn.Module | None = None) -> None:
        super().__init__()
        self.view = private_view(net) if view is None else view
        self.shared = ref(net)
        self.order = torch.channels_last
        in_evaluation(self)

    def forward(self, images: Tensor, target: Tensor, against: Tensor | None = None) -> Tensor:
        return LogitScore(target, against).of(self.logits(images))

    def many(self, images: Tensor, *classes: Tensor) -> Tensor:
        """The same, in the memory order that is faster for many images, if the network can work in it."""
        if len(images) == 1:
            return torch.as_tensor(self(images, *classes))
        try:
            scores: Tensor = self(images.contiguous(memory_format=self.order), *classes)
        except RuntimeError as error:
            if self.order is torch.contiguous_format or "view size is not compatible" not in str(error):
                raise
            self.order = torch.contiguous_format
            return self.many(images, *classes)
        return scores

    def logits(self, images: Tensor) -> Tensor:
        """The logits (N, K) of images, float (N, C, h, w), which stay as they are."""
        images = images.clone()  # the network may write on it
        net = self.shared()
        if net is not None and len(images) > 1 and mixes_rows(net, images):
            return torch.cat([check_logits(self.view(one.contiguous())) for one in torch.split(images, 1)])
        return check_logits(self.view(images))


def classes_of(score: LogitScore) -> tuple[Tensor, ...]:
    """A score's classes as the further arguments of `Scored`."""
    return (score.target,) if score.against is None else (score.target, score.against)


def repeated(score: LogitScore, row: int, times: int) -> LogitScore:
    """The score of one of the images, for several copies of it."""
    first = score.rows(slice(row, row + 1))
    against = None if first.against is None else first.against.expand(times)
    return LogitScore(first.target.expand(times), against)


def in_chunks(
    scored: ScoredNetwork, images: Tensor, score: LogitScore, row: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Many variants of one image, (n, C, h, w), a number at a time: the variants, and their scores (n,)."""
    for variants in torch.split(images, CHUNK):
        variants = variants.detach().requires_grad_(torch.is_grad_enabled())
        yield variants, scored.many(variants, *classes_of(repeated(score, row, len(variants))))
