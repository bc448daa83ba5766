"""Names in Chinese are letters in figures and animations: no box, no warning, and embedded in a PDF."""

import io
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from babel.messages.catalog import Message
from PIL import Image, ImageFont

from explorer.drawing import animation, figures, typefaces
from explorer.drawing.chart import Axis, ChannelChart, Line, LineChart
from explorer.drawing.figures import Panel, caption, figure, wrapped
from explorer.drawing.palette import Color
from model import catalog

FONTS = Path(typefaces.__file__).parent / "fonts"
LEVEL_1 = "".join(
    bytes([row, cell]).decode("gb2312", "ignore") for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF)
)
PICTURE = np.full((8, 12, 3), 90, np.uint8)


@pytest.fixture(autouse=True)
def no_warning() -> Iterator[None]:
    """A letter that no typeface has is a warning of Matplotlib's, here an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine on which no Chinese typeface is installed."""
    monkeypatch.setattr(typefaces, "INSTALLED", ())
    typefaces.families.cache_clear()
    yield
    typefaces.families.cache_clear()


def named(name: str) -> bytes:
    return figure([Panel(PICTURE, name)], "", dpi=100)


def charted(name: str) -> bytes:
    axis = Axis(name, (0.0, 1.0), (0.0, 1.0))
    line = Line(name, np.arange(2.0), np.arange(2.0), Color.ACCENT)
    return figures.picture(LineChart(name, "", axis, axis, (line,))).tobytes()


def traced(name: str) -> bytes:
    return figure([Panel(PICTURE, "")], caption(checkpoint=name, digest="0" * 64, target="cat"), dpi=100)


def measured(name: str) -> bytes:
    one, no = np.ones(3), np.zeros(3, bool)
    axis = Axis(name, (0.0, 2.0), (0.0, 1.0))
    chart = ChannelChart("", "", "", axis, np.arange(3), one, one, no, no, ("0", "1", "2"), 0)
    return figures.picture(chart).tobytes()


def animated(name: str) -> bytes:
    return animation.animation([animation.labelled(PICTURE, [name])], "gif")


@pytest.mark.parametrize("draw", [named, charted, traced, measured, animated])
def test_each_name_has_letters_of_its_own(draw: Callable[[str], bytes], bare: None) -> None:
    assert len({draw(name) for name in ("猫", "狗", "马")}) == 3
    with warnings.catch_warnings(action="ignore"):
        assert draw("\uffff") not in {draw(name) for name in ("猫", "狗", "马")}  # a box


def test_a_box_is_what_was_drawn_before() -> None:
    """Without a Chinese typeface all these names are the same boxes, and Matplotlib says so."""
    from matplotlib.figure import Figure

    def boxed(name: str) -> bytes:
        drawn, file = Figure(), io.BytesIO()
        drawn.text(0, 0, name, family="DejaVu Sans")
        with pytest.warns(UserWarning, match="missing from font"):
            drawn.savefig(file, format="png")
        return file.getvalue()

    assert boxed("猫") == boxed("狗")


def test_a_pdf_embeds_the_letters_and_can_be_searched(bare: None) -> None:
    data = figure([Panel(PICTURE, "小猫")], caption(checkpoint="检查点", digest="0" * 64, target="马"), "pdf")
    assert re.search(rb"/BaseFont /[A-Z]{6}\+WenQuanYiMicroHei", data)
    packed = re.findall(rb"stream\r?\n(.*?)endstream", data, re.DOTALL)
    streams = [zlib.decompressobj().decompress(each) for each in packed if each[:1] == b"\x78"]
    maps = b"".join(stream for stream in streams if b"begincmap" in stream).lower()
    for letter in "小猫检查点马":
        assert b"<%04x>" % ord(letter) in maps
    embedded = [stream for stream in streams if stream[:4] in (b"\0\1\0\0", b"true")]
    assert len(embedded) >= 2
    assert len(data) < 100_000  # the letters that are used, not the whole typeface


def test_latin_letters_stay_as_they_were() -> None:
    from matplotlib.figure import Figure

    plain, legible = Figure(), Figure()
    for drawn in (plain, legible):
        drawn.text(0.1, 0.1, "conv1, γ −0.5 ± 2 σ", family="DejaVu Sans")
    typefaces.make_legible(legible)
    np.testing.assert_array_equal(figures.pixels(plain), figures.pixels(legible))


def test_the_typeface_that_comes_along_has_the_usual_characters() -> None:
    held = typefaces._letters(str(typefaces.BUNDLED))
    assert len(LEVEL_1) == 3755
    assert held.issuperset(map(ord, LEVEL_1))
    assert held.issuperset(map(ord, "，。：；？！（）《》“”…—·、−×±γβσμ→ 0123456789 ABCxyz %蜥蜴螳螂"))
    assert typefaces.BUNDLED.stat().st_size < 2_000_000
    assert "Apache License" in (FONTS / "LICENSE").read_text()
    assert "Apache License, Version 2.0" in (FONTS / "README.md").read_text()
    assert ImageFont.truetype(typefaces.BUNDLED, 12).getname()[0] == typefaces.CHINESE


def test_every_letter_of_the_chinese_catalog_can_be_drawn(bare: None) -> None:
    """Any text may stand in a figure: in its title, at its axes, in its legend or in its caption."""
    texts = (form for message in catalog.messages(catalog.read("zh_CN")) for form in _forms(message))
    letters = {letter for text in texts for letter in text if letter.isprintable()}
    assert len(letters) > 800
    assert sorted(letter for letter in letters if not _has(letter)) == []


def _forms(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


def _has(letter: str) -> bool:
    return any(ord(letter) in typefaces._letters(file) for file in typefaces._files())


def test_a_line_of_an_animation_keeps_its_letters_in_order() -> None:
    whole = animation.labelled(np.full((8, 400, 3), 90, np.uint8), ["猫 cat 狗"])
    first = animation.labelled(np.full((8, 400, 3), 90, np.uint8), ["猫 cat"])
    apart = (whole != first).any((0, 2)).nonzero()[0]
    assert 40 < apart.min() < apart.max() < 100
    assert Image.fromarray(whole).size == Image.fromarray(first).size


def test_a_chinese_letter_takes_two_places_of_a_line() -> None:
    assert wrapped("Class cat · Layer conv1", 12) == ["Class cat ·", "Layer conv1"]
    lines = wrapped("猫" * 50, 20)
    assert "".join(lines) == "猫" * 50
    assert max(map(len, lines)) == 10
