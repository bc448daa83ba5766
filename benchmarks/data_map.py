"""Finding wrong labels, and what the log costs: `python -m benchmarks.data_map --data-dir DIR` (`--write`).

Networks are trained on drawn scenes of which 5% have a wrong label, with `--log-examples`. As many images as
have one are taken from three rankings: the lowest mean confidence over training (the data map), the largest
loss in the last epoch as the training steps saw it, and the largest loss of the trained network on the
pictures without augmentation. Each then has the same precision and recall. With `--cost`, training steps with
and without the log alternate instead, on random pictures.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from benchmarks import readme
from explorer.engine.data_map import Retrieval, by_last_loss, by_suspicion, data_map, retrieval_among_first
from explorer.engine.intervals import interval
from explorer.engine.values import Integers
from model.batches import images_of, order_of
from model.datasets import Dataset
from model.example_log import ExampleLog, save_log, with_epoch
from model.images import mean_and_std
from model.recipes import Config, choose
from model.training.examples import record_epoch
from model.training.loop import train
from model.training.run import Run, start
from model.training.step import step
from model.wrong_labels import wrong_rows

FRACTION, EPOCHS, WIDTH = 0.05, 20, 8
SETTINGS: dict[str, dict[str, Any]] = {
    "augmentation and Dropout 0.5": {},
    "neither": {"augment": "none", "dropout": 0.0},
}
"""Of training: the course's, as `scenes-mislabeled` has it, and one that learns wrong labels too."""
RANKINGS = ("data map: mean confidence", "loss in the last epoch", "loss of the trained network")


def config_of(setting: str, seed: int, data_dir: str, out: Path) -> Config:
    settings = {"dataset": "scenes", "data_dir": data_dir, "width": WIDTH, "epochs": EPOCHS, "seed": seed}
    settings |= SETTINGS[setting]
    return choose(settings | {"wrong_labels": FRACTION, "log_examples": True, "out": str(out)})


def rankings(run: Run, data: Dataset) -> dict[str, Integers]:
    """Name → all images, those that a ranking takes for wrong first."""
    assert run.examples is not None
    one = data_map(run.examples)
    orders = (by_suspicion(one), by_last_loss(one), by_final_loss(run, data))
    return dict(zip(RANKINGS, orders, strict=True))


@torch.no_grad()
def by_final_loss(run: Run, data: Dataset) -> Integers:
    """All images, the largest loss of the trained network on the picture itself first."""
    net = run.result.eval()
    losses = []
    for start_row in range(0, len(data), 500):
        x = torch.stack([run.card.to_input(each)[0] for each in data.images[start_row : start_row + 500]])
        losses.append(
            cross_entropy(
                net(x), torch.from_numpy(data.labels[start_row : start_row + 500]), reduction="none"
            )
        )
    return np.argsort(-torch.cat(losses).numpy(), kind="stable")


def retrievals(setting: str, seed: int, data_dir: str) -> dict[str, Retrieval]:
    """Name of a ranking → how many of the wrong labels are among as many of its first images."""
    with tempfile.TemporaryDirectory() as folder:
        config = config_of(setting, seed, data_dir, Path(folder) / "run.safetensors")
        data, test = images_of(config)
        run = train(config, data, test)
        wrong = wrong_rows(len(data), FRACTION, config.seed)
        orders = rankings(run, data)
        return {name: retrieval_among_first(order, wrong, len(wrong)) for name, order in orders.items()}


def row(setting: str, by_seed: list[dict[str, Retrieval]]) -> str:
    cells = [cell([one[name] for one in by_seed]) for name in RANKINGS]
    return f"| {setting} | {' | '.join(cells)} | {FRACTION:.1%} |"


def cell(counts: list[Retrieval]) -> str:
    hits, count = sum(one.hits for one in counts), sum(one.count for one in counts)
    low, high = interval(hits / count, count)
    return f"**{hits / count:.1%}** ({low:.1%} to {high:.1%})"


def report(settings: list[str], seeds: int, data_dir: str) -> str:
    by_setting = {name: [retrievals(name, seed, data_dir) for seed in range(seeds)] for name in settings}
    head = f"| training with | {' | '.join(RANKINGS)} | chance |\n|---|{'---|' * len(RANKINGS)}---|"
    note = (
        "Precision, which is also recall, among the 250 first images of each ranking (Wilson interval over "
        f"all {250 * seeds:,}); {seeds} networks each (course, width {WIDTH}, {EPOCHS} epochs) on 5,000 "
        "drawn scenes with 250 wrong labels, by `python -m benchmarks.data_map --data-dir DIR --write`."
    )
    return "\n".join([head, *(row(name, one) for name, one in by_setting.items()), "", note])


# What it costs


def noise(count: int) -> Dataset:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 32, 32, 3), np.uint8)
    classes = tuple("abcdefghij")
    mean, std = mean_and_std(images)
    return Dataset("noise", images, rng.integers(0, 10, count), classes, mean, std, "noise")


def cost(rounds: int, count: int = 50_000) -> str:
    """Steps of the recipe fast with and without the record, alternating; and writing a log of 30 epochs."""
    config = choose({"recipe": "fast", "out": "unused.safetensors", "precision": "auto"})
    data = noise(count)
    run = start(replace(config, log_examples=True), data, data)
    assert run.examples is not None
    run.net.train()
    record = record_epoch(data.labels, run.device)
    order = torch.split(order_of(count, run.config, 1), run.config.batch_size)
    x = torch.randn(run.config.batch_size, 3, 32, 32).to(memory_format=torch.channels_last)
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for number in range(2 * rounds + 20):
        logged = bool(number % 2)
        rows = order[number % (len(order) - 1)]
        began = time.perf_counter()
        step(run, x, torch.from_numpy(data.labels)[rows], partial(record.add, rows) if logged else None)
        if number >= 20:
            seconds[logged].append(time.perf_counter() - began)
    plain, logged_step = (statistics.median(seconds[each]) for each in (False, True))
    alone = statistics.median(
        time_of(partial(record.add, rows, torch.randn(len(rows), 10))) for _ in range(200)
    )
    epoch = plain * len(order)
    written = writing(run.examples, record.finish())
    return (
        f"A step takes {1000 * plain:.2f} ms without the log and {1000 * logged_step:.2f} ms with it "
        f"(medians of {rounds} each, alternating); the record alone {1e6 * alone:.0f} µs, "
        f"{alone / plain:.2%} of a step. Adding an epoch and writing 30 of {count:,} images takes "
        f"{1000 * written:.0f} ms, {written / epoch:.2%} of an epoch's {epoch:.0f} s of steps."
    )


def time_of(do: partial[None]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def writing(log: ExampleLog, finished: tuple[np.ndarray, np.ndarray]) -> float:
    """Median seconds that the last of 30 epochs takes to add and to write."""
    for _ in range(29):
        log = with_epoch(log, *finished)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.examples.npz"
        return statistics.median(
            time_of(partial(lambda: save_log(path, with_epoch(log, *finished)))) for _ in range(7)
        )


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.data_map", description=__doc__)
    parser.add_argument("--data-dir", default="data", help="where the drawn scenes are kept")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cost", action="store_true", help="measure what the log costs instead")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--write", action="store_true", help="replace the table in docs/training.md")
    options = parser.parse_args()
    if options.cost:
        print(cost(options.rounds))
        return
    text = report(options.settings, options.seeds, options.data_dir)
    print(text)
    if options.write:
        readme.put("benchmarks/data_map.py", text)


if __name__ == "__main__":
    main()
