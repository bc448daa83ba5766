"""Brings the catalogs of translations up to date: `python -m model.catalog`.

Every text of the code goes into every `model/locale/LANGUAGE.po`, what no code has any more is taken out, and
what is not translated yet is printed as JSON, {"English": ""}. With its texts filled in, that is taken by
`python -m model.catalog --fill FILE`. Entries are sorted, so that a change is small to look at.
"""

import argparse
import ast
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

from model.files import replacing
from model.words import ENGLISH, LOCALES, languages

ROOT = Path(__file__).parents[1]
FOLDERS = ("model", "explorer")
HEAD = """\
# Every text of the explorer and its commands, brought up to date by `python -m model.catalog`.
# The terms are those of docs/terms.md.
msgid ""
msgstr ""
"Language: {language}\\n"
"Plural-Forms: {plural_forms}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""
MARKS = ("tr", "N_", "Problem")


def template() -> Catalog:
    """Every text that the code marks, without translations."""
    texts = Catalog()
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for text in texts_of(path.read_text(encoding="utf-8")):
                texts.add(text)
    return texts


def texts_of(code: str) -> Iterator[str | tuple[str, str]]:
    """The texts that code marks, also within f-strings and on both sides of a choice; plurals in pairs.

    >>> list(texts_of("tr('Yes' if right else 'No')"))
    ['Yes', 'No']
    """
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "ngettext":
            forms = [text for argument in node.args[:2] for text in _constants(argument)]
            if len(forms) == 2:  # else each is marked elsewhere, by N_
                yield forms[0], forms[1]
        elif name in MARKS:
            yield from (text for argument in node.args[:1] for text in _constants(argument) if text)


def _constants(argument: ast.expr) -> Iterator[str]:
    """The texts that an argument may be."""
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        yield argument.value
    elif isinstance(argument, ast.IfExp):
        yield from _constants(argument.body)
        yield from _constants(argument.orelse)


def path_of(language: str) -> Path:
    """Where the catalog of a language is."""
    return LOCALES / f"{language}.po"


def read(language: str) -> Catalog:
    """The catalog of a language."""
    with path_of(language).open("rb") as file:
        return read_po(file, locale=language)


def updated(catalog: Catalog, texts: Catalog) -> Catalog:
    """The catalog with exactly these texts, each with its translation if it has one."""
    catalog.update(texts, no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    catalog.fuzzy = False
    return catalog


def english(message: Message) -> str:
    """The text that a message is found by; of a plural the form for one."""
    return message.id if isinstance(message.id, str) else message.id[0]


def messages(catalog: Catalog) -> Iterator[Message]:
    """The messages of a catalog without its head."""
    return (message for message in catalog if message.id)


def missing(catalog: Catalog) -> list[str]:
    """The texts without a translation, and those whose translation was for another form of the text."""
    return [
        english(message)
        for message in messages(catalog)
        if message.fuzzy or not message.string or not all(message.string)
    ]


def fill(catalog: Catalog, translations: Mapping[str, str]) -> None:
    """Take translations over; all plural forms get the same text, as in Chinese, which has one."""
    for message in messages(catalog):
        if translation := translations.get(english(message)):
            message.flags.discard("fuzzy")
            plural = isinstance(message.id, tuple)
            message.string = (translation,) * catalog.num_plurals if plural else translation


def save(catalog: Catalog, language: str) -> None:
    """Write a catalog, sorted, each text in one line."""
    with replacing(path_of(language)) as file:
        file.write(HEAD.format(language=language, plural_forms=catalog.plural_forms).encode())
        write_po(file, catalog, width=0, no_location=True, sort_output=True, omit_header=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m model.catalog", description=__doc__)
    parser.add_argument("--fill", type=Path, metavar="FILE", help="translations to take over, as JSON")
    given = parser.parse_args(arguments)
    translations = json.loads(given.fill.read_text(encoding="utf-8")) if given.fill else {}
    texts = template()
    for language in languages():
        if language != ENGLISH:
            catalog = updated(read(language), texts)
            fill(catalog, translations)
            save(catalog, language)
            print(json.dumps(dict.fromkeys(missing(catalog), ""), ensure_ascii=False, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
