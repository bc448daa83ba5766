"""Which heat maps are true of drawn parts: `python -m benchmarks.redrawing`.

Scenes that no training has drawn are drawn again without each part of the object. Each map's sums over the
parts are ranked beside the measured fall of the predicted class's logit (FunnyBirds' single deletion,
arXiv:2308.06248), and so are maps that no network was asked for, and parts that are only painted over. What
counts is the difference to the plain area of each part on the same scenes.
"""

import argparse
import os
import platform
import sys
import warnings
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "2"

import numpy as np
import torch

from explorer.engine.attribution import METHODS, attribute
from explorer.engine.network import Network, network_of
from explorer.engine.redrawing import Redrawing, redraw
from explorer.engine.scoreboard.tables import fixed
from explorer.engine.scores.forward import logits
from explorer.engine.scores.redrawing import agreement, part_sums
from explorer.engine.scores.references import REFERENCES
from explorer.engine.scores.removal import REMOVALS
from explorer.engine.values import Doubles, Integers
from model.checkpoint import load_checkpoint
from model.problems import Problem

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINT = ROOT / "checkpoints" / "scenes-course.safetensors"
LAYERS = ("relu1", "relu2", "relu3")
SCENES, SEED = 80, 30_000_000  # of scenes that neither training nor a batch of the explorer draws
Correlations = dict[str, Doubles]


def drawings(network: Network, count: int, size: int) -> list[Redrawing]:
    """`count` scenes of all classes in turn."""
    classes = len(network.card.classes)
    return [redraw(network, number % classes, SEED + number, size) for number in range(count)]


def measured(network: Network, scenes: list[Redrawing]) -> Correlations:
    """The rank correlation of every row on each scene, (N,), NaN where there are too few parts."""
    target = np.array([scene.logits.argmax() for scene in scenes])
    rows: Correlations = {}
    every = (references(scenes), methods(network, scenes, target), painted(network, scenes, target))
    for name, sums in chain(*every):
        rows[name] = correlations(scenes, target, sums)
        print(name, f"{interval(rows[name])[0]:.2f}", file=sys.stderr, flush=True)
    return rows


def correlations(scenes: list[Redrawing], target: Integers, sums: list[Doubles]) -> Doubles:
    pairs = zip(scenes, target.tolist(), sums, strict=True)
    return np.array([agreement(each, scene.effects(label)[scene.own_parts]) for scene, label, each in pairs])


def references(scenes: list[Redrawing]) -> Iterator[tuple[str, list[Doubles]]]:
    for reference in REFERENCES.values():
        maps = [
            reference.make((len(scene.picture), len(scene.picture)), scene.object_mask, number)
            for number, scene in enumerate(scenes)
        ]
        yield reference.title, sums_of(scenes, maps)


def sums_of(scenes: list[Redrawing], maps: list[Doubles]) -> list[Doubles]:
    return [part_sums(one, scene.masks[scene.own_parts]) for scene, one in zip(scenes, maps, strict=True)]


def painted(
    network: Network, scenes: list[Redrawing], target: Integers
) -> Iterator[tuple[str, list[Doubles]]]:
    """The fall of the logit when a part is only painted over in the network's input."""
    for removal in (None, *REMOVALS.values()):
        falls = []
        for scene, label in zip(scenes, target.tolist(), strict=True):
            x = network.card.to_input(scene.picture)[0]
            removed = torch.from_numpy(scene.masks[scene.own_parts])
            black = network.card.to_input(np.zeros_like(scene.picture))[0]
            images = (
                torch.where(removed[:, None], black, x) if removal is None else removal.fill(x, removed, 0)
            )
            scores = logits(network.net, torch.cat([x[None], images]))[:, label]
            falls.append((scores[0] - scores[1:]).numpy())
        yield "Part painted over: " + ("black" if removal is None else removal.title.lower()), falls


def methods(
    network: Network, scenes: list[Redrawing], target: Integers
) -> Iterator[tuple[str, list[Doubles]]]:
    """Grad-CAM at every block; the other methods at the last, or at the input; without those not allowed."""
    x = network.card.to_inputs([scene.picture for scene in scenes])
    for name, record in METHODS.items():
        layers = LAYERS if name == "grad_cam" else LAYERS[-1:]
        for layer in layers if record.needs_layer else (None,):
            try:
                heat = attribute(network.net, x, name, layer=layer, target=torch.tensor(target))
            except Problem:
                continue
            title = record.title if layer is None else f"{record.title} at {layer}"
            yield title, sums_of(scenes, list(np.asarray(heat.values, np.float64)))


def interval(values: Doubles) -> tuple[float, float]:
    """The mean of what is not NaN, and how far its 95% interval reaches to both sides."""
    known = values[np.isfinite(values)]
    return float(known.mean()), float(1.96 * known.std(ddof=1) / np.sqrt(len(known)))


def table(rows: Correlations, scenes: list[Redrawing]) -> str:
    area = rows[REFERENCES["area"].title]
    correct = np.mean([scene.logits.argmax() == scene.label for scene in scenes])
    background = np.mean([scene.depends_on_background(int(scene.logits.argmax())) for scene in scenes])
    ordered = sorted(rows, key=lambda name: -interval(rows[name])[0])
    count = int(np.isfinite(area).sum())
    return "\n".join(
        [
            "| map | rank correlation with the truth | difference to the area | above the area |",
            "|---|---|---|---|",
            *(line(name, rows[name], area) for name in ordered),
            "",
            f"Means ± 95% intervals over {count} of {len(scenes)} drawn scenes, those of which at least "
            f"three parts show, by `python -m benchmarks.redrawing --scenes {len(scenes)}` on "
            f"{platform.machine()}, torch {torch.__version__}. The network (`{CHECKPOINT.name}`) is right on "
            f"{correct:.1%} of them; on {background:.0%} its logit depends on the background: without it, it "
            f"falls by 5% of the largest change or more. Of {len(rows)} rows about one is above or below "
            "the area by chance alone.",
        ]
    )


def line(name: str, values: Doubles, area: Doubles) -> str:
    (mean, reach), (difference, around) = interval(values), interval(values - area)
    verdict = "yes" if difference > around else "no, below" if -difference > around else "not shown"
    about = f"{fixed(mean)} ± {fixed(reach)}"
    if values is area:
        return f"| {name} | {about} | | |"
    sign = "+" if difference > 0 else ""
    return f"| {name} | {about} | {sign}{fixed(difference)} ± {fixed(around)} | {verdict} |"


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.redrawing", description=__doc__)
    parser.add_argument("--scenes", type=int, default=SCENES)
    parser.add_argument("--size", type=int, default=32, help="pixels that the scenes are drawn with")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # Captum's, of every call
    network = network_of(load_checkpoint(CHECKPOINT))
    scenes = drawings(network, options.scenes, options.size)
    print(table(measured(network, scenes), scenes))


if __name__ == "__main__":
    main()
