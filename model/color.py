"""Colors of any profile as sRGB, the one that networks are trained on."""

from __future__ import annotations

import io
from functools import lru_cache

from PIL import Image, ImageCms

MOST_OF_PROFILE = 4_000_000  # bytes
SPACES = {"RGB": "RGB", "RGBA": "RGB", "RGBX": "RGB", "CMYK": "CMYK", "L": "GRAY", "LAB": "Lab"}
"""The color space that a profile must have for pixels of a mode."""


def as_srgb(image: Image.Image) -> Image.Image:
    """The image with its colors in sRGB, RGB or RGBA, if it has a usable profile; else the image itself.

    A profile that is damaged or of another color space than the pixels is ignored, as browsers do.
    """
    profile = image.info.get("icc_profile")
    if image.mode == "LAB":
        transform = _transform(b"", "LAB", "RGB")
    elif image.mode in SPACES and isinstance(profile, bytes) and 0 < len(profile) <= MOST_OF_PROFILE:
        transform = _transform(profile, image.mode, "RGBA" if image.mode == "RGBA" else "RGB")
    else:
        return image
    return image if transform is None else transform.apply(image)


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str, wanted: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB by relative colorimetry; None where the profile is sRGB already or of no use."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile) if profile else ImageCms.createProfile("LAB"))
        if source.profile.xcolor_space.strip() != SPACES[mode] or _is_srgb(source):
            return None
        return ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            wanted,
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # what a damaged profile makes of lcms
        return None


def _is_srgb(source: ImageCms.ImageCmsProfile) -> bool:
    name = (source.profile.profile_description or "").lower()
    return name.startswith("srgb") and "linear" not in name
