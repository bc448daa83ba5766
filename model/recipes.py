"""Recipes: every setting of a training run, by name. To change one, edit its entry in RECIPES."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from inspect import signature
from pathlib import Path
from typing import Any, get_args, get_type_hints

from model import augment
from model.builders import is_own
from model.card import with_current_names
from model.nets import NETS
from model.optimizers import OPTIMIZERS
from model.problems import Problem
from model.schedulers import SCHEDULERS


@dataclass(frozen=True)
class Config:
    """One training run; the defaults are the course's recipe. None: what the net, optimizer or scheduler
    takes by default. `python -m model.train --help` says what each is."""

    recipe: str = "course"

    dataset: str = "cifar10"
    data_dir: str = "data"
    size: int = 32
    limit: int = 0
    on_corrupt: str = "fail"
    shortcut: float | None = None
    wrong_labels: float | None = None

    net: str = "course"
    width: int | None = None
    norm: str | None = None
    dropout: float | None = None
    hidden: int | None = None

    epochs: int = 20
    batch_size: int = 64
    optimizer: str = "adam"
    lr: float = 1e-3
    momentum: float | None = None
    nesterov: bool | None = None
    weight_decay: float | None = None
    decay_vectors: bool = True

    scheduler: str = "plateau"
    patience: int | None = None
    factor: float | None = None
    step_size: int | None = None
    gamma: float | None = None
    warmup: float | None = None
    anneal: str | None = None
    cycle_momentum: bool | None = None

    augment: str = "crop,flip,jitter,rotate"
    alternating_flip: bool = False
    label_smoothing: float = 0.0
    ema: float = 0.0
    flip_average: bool = False

    seed: int = 0
    device: str = "auto"
    precision: str = "float32"
    compile: bool = False

    out: str = ""
    note: str = ""
    half: bool = False
    snapshot_every: int = 0
    snapshot_limit: float = 200.0
    log_examples: bool = False
    tensorboard: str = ""
    resume: bool = False
    overwrite: bool = False
    stop_after: int = 0

    @property
    def path(self) -> Path:
        name = self.recipe if self.net == "course" else f"{_in_a_name(self.net)}-{self.recipe}"
        return Path(self.out or f"checkpoints/my-{self.dataset}-{name}.safetensors")


def _in_a_name(net: str) -> str:
    """`package.module:Net(width=8)` → `package.module-Net-width-8`."""
    return re.sub(r"[^\w.]+", "-", net).strip("-")


RECIPES: dict[str, Config] = {
    "course": Config(),
    "fast": Config(
        recipe="fast",
        dropout=0.0,
        epochs=30,
        batch_size=128,
        optimizer="sgd",
        lr=0.1,
        momentum=0.9,
        nesterov=True,
        weight_decay=5e-4,
        decay_vectors=False,
        scheduler="onecycle",
        warmup=0.2,
        anneal="linear",
        augment="crop,flip",
        alternating_flip=True,
        label_smoothing=0.1,
        precision="auto",
    ),
}

LEAVES = (
    *("out", "note", "half", "snapshot_every", "snapshot_limit", "log_examples", "tensorboard"),
    *("resume", "overwrite", "stop_after"),
)
"""Settings of what a run leaves and when it stops: the card does not hold them, nor where the images are."""

FREE = (*LEAVES, "data_dir", "epochs", "flip_average", "device", "compile")
"""Settings that may change when a run is resumed; all others change its arithmetic."""


NETWORK = ("width", "norm", "dropout", "hidden")
"""Settings of the network, where it has them."""


def choose(settings: Mapping[str, Any], base: Config | None = None) -> Config:
    """The recipe with the settings that were given, complete. Problem if they do not go together."""
    config = replace(base or RECIPES[settings.get("recipe", "course")], **settings)
    _check_used(config, settings)
    _check_network(config, settings)
    config = settled(config)
    _check_together(config)
    return config


def settled(config: Config) -> Config:
    """The config with every setting of its network, optimizer and scheduler, and none of any other's."""
    usual = {**OPTIMIZERS[config.optimizer].settings, **SCHEDULERS[config.scheduler].settings}
    values: dict[str, Any] = {name: usual.get(name) for name in owners()}
    chosen = {name: getattr(config, name) for name in usual if getattr(config, name) is not None}
    without = {name: None for name in NETWORK if not _has(config.net, name)}
    return replace(config, **values | chosen | without)


def owners() -> dict[str, list[str]]:
    """Which optimizers or schedulers each of their settings belongs to."""
    names_of: dict[str, list[str]] = {}
    for registry in (OPTIMIZERS, SCHEDULERS):
        for name, entry in registry.items():
            for setting in entry.settings:
                names_of.setdefault(setting, []).append(name)
    return names_of


def _has(net: str, setting: str) -> bool:
    takes = () if is_own(net) else signature(NETS[net]).parameters
    return setting in takes or (setting == "width" and "widths" in takes)


def settings_of(config: Config, names: Mapping[str, Any]) -> dict[str, Any]:
    return {name: getattr(config, name) for name in names}


