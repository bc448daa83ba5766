"""Pictures one after another in one file, each with its words below it."""

import io
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from explorer.drawing.typefaces import write

Pixels = NDArray[np.uint8]

PAPER, INK, BAR = (252, 251, 248), (32, 38, 46), (31, 144, 137)
LEAST = 256  # narrower pictures are enlarged by whole pixels to about this width
EACH, LAST = 450, 1600  # milliseconds that a picture stays, and the last one


def labelled(pixels: Pixels, lines: Sequence[str], fraction: float = 0.0) -> Pixels:
    """A picture uint8 (h,w,3), enlarged where it is small, over a bar `fraction` long and lines of words."""
    scale = max(1, round(LEAST / pixels.shape[1]))
    large = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    height, width = large.shape[:2]
    size = max(12, min(18, width // 20))
    image = Image.new("RGB", (width, height + round((1.4 * len(lines) + 0.6) * size) + 4), PAPER)
    image.paste(Image.fromarray(large), (0, 0))
    draw = ImageDraw.Draw(image)
    if fraction > 0:
        draw.rectangle((0, height, round(fraction * width), height + 3), fill=BAR)
    for line, words in enumerate(lines):
        top = height + 4 + round((0.4 + 1.4 * line) * size)
        write(draw, (size // 2, top), words, size, INK)
    return np.array(image)


def animation(frames: Sequence[Pixels], kind: Literal["gif", "png"]) -> bytes:
    """Frames uint8 (h,w,3) of one size as a GIF or an animated PNG that begins anew after its last frame.

    A PNG keeps every color; a GIF the 256 that suit all frames best, the same in each, so that a color
    means the same throughout. ValueError without a frame.
    """
    if not frames:
        raise ValueError("An animation needs at least one picture.")
    images = [Image.fromarray(frame) for frame in frames]
    if kind == "gif":
        images = _with_one_palette(images)
    times = [EACH] * (len(images) - 1) + [LAST]
    file = io.BytesIO()
    options = {"disposal": 1, "optimize": False} if kind == "gif" else {}
    images[0].save(file, kind, save_all=True, append_images=images[1:], duration=times, loop=0, **options)
    return file.getvalue()


def _with_one_palette(images: list[Image.Image]) -> list[Image.Image]:
    width, height = images[0].size
    together = Image.new("RGB", (width, height * len(images)))
    for index, image in enumerate(images):
        together.paste(image, (0, index * height))
    # Maximum coverage: the colors that are few, such as the brightest spot of a heat map, are kept too.
    palette = together.quantize(256, method=Image.Quantize.MAXCOVERAGE)
    return [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
