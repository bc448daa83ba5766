"""What networks learn of a planted mark: `python -m benchmarks.shortcut --data-dir DIR`.

Trains the course's network by the course's recipe on 5,000 drawn scenes, in a fraction of which a mark near a
corner is that of the class, anew for each fraction and seed, and measures it on 1,000 other scenes with the
mark of their class, with that of another class and without one; and how much of Grad-CAM at the last block
is on the mark. Writes the curve as JSON beside the shipped checkpoint; rows that are there already stay, if
they were trained for as many epochs.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from explorer.engine.network import Network, network_of
from explorer.engine.shortcut import MarkedScenes, accuracy, marked_scenes, mean_on_mark
from model.batches import images_of
from model.checkpoint import load_checkpoint
from model.datasets import load
from model.files import replacing
from model.recipes import choose
from model.training.loop import train

ROOT = Path(__file__).resolve().parent.parent
CURVE = ROOT / "checkpoints" / "scenes-shortcut.curve.json"
FRACTIONS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
LAYER = "relu3"


def measured(network: Network, scenes: MarkedScenes) -> dict[str, Any]:
    """How often a network is right in each condition, and how much of its Grad-CAM is on the mark."""
    of, on = accuracy(network, scenes), mean_on_mark(network, scenes, LAYER)
    evidence = {"positive": on.positive, "absolute": on.absolute, "area": on.area}
    rounded = {name: round(value, 4) for name, value in evidence.items()}
    return {"n": of.n, "correct": dict(of.correct), "followed": of.followed, "on_mark": rounded}


def trained(fraction: float, seed: int, epochs: int, data_dir: Path, out: Path) -> Network:
    """The network after training with marks in this fraction of the scenes."""
    settings = {"dataset": "scenes", "data_dir": str(data_dir), "out": str(out)}
    config = choose(settings | {"shortcut": fraction, "seed": seed, "epochs": epochs})
    train(config, *images_of(config))
    return network_of(load_checkpoint(config.path))


def read(path: Path, epochs: int) -> list[dict[str, Any]]:
    """The rows of a curve that were trained for as many epochs."""
    if not path.exists():
        return []
    curve = json.loads(path.read_text(encoding="utf-8"))
    return list(curve["rows"]) if curve["epochs"] == epochs else []


def write(path: Path, epochs: int, rows: list[dict[str, Any]], command: str) -> None:
    """Write the curve, one row a line, whole or not at all."""
    head: Mapping[str, Any] = {"command": command, "epochs": epochs, "layer": LAYER}
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    ordered = sorted(rows, key=lambda row: (row["fraction"], row["seed"]))
    body = ",\n".join(map(json.dumps, ordered))
    with replacing(path) as file:
        file.write(("{" + ",\n".join([*lines, f'"rows": [\n{body}\n]']) + "}\n").encode())


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.shortcut", description=__doc__)
    parser.add_argument(
        "--data-dir", type=Path, default=ROOT / "data", help="where the drawn scenes are kept"
    )
    parser.add_argument("--fractions", type=float, nargs="+", default=FRACTIONS)
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--out", type=Path, default=CURVE)
    options = parser.parse_args()
    rows = read(options.out, options.epochs)
    test = load("scenes", options.data_dir, "test")
    scenes = marked_scenes(test.images, test.labels)
    seeds = " ".join(map(str, sorted({*options.seeds, *(row["seed"] for row in rows)})))
    command = f"python -m benchmarks.shortcut --data-dir DIR --seeds {seeds} --epochs {options.epochs}"
    for seed in options.seeds:
        for fraction in options.fractions:
            if any((row["fraction"], row["seed"]) == (fraction, seed) for row in rows):
                continue
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "run.safetensors"
                network = trained(fraction, seed, options.epochs, options.data_dir, out)
            rows.append({"fraction": fraction, "seed": seed} | measured(network, scenes))
            print(rows[-1], flush=True)
            write(options.out, options.epochs, rows, command)


if __name__ == "__main__":
    main()
