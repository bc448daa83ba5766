"""From any Pillow image to the uint8 RGB pixels the rest of the project works on."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from model.color import as_srgb
from model.image_file import orientation
from model.wide import is_wide, numbers, to_8_bits

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


INTERPOLATIONS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
MOST_RESIZED = 16_000_000  # pixels that a picture is resized to before it is cropped


@dataclass(frozen=True)
class Rectangle:
    """A part of a picture: pixel rows `top` to `bottom`, columns `left` to `right`, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def inside(self) -> tuple[slice, slice]:
        """What picks its pixels out of an array (H, W, …)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def scaled(self, old: tuple[int, int], new: tuple[int, int]) -> Rectangle:
        """The same part once the picture goes from `old` to `new` (height, width): one pixel at least."""
        top, bottom = _scaled(self.top, self.bottom, old[0], new[0])
        left, right = _scaled(self.left, self.right, old[1], new[1])
        return Rectangle(top, bottom, left, right)

    def of(self, outer: Rectangle, size: tuple[int, int]) -> Rectangle:
        """This part of a picture of `size` (height, width), which is the part `outer` of another, in that."""
        new = outer.bottom - outer.top, outer.right - outer.left
        part = self.scaled(size, new)
        return Rectangle(
            part.top + outer.top, part.bottom + outer.top, part.left + outer.left, part.right + outer.left
        )


def _scaled(start: int, end: int, old: int, new: int) -> tuple[int, int]:
    first = min(round(start * new / old), new - 1)
    return first, max(round(end * new / old), first + 1)


def whole(height: int, width: int) -> Rectangle:
    """All of a picture."""
    return Rectangle(0, height, 0, width)


def center_square(height: int, width: int) -> Rectangle:
    """The largest square in the middle of a picture; where a row or column is over, it is the last one."""
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return Rectangle(top, top + side, left, left + side)


@dataclass(frozen=True)
class ResizedCrop:
    """A picture's shorter side made `resize` long, then the middle of `size` × `size`, as torchvision does.

    `resize` is `size` at least; `interpolation` is "bilinear" or "bicubic", with antialiasing.
    """

    resize: int
    size: int
    interpolation: str = "bilinear"

    def of(self, image: Image.Image) -> Image.Image:
        """The square of (size, size)."""
        width, height = self._resized(image.height, image.width)
        how, left, top = INTERPOLATIONS[self.interpolation], self._start(width), self._start(height)
        box = (left, top, left + self.size, top + self.size)
        if width * height <= MOST_RESIZED:
            return image.resize((width, height), how).crop(box)
        across, down = image.width / width, image.height / height  # a long strip: only what is left of it
        part = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
        return image.resize((self.size, self.size), how, box=part)

    def received(self, height: int, width: int) -> Rectangle:
        """The part of a picture of this size that is in the square, whole pixels."""
        wide, tall = self._resized(height, width)
        top, bottom = self._span(height, tall)
        left, right = self._span(width, wide)
        return Rectangle(top, bottom, left, right)

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        """Width and height before the crop."""
        short = min(height, width)
        return self.resize * width // short, self.resize * height // short

    def _start(self, side: int) -> int:
        return round((side - self.size) / 2)

    def _span(self, old: int, new: int) -> tuple[int, int]:
        start = self._start(new)
        return start * old // new, -(-(start + self.size) * old // new)


def to_rgb(image: Image.Image, most_side: int | None = None) -> Image.Image:
    """Return `image` upright, in RGB and sRGB: transparency on white, numbers of more than 8 bits scaled.

    Takes every mode that Pillow has; numbers by the rules of `model/wide.py`. With `most_side` the long side
    is reduced to that, with antialiasing and before anything makes copies of a large image.
    """
    image.load()  # some formats keep their EXIF and transparency behind the pixels
    turn = _turn(image)
    image = as_srgb(_reduced(_of_channels(image), most_side))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    image = image if image.mode == "RGB" else image.convert("RGB")
    return image if turn is None else image.transpose(turn)


def _of_channels(image: Image.Image) -> Image.Image:
    """The image in a mode that can be resized: 8 bits a channel, no palette, alpha by itself."""
    if is_wide(image):
        gray = Image.fromarray(to_8_bits(numbers(image)))
        gray.info["icc_profile"] = image.info.get("icc_profile")
        return gray
    if image.has_transparency_data:
        return image if image.mode in ("RGBA", "LA") else image.convert("RGBA")
    if image.mode in ("1", "P"):
        return image.convert("RGB" if image.mode == "P" else "L")
    return image


def _reduced(image: Image.Image, most_side: int | None) -> Image.Image:
    scale = 1 if most_side is None else most_side / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def square(image: Image.Image, size: int) -> Image.Image:
    """Center-crop `image` to a square and resize it to (size, size) as `Card.framed` does.

    Bilinear with antialiasing; an image that is size × size already is returned unchanged.
    """
    if image.size == (size, size):
        return image
    part = center_square(image.height, image.width)
    cropped = image.crop((part.left, part.top, part.right, part.bottom))  # resize(box=…) looks past the edge
    return cropped.resize((size, size), Image.Resampling.BILINEAR)


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return UPRIGHT.get(orientation(image))
    except Exception:  # broken EXIF raises whatever it makes Pillow trip over; the picture itself is good
        return None
