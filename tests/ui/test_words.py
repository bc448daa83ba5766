"""Every text that a person reads goes through `model.words`: in the pseudo-language it stands in ⟦ ⟧.

What is not translated is a name: of a class, a layer, a checkpoint, a file, a module of PyTorch, a method.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

from explorer.engine.attribution import METHODS
from explorer.ui.exports.downloads import Offer
from explorer.ui.frame.pages import BY_FOLDER
from explorer.ui.sidebar.language import NAMES
from model import cifar10, words
from model.augment import AUGMENTATIONS
from model.checkpoint import load_checkpoint
from model.command import PRECISIONS
from model.datasets import SOURCES as DATASETS
from model.example_log import ENDING, load_log
from model.nets import NETS, NORMS
from model.optimizers import OPTIMIZERS
from model.recipes import RECIPES
from model.schedulers import SCHEDULERS
from model.words import ENGLISH, PSEUDO

ROOT = Path(__file__).parents[2]
FAST = "cifar10-fast"  # it has snapshots
LOOKS: dict[str, tuple[str, dict[str, str]]] = {
    "network": ("network", {}),
    "explain": ("explain", {}),
    "explain a wrong prediction": ("explain", {"class": "dog", "evidence": "signed", "cam_scale": "shared"}),
    "attributions": ("attributions", {"methods": "saliency"}),
    "maps": ("maps", {}),
    "maps, one position": ("maps", {"block": "2", "channel": "5", "cell": "0-3"}),
    "interventions": ("interventions", {"marked": "relu3~5.52", "how": "scale"}),
    "interventions, a covered square": ("interventions", {"change": "patch"}),
    "interventions, effects": ("interventions", {"change": "effect", "sample": "dog"}),
    "interventions, a search": ("interventions", {"change": "other", "sample": "dog"}),
    "batchnorm": ("batchnorm", {}),
    "batchnorm, drawn scenes": ("batchnorm", {"of": "scenes", "images": "16"}),
    "compare": ("compare", {}),
    "compare two images": ("compare", {"b_own": "image", "b_sample": "dog"}),
    "compare two classes": ("compare", {"compare": "classes", "against": "truck"}),
    "compare two networks": ("compare", {"b_own": "checkpoint"}),
    "shortcut": ("shortcut", {"mark": "dog"}),
    "training": ("training", {}),
    "scoreboard": ("scoreboard", {"checkpoint": "scenes-course"}),
    "scoreboard, none measured": ("scoreboard", {"checkpoint": FAST}),
    "time machine": ("time_machine", {"checkpoint": FAST}),
    "time machine, maps": ("time_machine", {"checkpoint": FAST, "over_time": "maps"}),
    "time machine, filters": ("time_machine", {"checkpoint": FAST, "over_time": "filters"}),
    "time machine, norm": ("time_machine", {"checkpoint": FAST, "over_time": "norm"}),
    "channel": ("channel", {"block": "2", "channel": "5"}),
    "shift": ("shift", {"shift_measured": "yes", "shift_images": "64"}),
    "augmentation": ("augmentation", {}),
    "batchnorm, without it": ("batchnorm", {"norm_part": "without"}),
    "batchnorm, what is averaged": ("batchnorm", {"norm_part": "averaged"}),
    "batchnorm, in training": ("batchnorm", {"norm_part": "training", "checkpoint": FAST}),
    "dropout": ("dropout", {}),
    "dropout, another p": ("dropout", {"checkpoint": FAST, "dropout_p": "0.25"}),
    "mlp": ("mlp", {}),
    "data map": ("data_map", {}),
    "data map, numbers only": ("data_map", {"log": "cifar10-fast-rerun"}),
    "augmentation, mixed": ("augmentation", {"transforms": "semantic", "mixing": "cutmix"}),
}
looks = pytest.mark.parametrize(
    ("page", "link"),
    [pytest.param(page, link, id=name) for name, (page, link) in LOOKS.items()],
)
SOURCES = ("samples", "test", "upload", "camera")


@pytest.fixture(autouse=True)
def pseudo(patient: None) -> Iterator[None]:
    """AppTest asks a widget for its option's text in the test's own thread."""
    words.use(PSEUDO)
    yield
    words.use(ENGLISH)


@looks
def test_every_text_of_a_page_and_of_its_downloads_is_translated(
    opened: Callable[..., tuple[AppTest, Offer]], page: str, link: dict[str, str]
) -> None:
    at, offer = opened(page, lang=PSEUDO, **link)
    assert untranslated(texts(at.main)) == []
    described = [description for _, description in offer.arrays().values()]
    assert untranslated([offer.caption, *offer.pictures, *offer.tables, *described]) == []


@pytest.mark.parametrize("source", SOURCES)
def test_every_text_of_the_sidebar_is_translated(visit: Callable[..., AppTest], source: str) -> None:
    at = visit(lang=PSEUDO, source=source)
    assert untranslated(texts(at.sidebar)) == []


@pytest.mark.parametrize("page", ["training", "explain"])
def test_every_page_is_named_in_the_language(visit: Callable[..., AppTest], page: str) -> None:
    at = visit(page, lang=PSEUDO)
    at.session_state[f"menu_{BY_FOLDER[page].path}"] = True  # the menu of a narrow screen, opened
    at.run()
    title = at.get("html")[0].proto.body
    row = next(block for block in blocks(at.main) if getattr(block.proto, "id", "").endswith("-pages"))
    assert "⟦" in title
    pages = len(list((ROOT / "explorer" / "views").glob("*/page.py")))
    assert len(texts(row)) > pages  # and the sections
    assert untranslated([*in_html(title), *texts(row)]) == []


def test_a_samples_name_is_in_the_language_of_each_page(visit: Callable[..., AppTest]) -> None:
    """Also after another visitor has had the same sample in another language."""
    for language, name in (
        (ENGLISH, "frog (drawn)"),
        (PSEUDO, "⟦⟦frog (⟦frog⟧)⟧ (drawn)⟧"),
        (ENGLISH, "frog (drawn)"),
    ):
        words.use(language)
        html = "".join(each.proto.body for each in visit(lang=language, sample="frog").get("html"))
        assert name in in_html(html)


def test_the_opened_downloads_are_translated(visit: Callable[..., AppTest]) -> None:
    """All but the caption and the names of tables, which are the page's."""
    at = visit("training", lang=PSEUDO)
    at.session_state["take_away"] = True
    at.run()
    fold = next(block for block in blocks(at.main) if getattr(block, "label", "") == "⟦Download⟧")
    shown = [text for element in elements(fold) if element.type != "caption" for text in said(element)]
    shown = [text for text in shown if text not in fold.selectbox[0].options]
    assert len(shown) > 8
    assert untranslated([text for text in shown if not text.endswith("CSV⟧")]) == []