def strengths_of(config: Config) -> dict[str, float]:
    """The augmentation by name, in order; empty for none. Problem if it is not to be had."""
    return augment.parse(
        text.strip() for text in config.augment.split(",") if text.strip() not in ("", "none")
    )


def arguments_of(config: Config) -> dict[str, Any]:
    """What the builder of the net is told beside classes and input size, as far as it takes it.

    One's own has its arguments in the name.
    """
    if is_own(config.net):
        return {}
    takes = signature(NETS[config.net]).parameters
    arguments = {name: getattr(config, name) for name in NETWORK if name in takes}
    if "widths" in takes and config.width is not None:
        arguments["widths"] = [config.width, 2 * config.width, 4 * config.width]
    return {name: value for name, value in arguments.items() if value is not None}


def config_from(settings: Mapping[str, Any]) -> Config:
    """The Config in a mapping of settings by name, such as a card's; unknown names are ignored.

    ValueError for a setting that is not of its type, below 0 or beyond LARGEST_SETTING.
    """
    return Config(**_typed(with_current_names(settings)))


def recorded(config: Config) -> dict[str, Any]:
    """The settings that a card records: those that are set, without machine paths."""
    values = asdict(config)
    return {
        name: value
        for name, value in values.items()
        if name not in (*LEAVES, "data_dir") and value is not None
    }


def command_of(config: Config) -> str:
    """The command that reproduces a run, for a shell; a path that only this machine has becomes DIR."""
    recipe = settled(RECIPES[config.recipe])
    words = ["python", "-m", "model.train"]
    for field in fields(Config):
        value, usual = getattr(config, field.name), getattr(recipe, field.name)
        if field.name in ("resume", "overwrite", "stop_after", "tensorboard") or value is None:
            continue
        if field.name == "recipe":
            usual = "course"
        if value != usual:
            words += words_of(field.name, value)
    return shlex.join(words)


def words_of(name: str, value: Any) -> list[str]:
    """A setting as the words of a command."""
    if isinstance(value, bool):
        return [flag(name) if value else flag(f"no_{name}")]
    if name in ("data_dir", "out") and Path(value).is_absolute():
        return [] if name == "out" else [flag(name), "DIR"]
    return [
        flag(name),
        f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value),
    ]


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _check_used(config: Config, settings: Mapping[str, Any]) -> None:
    usual = {**OPTIMIZERS[config.optimizer].settings, **SCHEDULERS[config.scheduler].settings}
    for name, of in owners().items():
        if name in settings and name not in usual:
            raise Problem(
                "{flag} does not apply to the optimizer {chosen}, only to {owners}; leave it out."
                if of[0] in OPTIMIZERS
                else "{flag} does not apply to the scheduler {chosen}, only to {owners}; leave it out.",
                flag=flag(name),
                owners=", ".join(of),
                chosen=config.optimizer if of[0] in OPTIMIZERS else config.scheduler,
            )


def _check_network(config: Config, settings: Mapping[str, Any]) -> None:
    if is_own(config.net):
        return _check_own(settings)
    if config.net not in NETS:
        raise Problem(
            "There is no network “{net}”; choose from {known}, or name your own as package.module:builder.",
            net=config.net,
            known=", ".join(NETS),
        )
    for name in NETWORK:
        if name in settings and not _has(config.net, name):
            raise Problem(
                "The network {net} has no {name}; leave {flag} out.",
                net=config.net,
                name=name,
                flag=flag(name),
            )


def _check_own(settings: Mapping[str, Any]) -> None:
    for name in NETWORK:
        if name in settings:
            raise Problem(
                "{flag} is only for {known}; for your own network write it in --net, "
                "for example 'package.module:builder({name}={value!r})'.",
                flag=flag(name),
                known=", ".join(NETS),
                name=name,
                value=settings[name],
            )


def _check_together(config: Config) -> None:
    if config.shortcut is not None and config.dataset != "scenes":
        raise Problem("--shortcut is only for drawn scenes; leave it out, or give --dataset scenes.")
    if config.nesterov and not config.momentum:
        raise Problem("Nesterov momentum needs a momentum above 0; give --momentum 0.9 or --no-nesterov.")
    if "flip" not in strengths_of(config) and config.alternating_flip:
        raise Problem("--alternating-flip needs flip in --augment; add it, or give --no-alternating-flip.")


LARGEST_SETTING = 2**53


def _typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among these values that `Config` has; ValueError for one that is not of its type.

    Whole numbers may stand for others, as in JSON; none is below 0 or beyond LARGEST_SETTING.
    """
    hints = get_type_hints(Config)
    types = {each.name: hints[each.name] for each in fields(Config)}
    settings = {name: value for name, value in values.items() if name in types}
    for name, value in settings.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = isinstance(value, types[name]) or (number and float in _parts(types[name]))
        if not fits or (isinstance(value, bool) and bool not in _parts(types[name])):
            raise ValueError(f"{name} is of another type")
        if number and not 0 <= value <= LARGEST_SETTING:
            raise ValueError(f"{name} is below 0 or too large")
    return settings


def _parts(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) or (hint,)
