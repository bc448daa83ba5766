"""What matrix products gain ResNet-9 on its smallest maps: `python -m benchmarks.small_maps`.

Steps of `--net resnet9 --recipe fast` on random images, with the products and without, in turn in a process.
"""

import argparse
import time
from statistics import median

import numpy as np
import torch

from model import small_maps
from model.allocator import keep_freed_memory
from model.datasets import Dataset
from model.recipes import choose
from model.training.run import Run, start
from model.training.step import step

ROUNDS = 20
CELLS = {"convolutions only": 0, "products on maps of up to 16 positions": small_maps.SMALL}


def random_images(count: int) -> Dataset:
    numbers = np.random.default_rng(0)
    images = numbers.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    classes = tuple(str(number) for number in range(10))
    middle, spread = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
    return Dataset("random", images, numbers.integers(0, 10, count), classes, middle, spread, "random")


def seconds(run: Run, x: torch.Tensor, y: torch.Tensor, limit: int) -> float:
    """What one step takes when maps of up to `cells` cells are small."""
    small_maps.SMALL = limit
    started = time.perf_counter()
    step(run, x, y)
    return time.perf_counter() - started


def main() -> None:
    argparse.ArgumentParser("python -m benchmarks.small_maps", description=__doc__).parse_args()
    keep_freed_memory()
    config = choose({"net": "resnet9", "recipe": "fast"})
    data = random_images(config.batch_size)
    run = start(config, data, data)
    run.net.train()
    x = torch.randn(len(data.labels), 3, 32, 32).to(memory_format=torch.channels_last)
    y = torch.from_numpy(data.labels)
    rounds = [[seconds(run, x, y, limit) for limit in CELLS.values()] for _ in range(ROUNDS + 2)][2:]
    print(f"ResNet-9, {run.config.precision}, {torch.get_num_threads()} threads, {ROUNDS} rounds")
    for name, times in zip(CELLS, zip(*rounds, strict=True), strict=True):
        print(f"{len(y) / median(times):6.0f} images/s  {name}")


if __name__ == "__main__":
    main()
