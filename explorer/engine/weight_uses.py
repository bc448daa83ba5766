"""How many weights each layer of a network has, and how often each of them is used for one image."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from explorer.engine.passes import check_images, layer_module, recorded

COUNTED = (nn.Conv2d, nn.Linear)


@dataclass(frozen=True)
class WeightUses:
    """One layer with weights: `parameters` (weights and biases), `uses` of each weight for one image.

    A convolution uses each weight at every position of its output (at a border it may meet padding), a linear
    layer once.
    """

    layer: str
    kind: str
    parameters: int
    weights: int
    uses: int

    @property
    def products(self) -> int:
        """Products of a weight and a value for one image."""
        return self.weights * self.uses


def weight_uses(net: nn.Module, x: Tensor) -> tuple[WeightUses, ...]:
    """The WeightUses of each convolution and linear layer that ran for one image x, float (1, C, h, w)."""
    check_images(x, one=True)
    uses: dict[str, WeightUses] = {}

    def count(layer: str, _: Tensor, output: Tensor) -> None:
        module = layer_module(net, layer)
        if isinstance(module, COUNTED):
            parameters = sum(each.numel() for each in module.parameters())
            positions = output.numel() // (
                output.shape[1] if isinstance(module, nn.Conv2d) else output.shape[-1]
            )
            uses[layer] = WeightUses(
                layer, type(module).__name__, parameters, module.weight.numel(), positions
            )

    with torch.no_grad():
        recorded(net, x, None, count)
    return tuple(uses.values())
