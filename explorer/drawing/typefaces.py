"""The typefaces of figures and animations, so that names in Chinese are letters there too, not boxes.

A subset of WenQuanYi Micro Hei comes with the project (`fonts/`). It stands before what is installed, so that
the same figure looks the same everywhere and can be embedded; what it lacks, an installed typeface may have.
"""

from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import ImageDraw, ImageFont

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BUNDLED = Path(__file__).parent / "fonts" / "wqy-microhei-gb2312.ttf"
LATIN, CHINESE = "DejaVu Sans", "WenQuanYi Micro Hei"
INSTALLED = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "Microsoft YaHei",
    "PingFang SC", "Hiragino Sans GB", "SimHei", "WenQuanYi Zen Hei", "Droid Sans Fallback",
    "Noto Sans CJK JP", "Noto Sans CJK KR", "Arial Unicode MS",
)  # fmt: skip


@cache
def families() -> tuple[str, ...]:
    """What Matplotlib looks for each letter in, in this order; the bundled one is made known to it."""
    from matplotlib.font_manager import fontManager

    fontManager.addfont(BUNDLED)
    known = set(fontManager.get_font_names())
    return LATIN, CHINESE, *(name for name in INSTALLED if name in known)


def make_legible(drawn: "Figure") -> None:
    """Let every text of a figure take its letters from `families`."""
    from matplotlib.text import Text

    for text in drawn.findobj(Text):
        text.set_fontfamily(list(families()))


def write(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], words: str, size: int, ink: tuple[int, int, int]
) -> None:
    """Draw a line of words from its upper left corner (x, y), each letter in the first file that has it."""
    x, y = at
    baseline = y + size
    for file, part in _runs(words):
        font = ImageFont.truetype(file, size)
        draw.text((x, baseline), part, fill=ink, font=font, anchor="ls")
        x += font.getlength(part)


def _runs(words: str) -> Iterator[tuple[str, str]]:
    """Stretches of words that one font file has the letters of."""
    for file, letters in groupby(words, _file_with):
        yield file, "".join(letters)


@cache
def _file_with(letter: str) -> str:
    return next((file for file in _files() if ord(letter) in _letters(file)), str(BUNDLED))


@cache
def _files() -> tuple[str, ...]:
    from matplotlib.font_manager import FontProperties, findfont

    others = (findfont(FontProperties(family=name)) for name in families() if name != CHINESE)
    return str(BUNDLED), *map(str, others)


@cache
def _letters(file: str) -> frozenset[int]:
    """The code points that a font file, or the first font in it, has a picture of."""
    from fontTools.ttLib import TTFont

    with TTFont(file, fontNumber=0, lazy=True) as font:
        return frozenset(font.getBestCmap())
