"""A check-up of a network when it is opened: what its outputs mean, and what could make results wrong.

It costs three forward passes (four with a final activation), of one image or two, and one backward pass:
about as much as a new image on a page.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from explorer.engine import findings
from explorer.engine.copies import copied
from explorer.engine.findings import Finding
from explorer.engine.first_pass import PassOutcome, returned_by, values_of, watch, watch_in_evaluation
from explorer.engine.input_part import ALL, InputPart, find_part
from explorer.engine.layouts import WrongGrid, grid_of, leave_out_grids, leave_out_layers
from explorer.engine.output_kind import outputs_by
from explorer.engine.outputs import LOGITS, Outputs, tensors_in, varying
from explorer.engine.passes import overwrites, private_view, recorded
from explorer.engine.randomness import SEED, is_random
from explorer.engine.token_order import wrong_grids
from model.card import Card, Pixels
from model.problems import Problem

TOLERANCE = 1e-4  # of values of the same images together and alone
SEEDS = 8  # tried where random numbers are drawn: a coin may fall on the same side several times


@dataclass(frozen=True)
class Checkup:
    """What is known of a network from a few forward passes.

    `outputs` says how logits are made of what it returns, `classes` how many there are. No gradient of a
    class reaches the layers `without_gradient`, so that no heat map of them can be computed. `part` is what
    it reads of its input. Tensors on `wrong_grids` hold tokens in another order than that of maps. With
    `asks_for_gradients` its forward asks torch whether gradients are computed; if it `overwrites`, it writes
    into what its gradients need, so that copies are kept. The layers `unrelated` are not computed from the
    image.
    """

    outputs: Outputs = LOGITS
    classes: int = 0
    findings: tuple[Finding, ...] = ()
    without_gradient: tuple[str, ...] = ()
    part: InputPart = ALL
    wrong_grids: frozenset[WrongGrid] = frozenset()
    asks_for_gradients: bool = False
    overwrites: bool = False
    unrelated: frozenset[str] = frozenset()


UNCHECKED = Checkup()


def check_up(net: nn.Module, card: Card, kind: str | None = None, name: str | None = None) -> Checkup:
    """The Checkup of a network in eval mode, as its builder made it, for inputs by the card.

    `kind`, one of KINDS, says what its outputs are; `name` which of several. Raises Problem where it cannot
    process an image, or returns no logits.
    """
    one, other = (card.to_input(picture(seed, card.input_size)) for seed in (0, 1))
    net, first, told, wrong, unrelated = _watched(net, one, other, name, len(card.classes))
    values = torch.cat([first.values, values_of(net, other, first, SEED)])
    outputs = outputs_by(net, first, values, kind, one)
    before = replace(outputs, activation="")  # of values that are those after it
    logits = before.logits({outputs.name: values})
    spread, change = _differences(net, torch.cat([one, other]), first, values, before)
    repeats = not spread or torch.equal(values_of(net, one, first, SEED), first.values)
    part = find_part(
        net, one, first.values, first.on_image, first.takes_parts, lambda x: values_of(net, x, first, SEED)
    )
    made = (
        findings.of_outputs(outputs, kind) or findings.of_values_meaning(values, first.operation, kind),
        findings.of_masked(values, card.classes),
        findings.of_precision(net.parameters()),
        findings.of_form(first.name, first.shape, first.others),
        findings.of_channels(card.channels, first.reads),
        findings.of_part(part, card.input_size),
        findings.of_parts(first.in_parts),
        findings.of_tokens(grid_of(net), first.tokens),
        findings.of_mixing(first.tokens),
        None if spread else findings.of_gradient_mode(told, first.values),
        findings.of_randomness(spread, logits, repeats),
        findings.of_batchnorm(first.batch_norms),
        None if spread or first.batch_norms else findings.of_batch(change, logits),
        findings.of_values(logits, first.vanished and not outputs.activation),
        findings.of_unrelated(unrelated),
        findings.of_gradients(first.layers, first.without_gradient),
    )
    present = tuple(finding for finding in made if finding is not None)
    return Checkup(
        outputs, logits.shape[1], present, first.without_gradient, part, wrong, told is not None,
        overwrites(net), unrelated,
    )  # fmt: skip


def _watched(
    net: nn.Module, x: Tensor, other: Tensor, name: str | None, classes: int
) -> tuple[nn.Module, PassOutcome, Tensor | None, frozenset[WrongGrid], frozenset[str]]:
    """As `watch_in_evaluation`, with the grids of tokens in another order and the layers that are not of the
    image; these are then left out.
    """
    net, first, told = watch_in_evaluation(net, x, name, classes)
    wrong = wrong_grids(net, x) if first.tokens.grids or first.channels_last else frozenset()
    unrelated = _same_for_both(net, x, other, first.unrelated)
    if wrong or unrelated:
        net = leave_out_layers(leave_out_grids(copied(net, shared=False), wrong), unrelated)
        first = watch(net, x, name, classes)
    findings.check_grid(grid_of(net), first.tokens)
    return net, first, told, wrong, unrelated


def _same_for_both(net: nn.Module, one: Tensor, other: Tensor, layers: Collection[str]) -> frozenset[str]:
    """The layers that give the same for two images."""
    if not layers:
        return frozenset()
    before, after = _outputs(net, one, layers), _outputs(net, other, layers)
    return frozenset(layer for layer in before if torch.equal(before[layer], after[layer]))


def _outputs(net: nn.Module, x: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
    made: dict[str, Tensor] = {}

    def keep(layer: str, _: Tensor, output: Tensor) -> None:
        made[layer] = output.detach().clone()

    recorded(net, x, layers, keep)
    return made


def picture(seed: int, size: int) -> Pixels:
    """A colored picture of smooth noise, uint8 (s, s, 3): it differs between seeds in all its parts."""
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(noise).resize((size, size), Image.Resampling.BILINEAR))


# Other images and seeds


def _differences(
    net: nn.Module, x: Tensor, like: PassOutcome, alone: Tensor, outputs: Outputs
) -> tuple[float, float]:
    """The largest difference that another seed makes to logits, and that two images together make.

    One pass tells both where there is none. `alone` are the values of each of the two images x.
    """
    logits = outputs.logits({outputs.name: alone})
    rounding = findings.SAME * max(1.0, float(varying(logits).abs().max()))

    def difference(values: Tensor, rows: slice = slice(None)) -> float:
        return float((outputs.logits({outputs.name: values}) - logits[rows]).abs().max())

    both = _together(net, x, like, alone, SEED + 1)
    if both is not None and (change := difference(both)) <= rounding and not is_random(net):
        return 0.0, change
    seeds = range(SEED + 1, SEED + (SEEDS if is_random(net) else 1) + 1)
    spreads = (difference(values_of(net, x[:1], like, seed), slice(1)) for seed in seeds)
    spread = next((each for each in spreads if each > rounding), 0.0)
    same_seed = _together(net, x, like, alone, SEED)
    return spread, 0.0 if same_seed is None else difference(same_seed)


def _together(net: nn.Module, x: Tensor, like: PassOutcome, alone: Tensor, seed: int) -> Tensor | None:
    """The values (2, K) of two images in one pass; None where it gives no such values.

    Raises Problem if they are clearly (K, 2), with those of each image alone as its columns.
    """
    try:
        values = tensors_in(returned_by(private_view(net, seed), x)).get(like.name, x[:0]).detach().float()
    except Problem:  # it processes one image at a time
        return None
    if values.numel() != alone.numel():
        return None
    rows = values.reshape(alone.shape)
    if values.shape == alone.T.shape and _alike(values.T, alone) and not _alike(rows, alone):
        raise Problem(
            "The network returns a column for each image, {classes} × {images}: make it return a row for "
            "each image.",
            classes=len(values),
            images=len(x),
        )
    return rows


def _alike(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-3, atol=TOLERANCE)
