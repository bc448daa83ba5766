"""A run: everything that changes while a network trains, how it starts, and what it leaves on disk."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from model.batches import steps_of
from model.board import events_of
from model.builders import count_logits, is_own, make, offer
from model.card import Card
from model.checkpoint import save_checkpoint
from model.datasets import Dataset
from model.example_log import ExampleLog, path_of_log
from model.files import beside, sweep
from model.history import About, History, load_history, save_history
from model.nets import NETS
from model.optimizers import OPTIMIZERS, averaged, build_optimizer
from model.problems import Problem
from model.processes import parallel, rank
from model.recipes import Config, arguments_of, command_of, recorded, settings_of
from model.schedulers import SCHEDULERS
from model.snapshots import clear, folder_of, keep_snapshot, list_snapshots
from model.state import State, check_data, digest_of_data, load_state, path_of, save_state
from model.training.examples import continued_log, new_log
from model.words import tr


@dataclass
class Run:
    """Everything that changes while a network trains. `card` is the checkpoint's before the first epoch.

    `forward` is `net` as the training steps call it: compiled, or shared among processes. `data` is the
    digest of the training images, `examples` the log of them, where one is kept.
    """

    config: Config
    card: Card
    device: torch.device
    net: nn.Module
    forward: Callable[..., Any]
    optimizer: torch.optim.Optimizer
    scheduler: LRScheduler
    average: nn.Module | None
    history: History
    data: str
    examples: ExampleLog | None = None

    @property
    def lr(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def precision(self) -> AbstractContextManager[Any]:
        """What a training step's forward runs in."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16")

    @property
    def result(self) -> nn.Module:
        """The network that is measured and saved: the average of the weights, where one is kept."""
        return self.net if self.average is None else self.average

    @property
    def parts(self) -> dict[str, Any]:
        """Whatever has a state, by name."""
        named = {"net": self.net, "optimizer": self.optimizer, "scheduler": self.scheduler}
        return named | ({"average": self.average} if self.average is not None else {})


def start(config: Config, data: Dataset, test: Dataset) -> Run:
    """A freshly initialized run; its config says which precision “auto” came to here."""
    device = find_device(config.device)
    config = replace(config, precision=find_precision(config.precision, device))
    card = card_of(config, data, test)
    set_precision(config.precision)
    torch.manual_seed(config.seed)
    net = build(card)
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    shared = parallel(net, is_own(config.net))
    forward = torch.compile(shared) if config.compile else shared
    settings = settings_of(config, OPTIMIZERS[config.optimizer].settings)
    optimizer = build_optimizer(config.optimizer, net, config.lr, config.decay_vectors, settings)
    schedule = SCHEDULERS[config.scheduler]
    steps = steps_of(data, config)
    scheduler = schedule.build(optimizer, steps * config.epochs, **settings_of(config, schedule.settings))
    average = averaged(net) if config.ema else None
    history = History(about=about(config, steps))
    digest = digest_of_data(data)
    examples = new_log(config, data, digest, card.data)
    return Run(config, card, device, net, forward, optimizer, scheduler, average, history, digest, examples)


def build(card: Card) -> nn.Module:
    """The card's network, on the CPU; Problem where its settings make none."""
    if is_own(card.net):
        return build_own(card)
    return NETS[card.net](classes=len(card.classes), input_size=card.input_size, **card.arguments)


def build_own(card: Card) -> nn.Module:
    """The network of the person's own builder, tried on an empty image; it is told the class count and size.

    Problem where there is none or it does not fit the images.
    """
    classes = len(card.classes)
    net = make(card.net, offer(classes, card.input_size))
    logits = count_logits(net.eval(), card.input_size)
    if logits != classes:
        raise Problem(
            "The network {net} returns {logits} logits, but the images have {classes} classes; "
            "give its builder a parameter num_classes, or write for example (num_classes={classes}).",
            net=card.net,
            logits=logits,
            classes=classes,
        )
    if not any(each.requires_grad for each in net.parameters()):
        raise Problem("The network {net} has no weights to train; name another.", net=card.net)
    return net


def about(config: Config, steps: int) -> About:
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return About(config.epochs, steps, config.recipe, config.path.name, command_of(config), started)


def find_precision(name: str, device: torch.device) -> str:
    """What “auto” is on this device, “bf16” or “float32”; any other name as it is."""
    if name != "auto":
        return name
    return "bf16" if bf16_pays(device) else "float32"


def bf16_pays(device: torch.device) -> bool:
    """Whether a device multiplies bf16 in hardware made for it, such as a CPU's AMX."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu.get_capabilities().get("amx_bf16"))


def set_precision(name: str) -> None:
    """Let CUDA's float32 products round to 19 bits for “tf32”, and for nothing else."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = name == "tf32"


