"""The training loop: epochs of steps, the measure after each, and what it leaves on disk."""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from model.batches import DROPOUT, batches, order_of, seed_for, steps_of
from model.board import open_board, pictures, show
from model.datasets import Dataset
from model.evaluation import evaluate, flip_averaged
from model.example_log import with_epoch
from model.files import naming
from model.history import Epoch
from model.optimizers import follow
from model.problems import Problem
from model.processes import rank, share_buffers
from model.recipes import Config, settled
from model.schedulers import after_epoch, after_step
from model.state import State, load_state, path_of
from model.training.examples import keep_log, record_epoch
from model.training.messages import HEADER, about_run, epoch_line, rate_reduced
from model.training.run import Run, begin, keep_state, restore, save, say, snapshot, start, tell
from model.training.step import step
from model.words import N_, tr

LIVE_SECONDS = 5.0  # how often the history is written while an epoch goes on


def train(config: Config, data: Dataset, test: Dataset, state: State | None = None) -> Run:
    """Train to the end of `config.epochs`, from `state` on if there is one, saving after every epoch.

    On Ctrl-C, and on an error, what the last whole epoch left stays, to be resumed.
    """
    config = settled(config)
    board = open_board("" if rank() else config.tensorboard, config.path.stem, new=state is None)
    run = start(config, data, test)
    if state is None:
        begin(run)
    else:
        restore(run, state)
    say(about_run(run))
    try:
        with _written(config, board):
            for _ in epochs(run, data, test, board):
                pass
    except KeyboardInterrupt:
        _interrupted(run)
        raise
    except Exception:
        with suppress(OSError):  # the disk may be what is wrong
            tell(run, "stopped")
        raise
    return run


@contextmanager
def _written(config: Config, board: Any) -> Iterator[None]:
    """Close what TensorBoard reads at the end; where it cannot be written, that is what is named."""
    if board is None:
        yield
        return
    with naming(Path(config.tensorboard)), board:
        yield


def epochs(run: Run, data: Dataset, test: Dataset, board: Any = None) -> Iterator[Epoch]:
    """Train on to the end, or to `stop_after`; each epoch's figures, once all that it leaves is on disk."""
    config = run.config
    last = min(config.epochs, config.stop_after or config.epochs)
    remaining = range(len(run.history.epochs) + 1, last + 1)
    if remaining:
        say(tr(HEADER))
    for epoch in remaining:
        began = time.perf_counter()
        run.history.epochs.append(_epoch(run, data, test, epoch))
        snapshot(run)
        keep_log(config, run.examples)  # before the state: a run that goes on needs all of its epochs
        if board is not None:
            show(board, run.history, pictures(run.net, data, config, epoch))
        keep_state(run)  # before the checkpoint: it can write that anew
        save(run)
        seconds_left = (time.perf_counter() - began) * (last - epoch)
        say(epoch_line(run.history.epochs[-1], seconds_left))
        if reduced := rate_reduced(run):
            say(reduced)
        yield run.history.epochs[-1]
    if (flipped := run.history.epochs[-1].flip_accuracy) is not None:
        say(
            tr(
                "Test accuracy, predictions of each image and its mirror image averaged: {accuracy:.2%}",
                accuracy=flipped,
            )
        )
    tell(run, "finished" if last == config.epochs else "stopped")
    if last < config.epochs:
        say(tr("Stopped after epoch {epoch}, as requested; continue with --resume.", epoch=last))


def _epoch(run: Run, data: Dataset, test: Dataset, epoch: int) -> Epoch:
    started, lr = time.perf_counter(), run.lr
    total, correct = _pass(run, data, epoch)
    seconds = time.perf_counter() - started
    for each in (run.net, run.result):
        share_buffers(each)
    test_loss, test_accuracy = _measure(run, test)
    after_epoch(run.config.scheduler, run.scheduler, test_loss)
    flipped = None
    if epoch == run.config.epochs:
        (test_loss, test_accuracy), flipped = _measure_last(run, test, (test_loss, test_accuracy))
    count = len(data.labels)
    train_loss, train_accuracy, speed = total / count, correct / count, count / seconds
    return Epoch(epoch, train_loss, train_accuracy, test_loss, test_accuracy, lr, speed, seconds, flipped)


