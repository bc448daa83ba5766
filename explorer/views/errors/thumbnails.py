"""The images of a scan as small pictures."""

from explorer.drawing.pictures import data_uri, reduced
from explorer.ui import cached
from explorer.ui.options import options
from explorer.ui.scans import scanning
from explorer.views.errors.evaluation import Evaluation


def thumbnail(evaluation: Evaluation, row: int) -> str:
    """What the network gets of a row's image, as a `data:` address; "" where it cannot be read now."""
    scan, card = evaluation.scan, evaluation.opened.card
    if scan.dataset == "scenes":
        pixels = card.framed(scanning.sample_of(scan, row).pixels)
        return data_uri(reduced(pixels, cached.THUMBNAIL))
    images = cached.test_set(options().data_dir)
    if images is None or images.digest != scan.images:
        return ""
    return cached.thumbnail(images, int(scan.ids[row]), card)
