"""Every text that a person reads goes through here: whole sentences with named fields, in one language.

`tr("{count} images", count=3)` gives the sentence in the language in use, English where a catalog has none.
A catalog is a gettext file, `model/locale/LANGUAGE.po`, read by Babel once a process (a tenth of a second);
`python -m model.catalog` brings it up to date.
"""

import io
import os
import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from functools import cache
from gettext import NullTranslations
from pathlib import Path
from string import Formatter

ENGLISH = "en"
PSEUDO = "pseudo"  # a language for tests: every text that came through here stands in ⟦ ⟧
LOCALES = Path(__file__).parent / "locale"

CHINESE = "[、-】一-鿿＀-｠]"  # letters and full-width marks
_BESIDE_FIELD = re.compile(rf"}} {CHINESE}|{CHINESE} {{")

_language: ContextVar[str] = ContextVar("language", default=ENGLISH)


class _Pseudo(NullTranslations):
    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"⟦{msgid1 if n == 1 else msgid2}⟧"


def languages() -> tuple[str, ...]:
    """The languages to choose from: English, and every language that has a catalog."""
    return _languages(LOCALES)


@cache
def _languages(folder: Path) -> tuple[str, ...]:
    """Those of a folder, which is looked into once: a page asks a dozen times."""
    return (ENGLISH, *sorted(path.stem for path in folder.glob("*.po")))


def known(tag: str) -> str | None:
    """The language to show for a name such as zh, zh-Hans, zh_CN.UTF-8 or en-US; None where there is none."""
    name = tag.partition(".")[0].partition("@")[0].replace("-", "_")
    choices = (*languages(), PSEUDO)
    if name in choices:
        return name
    family = name.partition("_")[0].lower()
    return next((each for each in choices if each.partition("_")[0] == family), None)


def of_environment() -> str:
    """The language of a command, as gettext finds it: English under C, and where no catalog fits."""
    variables = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((value for name in variables if (value := os.environ.get(name))), "C")
    if locale.partition(".")[0] in ("C", "POSIX"):
        return ENGLISH
    wished = (*os.environ.get("LANGUAGE", "").split(":"), locale)
    return next((language for each in wished if (language := known(each))), ENGLISH)


def use(language: str) -> None:
    """Take `language` from now on in this thread; English where there is no catalog for it."""
    _language.set(language)


def language() -> str:
    """The language in use in this thread."""
    return _language.get()


def tr(template: str, /, **fields: object) -> str:
    """The template in the language in use, with its fields filled in as `str.format` does."""
    if not template:  # gettext's name for the head of a catalog
        return ""
    return _filled(_catalog(_language.get()).gettext(template), fields)


def ngettext(one: str, many: str, n: int, /, **fields: object) -> str:
    """Whichever template the language in use has for `n`, its fields filled in, `{n}` among them."""
    catalog = _catalog(_language.get())
    template = catalog.ngettext(one, many, n)
    if template in (one, many):  # two texts that were marked one by one
        template = catalog.gettext(template)
    return _filled(template, {"n": n, **fields})


def _filled(template: str, fields: Mapping[str, object]) -> str:
    """As `str.format` does, but without the spaces around a value that stand between two Chinese signs.

    >>> _filled("在 {images} 中", {"images": "100 张图像"}), _filled("在 {images} 中", {"images": "CIFAR-10"})
    ('在 100 张图像中', '在 CIFAR-10 中')
    >>> _filled("差为 {size}。", {"size": "小于 0.1"}), _filled("差为 {size}。", {"size": 0.2})
    ('差为小于 0.1。', '差为 0.2。')
    """
    if not _BESIDE_FIELD.search(template):
        return template.format(**fields)
    text = ""
    for literal, name, details, conversion in Formatter().parse(template):
        ends = re.search(f"{CHINESE}$", text) and re.match(f" {CHINESE}", literal)
        text += literal[1:] if ends else literal
        if name is not None:
            field = f"{{{name}{f'!{conversion}' if conversion else ''}:{details}}}"
            value = field.format(**fields)
            begins = re.search(f"{CHINESE} $", text) and re.match(CHINESE, value)
            text = (text[:-1] if begins else text) + value
    return text


def paragraph(sentences: Iterable[str]) -> str:
    """Sentences one after the other, with a space between two, but none behind a full-width mark.

    >>> paragraph(["One.", "Two."]), paragraph(["一。", "二。"])
    ('One. Two.', '一。二。')
    """
    return re.sub("(?<=[。！？：；]) ", "", " ".join(sentences))


def load() -> None:
    """Read every catalog, so that nobody waits for it later."""
    for language in languages():
        _catalog(language)


def N_(template: str) -> str:
    """Mark a template for the catalogs where it is written; `tr` translates it where it is shown."""
    return template


@cache
def _catalog(language: str) -> NullTranslations:
    if language == PSEUDO:
        return _Pseudo()
    path = LOCALES / f"{language}.po"
    if language not in languages() or not path.is_file():
        return NullTranslations()
    return _read(path)


def _read(path: Path) -> NullTranslations:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po
    from babel.support import Translations

    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=path.stem))
    compiled.seek(0)
    return Translations(compiled)
