"""What a network returns, what its values mean, and how logits (N, K) are made of them.

The engine works on networks that return logits (N, K). One that returns something else gets a forward hook
without state when it is opened, before anybody shares it: `give_logits` makes every call of it, and of each
private view of it, return logits. So its layers keep their own paths. `probabilities` is the one place that
makes probabilities of logits; it reads off the network whether they are those of independent labels.
"""

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from model.problems import Problem

KINDS = ("logits", "probabilities", "log-probabilities", "sigmoid", "sigmoid-logits", "tanh")
"""What the values of a network can be: logits whose softmax are the probabilities of the classes, these
probabilities or their logarithms; probabilities of independent labels, each a sigmoid, or the logits of
these; scores of independent labels from -1 to 1, each a tanh, for which (1 + score) / 2 stands."""

MAIN = ("logits", "out", "output", "outputs", "main", "pred", "preds", "prediction", "predictions", "scores")
DEPTH = 3  # of values within values that a tensor is looked for in
SMALLEST = torch.finfo(torch.float32).tiny
NEVER = -1e4  # the logit of a class whose logit is minus infinity, beside others that are numbers
EDGE = 2.0**-24  # between the largest float32 below 1 and 1


@dataclass(frozen=True)
class Outputs:
    """How logits (N, K) are made of what a network returns.

    `kind` is one of KINDS. `name` names the tensor among several; "" is the only one. `activation` is the
    path of the final activation whose input is taken instead of its output; "" where none is left out.
    `columns` is K where the tensor is not float32 (N, K) itself, otherwise 0. With `single` it has one value
    per image, which stands for the second of two classes. `scale` is the value of a probability of 1: 100 for
    percentages. With `masked` it gives minus infinity for some classes.
    """

    kind: str = "logits"
    name: str = ""
    activation: str = ""
    columns: int = 0
    single: bool = False
    scale: float = 1.0
    masked: bool = field(
        default=False, repr=False
    )  # the repr is in the keys of networks, also of older scans

    @property
    def independent(self) -> bool:
        """Whether the probability of each class is a sigmoid, whatever that of the others."""
        return self.single or self.kind in ("sigmoid", "sigmoid-logits", "tanh")

    @property
    def log_probabilities(self) -> bool:
        """Whether what stands for the logits are log-probabilities, since logits are not to be had."""
        return self.kind in ("probabilities", "log-probabilities") and not self.activation

    def logits(self, returned: object) -> Tensor:
        """Logits (N, K), float32, of what the network returned for N images."""
        values = tensors_in(returned)[self.name]
        if self.columns:
            values = values.float().reshape(-1, self.columns)
        if self.scale != 1:
            values = values / self.scale
        if self.activation:
            values = 2 * values if self.kind == "tanh" else values
        else:
            values = _before_activation(values, self.kind)
        return torch.cat([-values, values], 1) if self.single else _finite_where_masked(values)


LOGITS = Outputs()
"""Of a network that returns logits (N, K) and nothing else."""


def masked_classes(values: Tensor) -> Tensor:
    """Which of the values (N, K) are minus infinity, beside others of their row that are numbers."""
    return values.isneginf() & values.isfinite().any(1, keepdim=True)


def _finite_where_masked(values: Tensor) -> Tensor:
    with torch._C.DisableTorchFunction():  # what is looked at here is no part of the network's pass
        masked = masked_classes(values.detach())
        any_masked = bool(masked.any())
    return values.masked_fill(masked, NEVER) if any_masked else values


def _before_activation(values: Tensor, kind: str) -> Tensor:
    """Logits that give these values: exact for a sigmoid, up to a constant per image for a softmax.

    Of a tanh twice what it reads: the sigmoid of that is (1 + tanh) / 2.
    """
    if kind == "tanh":
        return ((1 + values) / 2).logit(EDGE)
    if kind == "probabilities":
        return values.clamp_min(SMALLEST).log()
    return values.logit(EDGE) if kind == "sigmoid" else values


# The tensors that a network returns


def tensors_in(returned: object, name: str = "", depth: int = DEPTH) -> dict[str, Tensor]:
    """Every tensor in a value, by name: `1`, `logits` or `heads.0`; "" for a value that is a tensor."""
    if isinstance(returned, Tensor):
        return {name: returned}
    if not depth:
        return {}
    tensors: dict[str, Tensor] = {}
    for part, value in _parts(returned):
        tensors |= tensors_in(value, f"{name}.{part}" if name else str(part), depth - 1)
    return tensors


def _parts(value: object) -> Iterable[tuple[Any, object]]:
    """The named parts of a mapping, a sequence, a dataclass or another object."""
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return zip(value._fields, value, strict=True)
    if isinstance(value, list | tuple):
        return enumerate(value)
    if is_dataclass(value):
        return [(field.name, getattr(value, field.name)) for field in fields(value)]
    named = dict(getattr(value, "__dict__", {}))
    return (named | ({"logits": value.logits} if hasattr(value, "logits") else {})).items()


def columns_of(tensor: Tensor) -> int | None:
    """K of a tensor for one image with one row of K values: (1, K), (K,), (1, K, 1, 1) …; None of another."""
    row = tensor.is_floating_point() and tensor.numel() and max(tensor.shape, default=1) == tensor.numel()
    return tensor.numel() if row else None


