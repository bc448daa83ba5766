"""The downloads of the Augmentation page: the draws of each transform, and the training batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from explorer.drawing.figures import Drawing, Panel
from explorer.drawing.pictures import enlarged
from explorer.drawing.ranges import number, percent
from explorer.drawing.sheets import columns_for, tiled
from explorer.ui.class_names import glossed
from explorer.ui.exports import downloads, export_parts
from explorer.ui.exports.downloads import Offer, Pictures, Tables
from explorer.ui.exports.export_parts import Arrays
from explorer.ui.exports.snippets import path_text, program_of_pixels
from explorer.ui.options import options
from explorer.ui.selection import Selection
from explorer.views.augmentation.draws import (
    AugmentationView,
    BatchDraw,
    Received,
    TransformRow,
    augmentation_text,
    source_text,
)
from model import words
from model.card import Pixels
from model.words import paragraph, tr

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TILE = 128  # pixels across, about, of each draw, as the page shows it
GAP = 2
PERCENT = "from explorer.drawing.ranges import percent"
PAPER = (255, 255, 255)


def augmented(selection: Selection, view: AugmentationView) -> None:
    """The image under some transforms, and a whole training batch."""
    downloads.show(partial(offer, selection, view))


def offer(selection: Selection, view: AugmentationView) -> Offer:
    snippet, printed = program(selection, view)
    return Offer(
        name=f"augmentation {view.group} {selection.sample.name} seed {view.seed}",
        caption=caption(selection, view),
        pictures=pictures(selection, view),
        tables=tables(view),
        arrays=lambda: arrays(selection, view),
        figure=lambda: figure(view),
        snippet=snippet,
        printed=printed,
    )


def caption(selection: Selection, view: AugmentationView) -> str:
    image = export_parts.caption(selection, method=tr("Augmentation"), target="")
    strengths = [
        tr("{transform} with strength {strength:g}", transform=row.name, strength=row.strength)
        for row in view.rows
    ]
    transforms = tr(
        "Transforms: {transforms}; seed {seed}", transforms=tr(", ").join(strengths), seed=view.seed
    )
    return " · ".join([image, transforms, *_batch_caption(view)])


def _batch_caption(view: AugmentationView) -> list[str]:
    if view.batch is None:
        return []
    config = view.batch.config
    return [
        tr(
            "Batch: {source} Augmentation: {augment}, as in epoch {epoch} with seed {seed}.",
            source=source_text(view.batch.images),
            augment=augmentation_text(config),
            epoch=view.seed + 1,
            seed=config.seed,
        )
    ]


# Pictures


def pictures(selection: Selection, view: AugmentationView) -> Pictures:
    named: Pictures = {tr("{transform}, draws", transform=row.name): partial(strip, row) for row in view.rows}
    if view.batch is not None:
        named[tr("the batch")] = partial(sheet, view.batch.batch.pixels)
    return named | export_parts.the_image(selection)


def strip(row: TransformRow) -> Pixels:
    """The draws of a transform side by side."""
    return sheet(row.draws.pixels, len(row.draws.pixels))


def sheet(pixels: Pixels, columns: int = 0) -> Pixels:
    """Pictures uint8 (n, h, w, 3) in rows; small ones are enlarged without blur."""
    scale = max(1, TILE // pixels.shape[2])
    tiles = np.stack([enlarged(each, scale) for each in pixels])
    return tiled(tiles, columns or columns_for(len(tiles)), GAP, PAPER)


def figure(view: AugmentationView) -> list[Panel | Drawing]:
    """The rows with their names, and the batch beside them."""
    rows: list[Panel | Drawing] = [named_rows(view.rows, tr("Draws from seed {seed}", seed=view.seed))]
    if view.batch is None:
        return rows
    title = tr("A batch, augmentation: {augment}", augment=augmentation_text(view.batch.config))
    return [*rows, Panel(sheet(view.batch.batch.pixels), title)]


def named_rows(rows: Sequence[TransformRow], title: str) -> Drawing:
    """The draws of every transform below one another, each row with its name."""
    strips = [strip(row) for row in rows]
    height, width = strips[0].shape[:2]
    whole = np.concatenate([np.pad(each, ((0, GAP), (0, 0), (0, 0)), constant_values=255) for each in strips])

    def draw(axes: "Axes") -> None:
        axes.imshow(whole, interpolation="nearest")
        middles = [index * (height + GAP) + height / 2 for index in range(len(rows))]
        axes.set_yticks(middles, [f"{row.name} {row.strength:g}" for row in rows], fontsize=6)
        axes.set_xticks([])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)

    return Drawing(draw, title, len(whole) / width)


# Tables and arrays


def tables(view: AugmentationView) -> Tables:
    named: Tables = {
        tr("Draws"): lambda: pd.concat([_draws(row) for row in view.rows]),
        tr("Normalization"): lambda: normalization(view.received),
    }
    batch = view.batch
    if batch is not None:
        named[tr("Labels")] = lambda: labels(batch)
    return named


def _draws(row: TransformRow) -> pd.DataFrame:
    """One row per draw: its parameters, the image's own fraction of its label, and the prediction."""
    count, predictions = len(row.draws.pixels), row.predictions
    return pd.DataFrame(
        {
            "transform": row.name,
            "strength": row.strength,
            "draw": np.arange(1, count + 1),
            "parameters": [row.draws.text(index) for index in range(count)],
            "label": ["; ".join(lines) if row.mixes else row.names[0] for lines in row.captions],
            "own_fraction": row.draws.fractions[:, 0],
            "unchanged": (row.draws.pixels == predictions.original).all((1, 2, 3)),
            "prediction": [predictions.classes[best] for best in predictions.after.argmax(1)],
            "probability": predictions.after.max(1),
        }
    )


