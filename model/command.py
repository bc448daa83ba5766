"""The command line of `python -m model.train`: every setting of a Config is a flag."""

import argparse
import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from model.augment import AUGMENTATIONS
from model.datasets import SOURCES
from model.nets import NETS, NORMS
from model.optimisers import OPTIMISERS
from model.recipes import RECIPES, Config, flag, owners, settled
from model.schedulers import SCHEDULERS

PRECISIONS = ("float32", "tf32", "bf16", "auto")


def natural(text: str, least: int = 0) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}, not {text}")
    return int(text)


def count(text: str) -> int:
    return natural(text, least=1)


def positive(text: str) -> float:
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text}")
    return value


def not_negative(text: str) -> float:
    value = _number(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be 0 or a number above, not {text}")
    return value


def share(text: str) -> float:
    value = _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to below 1, not {text}")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def one_of(*names: str) -> dict[str, Any]:
    return {"choices": names}


def read_by(reader: Callable[[str], Any], metavar: str) -> dict[str, Any]:
    return {"type": reader, "metavar": metavar}


COUNT, NATURAL = read_by(count, "N"), read_by(natural, "N")
POSITIVE, NOT_NEGATIVE, SHARE = read_by(positive, "X"), read_by(not_negative, "X"), read_by(share, "X")
SWITCH: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
ON: dict[str, Any] = {"action": "store_const", "const": True}
TEXT: dict[str, Any] = {"metavar": "TEXT"}
PATH: dict[str, Any] = {"metavar": "PATH"}

KNOWN = ", ".join(AUGMENTATIONS)

# fmt: off
FLAGS: dict[str, dict[str, tuple[dict[str, Any], str]]] = {
    "the images": {
        "dataset": (one_of(*SOURCES), "where they come from"),
        "data_dir": (PATH, "CIFAR-10 is kept here; or a folder with train/CLASS/* and test/CLASS/*"),
        "size": (COUNT, "side of the images in pixels; others are cropped to a square and resized"),
        "limit": (NATURAL, "use that many images of each split, drawn at random; 0: all"),
        "on_corrupt": (one_of("fail", "skip"), "what to do about images that cannot be read"),
    },
    "the network": {
        "net": ({"metavar": "NAME"}, f"{', '.join(NETS)}, or your own: package.module:builder"),
        "width": (COUNT, "channels of its first block with pooling"),
        "norm": (one_of(*NORMS, "none"), "what normalises after each convolution; else batch"),
        "dropout": (SHARE, "share of the hidden values that Dropout sets to 0"),
    },
    "the steps": {
        "epochs": (COUNT, "passes over the training images"),
        "batch_size": (COUNT, "images a step"),
        "optimiser": (one_of(*OPTIMISERS), "the optimizer"),
        "lr": (POSITIVE, "the learning rate: the first, or the highest where it rises first"),
        "momentum": (SHARE, "how much of the last step is kept"),
        "nesterov": (SWITCH, "look ahead along the momentum"),
        "weight_decay": (NOT_NEGATIVE, "how strongly weights are drawn to 0"),
        "decay_vectors": (SWITCH, "weight decay also for biases and normalisation"),
        "label_smoothing": (SHARE, "share of each label that is spread over all classes"),
        "ema": (SHARE, "keep an average of the weights with this decay a step, such as 0.999; 0: none"),
    },
    "the learning rate": {
        "scheduler": (one_of(*SCHEDULERS), "how it changes"),
        "patience": (NATURAL, "epochs without improvement of the test loss before the rate is reduced"),
        "factor": (SHARE, "what the rate is then multiplied by"),
        "step_size": (COUNT, "epochs between two reductions"),
        "gamma": (POSITIVE, "what the rate is multiplied by"),
        "warmup": (SHARE, "share of the run in which the rate rises"),
        "anneal": (one_of("cos", "linear"), "the shape of rise and fall"),
        "cycle_momentum": (SWITCH, "momentum falls while the rate rises, and back"),
    },
    "augmentation": {
        "augment": (TEXT, f"names and strengths as in «crop,flip,cutout=0.25», or none: {KNOWN}"),
        "alternating_flip": (SWITCH, "flip every image every other epoch, not at random"),
    },
    "the machine": {
        "seed": (NATURAL, "of weights, order, augmentation and Dropout"),
        "device": ({"metavar": "NAME"}, "cpu, cuda, …; auto: cuda if there is one"),
        "precision": (one_of(*PRECISIONS), "of the steps; auto: bf16 if it begins on hardware made for it"),
        "compile": (SWITCH, "let torch.compile make the network faster; the first steps take long"),
    },
    "what it leaves": {
        "out": (PATH, "the checkpoint; empty: checkpoints/my-DATASET-RECIPE.safetensors"),
        "note": (TEXT, "what the images are, for the checkpoint's card"),
        "flip_average": (SWITCH, "at the end also measure with each image and its mirror image averaged"),
        "half": (SWITCH, "store the weights in 16 bits, in half the room; what is measured are those of 32"),
        "snapshot_every": (NATURAL, "keep the weights of every Nth epoch; 0: never"),
        "snapshot_limit": (POSITIVE, "MB that snapshots may take; there every second one goes"),
        "tensorboard": (PATH, "also write what TensorBoard shows into this folder"),
    },
    "stopping and continuing": {
        "resume": (ON, "continue the run at --out from its last whole epoch, with its settings"),
        "overwrite": (ON, "replace the run at --out; without this a new run replaces none"),
        "stop_after": (NATURAL, "stop after epoch N, to be resumed; 0: at the end"),
    },
}
# fmt: on


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m model.train",
        description="Train a network and write a checkpoint that the explorer opens. The recipe sets "
        "everything; each flag below changes one of its settings.",
        epilog="On several GPUs or processes: torchrun --nproc-per-node N -m model.train …",
    )
    parser.add_argument(
        "--recipe",
        choices=RECIPES,
        help="course: as the course trains; fast: tuned for time (default course)",
    )
    for title, flags in FLAGS.items():
        group = parser.add_argument_group(title)
        for name, (options, says) in flags.items():
            group.add_argument(flag(name), default=None, help=_help(name, says), **options)
    return parser


def _help(name: str, says: str) -> str:
    """What a flag does, and its value in each recipe."""
    whose = f" [{', '.join(owners()[name])}]" if name in owners() else ""
    values = {recipe: getattr(settled(config), name) for recipe, config in RECIPES.items()}
    plain = name in ("out", "note", "tensorboard", "resume", "overwrite", "stop_after")
    if plain or set(values.values()) == {None}:
        return f"{says}{whose}"
    if len(set(values.values())) == 1:
        return f"{says}{whose} (default {_said(values['course'])})"
    told = ", ".join(f"{recipe} {_said(value)}" for recipe, value in values.items() if value is not None)
    return f"{says}{whose} ({told})"


def _said(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def given(arguments: list[str] | None) -> dict[str, Any]:
    """The settings that the command line names, by the Config's field names."""
    values = vars(parser().parse_args(arguments))
    return {each.name: values[each.name] for each in fields(Config) if values[each.name] is not None}
