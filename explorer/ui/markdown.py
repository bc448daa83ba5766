"""Text from a file, a folder or an error as Markdown that shows it as it is, whatever it holds.

Streamlit renders Markdown in texts, headings, messages, labels, and the options of button groups; and after
parsing, where no backslash helps any more, it looks for `:icon:` and for addresses in what is left.
"""

import re

from model.names import readable

_SYNTAX = re.compile(
    r"[\\`*\[\]<|~$]|:(?=[\w:])|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])|^[-+=>#]|(?<=\d)[.)](?=\s|$)"
)
_FOUND_AFTER_PARSING = re.compile(r"(?<=:)(?=[\w+/-]+:)|(?<=http:|ttps:)(?=//)|(?<=www)(?=\.)|(?<=@)", re.I)
_CODE_SPAN = re.compile(r"(?<!`)`([^`\n\r]+)`(?!`)")
_WORD_JOINER = "\u2060"  # parts two characters without being seen


def literal(text: str) -> str:
    """Markdown that shows a text as it is, in one line.

    >>> print(literal("![cat](http://x)"))
    !\\[cat\\](http:\u2060//x)
    """
    parted = _FOUND_AFTER_PARSING.sub(_WORD_JOINER, " ".join(readable(text).split()))
    return _SYNTAX.sub(r"\\\g<0>", parted)


def code(text: str) -> str:
    """A code span of a text, also inside a table."""
    text = readable(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    padding = " " if "`" in text else ""
    return f"{fence}{padding}{' '.join(text.split())}{padding}{fence}"


def sentence(message: object) -> str:
    """Markdown of an error's sentence: what it has in `backticks` is code, all else is shown as it is."""
    pieces = _CODE_SPAN.split(str(message))
    return "".join(code(piece) if odd % 2 else _spaced(piece) for odd, piece in enumerate(pieces))


def _spaced(piece: str) -> str:
    """A part of a sentence, with the spaces at its ends."""
    before, after = (" " if piece[at:][:1].isspace() else "" for at in (0, -1))
    return f"{before}{literal(piece)}{after}" if piece.strip() else before
