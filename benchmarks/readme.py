"""The tables of README.md: each stands between a comment that names it and `<!-- end -->`."""

from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
END = "<!-- end -->"


def told(name: str) -> str:
    """What README.md has under the name."""
    return README.read_text(encoding="utf-8").partition(_begin(name))[2].partition(END)[0].strip()


def put(name: str, text: str) -> None:
    """Put a text in place of what README.md has under the name. ValueError if it has no such place."""
    head, begin, rest = README.read_text(encoding="utf-8").partition(_begin(name))
    if not begin:
        raise ValueError(f"README.md has no line {_begin(name)}; add it, and {END} after it.")
    README.write_text(f"{head}{begin}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def _begin(name: str) -> str:
    return f"<!-- {name} -->"