def find_device(name: str) -> torch.device:
    """The device of that name; Problem if this machine has none."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        name = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"  # torchrun: a GPU for each process
    try:
        probe = torch.zeros(1, device=name)
        probe.item()  # a device whose values cannot be read, such as meta, trains nothing
        return probe.device
    except (RuntimeError, AssertionError) as error:
        raise Problem(
            "There is no device “{name}” on this machine; leave --device out.", name=name
        ) from error


def check_free(config: Config) -> None:
    """Problem if a new run would replace what another one has left; an epoch must be over for that."""
    files = left_at(config)
    if not files:
        return
    raise Problem(
        "There is already a run at {path} ({files}); "
        "add --resume to continue it, add --overwrite to replace it, or give another --out."
        if _is_state(path_of(config.path))
        else "There is already a run at {path} ({files}); "
        "add --overwrite to replace it, or give another --out.",
        path=config.path,
        files=", ".join(path.name for path in files),
    )


def _is_state(path: Path) -> bool:
    """Whether there is a file of a run's state that can be continued."""
    try:
        load_state(path)
    except Problem:
        return False
    return True


def left_at(config: Config) -> list[Path]:
    """What an earlier run has left where this one writes; of one that ended in its first epoch, nothing."""
    path = config.path
    history, state = beside(path, ".history.json"), path_of(path)
    trained, log = any(epoch for epoch, _ in list_snapshots(path)), path_of_log(path)
    return [
        *([path] if path.exists() else []),
        *([history] if _holds_epochs(history, load_history) else []),
        *([state] if _holds_epochs(state, lambda file: load_state(file).history) else []),
        *([folder_of(path)] if trained else []),
        *([log] if log.exists() else []),
        *events_of(config.tensorboard, path.stem),
    ]


def _holds_epochs(path: Path, read: Callable[[Path], History]) -> bool:
    """Whether a file holds finished epochs, or something that is not this trainer's."""
    try:
        return path.exists() and bool(read(path).epochs)
    except (OSError, ValueError):
        return True


def begin(run: Run) -> None:
    """Take the place of a former run: its snapshots and its state go."""
    if rank():
        return
    for ending in (".safetensors", ".history.json", ".state.pt", ".examples.npz"):
        sweep(beside(run.config.path, ending))
    path_of_log(run.config.path).unlink(missing_ok=True)
    clear(run.config.path)
    snapshot(run)
    keep_state(run)
    tell(run, "running")


def restore(run: Run, state: State) -> None:
    """Bring a run to where `state` was; what was not yet written then is written now."""
    check_data(state.data, run.data)
    if state.config.precision == "auto":
        say(
            tr(
                "The precision at the start of this run is not recorded; it continues with {precision}.",
                precision=run.config.precision,
            )
        )
    began = state.history.about.started if state.history.about else ""
    run.history = replace(state.history, about=replace(run.history.about or About(), started=began))
    for name, part in run.parts.items():
        part.load_state_dict(state.parts[name])
    if run.examples is not None:
        run.examples, message = continued_log(run.config, run.examples, len(run.history.epochs))
        if message:
            say(message)
    if run.history.epochs:
        save(run)


def save(run: Run) -> None:
    """Write the checkpoint, and beside it the history."""
    if rank():
        return
    save_checkpoint(run.config.path, measured(run), run.result.state_dict(), half=run.config.half)
    save_history(beside(run.config.path, ".history.json"), run.history)


def tell(run: Run, state: str) -> None:
    """Say in the history what has become of the run: “running”, “stopped” or “finished”."""
    run.history.about = replace(run.history.about or About(), state=state)
    if not rank():
        save_history(beside(run.config.path, ".history.json"), run.history)


def say(text: str) -> None:
    """Print a line, once however many processes there are."""
    if not rank():
        print(text, flush=True)


def keep_state(run: Run) -> None:
    """Write what the run goes on from after this epoch."""
    if rank():
        return
    parts = {name: part.state_dict() for name, part in run.parts.items()}
    save_state(path_of(run.config.path), State(run.config, run.data, run.history, parts))


def snapshot(run: Run) -> None:
    """Keep a snapshot of this epoch if one is due."""
    if rank():
        return
    config, limit = run.config, round(run.config.snapshot_limit * 1e6)
    state = run.result.state_dict()
    if message := keep_snapshot(config.path, measured(run), state, config.snapshot_every, limit):
        say(message)


def card_of(config: Config, data: Dataset, test: Dataset) -> Card:
    """The card of a run that has not begun."""
    counts = f"trained on {len(data.labels):,} images, measured on {len(test.labels):,}"
    return Card(
        net=config.net,
        arguments=arguments_of(config),
        classes=data.classes,
        mean=tuple(data.mean),
        std=tuple(data.std),
        input_size=data.images.shape[1],
        recipe=config.recipe,
        config=recorded(config),
        data=f"{config.note or data.provenance}; {counts}",
        versions={name: version(name) for name in ("torch", "numpy")},
    )


def measured(run: Run) -> Card:
    """The card with the last epoch's figures."""
    rows = run.history.epochs
    if not rows:
        return run.card
    names = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "flip_accuracy")
    values = {name: getattr(rows[-1], name) for name in names}
    figures = {name: round(value, 6) for name, value in values.items() if value is not None}
    return replace(run.card, epoch=len(rows), metrics=figures)