def normalization(received: Received) -> pd.DataFrame:
    """One row per channel: the image before and after normalization, the batch after it, the data."""
    named = {"image": received.before, "image_normalized": received.after, "batch_normalized": received.batch}
    columns = {
        f"{name}_{of}": getattr(statistics, of)
        for name, statistics in named.items()
        if statistics is not None
        for of in ("mean", "std", "low", "high")
    }
    data = received.data
    if data is not None:
        columns |= {"data_mean": data.mean, "data_std": data.std}
    return pd.DataFrame({"channel": np.arange(len(received.before.mean)), **columns})


def labels(batch: BatchDraw) -> pd.DataFrame:
    """One row per image and class in its label: the fraction is 1 where labels are not mixed."""
    images, classes = np.nonzero(batch.batch.labels)
    return pd.DataFrame(
        {
            "image": images + 1,
            "class": [batch.classes[index] for index in classes],
            "fraction": batch.batch.labels[images, classes],
        }
    )


def arrays(selection: Selection, view: AugmentationView) -> Arrays:
    named: Arrays = {
        "image": (selection.sample.pixels, tr("the picture (H, W, 3), RGB, 0 to 255")),
        "framed": (selection.framed, tr("the network’s input (s, s, 3) before normalization, 0 to 255")),
    }
    for row in view.rows:
        named |= _row_arrays(row)
    return named if view.batch is None else named | _batch_arrays(view.batch)


def _row_arrays(row: TransformRow) -> Arrays:
    text = tr(
        "draws of {transform} with strength {strength:g} (n, s, s, 3)",
        transform=row.name,
        strength=row.strength,
    )
    named: Arrays = {f"draws_{row.name}": (row.draws.pixels, text)}
    if row.mixes:
        names = tr(", ").join(map(glossed, row.names))
        text = tr("fractions of each draw’s label (n, 1 + partners), in this order: {names}", names=names)
        named[f"fractions_{row.name}"] = (row.draws.fractions, text)
    return named


