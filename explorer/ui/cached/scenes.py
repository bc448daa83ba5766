"""Marked scenes."""

from pathlib import Path

from explorer.engine import shortcut as shortcuts
from explorer.engine.network import Network
from explorer.engine.shortcut import MarkedScenes, ShortcutAccuracy
from explorer.engine.shortcut_curve import ShortcutCurve, read_curve
from explorer.engine.tracing import Floats
from explorer.ui.cached.keys import announced, data, resource, stamp_of
from model.words import N_


@resource(max_entries=8)
@announced(N_("Drawing the scenes …"))
def marked_scenes(count: int, seed: int, size: int) -> MarkedScenes:
    """Drawn scenes that no training has drawn, with marks and without."""
    return shortcuts.draw_marked(count, seed, size)


@data(max_entries=32)
@announced(N_("Comparing the channels with and without marks …"))
def mark_shifts(network: Network, count: int, seed: int, layer: str) -> Floats:
    return shortcuts.mark_shifts(network, marked_scenes(count, seed, network.card.input_size), layer)


@data(max_entries=256)
@announced(N_("Predicting the marked scenes …"))
def shortcut_accuracy(
    network: Network, count: int, seed: int, layer: str, off: tuple[int, ...]
) -> ShortcutAccuracy:
    """The accuracy on marked scenes, with channels of a layer switched off."""
    scenes = marked_scenes(count, seed, network.card.input_size)
    return shortcuts.accuracy(network, scenes, layer, off)


def shortcut_curve(path: Path) -> ShortcutCurve:
    """The measured curve in a file, read again once it has changed. Raises Problem."""
    return _shortcut_curve(path, stamp_of(path))


@data(max_entries=4)
def _shortcut_curve(path: Path, stamp: tuple[int, int]) -> ShortcutCurve:
    return read_curve(path)
