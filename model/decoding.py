"""From a picture's bytes to upright RGB pixels in sRGB: one way for uploads, test sets and training."""

from __future__ import annotations

from PIL import Image, ImageFile

from model.image_file import MOST_PIXELS, opened
from model.image_kind import MOST_READ, is_cut_off, kind_of
from model.pixels import to_rgb
from model.problems import Problem
from model.wide import with_all_bits
from model.words import N_


def picture(
    data: bytes, name: str, most_side: int | None = None, draft: int = 2048, most_pixels: int = MOST_PIXELS
) -> Image.Image:
    """The picture in a file's bytes: PNG, JPEG, HEIC, AVIF, WebP, GIF, BMP or TIFF, by its first bytes.

    Upright and RGB in sRGB; the first frame of an animation, the first of several pictures. Transparency is
    laid on white; 16 bits, whole numbers and floating point are scaled by the rules of `model/wide.py`. The
    long side is reduced to `most_side` with antialiasing, and a JPEG decoded at a fraction of its size as
    long as both sides keep `draft` pixels. Problem for anything else, before a too large one is decoded.
    """
    try:
        image = opened(data, name, most_pixels)
        image.draft(None, (draft, draft))
        if isinstance(image, ImageFile.ImageFile):
            with_all_bits(image, lambda: opened(data, name, most_pixels))
        return to_rgb(image, most_side)
    except Problem:
        raise
    except Exception as error:  # Pillow's readers raise whatever a broken file makes them trip over
        kind = kind_of(data[:MOST_READ])
        if kind is not None and is_cut_off(data, kind):
            template = N_("{name} is cut off before its end: copy or download it again.")
        else:
            template = N_("{name} is damaged or incomplete: save, copy or download it again.")
        raise Problem(template, name=name) from error
