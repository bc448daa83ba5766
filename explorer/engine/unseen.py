"""Functions that torch tells nobody of: an `autograd.Function`, and a function by TorchScript.

What they gave is known by the gradient graph: it depends on the image, and no function that was seen gave it.
"""

import sys
from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction, Function
from torch.utils._pytree import tree_map_only
from torch.utils.checkpoint import CheckpointFunction

NAMELESS = "function"
_APPLY = Function.apply.__func__.__code__  # type: ignore[attr-defined]


def is_inside_function() -> bool:
    """Whether an `autograd.Function` computes what it gives; checkpointing, which runs layers, is none."""
    if torch.is_grad_enabled():
        return False
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code is _APPLY:
            return frame.f_locals["cls"] is not CheckpointFunction
        frame = frame.f_back  # type: ignore[assignment]
    return False


def is_of_function(tensor: Tensor) -> bool:
    """Whether an `autograd.Function` gave a tensor, other than checkpointing."""
    node = tensor.grad_fn
    return isinstance(node, BackwardCFunction) and node._forward_cls is not CheckpointFunction


def name_of(tensor: Tensor) -> str:
    """The name of the `autograd.Function` that gave a tensor; of another function NAMELESS."""
    node = tensor.grad_fn
    return node._forward_cls.__name__ if isinstance(node, BackwardCFunction) else NAMELESS


def nodes_before(node: Any, ends: Collection[Any]) -> Iterator[Any]:
    """Of these nodes of the gradient graph, the ones that a node goes back to first; itself if it is one."""
    waiting, reached = [node], set[Any]()
    while waiting:
        node = waiting.pop()
        if node is None or node in reached:
            continue
        reached.add(node)
        if node in ends:
            yield node
        else:
            waiting += [before for before, _ in node.next_functions]


def tensors_replaced(value: Any, instead: Callable[[Tensor], Tensor]) -> Any:
    """A value, or arguments, with what stands instead of each tensor; itself where that is the tensor."""
    replaced = False

    def replace(tensor: Tensor) -> Tensor:
        nonlocal replaced
        other = instead(tensor)
        replaced = replaced or other is not tensor
        return other

    made = tree_map_only(Tensor, replace, value)
    return made if replaced else value
