"""What the page «Augmentation» gives away: the draws of each transform, and the training batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from explorer.drawing.figures import Chart, Panel
from explorer.drawing.pictures import enlarged
from explorer.drawing.ranges import number, percent
from explorer.drawing.sheets import columns_for, tiled
from explorer.ui import downloads, export_parts
from explorer.ui.downloads import Offer, Pictures, Tables
from explorer.ui.export_parts import Arrays
from explorer.ui.options import options
from explorer.ui.selection import Selection
from explorer.ui.snippets import path_text, program_of_pixels
from explorer.views.augmentation.draws import Batch, Row
from model.checkpoint import Pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TILE = 128  # pixels across, about, of each draw, as the page shows it
GAP = 2
PERCENT = "from explorer.drawing.ranges import percent"
PAPER = (255, 255, 255)


@dataclass(frozen=True, eq=False)
class Shown:
    """What the page shows: a group of transforms, the seed, a row for each of them, and a batch if it can."""

    group: str
    seed: int
    rows: Sequence[Row]
    batch: Batch | None


def augmented(selection: Selection, shown: Shown) -> None:
    """The image under some transforms, and a whole training batch."""
    downloads.show(partial(offer, selection, shown))


def offer(selection: Selection, shown: Shown) -> Offer:
    snippet, printed = program(selection, shown)
    return Offer(
        name=f"augmentation {shown.group} {selection.sample.name} seed {shown.seed}",
        caption=caption(selection, shown),
        pictures=pictures(selection, shown),
        tables=tables(shown),
        arrays=lambda: arrays(selection, shown),
        figure=lambda: figure(shown),
        snippet=snippet,
        printed=printed,
    )


def caption(selection: Selection, shown: Shown) -> str:
    said = [f"{row.name} at {row.strength:g}" for row in shown.rows]
    strengths = f"Transforms {', '.join(said)}, seed {shown.seed}"
    return " · ".join(
        [export_parts.caption(selection, method="Augmentation", target=""), strengths, *_of_batch(shown)]
    )


def _of_batch(shown: Shown) -> list[str]:
    if shown.batch is None:
        return []
    config = shown.batch.config
    by = f"by {config.augment or 'nothing'}, as in epoch {shown.seed + 1} with seed {config.seed}"
    return [f"Batch {shown.batch.images.said}, {by}"]


# Pictures


def pictures(selection: Selection, shown: Shown) -> Pictures:
    found: Pictures = {f"{row.name}, draws": partial(strip, row) for row in shown.rows}
    if shown.batch is not None:
        found["the batch"] = partial(sheet, shown.batch.made.pixels)
    return found | export_parts.the_image(selection)


def strip(row: Row) -> Pixels:
    """The draws of a transform side by side."""
    return sheet(row.drawn.pixels, len(row.drawn.pixels))


def sheet(pixels: Pixels, columns: int = 0) -> Pixels:
    """Pictures uint8 (n, h, w, 3) in rows; small ones are enlarged without blur."""
    scale = max(1, TILE // pixels.shape[2])
    tiles = np.stack([enlarged(each, scale) for each in pixels])
    return tiled(tiles, columns or columns_for(len(tiles)), GAP, PAPER)


def figure(shown: Shown) -> list[Panel | Chart]:
    """The rows with their names, and the batch beside them."""
    rows: list[Panel | Chart] = [named(shown.rows, f"drawn from seed {shown.seed}")]
    if shown.batch is None:
        return rows
    return [*rows, Panel(sheet(shown.batch.made.pixels), f"a batch by {shown.batch.config.augment}")]


def named(rows: Sequence[Row], title: str) -> Chart:
    """The draws of every transform below one another, each row with its name."""
    strips = [strip(row) for row in rows]
    height, width = strips[0].shape[:2]
    whole = np.concatenate([np.pad(each, ((0, GAP), (0, 0), (0, 0)), constant_values=255) for each in strips])

    def draw(axes: "Axes") -> None:
        axes.imshow(whole, interpolation="nearest")
        middles = [place * (height + GAP) + height / 2 for place in range(len(rows))]
        axes.set_yticks(middles, [f"{row.name} {row.strength:g}" for row in rows], fontsize=6)
        axes.set_xticks([])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)

    return Chart(draw, title, len(whole) / width)


# Tables and arrays


def tables(shown: Shown) -> Tables:
    found: Tables = {"Draws": lambda: pd.concat([_draws(row) for row in shown.rows])}
    batch = shown.batch
    if batch is not None:
        found["Labels"] = lambda: labels(batch)
    return found


def _draws(row: Row) -> pd.DataFrame:
    """One row a draw: what was drawn, and how much of its label is the image's own."""
    return pd.DataFrame(
        {
            "transform": row.name,
            "strength": row.strength,
            "draw": np.arange(1, len(row.drawn.said) + 1),
            "drawn": row.drawn.said,
            "label": ["; ".join(words) if row.mixes else row.whose[0] for words in row.words],
            "own_share": row.drawn.shares[:, 0],
        }
    )


