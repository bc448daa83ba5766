"""The tables of README.md: each stands between a comment that names it and `<!-- end -->`.

README.zh-CN.md has the same tables with its own words.
"""

from pathlib import Path

from benchmarks.readme_chinese import in_chinese

README = Path(__file__).resolve().parent.parent / "README.md"
CHINESE = README.with_name("README.zh-CN.md")
END = "<!-- end -->"


def text_of(name: str, readme: Path = README) -> str:
    """What README.md, or another of its language, has under the name."""
    return readme.read_text(encoding="utf-8").partition(_begin(name))[2].partition(END)[0].strip()


def put(name: str, text: str, chinese: str | None = None) -> None:
    """Put a text in place of what each README has under the name; README.zh-CN.md has it in Chinese, as
    `chinese` if given.

    ValueError if one has no such place.
    """
    for readme, said in ((README, text), (CHINESE, chinese or in_chinese(text))):
        head, begin, rest = readme.read_text(encoding="utf-8").partition(_begin(name))
        if not begin:
            raise ValueError(f"{readme.name} has no line {_begin(name)}; add it, and {END} after it.")
        readme.write_text(f"{head}{begin}\n{said}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def _begin(name: str) -> str:
    return f"<!-- {name} -->"
