"""Makes the Chinese typeface of figures: `python -m explorer.drawing.fonts.make wqy-microhei.ttc`.

WenQuanYi Micro Hei is in Debian's package fonts-wqy-microhei. Kept are the characters of GB 2312 (6,763
Chinese ones, kana, Greek, Cyrillic), Latin letters and the signs of captions.
"""

import sys
from pathlib import Path

from fontTools import subset

TARGET = Path(__file__).with_name("wqy-microhei-gb2312.ttf")
OTHERS = (range(0x20, 0x17F), range(0x370, 0x400), range(0x2010, 0x2045), range(0x2190, 0x2194), (0x2212,))


def gb2312() -> set[int]:
    """The code points of GB 2312."""
    pairs = (bytes([row, column]) for row in range(0xA1, 0xF8) for column in range(0xA1, 0xFF))
    return {ord(text) for pair in pairs if len(text := pair.decode("gb2312", "ignore")) == 1}


def main(source: str) -> None:
    options = subset.Options(
        font_number=0,
        layout_features=[],
        hinting=False,
        name_IDs=["*"],
        drop_tables=["FFTM", "vmtx", "vhea"],
        recalc_timestamp=False,
        notdef_outline=True,
    )
    font = subset.load_font(source, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=gb2312().union(*OTHERS))
    subsetter.subset(font)
    subset.save_font(font, str(TARGET), options)


if __name__ == "__main__":
    main(sys.argv[1])
