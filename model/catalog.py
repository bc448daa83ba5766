"""Brings the catalogs of translations up to date: `python -m model.catalog`.

Every text of the code goes into every `model/locale/LANGUAGE.po`, what no code has any more is taken out, and
what is not translated yet is printed as JSON, {"English": ""}. With its texts filled in, that is taken by
`python -m model.catalog --fill FILE`. Entries are sorted, so that a change is small to look at.
"""

import argparse
import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

from model.files import replacing
from model.words import ENGLISH, LOCALES, languages

ROOT = Path(__file__).parents[1]
FOLDERS = ("model", "explorer")
KEYWORDS = DEFAULT_KEYWORDS | {"tr": None, "N_": None, "Problem": None}


def template() -> Catalog:
    """Every text that the code marks, without translations."""
    texts = Catalog()
    with redirect_stderr(io.StringIO()):  # Babel warns of f-strings, which are fields here, not texts
        for folder in FOLDERS:
            for _, _, message, _, _ in extract_from_dir(
                ROOT / folder, method_map=[("**.py", "python")], keywords=KEYWORDS
            ):
                texts.add(message)
    return texts


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
    """The texts without a translation."""
    return [
        english(message) for message in messages(catalog) if not message.string or not all(message.string)
    ]


def fill(catalog: Catalog, translations: Mapping[str, str]) -> None:
    """Take translations over; all plural forms get the same text, as in Chinese, which has one."""
    for message in messages(catalog):
        if translation := translations.get(english(message)):
            plural = isinstance(message.id, tuple)
            message.string = (translation,) * catalog.num_plurals if plural else translation


def save(catalog: Catalog, language: str) -> None:
    """Write a catalog, sorted, each text in one line."""
    with replacing(path_of(language)) as file:
        write_po(file, catalog, width=0, no_location=True, sort_output=True)


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