def choose(returned: object, name: str | None = None, classes: int = 0) -> str:
    """The name of the tensor (1, K) that a network returned for one image, among others.

    `name` chooses it. Without, it is the only one, that with the name of a main output, the only one that
    is not auxiliary, the only one with as many values as there are classes, or the one of which a softmax or
    a sigmoid gives the others. Raises Problem.
    """
    tensors = tensors_in(returned)
    columns = {each: count for each in tensors if (count := columns_of(tensors[each])) is not None}
    if name is not None and name in columns:
        return name
    if not columns:
        raise Problem(
            "The network must return logits (N, K), one for each class, but returns {outputs}: choose a "
            "network that classifies images.",
            outputs=_shapes(tensors) or type(returned).__name__,
        )
    if name is not None and "" in tensors:
        raise Problem("The network returns one output only, which has no name: leave --output-name out.")
    if name is not None:
        raise Problem(
            "The network returns no logits (N, K) named “{name}”: choose one of {outputs}.",
            name=name,
            outputs=_shapes(tensors),
        )
    main = _the_main_one(columns, classes) or _logits_of_the_others({each: tensors[each] for each in columns})
    if main is None:
        raise Problem(
            "The network returns several outputs, {outputs}: choose the logits with --output-name, such as "
            "--output-name {first}.",
            outputs=_shapes({each: tensors[each] for each in columns}),
            first=next(iter(columns)),
        )
    return main


def _the_main_one(columns: Mapping[str, int], classes: int) -> str | None:
    """The one tensor that a rule of `choose` singles out; None where no rule does."""
    if len(columns) == 1:
        return next(iter(columns))
    last = {name: name.rpartition(".")[2].lower() for name in columns}
    rules = (
        [name for name in columns if last[name] in MAIN[:1]],
        [name for name in columns if last[name] in MAIN],
        [name for name in columns if last[name].endswith("logits") and not last[name].startswith("aux")],
        [name for name in columns if not last[name].startswith("aux")],
        [name for name in columns if columns[name] == classes],
    )
    return next((names[0] for names in rules if len(names) == 1), None)


def _logits_of_the_others(tensors: Mapping[str, Tensor]) -> str | None:
    """The name of the logits where all others are what a softmax or a sigmoid makes of them."""
    rows = {name: tensor.detach().float().flatten() for name, tensor in tensors.items()}
    for name, row in rows.items():
        made = (row.softmax(0), row.log_softmax(0), row.sigmoid())
        others = [other for each, other in rows.items() if each != name]
        if all(any(_is_same(other, each) for each in made) for other in others):
            return name
    return None


def _is_same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-3, atol=1e-6)


def _shapes(tensors: Mapping[str, Tensor]) -> str:
    """Such as `“out” (1, 10), “aux” (1, 10)`."""
    return ", ".join(
        f"“{name}” {tuple(each.shape)}" if name else str(tuple(each.shape)) for name, each in tensors.items()
    )


def varying(logits: Tensor) -> Tensor:
    """The columns of logits (N, K) in which images differ, without those of masked classes, whose values are
    far from all others; all columns where images differ in none.
    """
    differ = (logits != logits[:1]).any(0)
    return logits[:, differ] if bool(differ.any()) else logits


# On the network


MAKING_LOGITS: ContextVar[str] = ContextVar("making logits", default="")
"""The kind of what logits are being made of, on this thread, by what is no part of the network."""


@dataclass(frozen=True)
class _GivesLogits:
    outputs: Outputs

    def __call__(self, _: nn.Module, __: object, returned: object) -> Tensor:
        token = MAKING_LOGITS.set(self.outputs.kind)
        try:
            return self.outputs.logits(returned)
        finally:
            MAKING_LOGITS.reset(token)


def _input_of(_: nn.Module, inputs: tuple[Tensor, ...], __: object) -> Tensor:
    return inputs[0]


def _copy(_: nn.Module, __: object, output: Tensor) -> Tensor:
    return output.clone()


def hand_on_copies(net: nn.Module) -> None:
    """Lets final activations hand on copies: a gradient needs what they gave, also if it is written to."""
    for module in net.modules():
        if type(module) in (nn.Softmax, nn.Softmax2d, nn.LogSoftmax, nn.Sigmoid, nn.Tanh):
            module.register_forward_hook(_copy)


def give_logits(net: nn.Module, outputs: Outputs) -> nn.Module:
    """The network itself, which returns logits (N, K) from now on; unchanged where it always did."""
    if outputs == LOGITS:
        return net
    if outputs.activation:
        net.get_submodule(outputs.activation).register_forward_hook(_input_of)
    else:
        hand_on_copies(net)
    net.register_forward_hook(_GivesLogits(outputs))
    return net


def outputs_of(net: nn.Module) -> Outputs:
    """What `give_logits` made of the network."""
    hooks = net._forward_hooks.values()
    return next((hook.outputs for hook in hooks if isinstance(hook, _GivesLogits)), LOGITS)


def probabilities(net: nn.Module, logits: Tensor) -> Tensor:
    """The probabilities (N, K) that a network's logits (N, K) mean: their softmax, or each one's sigmoid."""
    return logits.sigmoid() if outputs_of(net).independent else logits.softmax(1)
