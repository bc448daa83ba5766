"""Which kind of text a file is, by its content."""

import codecs
import json
import re

_HEAD = 2_000  # bytes looked at
_MOST_OF_JSON = 10_000_000  # bytes
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_YAML = re.compile(r"\s+\S|---|- |[\w.-]+:( (?!.*: )|$)")  # how a line of it begins
_SEPARATOR = re.compile(r"[,;](?! )")  # of the columns of a table


def is_text(data: bytes) -> bool:
    """Whether the first bytes are letters and what stands between them, in any usual encoding."""
    head = data[:_HEAD]
    if head.startswith(_UTF_16):
        return True
    if set(head) & set(range(9)) or b"\x7f" in head:
        return False
    return b"\x80" not in head or _is_utf_8(head)


def _is_utf_8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last letter may be cut off
    except UnicodeDecodeError:
        return False
    return True


def text_kind(data: bytes) -> str:
    """JSON, XML, CSV or YAML; "" for any other text.

    >>> text_kind(b"[1, 2]"), text_kind(b"a: 1\\nb: 2"), text_kind(b"a,b\\n1,2"), text_kind(b"A note.")
    ('JSON', 'YAML', 'CSV', '')
    """
    encoding = "utf-16" if data.startswith(_UTF_16) else "utf-8-sig"
    text = data[:_MOST_OF_JSON].decode(encoding, "replace").strip()
    lines = text[:_HEAD].splitlines()
    lines = [line for line in lines[: -1 if len(text) > _HEAD else None] if line.strip()]
    if text[:1] in ("{", "[") and (_is_json(text) or _is_json(text.partition("\n")[0])):
        return "JSON"
    if re.match(r"<[?!\w]", text) and text.endswith(">"):
        return "XML"
    if _is_table(lines):
        return "CSV"
    content = [line for line in lines if not line.startswith("#")]
    return "YAML" if len(content) > 1 and content[0][:1].strip() and all(map(_YAML.match, content)) else ""


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_table(lines: list[str]) -> bool:
    """Whether all lines, two at least, have the same number of columns."""
    separators = [sorted(_SEPARATOR.findall(line)) for line in lines]
    return len(lines) > 1 and bool(separators[0]) and all(each == separators[0] for each in separators)