def test_the_opened_table_of_channels_is_translated(visit: Callable[..., AppTest]) -> None:
    at = visit("batchnorm", lang=PSEUDO)
    at.session_state["channel_numbers"] = True
    at.run()
    assert at.main.dataframe
    assert untranslated([text for element in elements(at.main) for text in said(element)]) == []


def test_what_is_not_translated_is_found() -> None:
    assert untranslated(["⟦Class ⟦cat⟧⟧", "conv1", "3 × 4", "cat", "![dog](data:image/png;base64,abc)"]) == []
    assert untranslated(["Class to explain", "⟦Block⟧ and"]) == ["Class to explain", "⟦Block⟧ and"]


# In Chinese

ONE_A_PAGE = dict(reversed(LOOKS.values()))
WORD = r"(?<![\w`./{-])[A-Za-z][a-z]*(?![\w`./}(=-])"


@pytest.mark.parametrize("page", ONE_A_PAGE)
def test_a_page_in_chinese_has_no_english_sentence(visit: Callable[..., AppTest], page: str) -> None:
    words.use("zh_CN")
    at = visit(page, lang="zh_CN", **ONE_A_PAGE[page])
    assert not at.exception, at.exception[0].value
    said = texts(at.main) + texts(at.sidebar)
    assert sum(bool(re.search(r"[\u4e00-\u9fff]", text)) for text in said) > 20
    assert english_sentences(said) == []


def test_an_english_sentence_is_found() -> None:
    given = ["层 conv1，Grad-CAM", "Click a channel to see it", "`python -m model.train` 。"]
    assert english_sentences(given) == ["Click a channel to see it"]


def english_sentences(given: list[str]) -> list[str]:
    """Runs of three or more English words that are no name and no code."""
    phrases, _ = names()
    for phrase in phrases:
        given = [text.replace(phrase, " ") for text in given]
    return [
        run
        for text in given
        for run in re.findall(rf"{WORD}(?: {WORD}){{2,}}", re.sub(r"`[^`]*`|\(data:[^)]*\)", "", text))
    ]


# What a page says


def blocks(block: Any) -> Iterator[Any]:
    yield block
    for child in block.children.values():
        if hasattr(child, "children"):
            yield from blocks(child)


def elements(block: Any) -> Iterator[Any]:
    """Every element in a block, however deep."""
    for inner in blocks(block):
        yield from (child for child in inner.children.values() if not hasattr(child, "children"))


def texts(block: Any) -> list[str]:
    """Every text that a person reads in a block, with the titles of its folds."""
    titles = [text for inner in blocks(block) if inner.proto is not None for text in labels(inner.proto)]
    return [*titles, *(text for element in elements(block) for text in said(element))]