def _measure(run: Run, test: Dataset) -> tuple[float, float]:
    """Test loss and accuracy, in the precision that was trained in: what the scheduler hears."""
    with run.precision():
        loss, accuracy = evaluate(run.result, test, run.device)
    _check_finite(loss, run, len(run.history.losses))  # an epoch's last step can be what went wrong
    return loss, accuracy


def _measure_last(
    run: Run, test: Dataset, measured: tuple[float, float]
) -> tuple[tuple[float, float], float | None]:
    """Loss and accuracy after the last epoch, in float32, as whoever loads it will measure them.

    And the accuracy with flips averaged, if asked for. `measured` stands where it was float32 already.
    """
    if run.config.precision == "bf16":
        measured = evaluate(run.result, test, run.device)
    return measured, flip_averaged(run.result, test, run.device) if run.config.flip_average else None


def _pass(run: Run, data: Dataset, epoch: int) -> tuple[float, int]:
    """Train on every image once; the sum of their losses, and how many were right."""
    config, losses = run.config, run.history.losses
    run.net.train()  # every epoch anew: the evaluation after it leaves the net in eval mode
    total, correct, count, steps, last_write = 0.0, 0, 0, steps_of(data, config), time.monotonic()
    source = batches(data, config, epoch, run.device)
    bar = tqdm(
        source,
        tr("epoch {epoch}", epoch=epoch),
        steps,
        leave=False,
        unit=tr("batch"),
        disable=rank() > 0 or None,
    )
    order = torch.split(order_of(len(data.labels), config, epoch), config.batch_size)
    record = None if run.examples is None else record_epoch(data.labels, run.device)
    for number, (x, y) in enumerate(bar):
        torch.manual_seed(seed_for(DROPOUT, config.seed, epoch, number))
        watch = None if record is None else partial(record.add, order[number])
        loss, hits = step(run, x.to(memory_format=torch.channels_last), y, watch)
        _check_finite(loss, run, len(losses) + 1)
        losses.append(loss)
        after_step(config.scheduler, run.scheduler, len(losses), steps * config.epochs)
        if run.average is not None:
            follow(run.average, run.net, config.ema, len(losses))
        total, correct, count = total + loss * len(y), correct + hits, count + len(y)
        bar.set_postfix_str(tr("loss {loss:.4f}", loss=total / count), refresh=False)
        if time.monotonic() - last_write > LIVE_SECONDS:
            tell(run, "running")
            last_write = time.monotonic()
    if run.examples is not None and record is not None:
        run.examples = with_epoch(run.examples, *record.finish())
    return total, correct


def _check_finite(loss: float, run: Run, step: int) -> None:
    if not math.isfinite(loss):
        raise Problem(
            "The loss is {loss} at step {step:,}, so training cannot continue; reduce --lr "
            "(the weights of epoch {epoch} are in {path})."
            if run.history.epochs
            else "The loss is {loss} at step {step:,}, so training cannot continue; reduce --lr "
            "(nothing was saved).",
            loss=loss,
            step=step,
            epoch=len(run.history.epochs),
            path=run.config.path,
        )


def _interrupted(run: Run) -> None:
    """Leave everything on disk as of the last whole epoch; in the first, the weights so far."""
    if rank():
        return
    saved = load_state(path_of(run.config.path))
    if saved.history.epochs:
        restore(run, saved)
    else:
        save(run)
    tell(run, "stopped")
    done = len(saved.history.epochs)
    message = (
        N_(
            "Stopped in epoch {epoch}; the weights of epoch {done} are in {path}, "
            "and --resume restarts epoch {epoch}."
        )
        if done
        else N_(
            "Stopped in epoch {epoch}; the current weights are in {path}, "
            "and --resume restarts epoch {epoch}."
        )
    )
    print(tr(message, epoch=done + 1, done=done, path=run.config.path), file=sys.stderr)
