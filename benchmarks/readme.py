"""The tables of README.md and docs/: each stands between a comment that names it and `<!-- end -->`.

Every page has a Chinese one beside it, with the same tables and its own words.
"""

from pathlib import Path

from benchmarks.readme_chinese import in_chinese

ROOT = Path(__file__).resolve().parent.parent
NAMES = "README", "docs/training", "docs/own", "docs/attributions", "docs/scores", "docs/scan", "docs/speed"
ENGLISH, CHINESE = (tuple(ROOT / f"{name}{suffix}" for name in NAMES) for suffix in (".md", ".zh-CN.md"))
END = "<!-- end -->"


def text_of(name: str, pages: tuple[Path, ...] = ENGLISH) -> str:
    """What the English pages, or those of another language, have under the name."""
    page = _page_with(name, pages)
    return page.read_text(encoding="utf-8").partition(_begin(name))[2].partition(END)[0].strip()


def put(name: str, text: str, chinese: str | None = None) -> None:
    """Put a text in place of what the pages of each language have under the name; those in Chinese have it
    in Chinese, as `chinese` if given.

    ValueError if no page of a language has such a place.
    """
    for pages, content in ((ENGLISH, text), (CHINESE, chinese or in_chinese(text))):
        page = _page_with(name, pages)
        head, begin, rest = page.read_text(encoding="utf-8").partition(_begin(name))
        page.write_text(f"{head}{begin}\n{content}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def _page_with(name: str, pages: tuple[Path, ...]) -> Path:
    for page in pages:
        if _begin(name) in page.read_text(encoding="utf-8"):
            return page
    raise ValueError(f"{pages[0].name} has no line {_begin(name)}, nor have the pages of docs/: add it.")


def _begin(name: str) -> str:
    return f"<!-- {name} -->"
