"""Whether a gradient of a class reaches the pixels of an image: methods in input space stand on it."""

from weakref import WeakSet

import torch
from torch import Tensor, nn

from explorer.engine.passes import private_view
from model.problems import Problem
from model.words import N_

_REACHED: "WeakSet[nn.Module]" = WeakSet()
_CUT: "WeakSet[nn.Module]" = WeakSet()

NOT_REACHED = N_(
    "This method needs the gradient of the class on the pixels, and none reaches them in this network "
    "(no_grad, detach, inference mode, reentrant checkpointing): choose another method."
)


def no_gradient_on_pixels(net: nn.Module, layer: str | None, x: Tensor) -> Problem | None:
    """Problem where the logits do not depend on images like x, (N, C, h, w), by a way that gradients take.

    Found once for each network, by one of the images.
    """
    if net not in _REACHED and net not in _CUT:
        (_REACHED if _reaches_pixels(net, x[:1]) else _CUT).add(net)
    return Problem(NOT_REACHED) if net in _CUT else None


def _reaches_pixels(net: nn.Module, x: Tensor) -> bool:
    with torch.inference_mode(False), torch.enable_grad():
        image = x.detach().clone().requires_grad_()
        logits = private_view(net)(image.clone())
        if not logits.requires_grad:
            return False
        try:
            (gradient,) = torch.autograd.grad(logits.max(), image, allow_unused=True)
        except RuntimeError:  # reentrant checkpointing refuses to give it
            return False
    return gradient is not None
