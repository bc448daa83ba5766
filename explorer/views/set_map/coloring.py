"""What the colors of the map say: the class, the predicted class, errors, or the loss."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from explorer.drawing.colormaps import color
from explorer.drawing.palette import Color
from explorer.drawing.ranges import Range, text
from explorer.engine.outputs import probabilities
from explorer.engine.scan.result import Scan
from explorer.engine.values import Doubles, Floats, Integers
from explorer.ui import markup
from explorer.ui.class_names import glossed
from model.card import Pixels
from model.words import N_, tr

CLASSES = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2", "#9c755f", "#d7a921", "#ff9da7",
           "#8a8f98")  # fmt: skip
GOLDEN = 0.61803398875
NAMED = 12  # classes in the legend
CUT = 0.99  # of the losses lie below the end of the scale
QUIET = "#8b877f"


@dataclass(frozen=True, eq=False)
class MapImages:
    """What is known of the images of a scan, beside the scan: each one's probabilities, (N, K)."""

    scan: Scan
    net: nn.Module

    @cached_property
    def probabilities(self) -> Floats:
        with torch.inference_mode():
            return probabilities(self.net, torch.from_numpy(self.scan.logits.copy())).numpy()

    @cached_property
    def loss(self) -> Doubles:
        """−log of the probability of each image's label, in nats, (N,); NaN without a label."""
        rows = np.arange(len(self.scan))
        known = self.probabilities[rows, np.maximum(self.scan.labels, 0)].astype(np.float64)
        return np.where(self.scan.labeled, -np.log(np.maximum(known, 1e-12)), np.nan)

    @property
    def confidence(self) -> Floats:
        """The probability of each image's predicted class, (N,)."""
        return np.asarray(self.probabilities[np.arange(len(self.scan)), self.scan.predicted])


@dataclass(frozen=True, eq=False)
class Colored:
    """Colors uint8 (N, 3) of the points, the order in which they are drawn, and the legend as html; for
    print, the colors with their names, and what is said of their scale.
    """

    colors: Pixels
    order: Integers
    legend: str
    named: tuple[tuple[str, str], ...] = ()
    scale: str = ""


def by_label(images: MapImages) -> Colored:
    return _by_class(images.scan.labels, images.scan.classes, tr("no label that the network knows"))


def by_prediction(images: MapImages) -> Colored:
    return _by_class(images.scan.predicted, images.scan.classes, tr("no prediction"))


def by_error(images: MapImages) -> Colored:
    """Wrong predictions on top, correct ones quiet."""
    wrong = images.scan.labeled & ~images.scan.correct
    colors = np.where(wrong[:, None], _rgb(Color.HIGHLIGHT), _rgb(QUIET)).astype(np.uint8)
    entries = [(Color.HIGHLIGHT, tr("wrong"), int(wrong.sum())),
               (QUIET, tr("correct"), int(images.scan.correct.sum()))]  # fmt: skip
    if unknown := int((~images.scan.labeled).sum()):
        entries.append((QUIET, tr("without a label that the network knows"), unknown))
    return Colored(colors, np.argsort(wrong, kind="stable"), legend(entries), _named(entries))


def by_loss(images: MapImages) -> Colored:
    """The largest loss on top; the scale ends where CUT of the losses lie below."""
    loss = images.loss
    known = loss[np.isfinite(loss)]
    without = (QUIET, tr("without a label that the network knows"), int((~images.scan.labeled).sum()))
    entries = [without] if without[-1] else []
    if not len(known):
        quiet = np.tile(_rgb(QUIET), (len(loss), 1))
        return Colored(quiet, np.arange(len(loss)), legend(entries), _named(entries))
    range = Range(0.0, float(np.quantile(known, CUT)) or 1.0)
    colors = color(np.nan_to_num(loss)[None], range)[0]
    colors = np.where(np.isfinite(loss)[:, None], colors, _rgb(QUIET)).astype(np.uint8)
    note = tr("−log of the probability of the labeled class, in nats; 1% of the losses are larger")
    order = np.argsort(np.nan_to_num(loss, nan=-1.0), kind="stable")
    shown = markup.scale(range, note) + legend(entries)
    return Colored(colors, order, shown, _named(entries), text(range, note))


COLORINGS: dict[str, tuple[str, Callable[[MapImages], Colored]]] = {
    "label": (N_("Class"), by_label),
    "predicted": (N_("Predicted class"), by_prediction),
    "error": (N_("Error"), by_error),
    "loss": (N_("Loss"), by_loss),
}
"""What the colors can say, by name: its title, and what makes the colors."""


def _by_class(numbers: Integers, classes: tuple[str, ...], without: str) -> Colored:
    shades = [class_color(number) for number in range(len(classes))]
    table = np.array([*map(_rgb, shades), _rgb(QUIET)], np.uint8)  # the last is of -1, for no class
    counts = np.bincount(numbers[numbers >= 0], minlength=len(classes))
    most_frequent = (
        sorted(np.argsort(-counts, kind="stable")[:NAMED].tolist()) if len(classes) > NAMED else None
    )
    entries = [
        (shades[number], glossed(classes[number]), int(counts[number]))
        for number in (range(len(classes)) if most_frequent is None else most_frequent)
    ]
    if unknown := int((numbers < 0).sum()):
        entries.append((QUIET, without, unknown))
    more = len(classes) - NAMED
    note = tr("The {count} other classes have colors between these.", count=more) if more > 0 else ""
    # Drawn in a fixed random order, so that no class covers the others.
    order = np.random.default_rng(0).permutation(len(numbers))
    shown = legend(entries) + (markup.text(note, "muted") if note else "")
    return Colored(table[numbers], order, shown, _named(entries), note)


def class_color(number: int) -> str:
    """The color of a class by its number, #rrggbb; beyond the first ten by hue."""
    if number < len(CLASSES):
        return CLASSES[number]
    hue = number * GOLDEN % 1
    parts = [0.5 + 0.32 * np.cos(2 * np.pi * (hue - third / 3)) for third in range(3)]
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


def legend(entries: list[tuple[str, str, int]]) -> str:
    """Color, name and number of images of each entry, as html."""
    items = [
        f'<span style="display:inline-flex;align-items:center;gap:.35rem">'
        f'<i style="background:{shade};width:.7rem;height:.7rem;border-radius:50%"></i>'
        f"{markup.text(tr('{name} ({count:,})', name=name, count=count), tag='span')}</span>"
        for shade, name, count in entries
    ]
    style = "display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.85rem"
    return f'<div style="{style}">{"".join(items)}</div>'


def _named(entries: list[tuple[str, str, int]]) -> tuple[tuple[str, str], ...]:
    return tuple((shade, name) for shade, name, _ in entries)


def _rgb(shade: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex(shade.removeprefix("#")), np.uint8)
