"""Names that a file or a folder brought, as a person is shown them."""

import re
from pathlib import PurePath
from typing import Any


def readable(text: str) -> str:
    r"""The text as valid Unicode: what is not becomes its code, different for different names.

    >>> readable("caf\udce9"), readable("\ud800")
    ('caf\\xe9', '\\ud800')
    """
    try:
        return text.encode().decode()
    except UnicodeEncodeError:
        # Python reads the byte 0xE9 of a name that is not UTF-8 as U+DCE9.
        parts = (f"\\x{ord(c) - 0xDC00:02x}" if "\udc80" <= c <= "\udcff" else _coded(c) for c in text)
        return "".join(parts)


def _coded(character: str) -> str:
    return f"\\u{ord(character):04x}" if "\ud800" <= character <= "\udfff" else character


def readable_values(values: Any) -> Any:
    """The same dicts, lists and tuples with every text in them `readable`."""
    if isinstance(values, str):
        return readable(values)
    if isinstance(values, dict):
        return {readable_values(key): readable_values(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return type(values)(map(readable_values, values))
    return values


def by_number(path: PurePath) -> tuple[list[str | int], str]:
    """What sorts paths as a person counts: `run-2` before `run-10`.

    >>> sorted([PurePath("epoch 13"), PurePath("epoch 3")], key=by_number)[0].name
    'epoch 3'
    """
    parts = re.split(r"([0-9]+)", str(path))
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], str(path)


def short_path(path: PurePath, above: int = 0) -> str:
    """A path for a sentence: as it was typed if relative, else its name, behind `above` of its folders."""
    short = PurePath(*path.parts[-1 - above :]) if path.is_absolute() else path
    return readable(str(short))
