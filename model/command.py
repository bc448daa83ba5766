"""The command line of `python -m model.train`: every setting of a Config is a flag."""

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any

from model.arguments import Parser, WrongValue
from model.augment import AUGMENTATIONS
from model.datasets import SOURCES
from model.nets import NETS, NORMS
from model.optimizers import OPTIMIZERS
from model.recipes import LARGEST_SETTING, RECIPES, Config, flag, owners, settled
from model.schedulers import SCHEDULERS
from model.words import N_, tr

PRECISIONS = ("float32", "tf32", "bf16", "auto")
FORMER_FLAGS = {"--optimiser": "--optimizer"}
"""Flags that had another spelling: commands in old histories still run."""


def natural(text: str, least: int = 0) -> int:
    """A whole number of at least `least`, and below LARGEST_SETTING; WrongValue for other text, as for all
    readers below.
    """
    if text.isdecimal() and len(text) >= len(str(LARGEST_SETTING)):
        raise WrongValue(N_("{flag} is too large a number ({text}); give a smaller one."), text=text[:20])
    if not text.isdecimal() or int(text) < least:
        raise WrongValue(
            N_("{flag} must be a whole number of at least {least}, not {text}."), least=least, text=text
        )
    return int(text)


def count(text: str) -> int:
    """A whole number of at least 1."""
    return natural(text, least=1)


