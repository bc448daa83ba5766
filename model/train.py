"""Trains the course CNN: `python -m model.train`.

All randomness derives from the seed, the epoch and the step, never from what ran before.
"""

import argparse
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import ReduceLROnPlateau
from tqdm import tqdm

from model import augment
from model.checkpoint import Card, CheckpointError, save_checkpoint
from model.datasets import SOURCES, Dataset, DatasetError, Split, load
from model.files import beside, replacing
from model.history import Epoch, History, epochs_figure, loss_figure, save_figure, save_history
from model.nets import NETS
from model.snapshots import SnapshotError, clear, keep_snapshot

EVALUATION_BATCH = 1000
BATCHES_PER_CHUNK = 8  # augmented at once: enough to amortise the calls, little enough to stay in the cache


@dataclass(frozen=True)
class Config:
    """One training run; the defaults are the course's recipe."""

    dataset: str = "cifar10"
    data_dir: str = "data"
    epochs: int = 20
    batch_size: int = 64
    lr: float = 1e-3
    seed: int = 0
    limit: int = 0
    out: str = ""
    device: str = "auto"
    snapshot_every: int = 0
    snapshot_limit: float = 200.0
    note: str = ""

    @property
    def path(self) -> Path:
        return Path(self.out or f"checkpoints/my-{self.dataset}-course.safetensors")


# They say nothing of the weights.
NOT_IN_CARD = ("out", "data_dir", "snapshot_every", "snapshot_limit", "note")


class TrainingError(ValueError):
    """A run that cannot start or go on; the message says why and what to do, in one sentence."""


ORDER, AUGMENTATION, DROPOUT = 1, 2, 3  # what a random stream is for


def seed_for(purpose: int, seed: int, epoch: int, step: int = 0) -> int:
    """The seed of a random stream: the same for the same keys, unrelated for others."""
    state = np.random.SeedSequence((purpose, seed, epoch, step)).generate_state(2)
    return int(state[0]) << 31 | int(state[1]) >> 1


def generator_for(purpose: int, seed: int, epoch: int, step: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed_for(purpose, seed, epoch, step))


