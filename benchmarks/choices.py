"""Why the recipe `fast` is as it is: `python -m benchmarks.choices --data-dir DIR` (`--write`: into docs/).

Trains what the recipe was while it was being chosen and variants of that, each with one setting changed, with
several seeds on nine tenths of the training images, and measures them on the rest; the test images play no
part. Every run is a row of `benchmarks/logs/fast-choices.log` as soon as it is over; what stands there is not
run again.
"""

import argparse
import contextlib
import io
import re
import shlex
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
from model.training.loop import train

ROOT = Path(__file__).resolve().parent.parent
LOG = ROOT / "benchmarks" / "logs" / "fast-choices.log"
SPLIT_SEED = 7

BASE = "Dropout 0.25"
VARIANTS: dict[str, dict[str, object]] = {
    BASE: {"dropout": 0.25},
    "no Dropout": {"dropout": 0.0},
    "Dropout 0.5": {"dropout": 0.5},
    "flip only": {"augment": "flip"},
    "each flip by chance": {"alternating_flip": False},
    "AdamW 2e-3": {"optimizer": "adamw", "lr": 2e-3},
    "no label smoothing": {"label_smoothing": 0.0},
    "batch 256, rate 0.2": {"batch_size": 256, "lr": 0.2},
    "cosine to zero": {"anneal": "cos"},
    "weights averaged, 0.999": {"ema": 0.999},
}
"""What is changed in the recipe as it stood, by the name in the table."""

Rows = dict[tuple[str, int], dict[int, float]]  # variant, epochs → seed → accuracy


def halves(data: Dataset, held_out: float = 0.1) -> tuple[Dataset, Dataset]:
    """The images to train on, and those held out, drawn once and for all."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(data.labels))
    cut = round(held_out * len(order))
    rest, held_out = np.sort(order[cut:]), np.sort(order[:cut])
    return _only(data, rest), _only(data, held_out)


def _only(data: Dataset, part: npt.NDArray[np.int64]) -> Dataset:
    return replace(data, images=data.images[part], labels=data.labels[part])


def measure(name: str, seed: int, epochs: int, data: Dataset, held_out: Dataset) -> float:
    """The accuracy, from 0 to 1, on the images held out after a whole run of a variant."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        settings = {"recipe": "fast", "epochs": epochs, "seed": seed, "out": f"{folder}/run.safetensors"}
        run = train(choose({**settings, **VARIANTS[BASE], **VARIANTS[name]}), data, held_out)
    return run.history.epochs[-1].test_accuracy


def rows() -> Rows:
    """The runs that the log holds."""
    rows_of: Rows = {}
    log = LOG.read_text(encoding="utf-8") if LOG.exists() else ""
    for seed, epochs, accuracy, name in re.findall(r"^ *(\d+) +(\d+) +([\d.]+)% +(.+)$", log, re.MULTILINE):
        rows_of.setdefault((name, int(epochs)), {})[int(seed)] = float(accuracy) / 100
    return rows_of


def keep(name: str, epochs: int, seed: int, accuracy: float) -> None:
    measured = rows()  # anew: another process may be at other seeds
    measured.setdefault((name, epochs), {})[seed] = accuracy
    lines = [
        f"{seed:4}  {epochs:6}  {accuracy:8.2%}  {name}"
        for (name, epochs), runs in measured.items()
        for seed, accuracy in sorted(runs.items())
    ]
    with replacing(LOG) as file:
        file.write("\n".join(["seed  epochs  held out  variant", *lines, ""]).encode())


def table() -> str:
    """For each length of run, each variant's mean over the seeds, their standard deviation, and how far it
    lies from the first."""
    measured = rows()
    lengths = sorted({epochs for _, epochs in measured})
    heads = [f"{epochs} epochs | against the first" for epochs in lengths]
    lines = [f"| variant | {' | '.join(heads)} |", "|---" * (1 + 2 * len(lengths)) + "|"]
    for name in VARIANTS:
        cells = [cell for epochs in lengths for cell in _cells(measured, name, epochs)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    seeds = " or ".join(map(str, sorted({len(runs) for runs in measured.values()})))
    commands = " and ".join(f"`{_flags(measured, epochs)}`" for epochs in lengths)
    caption = (
        f"Mean ± standard deviation over {seeds} seeds, by `python -m benchmarks.choices --data-dir DIR`"
    )
    return "\n".join([*lines, "", f"{caption} with {commands}."])


def _flags(measured: Rows, epochs: int) -> str:
    """The flags that made the runs of a length."""
    names = [name for name in VARIANTS if (name, epochs) in measured]
    chosen = [] if len(names) == len(VARIANTS) else ["--variants", *names]
    return shlex.join(["--epochs", str(epochs), *chosen])


def _cells(measured: Rows, name: str, epochs: int) -> list[str]:
    runs = list(measured.get((name, epochs), {}).values())
    if not runs:
        return ["–", "–"]
    spread = f" ± {100 * stdev(runs):.2f}" if len(runs) > 1 else ""
    apart = 100 * (mean(runs) - mean(measured[BASE, epochs].values()))
    against = "" if name == BASE else f"{apart:+.2f}".replace("-", "−")
    return [f"{100 * mean(runs):.2f}%{spread}", against]


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.choices", description=__doc__)
    parser.add_argument("--data-dir", required=True, help="a folder with train/ and test/")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--write", action="store_true", help="put the table into docs/training.md")
    options = parser.parse_args()
    train_images, _ = images_of(choose({"dataset": "folder", "data_dir": options.data_dir}))
    data, held_out = halves(train_images)
    for seed in options.seeds:
        for name in options.variants:
            if seed not in rows().get((name, options.epochs), {}):
                accuracy = measure(name, seed, options.epochs, data, held_out)
                keep(name, options.epochs, seed, accuracy)
                print(f"{seed} {name}: {accuracy:.2%}", flush=True)
    print(table())
    if options.write:
        readme.put("benchmarks/choices.py", table())


if __name__ == "__main__":
    main()
