"""What kind of layer a module is: convolution, normalization, activation or pooling."""

import re

from torch import nn

# The stage a layer can be, by the module of torch that its class comes from.
STAGES = {
    "torch.nn.modules.conv": "conv",
    "torch.nn.modules.batchnorm": "norm",
    "torch.nn.modules.instancenorm": "norm",
    "torch.nn.modules.normalization": "norm",
    "torch.nn.modules.activation": "act",
    "torch.nn.modules.pooling": "pool",
}
# By the name of a class that has none of torch's layers as its base and no modules inside.
NAMED = {"norm": "norm", "pool": "pool"} | dict.fromkeys(
    ("relu", "elu", "gelu", "silu", "swish", "mish", "sigmoid", "tanh", "softplus"), "act"
)
PREPARING = re.compile(
    r"((image(net)?|input|data)_?)?normali[sz](e.*|ation(_?layer)?)|(image(net)?|input|data)_?norm"
)
"""Names of classes that prepare the image; FilterResponseNormalization, for example, is a norm."""
PLAIN = (nn.Module, object)


def stage_of(module: nn.Module) -> str | None:
    """A module's stage by its type: "conv", "norm", "act" or "pool", None for any other kind.

    A class that does not come from one of torch's layers is known by its name, as `FrozenBatchNorm2d` is;
    one such as `Normalize` prepares images and is none.
    """
    if isinstance(module, nn.MultiheadAttention):
        return None
    stages = (STAGES.get(kind.__module__) for kind in type(module).__mro__)
    return next((stage for stage in stages if stage), None) or _by_name(module)


def _by_name(module: nn.Module) -> str | None:
    bases = [kind for kind in type(module).__mro__ if kind not in PLAIN]
    if any(kind.__module__.startswith("torch.nn.") for kind in bases) or has_modules(module):
        return None
    return stage_named(type(module).__name__)


def stage_named(name: str) -> str | None:
    """The stage that the name of a class tells, None if it tells none."""
    name = name.lower()
    if PREPARING.fullmatch(name):
        return None
    return next((kind for part, kind in NAMED.items() if part in name), None)


def has_modules(module: nn.Module) -> bool:
    """Whether it has modules inside; those of a parametrized weight do not count."""
    return any(name != "parametrizations" for name, _ in module.named_children())
