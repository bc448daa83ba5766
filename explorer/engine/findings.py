"""What a check-up of a network finds, in sentences for a person: what it is, and what was done about it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from explorer.engine.input_part import InputPart
from explorer.engine.layouts import MOST_EXTRA
from explorer.engine.outputs import Outputs, masked_classes, varying
from model.problems import Problem
from model.words import N_, paragraph, tr

SAME = 1e-6  # of the largest logit: a smaller difference is rounding
UNIT = 1e-4  # of the squared length of a vector: a smaller difference from 1 is rounding
NAMED = 3  # of many layers or outputs, those that a sentence names


@dataclass(frozen=True)
class Finding:
    """One thing that a check-up found: its `name`, what it is (`observation`), and what was done (`done`).

    Both are sentences marked with `N_`; `sizes` are their fields, names as a tuple, of which a few are shown.
    It holds no text of any language: visitors of several share it. With `warning` it can make results wrong
    or impossible.
    """

    name: str
    observation: str
    done: str = ""
    sizes: Mapping[str, object] = field(default_factory=dict)
    warning: bool = False

    def __str__(self) -> str:
        fields = {key: few(size) if isinstance(size, tuple) else size for key, size in self.sizes.items()}
        return paragraph(tr(template, **fields) for template in (self.observation, self.done) if template)


# Outputs

FOUND = {
    "probabilities": N_("The network returns probabilities, not logits."),
    "log-probabilities": N_("The network returns log-probabilities, not logits."),
    "sigmoid": N_("The network returns a probability for each label, independent of the others."),
    "sigmoid-logits": N_("Each output is the logit of a label, independent of the others."),
    "tanh": N_("Each output is a score of a label from −1 to 1, with the threshold at 0, not a probability."),
}
FOUND_SINGLE = {
    "sigmoid": N_("The network returns one probability, taken as that of the second of two classes."),
    "sigmoid-logits": N_("The network returns one logit, taken as that of the second of two classes."),
    "tanh": N_(
        "The network returns one score from −1 to 1 (tanh), not a probability: from 0 up, it is taken for "
        "the second of two classes."
    ),
}
FOUND_PERCENT = {
    "probabilities": N_("The network returns probabilities in percent, not logits."),
    "sigmoid": N_("The network returns a percentage for each label, independent of the others."),
}
FOUND_SINGLE_PERCENT = {
    "sigmoid": N_(
        "The network returns one percentage, taken as the probability of the second of two classes."
    ),
}
DONE = {
    "probabilities": N_(
        "They are shown unchanged. They are not just what a softmax module gives in its only call, so logits "
        "are not available: “logit” below means log-probability, and heat maps explain the log-probability."
    ),
    "log-probabilities": N_(
        "Their exponentials are shown. “Logit” below means log-probability, and heat maps explain the "
        "log-probability."
    ),
    "sigmoid": N_("They are shown unchanged. Heat maps explain the logit that gives the probability."),
    "sigmoid-logits": N_("The sigmoid of each logit is shown as its probability."),
    "tanh": N_(
        "(1 + score) / 2 is shown in the place of each probability. Heat maps explain twice the value before "
        "the tanh, shown as the logit."
    ),
}
DONE_SINGLE = {
    "sigmoid": N_("It is shown unchanged. Heat maps explain the logit that gives the probability."),
    "sigmoid-logits": N_("Its sigmoid is shown as the probability."),
    "tanh": N_(
        "(1 + score) / 2 is shown in the place of a probability. Heat maps explain twice the value before "
        "the tanh, shown as the logit."
    ),
}
DONE_BEFORE_SINGLE = N_(
    "It is shown unchanged. Heat maps explain the logit before the final activation, “{activation}”."
)
DONE_BEFORE = N_(
    "They are shown unchanged. Heat maps explain the logits before the final activation, “{activation}”."
)


def of_outputs(outputs: Outputs, asked: str | None) -> Finding | None:
    """What the values of the network are; None for logits of classes, which need no word."""
    if outputs.scale == 1:
        observation = (FOUND_SINGLE if outputs.single else FOUND).get(outputs.kind)
    else:
        observation = (FOUND_SINGLE_PERCENT if outputs.single else FOUND_PERCENT)[outputs.kind]
    if observation is None:
        return None if asked is None else Finding("outputs", ASKED_LOGITS)
    if outputs.activation and outputs.kind != "tanh":
        done = DONE_BEFORE_SINGLE if outputs.single else DONE_BEFORE
    else:
        done = (DONE_SINGLE if outputs.single else DONE)[outputs.kind]
    return Finding("outputs", observation, done, {"activation": outputs.activation})


ASKED_LOGITS = N_("As --output says, the outputs are taken as logits, and their softmax as probabilities.")

SCORES = N_("The network returns scores from −1 to 1 (tanh), one for each class, not probabilities.")
SCORES_DONE = N_(
    "Their softmax is shown in the place of probabilities: it orders the classes, but tells no confidence. "
    "With --output tanh each score stands by itself, with the threshold at 0."
)
EMBEDDING = N_("The network returns vectors of length 1, as an embedding is, not scores of classes.")
EMBEDDING_DONE = N_(
    "What is said of a “class” here is about one number of the vector: give --net a builder of the network "
    "with its classifier."
)


def has_length_1(values: Tensor) -> bool:
    """Whether each row of values (2, K) is a vector of length 1."""
    return values.shape[1] > 1 and bool((values.square().sum(1) - 1).abs().max() < UNIT)


def of_values_meaning(values: Tensor, operation: str, asked: str | None) -> Finding | None:
    """That values (2, K) which count as logits are something else; None where nothing tells of it."""
    if asked is not None:
        return None
    if has_length_1(values):
        return Finding("outputs", EMBEDDING, EMBEDDING_DONE, warning=True)
    return Finding("outputs", SCORES, SCORES_DONE) if operation.startswith("Tanh") else None


MASKED = N_("The network returns minus infinity for some classes ({classes}), so it never predicts them.")
MASKED_DONE = N_("They are shown with the probability 0 and with −10,000 as their logit.")


def of_masked(values: Tensor, names: Sequence[str]) -> Finding | None:
    """The classes for which values (2, K) are minus infinity; None where there are none."""
    columns = masked_classes(values).any(0).nonzero()[:, 0].tolist()
    if not columns:
        return None
    classes = tuple(names[k] if len(names) == values.shape[1] else str(k) for k in columns)
    return Finding("masked", MASKED, MASKED_DONE, {"classes": classes})


def of_form(name: str, shape: Sequence[int], others: Sequence[str]) -> Finding | None:
    """Which of several outputs was taken; None for a network with one."""
    if not others:
        return None
    left_out = tuple(f"“{other}”" for other in others)
    sizes = {"name": name, "shape": " × ".join(map(str, shape)), "others": left_out}
    return Finding("form", SEVERAL, "", sizes)


SEVERAL = N_(
    "Of several outputs “{name}” ({shape}) is used, and {others} not; --output-name chooses another."
)


def few(names: Sequence[str]) -> str:
    """All of a few names, or the first of them and how many more there are."""
    if len(names) <= NAMED + 1:
        return tr(", ").join(names)
    return tr("{names} and {count} more", names=tr(", ").join(names[:NAMED]), count=len(names) - NAMED)


# Inputs

PRECISION = N_("Weights of the network stay {dtypes}, as it was built: with float32 it does not run.")


def of_precision(parameters: Iterable[Tensor]) -> Finding | None:
    """The kinds of numbers other than float32 that weights are; None where there are none."""
    dtypes = dict.fromkeys(each.dtype for each in parameters if each.is_floating_point())
    names = tuple(str(each).removeprefix("torch.") for each in dtypes if each != torch.float32)
    return Finding("precision", PRECISION, "", {"dtypes": names}) if names else None


GRAY = N_("The network takes one channel.")
GRAY_INPUT = N_("Every picture is converted to gray (ITU-R 601 luminance).")
CHANNELS = N_("The network takes {channels} channels.")
ALL_GRAY = N_("Each of them gets the picture in gray (ITU-R 601 luminance).")
MORE_GRAY = N_(
    "The first three get red, green and blue, the others the picture in gray (ITU-R 601 luminance)."
)


FEWER = N_("The network takes three channels, of which its first convolution reads fewer ({reads}).")
COLOR_INPUT = N_("Every picture is given in color; --channels chooses another number.")


def of_channels(channels: int, reads: int | None) -> Finding | None:
    """How an input with another number of channels than three is made of a picture.

    Also that a first convolution that `reads` fewer than three gets three.
    """
    if channels == 3:
        fewer = reads is not None and reads < 3
        return Finding("channels", FEWER, COLOR_INPUT, {"reads": reads}) if fewer else None
    observation = GRAY if channels == 1 else CHANNELS
    done = GRAY_INPUT if channels == 1 else ALL_GRAY if channels < 3 else MORE_GRAY
    return Finding("channels", observation, done, {"channels": channels})


READS = N_(
    "The network reads only {height} × {width} of its {size} × {size} input pixels: rows {top} to {bottom}, "
    "columns {left} to {right}, counted from 0."
)
CROPS = N_("The maps of {count} layers ({layers}) come from a part of the input that the network crops out.")
PLACED = N_("Heat maps of the layers after the crop are drawn on the part that these stand for.")
UNPLACED = N_(
    "Where in it the maps of these layers lie is not known, so they are drawn over all of it: {layers}."
)


def of_part(part: InputPart, size: int) -> Finding | None:
    """That outputs depend on a part of the input only, or maps lie on a part; None where neither is so."""
    placed = tuple(layer for layer, _ in part.places)
    if part.read is None:
        sizes = {"count": len(placed), "layers": placed}
        return Finding("part", CROPS, PLACED, sizes) if placed else None
    read = part.read
    sizes = {"size": size, "height": read.bottom - read.top, "width": read.right - read.left,
             "top": read.top, "bottom": read.bottom - 1, "left": read.left, "right": read.right - 1,
             "layers": part.unplaced}  # fmt: skip
    done = PLACED if placed else UNPLACED if part.unplaced else ""
    return Finding("part", READS, done, sizes)


PARTS = N_("These layers compute with {rows} parts or copies of one image at once: {layers}.")
PARTS_DONE = N_("They are not shown as feature maps.")


def of_parts(rows: Mapping[str, int]) -> Finding | None:
    """The convolutions that give more rows than images, with how many for one image."""
    if not rows:
        return None
    sizes = {"rows": max(rows.values()), "layers": tuple(rows), "count": len(rows)}
    return Finding("parts", PARTS, PARTS_DONE, sizes)


# Tokens


@dataclass(frozen=True)
class Tokens:
    """The grids (h, w) that the tokens of a network are laid out on, and whether maps before have this size;
    and the numbers of tokens of which no grid is known. `reordered` is the layer that changes their order;
    on the grids `wrong` they are not in the order of rows and columns. `mixing` are the layers that work
    across the tokens.
    """

    grids: Mapping[tuple[int, int], bool] = field(default_factory=dict)
    unknown: tuple[int, ...] = ()
    reordered: str = ""
    wrong: tuple[tuple[int, int], ...] = ()
    mixing: tuple[str, ...] = ()


WITHOUT_TOKENS = Tokens()

REORDERED = N_("Layer “{layer}” puts the tokens in another order, so their positions are not known.")
REORDERED_DONE = N_("Layers of tokens from there on are not shown as feature maps.")
WRONG = N_(
    "A tensor of {rows} × {columns} tokens is not in the order of the picture’s rows and columns, so the "
    "positions of its tokens are not known."
)
WRONG_DONE = N_("Layers of these tokens are not shown as feature maps.")
GUESSED = N_(
    "Nothing in the network says which positions its tokens have: they are taken as a grid of {rows} × "
    "{columns}."
)
GUESSED_DONE = N_("--grid ROWSxCOLUMNS gives another.")
UNKNOWN = N_("The positions of its tokens are not known (numbers of tokens: {counts}).")
UNKNOWN_DONE = N_("Their layers are not shown as feature maps; --grid ROWSxCOLUMNS gives the positions.")


def of_tokens(given: tuple[int, int] | None, tokens: Tokens) -> Finding | None:
    """A grid of tokens that is a guess, or none where there are tokens; None where all is known."""
    if tokens.wrong:
        rows, columns = tokens.wrong[0]
        return Finding("grid", WRONG, WRONG_DONE, {"rows": rows, "columns": columns})
    if tokens.reordered:
        return Finding("grid", REORDERED, REORDERED_DONE, {"layer": tokens.reordered})
    guessed = [grid for grid, known in tokens.grids.items() if not known and given is None]
    if guessed:
        rows, columns = guessed[0]
        return Finding("grid", GUESSED, GUESSED_DONE, {"rows": rows, "columns": columns})
    if tokens.grids or not tokens.unknown:
        return None
    return Finding("grid", UNKNOWN, UNKNOWN_DONE, {"counts": tuple(map(str, tokens.unknown))})


MIXING_TOKENS = N_("These layers work across the tokens, as in an MLP-Mixer: {layers}.")
MIXING_TOKENS_DONE = PARTS_DONE


def of_mixing(tokens: Tokens) -> Finding | None:
    """The layers that work across the tokens; None for a network without."""
    if not tokens.mixing:
        return None
    sizes = {"layers": tokens.mixing, "count": len(tokens.mixing)}
    return Finding("mixing", MIXING_TOKENS, MIXING_TOKENS_DONE, sizes)


def check_grid(given: tuple[int, int] | None, tokens: Tokens) -> None:
    """Problem for a grid that is given and that no tokens have."""
    if given is None or given in tokens.grids:
        return
    if tokens.reordered:
        raise Problem(
            "Layer “{layer}” puts the tokens in another order, so no grid gives their positions: "
            "leave --grid out.",
            layer=tokens.reordered,
        )
    counts = (*tokens.unknown, *(rows * columns for rows, columns in tokens.grids))
    if not counts:
        raise Problem("This network has no tokens on a grid: leave --grid out.")
    raise Problem(
        "No tokens of this network fit a grid of {rows} × {columns} (numbers of tokens: {counts}): give "
        "--grid ROWSxCOLUMNS whose product is such a number, or up to {most} less for tokens without a "
        "position, or leave it out.",
        rows=given[0],
        columns=given[1],
        counts=few(tuple(map(str, sorted(set(counts), reverse=True)))),
        most=MOST_EXTRA,
    )


# What can make results wrong

RANDOM = N_("The network draws random numbers in eval mode, which change its logits by up to {spread:.2g}.")
SEEDED = N_("Every result uses the same seed, so that all results for an image agree.")
NOT_SEEDED = N_(
    "They come from a generator of the network’s own, without a seed, so results for the same image can "
    "differ."
)


def of_randomness(spread: float, logits: Tensor, repeats: bool) -> Finding | None:
    """By how much logits differ from one pass to the next, where that is more than rounding."""
    if not spread > SAME * max(1.0, float(varying(logits).abs().max())):
        return None
    return Finding("randomness", RANDOM, SEEDED if repeats else NOT_SEEDED, {"spread": spread}, True)


GRADIENT_MODE = N_(
    "The network returns other values where gradients are computed (largest difference: {change:.2g}), since "
    "its forward asks torch.is_grad_enabled()."
)
GRADIENT_MODE_DONE = N_(
    "Every result is that of its evaluation, heat maps too; ask self.training in its forward instead."
)


def of_gradient_mode(with_gradients: Tensor | None, without: Tensor) -> Finding | None:
    """By how much values (1, K) differ where a forward finds that gradients are computed."""
    change = 0.0 if with_gradients is None else float((with_gradients - without).abs().max())
    if not change > SAME * max(1.0, float(without.abs().max())):
        return None
    return Finding("gradient mode", GRADIENT_MODE, GRADIENT_MODE_DONE, {"change": change})


BATCH = N_("These BatchNorm layers use the statistics of the input even in eval mode: {layers}.")
BATCH_DONE = N_(
    "One image is normalized by its own statistics, and images in a batch change each other’s results."
)


def of_batchnorm(layers: Sequence[str]) -> Finding | None:
    """BatchNorm layers that the forward keeps in training mode, or that have no running statistics."""
    if not layers:
        return None
    return Finding("batchnorm", BATCH, BATCH_DONE, {"layers": tuple(layers), "count": len(layers)}, True)


MIXED = N_(
    "The result for one image depends on the other images of a batch (largest difference of the logits: "
    "{change:.2g})."
)
MIXED_DONE = N_("One image is computed alone; images in a batch change each other’s results.")
MIXING = 1e-4  # of the range of the logits: a smaller difference is rounding


def of_batch(change: float, logits: Tensor) -> Finding | None:
    """By how much the logits of two images differ from those of each alone, beyond rounding."""
    logits = varying(logits)
    if not change > MIXING * float(logits.max() - logits.min()):
        return None
    return Finding("batch", MIXED, MIXED_DONE, {"change": change}, True)


NOT_FINITE = N_("The network returns NaN or infinity for a test picture.")
NOT_FINITE_DONE = N_("Where that happens there is no prediction, and nothing to explain.")
CONSTANT = N_("The network returns the same logits for two different pictures.")
CONSTANT_DONE = N_("It may be damaged or not trained: its heat maps may be empty.")
VANISHED = N_("The gradient of the predicted class was zero in every layer for a test picture.")
VANISHED_DONE = N_("Where that happens no heat map is shown.")


def of_values(logits: Tensor, vanished: bool) -> Finding | None:
    """Logits (2, K) of two different pictures that are not finite or the same, or gradients that are zero."""
    if not bool(logits.isfinite().all()):
        return Finding("dead", NOT_FINITE, NOT_FINITE_DONE, warning=True)
    logits = varying(logits)
    if float((logits[0] - logits[1]).abs().max()) <= SAME * float(logits.abs().max()):
        return Finding("dead", CONSTANT, CONSTANT_DONE, warning=True)
    return Finding("dead", VANISHED, VANISHED_DONE, warning=True) if vanished else None


OTHER_SOURCE = N_(
    "{count} layers with feature maps ({layers}) are computed from something else than the picture, such as "
    "another one that the network keeps."
)
OTHER_SOURCE_DONE = N_("Their maps are not shown.")


def of_unrelated(layers: Collection[str]) -> Finding | None:
    """The layers that are not computed from the image."""
    if not layers:
        return None
    return Finding(
        "source", OTHER_SOURCE, OTHER_SOURCE_DONE, {"count": len(layers), "layers": tuple(sorted(layers))}
    )


CUT = N_(
    "No gradient of a class reaches {count} of {total} layers with feature maps ({layers}): they run without "
    "gradients (no_grad, inference mode, reentrant checkpointing), or the class does not depend on them."
)
CUT_DONE = N_("No heat maps of these layers can be computed.")


def of_gradients(layers: Sequence[str], without: Sequence[str]) -> Finding | None:
    """The layers with feature maps that no gradient reaches."""
    if not without:
        return None
    sizes = {"count": len(without), "total": len(layers), "layers": tuple(without)}
    return Finding("gradients", CUT, CUT_DONE, sizes, warning=True)
