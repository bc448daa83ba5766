"""What is covered, in words, on the page and with its downloads."""

from explorer.engine.occluding import Patch
from model.words import N_, paragraph, tr

FILLS = {  # key of BASELINES → what the square then shows
    "mean": N_("The square has the mean color of the training images: zero after normalization."),
    "black": N_("The square is black."),
    "blurred": N_("The square shows what it covers, strongly blurred."),
}


def in_words(patch: Patch, fill: str) -> str:
    """Where the square is and what fills it."""
    area = tr(
        "Covered: {side} × {side} pixels of the input, from row {top} and column {left} on.",
        side=patch.side,
        top=patch.top,
        left=patch.left,
    )
    return paragraph([area, tr(FILLS[fill])])
