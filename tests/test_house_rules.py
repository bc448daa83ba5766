"""Rules that every module keeps: functions stay short, and only a Problem is shown to a person."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST = 40  # lines, signature and docstring included
DRAWN = ROOT / "model" / "drawn"
"""Scenes, drawn stroke by stroke, may be longer."""
SHOWS = {"st.info", "st.warning", "st.error"}
PROBLEMS = {"Problem", "NoGradient"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def nodes(*folders: str) -> Iterator[tuple[str, ast.AST]]:
    """Every node of every module in some folders, with the module's path."""
    for path in (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))):
        name = str(path.relative_to(ROOT))
        yield from ((name, node) for node in ast.walk(tree(path)))


def test_no_function_is_long() -> None:
    functions = {
        f"{path}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, node in nodes("model", "explorer", "benchmarks")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and DRAWN not in (ROOT / path).parents
    }
    assert len(functions) > 1_000
    assert not {name: lines for name, lines in functions.items() if lines > MOST}


def test_a_page_shows_problems_and_no_other_error() -> None:
    """Any other exception is a bug and must look like one."""
    handlers = [
        (path, node)
        for path, node in nodes("explorer/ui", "explorer/views")
        if isinstance(node, ast.ExceptHandler)
    ]
    showing = {
        f"{path}:{each.lineno}": ast.unparse(each.type) if each.type else ""
        for path, each in handlers
        if any(ast.unparse(node) in SHOWS for node in ast.walk(each) if isinstance(node, ast.Attribute))
    }
    assert len(showing) > 5
    assert not {place: name for place, name in showing.items() if name not in PROBLEMS}


def test_every_constant_that_the_architecture_names_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = {name for name in re.findall(r"`([A-Z][A-Z_]+)`", text) if name not in {"LANGUAGE", "DIR"}}
    modules = [path for folder in ("model", "explorer") for path in (ROOT / folder).rglob("*.py")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in modules)
    assert len(named) > 10
    assert not {name for name in named if not re.search(rf"^{name}\b", source, re.MULTILINE)}