def batches(data: Dataset, config: Config, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The shuffled, augmented batches of one epoch: float32 (n, 3, s, s) and int64 (n,)."""
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    order = torch.randperm(len(labels), generator=generator_for(ORDER, config.seed, epoch))
    for number, chosen in enumerate(torch.split(order, config.batch_size * BATCHES_PER_CHUNK)):
        drawn = generator_for(AUGMENTATION, config.seed, epoch, number)
        x = augment.course(images[chosen], drawn, data.mean, data.std)
        pairs = torch.split(x, config.batch_size), torch.split(labels[chosen], config.batch_size)
        yield from zip(*pairs, strict=True)


@torch.no_grad()
def evaluate(net: nn.Module, data: Dataset, device: torch.device) -> tuple[float, float]:
    """Mean cross-entropy in nats and accuracy from 0 to 1 over all of `data`, in eval mode."""
    net.eval()
    loss = correct = 0.0
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    pairs = torch.split(images, EVALUATION_BATCH), torch.split(labels, EVALUATION_BATCH)
    for some, y in zip(*pairs, strict=True):
        x = augment.normalise(some, data.mean, data.std)
        logits = net(x.to(device, memory_format=torch.channels_last)).cpu()
        loss += cross_entropy(logits, y, reduction="sum").item()
        correct += (logits.argmax(1) == y).sum().item()
    return loss / len(labels), correct / len(labels)


@dataclass
class Run:
    """Everything that changes while a network trains."""

    net: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: ReduceLROnPlateau
    history: History

    @property
    def lr(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])


def start(config: Config, classes: int, input_size: int, device: torch.device) -> Run:
    """A freshly initialised run of the course's recipe."""
    torch.manual_seed(config.seed)
    net = NETS["course"](classes=classes, input_size=input_size)
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(net.parameters(), lr=config.lr, fused=True)
    return Run(net, optimizer, ReduceLROnPlateau(optimizer, "min", factor=0.5, patience=3), History())


def train(config: Config, data: Dataset, test: Dataset) -> Run:
    """Train for `config.epochs`, writing checkpoint and history after each; Ctrl-C keeps what there is."""
    device = _device(config.device)
    run = start(config, len(data.classes), data.images.shape[1], device)
    clear(config.path)
    snapshot(run, config, data, test)
    print(_HEADER)
    try:
        for epoch in range(1, config.epochs + 1):
            run.history.epochs.append(_epoch(run, config, data, test, epoch, device))
            snapshot(run, config, data, test)
            save(run, config, data, test)
            print(_printed(run.history.epochs[-1], config), flush=True)
    except KeyboardInterrupt:
        save(run, config, data, test)
        print(f"Stopped in epoch {epoch}; the weights so far are in {config.path}", file=sys.stderr)
        raise
    return run


def _epoch(run: Run, config: Config, data: Dataset, test: Dataset, epoch: int, device: torch.device) -> Epoch:
    started, lr = time.perf_counter(), run.lr
    run.net.train()  # every epoch anew: the evaluation below leaves the net in eval mode
    total = correct = 0.0
    steps = -(-len(data.labels) // config.batch_size)
    progress = tqdm(
        batches(data, config, epoch), f"epoch {epoch}", steps, leave=False, unit="batch", disable=None
    )
    for number, (x, y) in enumerate(progress):
        torch.manual_seed(seed_for(DROPOUT, config.seed, epoch, number))
        loss, hits = step(run, x.to(device, memory_format=torch.channels_last), y.to(device))
        run.history.losses.append(loss)
        _check_finite(loss, run, config)
        total, correct = total + loss * len(y), correct + hits
    seconds = time.perf_counter() - started
    test_loss, test_accuracy = evaluate(run.net, test, device)
    _check_finite(test_loss, run, config)  # the last step of an epoch can be the one that goes wrong
    run.scheduler.step(test_loss)
    count = len(data.labels)
    return Epoch(
        epoch, total / count, correct / count, test_loss, test_accuracy, lr, count / seconds, seconds
    )


def _check_finite(loss: float, run: Run, config: Config) -> None:
    if not np.isfinite(loss):
        kept = f"the weights of epoch {len(run.history.epochs)} are in {config.path}"
        raise TrainingError(
            f"The loss is {loss} at step {len(run.history.losses):,}, so training cannot go on; lower --lr "
            f"({kept if run.history.epochs else 'nothing was saved'})."
        )


def step(run: Run, x: Tensor, y: Tensor) -> tuple[float, int]:
    """One update of the weights; the batch's mean loss and how many of it were right before."""
    logits = run.net(x)
    loss = cross_entropy(logits, y)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    run.optimizer.step()
    return loss.item(), int((logits.argmax(1) == y).sum())


_HEADER = "epoch  train loss  train acc  test loss  test acc       lr  images/s  time left"


def _printed(row: Epoch, config: Config) -> str:
    left = round(row.seconds * (config.epochs - row.epoch))
    return (
        f"{row.epoch:5}  {row.train_loss:10.4f}  {row.train_accuracy:9.2%}  {row.test_loss:9.4f}  "
        f"{row.test_accuracy:8.2%}  {row.lr:7.1e}  {row.images_per_second:8.0f}  "
        f"{left // 60:6}:{left % 60:02}"
    )


def save(run: Run, config: Config, data: Dataset, test: Dataset) -> None:
    """Write the checkpoint, and beside it the history."""
    save_checkpoint(config.path, card_of(run, config, data, test), run.net.state_dict())
    save_history(beside(config.path, ".history.json"), run.history)


def snapshot(run: Run, config: Config, data: Dataset, test: Dataset) -> None:
    """Keep a snapshot of this epoch if one is due."""
    card, limit = card_of(run, config, data, test), round(config.snapshot_limit * 1e6)
    said = keep_snapshot(config.path, card, run.net.state_dict(), config.snapshot_every, limit)
    if said:
        print(said, flush=True)


def card_of(run: Run, config: Config, data: Dataset, test: Dataset) -> Card:
    rows = run.history.epochs
    counts = f"trained on {len(data.labels):,} images, measured on {len(test.labels):,}"
    measured = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
    settings = {name: value for name, value in asdict(config).items() if name not in NOT_IN_CARD}
    return Card(
        net="course",
        classes=data.classes,
        mean=tuple(data.mean),
        std=tuple(data.std),
        input_size=data.images.shape[1],
        recipe="course",
        config=settings,
        epoch=len(rows),
        metrics={name: round(getattr(rows[-1], name), 6) for name in measured} if rows else {},
        data=f"{config.note or data.provenance}; {counts}",
        versions={name: version(name) for name in ("torch", "numpy")},
    )


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        place = torch.zeros(1, device=name)
        place.item()  # a device whose values cannot be read, such as meta, trains nothing
        return place.device
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(f"There is no device {name!r} on this machine; leave --device out.") from error


def parser() -> argparse.ArgumentParser:
    defaults = Config()
    parser = argparse.ArgumentParser(
        "python -m model.train",
        description="Train the course CNN as the course does: Adam, augmentation, ReduceLROnPlateau.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--dataset", choices=SOURCES, default=defaults.dataset, help="where the images come from")
    add("--data-dir", default=defaults.data_dir, help="CIFAR-10 is kept here; or DIR with train/ and test/")
    add("--epochs", type=_count, default=defaults.epochs, help="passes over the training images")
    add("--batch-size", type=_count, default=defaults.batch_size, help="images a step")
    add("--lr", type=_positive, default=defaults.lr, help="Adam's learning rate at the start")
    add("--seed", type=_natural, default=defaults.seed, help="of weights, order, augmentation and Dropout")
    add("--limit", type=_natural, default=defaults.limit, help="use that many images of each split; 0: all")
    add("--out", default=defaults.out, help="the checkpoint's path (empty: %s)" % defaults.path)  # noqa: UP031
    add("--device", default=defaults.device, help="cpu, cuda, … (auto: cuda if there is one)")
    add("--snapshot-every", type=_natural, default=0, help="keep weights every so many epochs; 0: never")
    add(
        "--snapshot-limit", type=_positive, default=200.0, help="MB of snapshots; there every second one goes"
    )
    add("--note", default=defaults.note, help="what the images are, for the checkpoint's card")
    return parser


def _natural(text: str, least: int = 0) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}, not {text}")
    return int(text)


def _count(text: str) -> int:
    return _natural(text, least=1)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text}")
    return value


