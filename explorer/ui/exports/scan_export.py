"""What downloads of the pages of a data set have in common: which scan it was, how a program opens it."""

from explorer.drawing import figures
from explorer.engine.scan.result import Scan
from explorer.ui import cached
from explorer.ui.exports.snippets import path_text
from explorer.ui.options import options
from explorer.ui.scans.scanning import image_number
from explorer.ui.selection import Selection
from model.words import ngettext, tr

READ = "from explorer.engine.scan.result import load"


def caption(selection: Selection, scan: Scan, layer: str = "", method: str = "") -> str:
    """The images of the scan, the method, the layer, and the checkpoint with its digest."""
    name, digest = selection.opened.name, selection.opened.checkpoint.digest
    own = figures.caption(checkpoint=name, digest=digest, layer=layer, method=method)
    return f"{images(scan)} · {own}"


def images(scan: Scan) -> str:
    """How many images of which data set were scanned."""
    return ngettext(
        "{n:,} image ({dataset})", "{n:,} images ({dataset})", len(scan.ids), dataset=scan.dataset
    )


def image_columns(scan: Scan, row: int) -> dict[str, int]:
    """What tables say of the image of a row: its number on the pages, and the seed of a drawn scene."""
    seed = {"seed": int(scan.ids[row])} if scan.dataset == "scenes" else {}
    return {"image": image_number(scan, row), **seed}


def all_images(scan: Scan) -> dict[str, list[int]]:
    """These columns for every image of a scan, which has one at least."""
    rows = [image_columns(scan, row) for row in range(len(scan))]
    return {name: [row[name] for row in rows] for name in rows[0]}


def opening(selection: Selection, scan: Scan) -> str:
    """The line of a program that reads the file of a scan."""
    path = cached.finished_scan(options().scans, selection.network, scan.images)
    return "" if path is None else f"scan = load({path_text(path)})"


def name(selection: Selection, scan: Scan, layer: str) -> str:
    """How the files of a layer's download begin."""
    return tr(
        "{checkpoint} {dataset} {layer}", checkpoint=selection.opened.name, dataset=scan.dataset, layer=layer
    )
