"""Feature maps and the gradients of a class's score on them, of many layers in one forward and backward pass.

Nothing but the gradients asked for is computed: none of a weight, and none below the first of the layers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from explorer.engine.independence import pieces
from explorer.engine.passes import check_images, in_faster_order, tapped
from explorer.engine.values import Integers
from model.nets import check_logits
from model.problems import Problem

Target = int | Sequence[int] | Integers | Tensor
Pairs = dict[str, tuple[Tensor, Tensor]]  # of each layer its maps and the gradients on them, (N, C, h, w)

CHUNK = 64
"""Images that are worked on at once: their maps still fit into the processor's caches. With 256 at once the
course network takes 1.3 times as long."""


@dataclass(frozen=True, eq=False)
class LogitScore:
    """What is explained of each image: logit `target`, minus logit `against` if there is one; int64 (N,)."""

    target: Tensor
    against: Tensor | None = None

    def of(self, logits: Tensor) -> Tensor:
        """The score (N,) of logits (N, K). Raises Problem for a class that is not there."""
        asked = [chosen for chosen in (self.target, self.against) if chosen is not None]
        for chosen in torch.cat(asked).tolist():
            if not 0 <= chosen < logits.shape[1]:
                raise Problem(
                    "There is no class {number}: choose one from 0 to {last}.",
                    number=chosen,
                    last=logits.shape[1] - 1,
                )
        first, *other = (logits.gather(1, chosen.to(logits.device)[:, None])[:, 0] for chosen in asked)
        return first - other[0] if other else first

    def rows(self, rows: slice) -> "LogitScore":
        return LogitScore(self.target[rows], None if self.against is None else self.against[rows])


def score_of(target: Target, against: Target | None, images: int) -> LogitScore:
    """The Score of a number of images, by one class for all of them or one for each. Raises Problem."""
    return LogitScore(_classes(target, images), None if against is None else _classes(against, images))


def _classes(given: Target, images: int) -> Tensor:
    chosen = torch.as_tensor(given)
    if chosen.is_floating_point() or chosen.dtype == torch.bool or chosen.shape not in ((), (images,)):
        raise Problem(
            "The class must be an integer, one for all images or one for each of {images}, not {dtype} "
            "{shape}.",
            images=images,
            dtype=chosen.dtype,
            shape=tuple(chosen.shape),
        )
    with torch.inference_mode(False):
        return chosen.detach().to("cpu", torch.int64).clone().expand(images)


def maps_and_gradients(
    net: nn.Module, x: Tensor, layers: Iterable[str], score: LogitScore
) -> Iterator[Pairs]:
    """For up to CHUNK images after another, per layer their maps and the score's gradients on them, detached.

    x is float (N, C, h, w), maps and gradients are (n, C, h, w). Raises ValueError for another shape of x,
    for an unknown layer or class, and for a layer that does not run, gives no maps or gets no gradient.
    """
    check_images(x)
    if not (layers := tuple(dict.fromkeys(layers))):
        return
    view, points = tapped(net, layers)
    maps: dict[str, Tensor] = {}
    reached = set[str]()
    for layer, point in points.items():
        point.register_forward_hook(partial(_keep, maps, reached, layer))
    for rows in pieces(net, x, CHUNK):
        reached.clear()
        gradients = _captum_gradients(view, points, x[rows], score.rows(rows))
        if cut := [layer for layer in layers if layer not in reached]:
            raise without_gradient(cut[0])
        yield {at: (_single(maps[at]), _single(g)) for at, g in zip(layers, gradients, strict=True)}


def maps_and_class_gradients(
    net: nn.Module, x: Tensor, layers: Iterable[str], score: LogitScore
) -> dict[str, tuple[Tensor, Tensor]]:
    """layer → its maps (1, C, h, w) of one image x, and the gradients (K, C, h, w) of K scores on them.

    One forward pass of the one image, and a backward pass for each score: rows of a batch would change each
    other's results in a network that mixes them. Errors as `maps_and_gradients`.
    """
    view, points = tapped(net, layers := tuple(dict.fromkeys(layers)))
    outputs: dict[str, Tensor] = {}
    for layer, point in points.items():
        point.register_forward_hook(lambda _, __, output, layer=layer: outputs.update({layer: output}))
    with torch.inference_mode(False), torch.enable_grad():
        logits = _logits(view, x)
    return gradients_on({layer: outputs[layer] for layer in layers}, logits, score)


def gradients_on(outputs: Mapping[str, Tensor], logits: Tensor, score: LogitScore) -> Pairs:
    """layer → its output for one image, (1, …), and the gradients (K, …) of K scores on it, with the logits
    (1, K) of that image on their graph. Raises NoGradient.
    """
    with torch.inference_mode(False), torch.enable_grad():
        scores = score.of(logits.expand(len(score.target), -1))
        for layer, output in outputs.items():
            if not (logits.requires_grad and output.requires_grad):
                raise without_gradient(layer)
        tensors = tuple(outputs.values())
        each = [torch.autograd.grad(one, tensors, retain_graph=True, allow_unused=True) for one in scores]
    made: Pairs = {}
    for (layer, output), gradients in zip(outputs.items(), zip(*each, strict=True), strict=True):
        if all(gradient is None for gradient in gradients):
            raise without_gradient(layer)
        filled = [torch.zeros_like(output) if gradient is None else gradient for gradient in gradients]
        made[layer] = (_single(output.detach()), _single(torch.cat(filled)))
    return made


def _single(values: Tensor) -> Tensor:
    """Values that a layer computed in 16 bits, as under autocast, in float32; others as they are."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def _keep(
    maps: dict[str, Tensor], reached: set[str], layer: str, _: nn.Module, __: object, output: Tensor
) -> None:
    """Note a layer's maps, and when a gradient arrives at them: where none does, Captum gives zeros."""
    maps[layer] = output.detach()
    if output.requires_grad:
        output.register_hook(lambda _: reached.add(layer))  # type: ignore[no-untyped-call]


class NoGradient(Problem):
    """The score does not depend on a layer by any way that gradients take."""


def without_gradient(layer: str) -> NoGradient:
    """The Problem of a layer that no gradient of the class reaches."""
    return NoGradient(
        "No gradient of the class reaches layer {layer}: choose another. The network computes it without "
        "gradients (no_grad, inference mode, reentrant checkpointing), or the class does not depend on it.",
        layer=repr(layer),
    )


def _captum_gradients(
    view: nn.Module, points: dict[str, nn.Module], x: Tensor, score: LogitScore
) -> list[Tensor]:
    """Captum's gradients of each image's score on the outputs of modules, from one pass over all of them."""
    from captum.attr import LayerGradientXActivation

    def explained(images: Tensor) -> Tensor:
        logits = _logits(view, images)
        if not logits.requires_grad:
            raise without_gradient(next(iter(points)))
        return score.of(logits)

    captum = LayerGradientXActivation(explained, list(points.values()), multiply_by_inputs=False)
    with torch.inference_mode(False), torch.enable_grad():
        gradients = captum.attribute(x.detach().clone(), grad_kwargs={"materialize_grads": True})
    return [gradient.detach() for gradient in gradients]


def _logits(view: nn.Module, x: Tensor) -> Tensor:
    """Logits (N, K), of several images in the faster memory order."""

    def run(images: Tensor) -> Tensor:
        return check_logits(view(_writable(images)))

    return in_faster_order(run, x) if len(x) > 1 else run(x.detach().clone())


def _writable(x: Tensor) -> Tensor:
    """Images with gradients that a network may write on, as one that normalizes them in place."""
    return x.requires_grad_().clone()