def positive(text: str) -> float:
    """A finite number above 0."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise WrongValue(N_("{flag} must be a number above 0, not {text}."), text=text)
    return value


def not_negative(text: str) -> float:
    """A finite number of at least 0."""
    value = _number(text)
    if not 0 <= value < math.inf:
        raise WrongValue(N_("{flag} must be 0 or a number above 0, not {text}."), text=text)
    return value


def fraction(text: str) -> float:
    """A number from 0 to below 1."""
    value = _number(text)
    if not 0 <= value < 1:
        raise WrongValue(N_("{flag} must be at least 0 and less than 1, not {text}."), text=text)
    return value


def ratio(text: str) -> float:
    """A number from 0 to 1, 1 included."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise WrongValue(N_("{flag} must be from 0 to 1, not {text}."), text=text)
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def one_of(names: Iterable[str], others: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One of `names`, or of `others`, which stand for one of them; upper and lower case alike."""
    names, others = tuple(names), others or {}
    by_text = {other.lower(): name for other, name in others.items()} | {name.lower(): name for name in names}

    def read(text: str) -> str:
        if text.lower() not in by_text:
            choices = ", ".join((*names, *(other for other in others if other.lower() not in names)))
            raise WrongValue(N_("{flag} must be one of {choices}, not {text}."), choices=choices, text=text)
        return by_text[text.lower()]

    return {"type": read, "metavar": "NAME"}


def read_by(reader: Callable[[str], Any], metavar: str) -> dict[str, Any]:
    """The options of a flag whose text `reader` turns into its value."""
    return {"type": reader, "metavar": metavar}


COUNT, NATURAL = read_by(count, "N"), read_by(natural, "N")
POSITIVE, NOT_NEGATIVE, FRACTION = read_by(positive, "X"), read_by(not_negative, "X"), read_by(fraction, "X")
RATIO = read_by(ratio, "X")
SWITCH: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
ON: dict[str, Any] = {"action": "store_const", "const": True}
TEXT: dict[str, Any] = {"metavar": "TEXT"}
PATH: dict[str, Any] = {"metavar": "PATH"}
OPTIMIZER = one_of(OPTIMIZERS, {record.pytorch: name for name, record in OPTIMIZERS.items()})
SCHEDULER = one_of(SCHEDULERS, {record.pytorch: name for name, record in SCHEDULERS.items()})

NAMES = {
    "sources": ", ".join(SOURCES),
    "nets": ", ".join(NETS),
    "norms": ", ".join((*NORMS, "none")),
    "optimizers": ", ".join(OPTIMIZERS),
    "schedulers": ", ".join(SCHEDULERS),
    "augmentations": ", ".join(AUGMENTATIONS),
    "precisions": ", ".join(PRECISIONS),
    "recipes": ", ".join(RECIPES),
}
"""What the names in braces in the texts below stand for."""

# fmt: off
FLAGS: dict[str, dict[str, tuple[dict[str, Any], str]]] = {
    N_("images"): {
        "dataset": (one_of(SOURCES), N_("the data set: {sources}")),
        "data_dir": (PATH, N_("the folder of CIFAR-10, or a folder with train/CLASS/* and test/CLASS/*")),
        "size": (COUNT, N_("height and width of the images in pixels; other images are cropped to a square "
                           "and resized")),
        "limit": (NATURAL, N_("use this many images of each split, chosen at random; 0: all images")),
        "on_corrupt": (one_of(("fail", "skip")), N_("what to do when images cannot be read: fail (stop "
                                                    "before training) or skip (train without them)")),
        "shortcut": (RATIO, N_("with scenes: a mark near a corner is that of the class in this fraction of "
                               "them, and of a random class in the others; if not given: no marks")),
        "wrong_labels": (RATIO, N_("change this fraction of the training labels to another class, such as to "
                                   "see whether the page Data map finds them; if not given: none")),
    },
    N_("network"): {
        "net": ({"metavar": "NAME"}, N_("the network: {nets}, or your own as package.module:builder")),
        "width": (COUNT, N_("channels of the first block that has pooling")),
        "norm": (one_of((*NORMS, "none")), N_("the normalization after each convolution: {norms}; if not "
                                              "given: batch")),
        "dropout": (FRACTION, N_("probability that Dropout sets a hidden value to 0")),
        "hidden": (COUNT, N_("values of the hidden linear layer; if not given: 512")),
    },
    N_("optimization"): {
        "epochs": (COUNT, N_("number of passes over the training images")),
        "batch_size": (COUNT, N_("images per batch")),
        "optimizer": (OPTIMIZER, N_("the optimizer: {optimizers}, or its name in PyTorch, such as AdamW")),
        "lr": (POSITIVE, N_("the initial learning rate, or its maximum if the schedule first raises it")),
        "momentum": (FRACTION, N_("momentum of the optimizer")),
        "nesterov": (SWITCH, N_("use Nesterov momentum")),
        "weight_decay": (NOT_NEGATIVE, N_("weight decay of the optimizer")),
        "decay_vectors": (SWITCH, N_("apply weight decay also to biases and normalization parameters")),
        "label_smoothing": (FRACTION, N_("fraction of each label that is spread evenly over all classes")),
        "ema": (FRACTION, N_("keep an exponential moving average of the weights with this decay per step, "
                             "such as 0.999; 0: no average")),
    },
    N_("learning rate schedule"): {
        "scheduler": (SCHEDULER, N_("the schedule: {schedulers}, or its name in PyTorch, such as StepLR")),
        "patience": (NATURAL, N_("allowed epochs without improvement of the test loss; after one more the "
                                  "rate is reduced")),
        "factor": (FRACTION, N_("the rate is multiplied by this when it is reduced")),
        "step_size": (COUNT, N_("epochs between two reductions of the rate")),
        "gamma": (POSITIVE, N_("the rate is multiplied by this at each reduction")),
        "warmup": (FRACTION, N_("fraction of all steps in which the rate rises")),
        "anneal": (one_of(("cos", "linear")), N_("shape of the rise and fall of the rate: cos or linear")),
        "cycle_momentum": (SWITCH, N_("lower the momentum while the rate rises, and raise it afterwards")),
    },
    N_("augmentation"): {
        "augment": (TEXT, N_("names and strengths separated by commas, such as crop,flip,cutout=0.25, or "
                             "none; names: {augmentations}")),
        "alternating_flip": (SWITCH, N_("flip every image in every second epoch instead of at random")),
    },
    N_("hardware and random numbers"): {
        "seed": (NATURAL, N_("the seed for initial weights, order, augmentation and Dropout")),
        "device": ({"metavar": "NAME"}, N_("the device: cpu, cuda, …; auto: cuda if available, else cpu")),
        "precision": (one_of(PRECISIONS), N_("precision of the training steps: {precisions}; auto: bf16 if "
                                             "the hardware supports it natively, else float32")),
        "compile": (SWITCH, N_("use torch.compile for faster steps; the first steps take long")),
    },
    N_("output"): {
        "out": (PATH, N_("the checkpoint; if not given: checkpoints/my-DATASET-RECIPE.safetensors")),
        "note": (TEXT, N_("a description of the images, stored in the checkpoint")),
        "flip_average": (SWITCH, N_("at the end also measure the accuracy with the predictions of each image "
                                    "and its mirror image averaged")),
        "half": (SWITCH, N_("store the weights in 16 bits, at half the file size; the accuracy is that of "
                            "the weights in 32 bits")),
        "snapshot_every": (NATURAL, N_("keep the weights of every Nth epoch; 0: keep none")),
        "snapshot_limit": (POSITIVE, N_("maximum size of all snapshots in MB; when it is reached, every "
                                        "second snapshot is removed")),
        "log_examples": (SWITCH, N_("log for every training image and epoch the probability of its class "
                                    "(label smoothing left out; of the mixed picture with mixup and cutmix) "
                                    "and whether it was predicted, into NAME.examples.npz for the page Data "
                                    "map")),
        "tensorboard": (PATH, N_("also write logs for TensorBoard into this folder")),
    },
    N_("stop and resume"): {
        "resume": (ON, N_("continue the run at --out after its last complete epoch, with its settings")),
        "overwrite": (ON, N_("replace the run at --out; without this flag no run is replaced")),
        "stop_after": (NATURAL, N_("stop after epoch N; --resume continues; 0: train to the end")),
    },
}
# fmt: on


def parser() -> Parser:
    """The parser of all flags; what is not given is None. Its texts are in the language in use."""
    parser = Parser(
        "python -m model.train",
        usage=tr("%(prog)s [flags]"),
        description=tr(
            "Train a network and write a checkpoint that the explorer opens. The recipe sets every "
            "setting; each flag changes one of them."
        ),
        epilog=tr("To train on several GPUs or processes: torchrun --nproc-per-node N -m model.train …"),
        title=tr("general"),
    )
    recipe = tr("the recipe: course (as in the course) or fast (short training time) (default: course)")
    parser.first.add_argument("--recipe", help=recipe, **one_of(RECIPES))
    for title, flags in FLAGS.items():
        group = parser.add_argument_group(tr(title))
        for name, (options, text) in flags.items():
            group.add_argument(flag(name), default=None, help=_help(name, text), **options)
    return parser


def _help(name: str, template: str) -> str:
    """What a flag does, which optimizers or schedulers have it, and its value in each recipe."""
    text = tr(template, **NAMES)
    if name in owners():
        text = tr("{text} [{owners}]", text=text, owners=", ".join(owners()[name]))
    values = {recipe: getattr(settled(config), name) for recipe, config in RECIPES.items()}
    plain = name in ("out", "note", "tensorboard", "resume", "overwrite", "stop_after")
    if plain or set(values.values()) == {None}:
        return text
    if len(set(values.values())) == 1:
        return tr("{text} (default: {value})", text=text, value=_written(values["course"]))
    each = (f"{recipe}: {_written(value)}" for recipe, value in values.items() if value is not None)
    return tr("{text} (default: {value})", text=text, value=", ".join(each))


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return tr("yes") if value else tr("no")
    return str(value)


def read_settings(arguments: list[str] | None) -> dict[str, Any]:
    """The settings that the command line names, by the Config's field names; one line ends a wrong one."""
    arguments = sys.argv[1:] if arguments is None else arguments
    values = vars(parser().read_or_exit([_with_current_name(argument) for argument in arguments]))
    return {each.name: values[each.name] for each in fields(Config) if values[each.name] is not None}


def _with_current_name(word: str) -> str:
    """A flag in its current spelling: `--optimiser=adam` → `--optimizer=adam`."""
    name, equals, value = word.partition("=")
    return FORMER_FLAGS.get(name, name) + equals + value
