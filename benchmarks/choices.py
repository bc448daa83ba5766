"""Why the recipe `fast` is as it is: `python -m benchmarks.choices --data-dir DIR` (`--write` for README.md).

Trains the recipe and variants of it, each with one setting changed, with several seeds on nine tenths of the
training images, and measures them on the rest; the test images play no part. Every run is a row of
`benchmarks/logs/fast-choices.log` as soon as it is over; what stands there is not run again.
"""

import argparse
import contextlib
import io
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import numpy.typing as npt

from benchmarks import readme
from model.batches import images_of
from model.datasets import Dataset
from model.files import replacing
from model.recipes import choose
from model.train import train

ROOT = Path(__file__).resolve().parent.parent
LOG = ROOT / "benchmarks" / "logs" / "fast-choices.log"
SPLIT_SEED = 7

VARIANTS: dict[str, dict[str, object]] = {
    "fast": {},
    "no Dropout": {"dropout": 0.0},
    "Dropout 0.5": {"dropout": 0.5},
    "flip only": {"augment": "flip"},
    "each flip by chance": {"alternating_flip": False},
    "AdamW 2e-3": {"optimiser": "adamw", "lr": 2e-3},
    "no label smoothing": {"label_smoothing": 0.0},
    "batch 256, rate 0.2": {"batch_size": 256, "lr": 0.2},
    "cosine to zero": {"anneal": "cos"},
    "weights averaged, 0.999": {"ema": 0.999},
}
"""What is changed in the recipe, by the name in the table."""

Rows = dict[str, dict[int, tuple[int, float]]]  # variant → seed → epochs, accuracy


def halves(data: Dataset, held_out: float = 0.1) -> tuple[Dataset, Dataset]:
    """The images to train on, and those held out, drawn once and for all."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(data.labels))
    cut = round(held_out * len(order))
    rest, held = np.sort(order[cut:]), np.sort(order[:cut])
    return _only(data, rest), _only(data, held)


def _only(data: Dataset, part: npt.NDArray[np.int64]) -> Dataset:
    return replace(data, images=data.images[part], labels=data.labels[part])


def measure(name: str, seed: int, epochs: int, data: Dataset, held_out: Dataset) -> float:
    """The accuracy, from 0 to 1, on the images held out after a whole run of a variant."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        settings = {"recipe": "fast", "epochs": epochs, "seed": seed, "out": f"{folder}/run.safetensors"}
        run = train(choose({**settings, **VARIANTS[name]}), data, held_out)
    return run.history.epochs[-1].test_accuracy


def rows() -> Rows:
    """The runs that the log holds."""
    found: Rows = {}
    said = LOG.read_text(encoding="utf-8") if LOG.exists() else ""
    for seed, epochs, accuracy, name in re.findall(r"^ *(\d+) +(\d+) +([\d.]+)% +(.+)$", said, re.MULTILINE):
        found.setdefault(name, {})[int(seed)] = (int(epochs), float(accuracy) / 100)
    return found


def keep(found: Rows) -> None:
    lines = [
        f"{seed:4}  {epochs:6}  {accuracy:8.2%}  {name}"
        for name, runs in found.items()
        for seed, (epochs, accuracy) in sorted(runs.items())
    ]
    with replacing(LOG) as file:
        file.write("\n".join(["seed  epochs  held out  variant", *lines, ""]).encode())


def table() -> str:
    """Each variant's mean over the seeds, their standard deviation, and how far it lies from the recipe."""
    found = rows()
    base = mean(accuracy for _, accuracy in found["fast"].values())
    lines = ["| variant | held-out accuracy | seeds | against `fast` |", "|---|---|---|---|"]
    for name, runs in sorted(found.items(), key=lambda each: list(VARIANTS).index(each[0])):
        each = [accuracy for _, accuracy in runs.values()]
        spread = f" ± {100 * stdev(each):.2f}" if len(each) > 1 else ""
        apart = "" if name == "fast" else f"{100 * (mean(each) - base):+.2f}".replace("-", "−")
        lines.append(f"| {name} | {100 * mean(each):.2f} %{spread} | {len(each)} | {apart} |")
    (epochs,) = {epochs for runs in found.values() for epochs, _ in runs.values()}
    command = f"python -m benchmarks.choices --data-dir DIR --epochs {epochs}"
    return "\n".join([*lines, "", f"Mean ± standard deviation over the seeds, by `{command}`."])


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.choices", description=__doc__)
    parser.add_argument("--data-dir", required=True, help="a folder with train/ and test/")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    given = parser.parse_args()
    train_images, _ = images_of(choose({"dataset": "folder", "data_dir": given.data_dir}))
    data, held_out = halves(train_images)
    for seed in given.seeds:
        for name in VARIANTS:
            if seed not in rows().get(name, {}):
                accuracy = measure(name, seed, given.epochs, data, held_out)
                found = rows()  # anew: another process may be at other seeds
                found.setdefault(name, {})[seed] = (given.epochs, accuracy)
                keep(found)
                print(f"{seed} {name}: {accuracy:.2%}", flush=True)
    print(table())
    if given.write:
        readme.put("benchmarks/choices.py", table())


if __name__ == "__main__":
    main()
