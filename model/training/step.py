"""One training step: the logits of a batch, its loss, and one update of the weights."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from model.builders import is_own, reason_of
from model.failures import sentence_of
from model.nets import check_logits
from model.problems import Problem
from model.processes import all_reduce_sum, shard, world_size
from model.training.run import Run


def step(run: Run, x: Tensor, y: Tensor, watch: Callable[[Tensor], None] | None = None) -> tuple[float, int]:
    """One update of the weights; the batch's mean loss and how many of it were right before.

    Of several processes each works on its rows of the batch; what is returned is the whole batch's.

    `y` is int64 (n,), or float32 (n, classes) of mixed labels: then the largest part is what is right.
    `watch` is called with the logits of this process's rows, float32 (rows, classes).
    """
    several, whole = world_size() > 1, len(y)
    x, y = shard(x), shard(y)
    logits = _logits(run, x)
    if watch is not None:
        watch(logits.detach())
    smoothing, reduction = run.config.label_smoothing, "sum" if several else "mean"
    loss = cross_entropy(logits, y, label_smoothing=smoothing, reduction=reduction)
    if several:
        loss = loss * (world_size() / whole)  # the processes' gradients are averaged, not added
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    run.optimizer.step()
    right = y if y.ndim == 1 else y.argmax(1)
    hits = (logits.argmax(1) == right).sum()
    if several:
        loss, hits = all_reduce_sum(torch.stack([loss.detach() / world_size(), hits.float()]))
    return loss.item(), int(hits)


def _logits(run: Run, x: Tensor) -> Tensor:
    """A step's logits, float32 (n, classes). Problem where it cannot do the step."""
    try:
        with run.precision():
            return check_logits(run.forward(x)).float()
    except Exception as error:
        if sentence_of(error) or not (problem := _problem_of(run.config.net, len(x), error)):
            raise
        raise problem from error


def _problem_of(net: str, count: int, error: Exception) -> Problem | None:
    """Why a network does not train on `count` images; None for an error of the program itself."""
    if "Expected more than 1 value per channel" in str(error):
        return Problem(
            "BatchNorm needs more than one value per channel, but the size of a batch is {count}; "
            "change --batch-size so that the last batch is larger.",
            count=count,
        )
    if not is_own(net):
        return None
    if not count:
        return Problem(
            "The last batch has fewer images than there are processes, and {net} cannot process no images; "
            "change --batch-size, or start fewer processes.",
            net=net,
        )
    return Problem(
        "The network {net} failed in a training step ({reason}); "
        "try it in Python, after net.train(), with a batch of {count}.",
        net=net,
        reason=reason_of(error),
        count=count,
    )
