"""What networks learn of a planted mark: `python -m benchmarks.shortcut --data-dir DIR`.

Trains the course's network by the course's recipe on 5,000 drawn scenes, in a fraction of which a mark near a
corner is that of the class, anew for each fraction and seed, and measures it on 1,000 other scenes with the
mark of their class, with that of another class and without one; and how much of Grad-CAM at the last block
is on the mark. In place of one trained anew, the shipped checkpoint stands for its fraction and seed; its row
says that it had more epochs. Writes the curve as JSON beside it; rows that are there already stay, if they
were trained for as many epochs. `--write` also puts the accuracies of the
shipped checkpoints into docs/training.md.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import readme
from benchmarks.checkpoints import percent
from explorer.engine.intervals import interval
from explorer.engine.network import Network, network_of
from explorer.engine.shortcut import MarkedScenes, accuracy, marked_scenes, mean_on_mark
from explorer.engine.shortcut_curve import row_of
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
SHIPPED = ("scenes-course", "scenes-shortcut")
HEAD = (
    "| checkpoint | mark of its class | mark of another class | no mark | follows the wrong mark |\n"
    "|---|---|---|---|---|"
)


def measured(network: Network, scenes: MarkedScenes) -> dict[str, Any]:
    """How often a network is right in each condition, and how much of its Grad-CAM is on the mark."""
    of, on = accuracy(network, scenes), mean_on_mark(network, scenes, LAYER)
    evidence = {"positive": on.positive, "absolute": on.absolute, "area": on.area}
    rounded = {name: round(value, 4) for name, value in evidence.items()}
    return row_of(of) | {"on_mark": rounded}


def shipped(scenes: MarkedScenes) -> list[dict[str, Any]]:
    """What was measured of each shipped checkpoint."""
    rows = []
    for name in SHIPPED:
        checkpoint = load_checkpoint(CURVE.parent / f"{name}.safetensors")
        measures = measured(network_of(checkpoint), scenes)
        settings = {key: checkpoint.card.config.get(key) for key in ("shortcut", "seed", "epochs")}
        rows.append({"checkpoint": name, "digest": checkpoint.digest} | settings | measures)
    return rows


def with_shipped(rows: list[dict[str, Any]], of_shipped: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a curve, and those of shipped checkpoints that were trained with marks."""
    known = {(row["fraction"], row["seed"]) for row in rows}
    measures = ("n", "correct", "followed", "on_mark")
    return rows + [
        {"fraction": row["shortcut"], "seed": row["seed"], "epochs": row["epochs"]}
        | {name: row[name] for name in measures}
        for row in of_shipped
        if row["shortcut"] is not None and (row["shortcut"], row["seed"]) not in known
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """The accuracies of the shipped checkpoints with their intervals, for docs/training.md."""
    lines = []
    for row in rows:
        counts = (*(row["correct"][name] for name in ("own", "wrong", "none")), row["followed"])
        cells = [f"`{row['checkpoint']}`", *(with_interval(count, row["n"]) for count in counts)]
        lines.append("| " + " | ".join(cells) + " |")
    source = f"Of {rows[0]['n']:,} scenes, by `python -m benchmarks.shortcut --data-dir DIR --write`."
    return "\n".join([HEAD, *lines, "", source])


def with_interval(count: int, n: int) -> str:
    low, high = interval(count / n, n)
    return f"**{percent(count / n)}** ({percent(low)} to {percent(high)})"


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
    return [row for row in curve["rows"] if row.get("epochs", curve["epochs"]) == epochs]


def write(path: Path, head: Mapping[str, Any], rows: list[dict[str, Any]], of_shipped: list[Any]) -> None:
    """Write the curve, one row a line, whole or not at all."""
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    ordered = sorted(rows, key=lambda row: (row["fraction"], row["seed"]))
    for name, each in (("shipped", of_shipped), ("rows", ordered)):
        lines.append(f"{json.dumps(name)}: [\n" + ",\n".join(map(json.dumps, each)) + "\n]")
    with replacing(path) as file:
        file.write(("{" + ",\n".join(lines) + "}\n").encode())


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.shortcut", description=__doc__)
    parser.add_argument(
        "--data-dir", type=Path, default=ROOT / "data", help="where the drawn scenes are kept"
    )
    parser.add_argument("--fractions", type=float, nargs="+", default=FRACTIONS)
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--out", type=Path, default=CURVE)
    parser.add_argument("--write", action="store_true", help="replace the table in docs/training.md")
    options = parser.parse_args()
    rows = read(options.out, options.epochs)
    test = load("scenes", options.data_dir, "test")
    scenes = marked_scenes(test.images, test.labels)
    of_shipped = shipped(scenes)
    rows = with_shipped(rows, of_shipped)
    for seed in options.seeds:
        for fraction in options.fractions:
            if any((row["fraction"], row["seed"]) == (fraction, seed) for row in rows):
                continue
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "run.safetensors"
                network = trained(fraction, seed, options.epochs, options.data_dir, out)
            rows.append({"fraction": fraction, "seed": seed} | measured(network, scenes))
            print(rows[-1], flush=True)
            write(options.out, head(rows, options.epochs), rows, of_shipped)
    write(options.out, head(rows, options.epochs), rows, of_shipped)
    print(table(of_shipped))
    if options.write:
        readme.put("benchmarks/shortcut.py", table(of_shipped))


def head(rows: list[dict[str, Any]], epochs: int) -> dict[str, Any]:
    """What a curve says of itself: the command that writes it, the epochs, the layer of Grad-CAM."""
    seeds = " ".join(map(str, sorted({row["seed"] for row in rows})))
    command = f"python -m benchmarks.shortcut --data-dir DIR --seeds {seeds} --epochs {epochs}"
    return {"command": command, "epochs": epochs, "layer": LAYER}


if __name__ == "__main__":
    main()
