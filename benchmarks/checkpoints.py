"""Shipped checkpoints in figures: `python -m benchmarks.checkpoints` (`--write` puts it into README.md).

Accuracies and times come from the cards and histories beside the weights, other runs of the recipe from their
logs in `benchmarks/logs`, `<checkpoint>-seed<N>.log` and `…-seed<N>-earlier.log`, as `python -m model.train`
printed them.
"""

import argparse
import re
from pathlib import Path

from benchmarks import readme
from explorer.engine.intervals import interval
from model.checkpoint import Checkpoint, load_checkpoint
from model.files import beside
from model.history import load_history

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "benchmarks" / "logs"
HEAD = (
    "| checkpoint | network | recipe | test accuracy (95% interval) | other runs | training |\n"
    "|---|---|---|---|---|---|"
)


def shipped() -> list[Path]:
    """The checkpoints that come with the project; what a user trains is named `my-…`."""
    return sorted(
        path for path in (ROOT / "checkpoints").glob("*.safetensors") if not path.name.startswith("my-")
    )


def measured_on(checkpoint: Checkpoint) -> int:
    """How many test images the card's accuracy was measured on."""
    match = re.search(r"measured on ([\d,]+)", checkpoint.card.data)
    if match is None:
        raise ValueError(f"The card does not say how many images it was measured on: {checkpoint.card.data}")
    return int(match[1].replace(",", ""))


def other_runs(path: Path, seed: int) -> list[float]:
    """Test accuracy after the last epoch of each other run of the recipe, in the order of the logs' names."""
    logs = sorted(LOGS.glob(f"{path.stem}-seed*.log"))
    return [last_accuracy(log) for log in logs if not log.stem.endswith(f"seed{seed}")]


def last_accuracy(log: Path) -> float:
    """The test accuracy in the last row of a training log, as a fraction."""
    rows = re.findall(r"^ *\d+ +[\d.]+ +[\d.]+% +[\d.]+ +([\d.]+)%", log.read_text(), re.MULTILINE)
    return float(rows[-1]) / 100


def row(path: Path) -> str:
    checkpoint, history = load_checkpoint(path), load_history(beside(path, ".history.json"))
    card, accuracy = checkpoint.card, checkpoint.card.metrics["test_accuracy"]
    low, high = interval(accuracy, measured_on(checkpoint))
    others = other_runs(path, int(card.config["seed"]))
    minutes = sum(epoch.seconds for epoch in history.epochs) / 60
    parameters = sum(p.numel() for p in checkpoint.build().parameters())
    cells = (
        f"`{path.stem}`",
        f"{card.net}, {parameters:,} parameters",
        f"{card.recipe}, {card.epoch} epochs, seed {card.config['seed']}",
        f"**{percent(accuracy)}** ({percent(low)} to {percent(high)})",
        ", ".join(map(percent, others)) or "none run",
        f"{minutes:.0f} min" if minutes >= 1 else "under 1 min",
    )
    return "| " + " | ".join(cells) + " |"


def percent(fraction: float) -> str:
    return f"{fraction * 100:.2f}%"


def table() -> str:
    return "\n".join([HEAD, *map(row, shipped())])


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.checkpoints", description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the table in README.md")
    options = parser.parse_args()
    print(table())
    if options.write:
        readme.put("benchmarks/checkpoints.py", table())


if __name__ == "__main__":
    main()
