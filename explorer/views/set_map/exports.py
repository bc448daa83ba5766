"""The downloads of the map: as a picture and for print, every image with its place, and a program."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from explorer.drawing import chart_print, figures
from explorer.drawing.figures import Drawing
from explorer.drawing.ranges import number
from explorer.drawing.sheets import columns_for, tiled
from explorer.engine.projection import PROJECTIONS, Projection
from explorer.engine.values import Integers
from explorer.ui import cached
from explorer.ui.exports import downloads, scan_export, snippets
from explorer.ui.exports.downloads import Array, Offer, Pictures
from explorer.ui.options import options
from explorer.ui.scans import scanning
from explorer.ui.selection import Selection
from explorer.views.set_map import chosen
from explorer.views.set_map.coloring import Colored, MapImages
from model.card import Pixels
from model.words import tr

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE, MARGIN = 720, 12  # pixels of the picture


@dataclass(frozen=True, eq=False)
class SetMapView:
    """All that the page shows of a map."""

    selection: Selection
    images: MapImages
    projection: Projection
    colored: Colored
    coloring: str
    rows: Integers


def show(view: SetMapView) -> None:
    downloads.show(partial(offer, view))


def offer(view: SetMapView) -> Offer:
    title = tr(PROJECTIONS[view.projection.method].title)
    return Offer(
        name=f"map {view.projection.method} {view.coloring}",
        caption=caption(view, title),
        pictures=pictures(view),
        tables={tr("Images"): lambda: image_table(view)},
        arrays=lambda: arrays(view),
        figure=lambda: [Drawing(partial(draw, view), title)],
        snippet=program(view),
        printed=printed(view.projection),
    )


def caption(view: SetMapView, title: str) -> str:
    about = tr(
        "{title} of the features of {count:,} images, colored by: {coloring}",
        title=title,
        count=len(view.images.scan),
        coloring=view.coloring,
    )
    opened = view.selection.opened
    network = figures.caption(checkpoint=opened.name, digest=opened.checkpoint.digest)
    return " · ".join(part for part in (about, view.colored.scale, network) if part)


def pictures(view: SetMapView) -> Pictures:
    drawn: Pictures = {tr("the map"): lambda: raster(view.projection, view.colored)}
    if len(view.rows):
        drawn[tr("the selected images")] = lambda: sheet(view)
    return drawn


def raster(projection: Projection, colored: Colored) -> Pixels:
    """The map on white, uint8 (SIZE, SIZE, 3), each image a square of 3 × 3 pixels."""
    points = projection.points.astype(np.float64)
    low, extent = points.min(0), float(np.ptp(points, axis=0).max()) or 1.0
    pixels = ((points - low) / extent * (SIZE - 2 * MARGIN) + MARGIN).round().astype(int)
    canvas = np.full((SIZE, SIZE, 3), 255, np.uint8)
    for index in colored.order.tolist():
        x, y = pixels[index]
        canvas[SIZE - 2 - y : SIZE + 1 - y, x - 1 : x + 2] = colored.colors[index]
    return canvas


def draw(view: SetMapView, axes: "Axes") -> None:
    """The map in print, with the names of its colors."""
    from matplotlib.lines import Line2D

    order = view.colored.order
    points = view.projection.points[order]
    axes.scatter(points[:, 0], points[:, 1], s=2, c=view.colored.colors[order] / 255, linewidths=0)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    handles = [
        Line2D([], [], color=shade, marker="o", linestyle="", markersize=3, label=chart_print.plain(name))
        for shade, name in view.colored.named
    ]
    if handles:
        beside = {"loc": "upper left", "bbox_to_anchor": (1, 1)}  # points lie everywhere in the map
        axes.legend(handles=handles, labelspacing=0.3, **beside, **chart_print.LEGEND)


def sheet(view: SetMapView) -> Pixels:
    """The first of the selected images, as the network gets them."""
    scan, card = view.images.scan, view.selection.card
    rows = chosen.by_loss(view.images, view.rows)[: chosen.MOST].tolist()
    framed = np.stack([card.framed(scanning.sample_of(scan, row).pixels) for row in rows])
    return tiled(framed, columns_for(len(framed)))


def image_table(view: SetMapView) -> pd.DataFrame:
    """One row for each image: which, its classes, its loss, its place, and whether it is selected."""
    scan, points = view.images.scan, view.projection.points
    return pd.DataFrame(
        {
            **scan_export.all_images(scan),
            "label": [scan.classes[label] if label >= 0 else "" for label in scan.labels],
            "predicted": [scan.classes[predicted] if predicted >= 0 else "" for predicted in scan.predicted],
            "confidence": view.images.confidence,
            "loss": view.images.loss,
            "x": points[:, 0],
            "y": points[:, 1],
            "selected": np.isin(np.arange(len(scan)), view.rows),
        }
    )


def arrays(view: SetMapView) -> dict[str, tuple[Array, str]]:
    scan = view.images.scan
    return {
        "points": (view.projection.points, tr("the place of each image in the map (N, 2)")),
        "features": (scan.features, tr("the features of each image (N, D)")),
        "ids": (scan.ids, tr("the index of each image in its set, or the seed of a scene (N,)")),
        "labels": (scan.labels, tr("the class of each image (N,), -1 for none")),
        "logits": (scan.logits, tr("the logits of each image (N, K)")),
    }


def program(view: SetMapView) -> str:
    """Python that computes the map from the file of the scan."""
    scan, network = view.images.scan, view.selection.network
    path = cached.finished_scan(options().scans, network, scan.images)
    method = view.projection.method
    imports = [
        f"from explorer.engine.projection import {method}",
        "from explorer.engine.scan.result import load",
    ]
    where = "Path('scan.safetensors')" if path is None else snippets.path_text(path)
    value = "explained.sum()" if method == "pca" else "neighbor_preservation"
    lines = [f"scan = load({where})", f"made = {method}(scan.features)", f"print(made.{value})"]
    return snippets.joined(imports, lines)


def printed(projection: Projection) -> str:
    if projection.method == "pca":
        value = number(float(projection.explained.sum()))
        return tr("It prints the fraction of the variance in the map: {value}.", value=value)
    return tr(
        "It prints the fraction of neighbors that are kept: {value}.",
        value=number(projection.neighbor_preservation),
    )
