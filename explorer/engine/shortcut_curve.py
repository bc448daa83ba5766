"""What `python -m benchmarks.shortcut` measured: networks by the fraction of scenes that a mark tells."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explorer.engine.shortcut import CONDITIONS, OnMark, ShortcutAccuracy
from explorer.engine.values import Value
from model.problems import Problem


@dataclass(frozen=True, eq=False)
class TrainedOnMarks(Value):
    """What was measured of a network that was trained with marks of the class in `fraction` of the scenes."""

    fraction: float
    seed: int
    epochs: int
    accuracy: ShortcutAccuracy
    on_mark: OnMark


@dataclass(frozen=True, eq=False)
class ShortcutCurve(Value):
    """Networks in order of fraction and seed, the `layer` of Grad-CAM, and the command that measured them.

    `shipped` is digest of the weights → accuracy of the checkpoints that come with the project.
    """

    networks: tuple[TrainedOnMarks, ...]
    layer: str
    command: str
    shipped: Mapping[str, ShortcutAccuracy]

    @property
    def fractions(self) -> tuple[float, ...]:
        """The fractions, ascending."""
        return tuple(sorted({each.fraction for each in self.networks}))

    def at(self, fraction: float) -> tuple[TrainedOnMarks, ...]:
        """The networks of a fraction, one for each seed."""
        return tuple(each for each in self.networks if each.fraction == fraction)


def read_curve(path: Path) -> ShortcutCurve:
    """The curve in a file. Problem if there is none, or something else."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        networks = tuple(_network(row, int(values["epochs"])) for row in values["rows"])
        shipped = {row["digest"]: _accuracy(row) for row in values["shipped"]}
        return ShortcutCurve(networks, values["layer"], values["command"], shipped)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise Problem(
            "The curve in {path} is missing or damaged; write it with `python -m benchmarks.shortcut`.",
            path=path.name,
        ) from error


def row_of(accuracy: ShortcutAccuracy) -> dict[str, Any]:
    """An accuracy as the file holds it."""
    return {"n": accuracy.n, "correct": dict(accuracy.correct), "followed": accuracy.followed}


def fractions_correct(networks: Sequence[TrainedOnMarks], condition: str) -> list[float]:
    """The accuracy of each network in one of CONDITIONS, from 0 to 1."""
    return [each.accuracy.correct[condition] / each.accuracy.n for each in networks]


def _network(row: Mapping[str, Any], epochs: int) -> TrainedOnMarks:
    """A row's network, of as many epochs as the others unless it says so."""
    on = row["on_mark"]
    on_mark = OnMark(float(on["positive"]), float(on["absolute"]), float(on["area"]))
    epochs = int(row.get("epochs", epochs))
    return TrainedOnMarks(float(row["fraction"]), int(row["seed"]), epochs, _accuracy(row), on_mark)


def _accuracy(row: Mapping[str, Any]) -> ShortcutAccuracy:
    correct = {name: int(row["correct"][name]) for name in CONDITIONS}
    return ShortcutAccuracy(int(row["n"]), correct, int(row["followed"]))