def main(arguments: list[str] | None = None) -> int:
    config = Config(**vars(parser().parse_args(arguments)))
    try:
        check_writable(config.path)
        data, test = _data(config)
        run = train(config, data, test)
        save_figure(beside(config.path, ".loss.png"), loss_figure(run.history))
        save_figure(beside(config.path, ".epochs.png"), epochs_figure(run.history))
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        reason = error.strerror or error
        return _fail(f"{error.filename or config.path} cannot be written or read ({reason}); see to it.")
    except (TrainingError, DatasetError, CheckpointError, SnapshotError) as error:
        return _fail(str(error))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return _fail("There is not enough memory for this run; lower --batch-size or --limit.")
    print(f"{config.path}, with its history and two pictures beside it")
    print("see it with: streamlit run explorer/app.py")
    return 0


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out: on the CPU torch says so in a RuntimeError like any other."""
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)


def _fail(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return 1


def check_writable(path: Path) -> None:
    """Raise TrainingError before hours of work if the checkpoint could not be written to `path`."""
    if path.suffix != ".safetensors":
        raise TrainingError(f"A checkpoint's name ends in .safetensors, and {path} does not; change --out.")
    if path.is_dir():
        raise TrainingError(f"{path} is a folder; give the checkpoint another name with --out.")
    try:
        with replacing(beside(path, ".probe")):
            pass
        beside(path, ".probe").unlink()
    except OSError as error:
        raise TrainingError(
            f"Nothing can be written to {path.parent} ({error.strerror}); choose another place with --out."
        ) from error


def _data(config: Config) -> tuple[Dataset, Dataset]:
    train, test = _split(config, "train"), _split(config, "test")
    limit = config.limit or None
    return _first(train, limit, config.seed), _first(test, limit, config.seed)


def _split(config: Config, split: Split) -> Dataset:
    form = "{desc} {percentage:3.0f}%|{bar}| {remaining}"
    with tqdm(total=1.0, desc=f"{split} images", bar_format=form, leave=False, disable=None, delay=1) as bar:
        return load(
            config.dataset, Path(config.data_dir), split, progress=lambda share: bar.update(share - bar.n)
        )


def _first(data: Dataset, limit: int | None, seed: int) -> Dataset:
    """`limit` images drawn at random: a folder's order goes class by class."""
    if limit is None or limit >= len(data.labels):
        return data
    chosen = np.sort(np.random.default_rng(seed).permutation(len(data.labels))[:limit])
    return replace(data, images=data.images[chosen], labels=data.labels[chosen])


if __name__ == "__main__":
    sys.exit(main())
