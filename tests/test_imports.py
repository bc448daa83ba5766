"""Imports run one way, and what computes loads nothing that draws."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("model", "explorer.engine", "explorer.drawing", "explorer.ui", "explorer.views", "explorer.app")
SOURCES = sorted([*ROOT.glob("model/**/*.py"), *ROOT.glob("explorer/**/*.py")])


def dotted(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer(module):
    """The place of a module in LAYERS; None for what is not ours, or the bare package."""
    places = [i for i, name in enumerate(LAYERS) if module == name or module.startswith(name + ".")]
    return places[0] if places else None


def imported(path):
    """Every module a source file imports, anywhere in it; `from a import b` counts as `a.b` too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = dotted(path).split(".")[: -node.level or None] if node.level else []
            whole = ".".join([*base, *([node.module] if node.module else [])])
            yield whole
            yield from (f"{whole}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=dotted)
def test_imports_run_one_way(path):
    own = layer(dotted(path))
    if own is None:
        return
    later = [name for name in imported(path) if (other := layer(name)) is not None and other > own]
    assert not later


@pytest.mark.parametrize("path", SOURCES, ids=dotted)
def test_no_module_takes_a_standard_librarys_name(path):
    assert path.stem == "__init__" or path.stem not in sys.stdlib_module_names


def test_streamlit_and_matplotlib_stay_in_their_layers():
    for path in SOURCES:
        if (layer(dotted(path)) or 0) < LAYERS.index("explorer.ui"):
            assert "streamlit" not in {name.partition(".")[0] for name in imported(path)}, path


HEAVY = ("streamlit", "matplotlib", "altair", "pandas", "captum", "torchvision")
ENGINE = [dotted(path) for path in SOURCES if dotted(path).startswith("explorer.engine")]
MODEL = [dotted(path) for path in SOURCES if dotted(path).startswith("model")]


def loaded_by(modules):
    script = f"""
import importlib, sys
for name in {modules}:
    importlib.import_module(name)
print(*[name for name in {HEAVY} if name in sys.modules])
"""
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()


@pytest.mark.parametrize("modules", [["model"], MODEL, ENGINE], ids=["package", "model", "engine"])
def test_computing_loads_no_page_and_no_plot(modules):
    assert loaded_by(modules) == []


def test_the_walk_sees_imports():
    assert {"model.nets.NETS", "torch", "model.files"} <= set(imported(ROOT / "model" / "checkpoint.py"))