def labels(batch: Batch) -> pd.DataFrame:
    """One row an image and class that it is of: the share is 1 where labels are not mixed."""
    images, classes = np.nonzero(batch.made.labels)
    return pd.DataFrame(
        {
            "image": images + 1,
            "class": [batch.classes[place] for place in classes],
            "share": batch.made.labels[images, classes],
        }
    )


def arrays(selection: Selection, shown: Shown) -> Arrays:
    held: Arrays = {
        "image": (selection.sample.pixels, "the picture (H, W, 3), RGB, 0 to 255"),
        "framed": (selection.framed, "what the network gets of it (s, s, 3), before normalising"),
    }
    for row in shown.rows:
        said = f"draws of {row.name} at {row.strength:g} (n, s, s, 3)"
        held[f"draws_{row.name}"] = (row.drawn.pixels, said)
        if row.mixes:
            whose = ", ".join(row.whose)
            held[f"shares_{row.name}"] = (row.drawn.shares, f"of each draw's label (n, partners): {whose}")
    if shown.batch is not None:
        held["batch"] = (shown.batch.made.pixels, "the batch (N, s, s, 3), normalising undone")
        held["labels"] = (shown.batch.made.labels, "shares of the classes (N, K), each row sums to 1")
        held["classes"] = (np.array(shown.batch.classes), "the classes' names (K,)")
    return held


# In Python


def program(selection: Selection, shown: Shown) -> tuple[str, str]:
    """A program that makes a draw and the batch again, and what it prints: what stands under the draw, and
    the mean of the batch.
    """
    steps = [step for step in (_draw_again(shown), _batch_again(shown)) if step is not None]
    called = sorted(name for step in steps for name in step.called)
    imports = [line for step in steps for line in step.imports]
    if called:
        imports.append(f"from explorer.engine.augmented import {', '.join(called)}")
    lines = [line for step in steps for line in step.lines]
    return program_of_pixels(selection, imports, lines), "; then ".join(step.printed for step in steps)


@dataclass(frozen=True)
class Step:
    """A part of the program: what it calls of the engine, further imports, its lines, what it prints."""

    called: tuple[str, ...]
    imports: tuple[str, ...]
    lines: tuple[str, ...]
    printed: str


def _draw_again(shown: Shown) -> Step | None:
    """Of the first draw that has a number under it."""
    for row in shown.rows:
        for place, words in enumerate(row.words):
            if any(letter.isdecimal() for word in words for letter in word):
                again = _mixed_again if row.mixes else _one_again
                return again(row, place, shown.seed)
    return None


def _one_again(row: Row, place: int, seed: int) -> Step:
    count = len(row.drawn.said)
    return Step(
        ("draws",),
        (),
        (
            f"made = draws(pixels, {row.name!r}, {row.strength!r}, seed={seed}, count={count})",
            f"print(made.said[{place}])",
        ),
        f"what stands under draw {place + 1} of {row.name}: {row.drawn.said[place]}",
    )


def _mixed_again(row: Row, place: int, seed: int) -> Step:
    count, share = len(row.drawn.said), row.drawn.shares[place, 0]
    return Step(
        ("draws",),
        ("from explorer.engine.samples import scene", "import numpy as np", PERCENT),
        (
            "scenes = [checkpoint.card.framed(scene(label).pixels) for label in range(10)]",
            "others = [each for each in scenes if not np.array_equal(each, pixels)]",
            f"made = draws(pixels, {row.name!r}, {row.strength!r}, {seed}, {count}, others)",
            f"print(percent(made.shares[{place}, 0], 0))",
        ),
        f"the image's own share in draw {place + 1} of {row.name}: {percent(share, 0)}",
    )


def _batch_again(shown: Shown) -> Step | None:
    batch = shown.batch
    if batch is None:
        return None
    return Step(
        ("first_batch", "recipes_of", "training_images"),
        ("from dataclasses import replace", "from pathlib import Path"),
        (
            f"images = training_images({path_text(options().data_dir)}, checkpoint.card)",
            f"config = recipes_of(checkpoint.card)[{batch.recipe!r}]",
            f"config = replace(config, augment={batch.config.augment!r})",
            f"batch = first_batch(images, config, epoch={shown.seed + 1})",
            "print(batch.pixels.mean())",
        ),
        f"the mean of the batch's values, {number(batch.made.pixels.mean())} of 255",
    )