def said(element: Any) -> list[str]:
    """The texts of one element."""
    match element.type:
        case "html":
            return in_html(element.proto.body)
        case "vega_lite_chart":
            return in_chart(json.loads(element.proto.spec))
        case "bidi_component":
            return in_data(json.loads(element.proto.json)) if element.proto.json else []
        case "code":
            return []
    return labels(element.proto)


LABELS = {"label", "body", "help", "options", "content", "placeholder", "text", "alt", "caption", "data"}


def labels(proto: Message) -> list[str]:
    """The texts of a Streamlit element: those of its fields that are shown."""
    found: list[str] = []
    for field, value in proto.ListFields():
        repeated = isinstance(value, str | bytes | Message) or not hasattr(value, "__iter__")
        for one in [value] if repeated else list(value):
            if isinstance(one, Message):
                found += labels(one)
            elif isinstance(one, str) and field.name in LABELS:
                found.append(one)
    return found


def in_html(body: str) -> list[str]:
    """The text of an html, and what its pictures and tips say."""
    parser = _Texts()
    parser.feed(body)
    return parser.found


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.hidden = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.hidden = tag in ("style", "script")
        self.found += [
            value for name, value in attributes if name in ("alt", "title", "aria-label") and value
        ]

    def handle_endtag(self, tag: str) -> None:
        self.hidden = False

    def handle_data(self, text: str) -> None:
        if not self.hidden:
            self.found.append(text)


def in_chart(spec: Any) -> list[str]:
    """The description of a chart, and the titles of its axes, legends and tooltips."""
    if isinstance(spec, list):
        return [text for one in spec for text in in_chart(one)]
    if not isinstance(spec, dict):
        return []
    named = [spec[key] for key in ("description", "title") if isinstance(spec.get(key), str)]
    return named + [text for key, value in spec.items() if key != "values" for text in in_chart(value)]


def in_data(data: Any) -> list[str]:
    """What a component of the project's own is given to show."""
    if isinstance(data, list):
        return [text for one in data for text in in_data(one)]
    if not isinstance(data, dict):
        return []
    named = [data[key] for key in ("label", "words", "title", "help") if isinstance(data.get(key), str)]
    if "xhtml" in data:
        return [
            *in_html(data["xhtml"]),
            *data["titles"],
            *(text for *_, tip in data["columns"] for text in tip),
        ]
    return named + [text for value in data.values() for text in in_data(value)]


# Which of it is not translated

UNITS = ("px", "MB", "GB", "ms", "RGB", "PNG", "CSV", "NPZ", "ZIP", "PDF", "max", "σ²")
LANGUAGES = tuple(NAMES.values())
SETTINGS = (
    *AUGMENTATIONS, *OPTIMIZERS, *SCHEDULERS, *RECIPES, *DATASETS, *NETS, *NORMS, *PRECISIONS, "cpu", "cos",
)  # fmt: skip


def untranslated(given: list[str]) -> list[str]:
    """The texts that hold a word outside ⟦ ⟧ that is no name."""
    phrases, words = names()
    return [text for text in given if set(words_of(text, phrases)) - words]


def words_of(text: str, phrases: tuple[str, ...] = ()) -> list[str]:
    """The words of a text that stand outside ⟦ ⟧, and outside these phrases."""
    text = re.sub(r"\]\(data:[^)]*\)|:material/\w+:|`[^`]*`|&#?\w+;|\\|\b[0-9a-f]{12}\b", " ", text)
    while (less := re.sub(r"⟦[^⟦⟧]*⟧", " ", text)) != text:
        text = less
    for phrase in phrases:
        text = text.replace(phrase, " ")
    return re.findall(r"[^\W\d_][\w.#]+", text)


@cache
def names() -> tuple[tuple[str, ...], frozenset[str]]:
    """What has a name, as phrases and as words: classes, checkpoints, layers, modules, methods, units."""
    paths = sorted((ROOT / "checkpoints").glob("*.safetensors"))
    checkpoints = [load_checkpoint(path) for path in paths]
    modules = [item for each in checkpoints for item in each.build().named_modules()]
    kinds = {type(module).__name__ for _, module in modules}
    single = [
        *cifar10.CLASSES,
        *UNITS,
        *LANGUAGES,
        *SETTINGS,
        *kinds,
        *(kind.removesuffix("2d") for kind in kinds),
    ]
    single += [name for each in checkpoints for name in (*each.card.versions, *each.card.config)]
    single += [layer for layer, _ in modules] + [name for path in paths for name in (path.name, path.stem)]
    logs = sorted((ROOT / "checkpoints").glob(f"*{ENDING}"))
    single += [path.name.removesuffix(ENDING) for path in logs]
    images = [load_log(path).card.images for path in logs]
    phrases = {*images, *(each.card.data for each in checkpoints), *(each.title for each in METHODS.values())}
    return tuple(sorted(phrases, key=len, reverse=True)), frozenset(
        word for one in single for word in words_of(one)
    )
