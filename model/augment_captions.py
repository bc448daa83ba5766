"""What was drawn for one image, in words: a caption for each transform, from the first of its parameters."""

import math
from collections.abc import Callable

from model.words import N_, tr

Drawn = tuple[float, ...]
Caption = Callable[..., str]


def moved(down: Drawn, right: Drawn) -> str:
    """By how many pixels, and which way, an image was moved."""
    vertical = tr("{n} px down", n=int(down[0])) if down[0] >= 0 else tr("{n} px up", n=-int(down[0]))
    horizontal = tr("{n} px right", n=int(right[0])) if right[0] >= 0 else tr("{n} px left", n=-int(right[0]))
    texts = [text for text, way in ((vertical, down), (horizontal, right)) if way[0]]
    return tr(", ").join(texts) or tr("not moved")


def turned(degrees: Drawn) -> str:
    """By which angle an image was turned; positive is counterclockwise."""
    template = N_("{n:.1f}° to the left") if degrees[0] >= 0 else N_("{n:.1f}° to the right")
    return tr(template, n=abs(degrees[0]))


def sheared(degrees: Drawn) -> str:
    """By which angle an image was sheared; with a positive one its upper half moves right."""
    template = N_("{n:.1f}°, top to the right") if degrees[0] >= 0 else N_("{n:.1f}°, top to the left")
    return tr(template, n=abs(degrees[0]))


def flipped(flip: Drawn) -> str:
    return tr("flipped") if flip[0] else tr("not flipped")


def grayed(chosen: Drawn) -> str:
    return tr("grayscale") if chosen[0] else tr("unchanged")


def multiplied(factor: Drawn) -> str:
    return tr("× {factor:.2f}", factor=factor[0])


def hue_turned(turn: Drawn) -> str:
    """By which angle on the color circle all hues were turned, from a fraction of the circle."""
    return tr("{degrees}°", degrees=signed(360 * turn[0]))


def jittered(factors: Drawn) -> str:
    """The three factors and the turn of the hue."""
    brightness, contrast, saturation, turn = factors
    return tr(
        "brightness × {brightness:.2f}, contrast × {contrast:.2f}, saturation × {saturation:.2f}, hue {hue}°",
        brightness=brightness,
        contrast=contrast,
        saturation=saturation,
        hue=signed(360 * turn),
    )


def blurred(kernel: Drawn) -> str:
    """The Gaussian’s sigma, from the two taps in the middle of its kernel; below 0.07 px the second is 0."""
    middle = len(kernel) // 2
    if len(kernel) == 1 or not kernel[middle + 1]:
        return tr("unchanged")
    return tr("sigma {value:.2f} px", value=(2 * math.log(kernel[middle] / kernel[middle + 1])) ** -0.5)


def noisy(amplitude: Drawn) -> str:
    return tr("standard deviation {value:.3f}", value=amplitude[0])


def squared(block: Drawn) -> str:
    return tr("squares of {n} px", n=int(block[0]))


def erased(box: Drawn) -> str:
    """How many rows and columns of an image are black: a box at the border has fewer."""
    top, bottom, left, right = map(int, box)
    if top == bottom or left == right:
        return tr("unchanged")
    return tr("{rows} × {columns} px black", rows=bottom - top, columns=right - left)


def blended(partner: Drawn, fraction: Drawn) -> str:
    """How much of an image is its own; the rest is its partner's."""
    return tr("{percent:.0f}% of its own", percent=100 * fraction[0])


def signed(number: float) -> str:
    """A whole number with its sign; zero has none."""
    whole = round(number)
    return f"{'+' if whole > 0 else '−' if whole < 0 else ''}{abs(whole)}"
