"""The networks: `NETS` maps a name to a builder of `classes`, `input_size` and its own arguments."""

import inspect
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from torch import Tensor, nn

from model.problems import Problem
from model.small_maps import convolved

Module = TypeVar("Module", bound=nn.Module)

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "group": lambda channels: nn.GroupNorm(math.gcd(8, channels), channels),
}
"""What may follow a convolution of C channels, by what shares its statistics: each channel over the batch, a
whole image (layer), or groups of its channels (8, or as many of 4, 2, 1 as divide C). γ and β a channel."""

BEFORE_POOL, TRAINED = ("relu", "pool"), ("pool", "relu")
"""ReLU and max commute; pooling first leaves ReLU a quarter of the work. Only while training: in eval mode
the course's order is what the explorer shows."""


class CourseCNN(nn.Module):
    """The course's CNN: conv blocks of Conv3×3 → BatchNorm → ReLU → MaxPool2, then two linear layers.

    Takes float32 (N, 3, s, s), normalized; gives logits (N, classes). With the defaults 1,147,914
    parameters, named as in the course's script (`conv1 bn1 … fc1 fc2`), so that its `state_dict` loads.
    Every activation is a module of its own, none in place: hooks see each one's output, unaltered. With
    `norm` “layer” or “group” the blocks have `norm1 …` instead of `bn1 …`, with “none” neither.
    """

    def __init__(
        self,
        classes: int = 10,
        widths: Sequence[int] = (32, 64, 128),
        input_size: int = 32,
        hidden: int = 512,
        dropout: float = 0.5,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        side = input_size >> len(widths)
        if not widths:
            raise Problem("The course CNN needs at least one block; give the width of each block.")
        if side < 1:
            raise Problem(
                "{count} blocks halve an input of {size} pixels to nothing; use larger images or fewer "
                "blocks.",
                count=len(widths),
                size=input_size,
            )
        if norm not in (*NORMS, "none"):
            names = ", ".join((*NORMS, "none"))
            raise Problem("There is no normalization “{norm}”; choose from {known}.", norm=norm, known=names)
        self.depth = len(widths)
        self.linear_stages = {"batch": ("conv", "bn"), "none": ("conv",)}.get(norm, ("conv", "norm"))
        for block, (narrow, wide) in enumerate(zip((3, *widths), widths, strict=False), start=1):
            self.add_module(f"conv{block}", nn.Conv2d(narrow, wide, kernel_size=3, padding=1))
            if norm != "none":
                self.add_module(f"{self.linear_stages[1]}{block}", NORMS[norm](wide))
            self.add_module(f"relu{block}", nn.ReLU())
            self.add_module(f"pool{block}", nn.MaxPool2d(2))
        self.fc1 = nn.Linear(widths[-1] * side * side, hidden)
        self.relu_fc = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        stages = (*self.linear_stages, *(TRAINED if self.training else BEFORE_POOL))
        for block in range(1, self.depth + 1):
            for stage in stages:
                x = self.get_submodule(f"{stage}{block}")(x)
        hidden = self.relu_fc(self.fc1(x.flatten(1)))
        logits: Tensor = self.fc2(self.dropout(hidden))
        return logits


class ConvBlock(nn.Module):
    """Conv3×3 → BatchNorm → SiLU; where it halves the map, MaxPool2 stands after the convolution.

    Pooled before it is normalized, a map leaves the other two a quarter of the work (after
    github.com/KellerJordan/cifar10-airbench).
    """

    def __init__(self, narrow: int, wide: int, pool: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(narrow, wide, kernel_size=3, padding=1, bias=False)
        if pool:
            self.pool = nn.MaxPool2d(2)
        self.bn = nn.BatchNorm2d(wide)
        self.act = nn.SiLU()
        self.pooled = pool

    def forward(self, x: Tensor) -> Tensor:
        x = convolved(self.conv, x) if self.training else self.conv(x)
        return self.act(self.bn(self.pool(x) if self.pooled else x))  # type: ignore[no-any-return]


class Gate(nn.Module):
    """Each map times a number from 0 to 1 that the means of all maps decide (squeeze-and-excitation,
    arXiv:1709.01507)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        few = max(1, width // 8)
        self.squeeze = nn.Linear(width, few)
        self.relu = nn.ReLU()
        self.excite = nn.Linear(few, width)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        few = self.relu(self.squeeze(x.mean((2, 3))))
        return x * self.sigmoid(self.excite(few))[:, :, None, None]  # type: ignore[no-any-return]


class Residual(nn.Module):
    """Two ConvBlocks whose result, gated, is added to what went in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block1 = ConvBlock(width, width)
        self.block2 = ConvBlock(width, width)
        self.gate = Gate(width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gate(self.block2(self.block1(x)))  # type: ignore[no-any-return]


class ResNet9(nn.Module):
    """A residual network of the ResNet-9 kind (David Page, github.com/davidcpage/cifar10-fast).

    Takes float32 (N, 3, s, s), s ≥ 8, normalized; gives logits (N, classes). Eight 3×3 convolutions as
    there, then global max pooling and one linear layer whose output is divided by 8, so that training
    starts with even probabilities. Fewer channels where maps are large and cost most: w/2, w, 4w and 6w
    with `width` w, not w, 2w, 4w and 8w; SiLU for ReLU, and a gate in each residual: 3,824,920 parameters
    at 64.
    """

    def __init__(self, classes: int = 10, input_size: int = 32, width: int = 64) -> None:
        super().__init__()
        if input_size < 8:
            raise Problem(
                "ResNet-9 halves its input three times, so {size} pixels are too few; use at least 8.",
                size=input_size,
            )
        if width < 2:
            raise Problem(
                "The first layer of ResNet-9 has half its width, so {width} is too little; use at least 2.",
                width=width,
            )
        self.prepare = ConvBlock(3, width // 2)
        self.layer1 = ConvBlock(width // 2, width, pool=True)
        self.residual1 = Residual(width)
        self.layer2 = ConvBlock(width, 4 * width, pool=True)
        self.layer3 = ConvBlock(4 * width, 6 * width, pool=True)
        self.residual3 = Residual(6 * width)
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.fc = nn.Linear(6 * width, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.residual1(self.layer1(self.prepare(x)))
        x = self.residual3(self.layer3(self.layer2(x)))
        logits: Tensor = self.fc(self.pool(x).flatten(1)) / 8
        return logits


class MLP(nn.Module):
    """Two linear layers with ReLU and Dropout between them: a network for images without convolutions.

    Takes float32 (N, 3, s, s), normalized; gives logits (N, classes). Its first layer has 3·s²·hidden
    weights, each used once for an image.
    """

    def __init__(
        self, classes: int = 10, input_size: int = 32, hidden: int = 512, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.fc1 = nn.Linear(3 * input_size * input_size, hidden)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc2(self.dropout(self.relu(self.fc1(x.flatten(1)))))
        return logits


NETS: dict[str, Callable[..., nn.Module]] = {
    "course": CourseCNN,
    "resnet9": ResNet9,
    "mlp": MLP,
}


def in_evaluation(net: Module) -> Module:
    """The network itself in eval mode, also where its `eval` returns nothing or fails, and where its author
    called a method `train` or `eval` that does something else, such as a loop over batches.
    """
    if all(map(_switches_modes, net.modules())):
        with suppress(Exception):  # the modes are set all the same
            net.eval()
    for module in net.modules():
        if module.training:
            module.training = False
    return net


def _switches_modes(module: nn.Module) -> bool:
    """Whether `train` and `eval` of a module take what torch's take: a mode, and nothing."""
    kind = type(module)
    if kind.train is nn.Module.train and kind.eval is nn.Module.eval:
        return True
    methods: tuple[Callable[..., object], ...] = (kind.train, kind.eval)
    (_, *mode), (_, *nothing) = (inspect.signature(each).parameters.values() for each in methods)
    usual = bool(mode) and (mode[0].name == "mode" or mode[0].kind is inspect.Parameter.VAR_POSITIONAL)
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return usual and all(each.default is not each.empty or each.kind in optional for each in nothing)


def check_logits(logits: object) -> Tensor:
    """The logits as they are; ValueError unless they are a tensor (N, K)."""
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"The network must return logits (N, K), not {got}.")
    return logits