def _batch_arrays(batch: BatchDraw) -> Arrays:
    return {
        "batch": (batch.batch.pixels, tr("the batch (N, s, s, 3), with the normalization undone")),
        "labels": (batch.batch.labels, tr("fractions of the classes (N, K), each row sums to 1")),
        "classes": (np.array(batch.classes), tr("the names of the classes (K,)")),
    }


# In Python


def program(selection: Selection, view: AugmentationView) -> tuple[str, str]:
    """A program that makes a draw and the batch again, and sentences that say what it prints: the text
    under the draw, and the mean of the batch.
    """
    parts = [part for part in (_draw_again(view), _batch_again(view)) if part is not None]
    calls = sorted(name for part in parts for name in part.calls)
    imports = [line for part in parts for line in part.imports]
    if calls:
        imports.append(f"from explorer.engine.augmented import {', '.join(calls)}")
    lines = [line for part in parts for line in part.lines]
    return program_of_pixels(selection, imports, lines), paragraph(part.printed for part in parts)


@dataclass(frozen=True)
class ProgramPart:
    """A part of the program: the engine functions it calls, further imports, its lines, and a sentence
    that says what it prints.
    """

    calls: tuple[str, ...]
    imports: tuple[str, ...]
    lines: tuple[str, ...]
    printed: str


def _draw_again(view: AugmentationView) -> ProgramPart | None:
    """The first draw that has a number under it."""
    for row in view.rows:
        for index, lines in enumerate(row.captions):
            if any(letter.isdecimal() for line in lines for letter in line):
                again = _mixed_again if row.mixes else _one_again
                return again(row, index, view.seed)
    return None


def _one_again(row: TransformRow, index: int, seed: int) -> ProgramPart:
    count, language = len(row.draws.pixels), words.language()
    speaks = language != words.ENGLISH  # a program prints English, unless it is told otherwise
    return ProgramPart(
        ("draws",),
        ("from model import words",) if speaks else (),
        (
            *((f"words.use({language!r})",) if speaks else ()),
            f"made = draws(pixels, {row.name!r}, {row.strength!r}, seed={seed}, count={count})",
            f"print(made.text({index}))",
        ),
        tr(
            "It prints the parameters of draw {number} of {transform}: {parameters}.",
            number=index + 1,
            transform=row.name,
            parameters=row.draws.text(index),
        ),
    )


def _mixed_again(row: TransformRow, index: int, seed: int) -> ProgramPart:
    count, fraction = len(row.draws.pixels), row.draws.fractions[index, 0]
    return ProgramPart(
        ("draws",),
        ("from explorer.engine.samples import scene", "import numpy as np", PERCENT),
        (
            "scenes = [checkpoint.card.framed(scene(label).pixels) for label in range(10)]",
            "others = [each for each in scenes if not np.array_equal(each, pixels)]",
            f"made = draws(pixels, {row.name!r}, {row.strength!r}, {seed}, {count}, others)",
            f"print(percent(made.fractions[{index}, 0], 0))",
        ),
        tr(
            "It prints the image’s own fraction in draw {number} of {transform}: {percent}.",
            number=index + 1,
            transform=row.name,
            percent=percent(fraction, 0),
        ),
    )


def _batch_again(view: AugmentationView) -> ProgramPart | None:
    batch = view.batch
    if batch is None:
        return None
    return ProgramPart(
        ("first_batch", "recipes_of", "training_images"),
        ("from dataclasses import replace", "from pathlib import Path"),
        (
            f"images = training_images({path_text(options().data_dir)}, checkpoint.card)",
            f"config = recipes_of(checkpoint.card)[{batch.recipe!r}]",
            f"config = replace(config, augment={batch.config.augment!r})",
            f"batch = first_batch(images, config, epoch={view.seed + 1})",
            "print(batch.pixels.mean())",
        ),
        tr(
            "It prints the mean pixel value of the batch: {mean} of 255.",
            mean=number(batch.batch.pixels.mean()),
        ),
    )
