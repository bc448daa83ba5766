"""Functions stay short, so that each can be read at once; scenes, drawn stroke by stroke, may be longer."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST = 40  # lines, signature and docstring included
DRAWN = ROOT / "model" / "drawn"


def lengths(path: Path) -> dict[str, int]:
    """The lines of every function of a module."""
    functions = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]  # fmt: skip
    return {each.name: (each.end_lineno or 0) - each.lineno + 1 for each in functions}


def test_no_function_is_long() -> None:
    modules = [path for top in ("model", "explorer", "benchmarks") for path in (ROOT / top).rglob("*.py")]
    assert len(modules) > 100
    long = {
        f"{path.relative_to(ROOT)}: {name}": lines
        for path in modules
        if DRAWN not in path.parents
        for name, lines in lengths(path).items()
        if lines > MOST
    }
    assert not long
