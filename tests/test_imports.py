"""Imports run one way, and what computes loads nothing that draws."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = (
    "model",
    "explorer.engine",
    "explorer.drawing",
    "explorer.ui",
    "explorer.views",
    "explorer.server",
    "explorer.app",
)
SOURCES = sorted([*ROOT.glob("model/**/*.py"), *ROOT.glob("explorer/**/*.py")])


def dotted(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer(module):
    """The place of a module in LAYERS; None for what is not ours, or the bare package."""
    places = [i for i, name in enumerate(LAYERS) if module == name or module.startswith(name + ".")]
    return places[0] if places else None


@functools.cache
def tree(path):
    return ast.parse(path.read_text())


@functools.cache
def imported(path):
    """Every module a source file imports, anywhere in it; `from a import b` counts as `a.b` too."""
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = dotted(path).split(".")[: -node.level or None] if node.level else []
            whole = ".".join([*base, *([node.module] if node.module else [])])
            names |= {whole, *(f"{whole}.{alias.name}" for alias in node.names)}
    return frozenset(names)


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


def test_computing_loads_no_page_and_no_plot():
    """The package `model`, then all of it, then the engine too, in one process."""
    script = f"""
import importlib, sys
for group in {[["model"], MODEL, ENGINE]}:
    for name in group:
        importlib.import_module(name)
    print([name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == 3 * ["[]"]


def test_no_shipped_network_has_torch_import_its_compiler():
    """It takes about a second, and two visits would do so at once."""
    script = """
import sys, torch
from pathlib import Path
from explorer.engine.flow import Flow
from explorer.engine.network_source import Source
from explorer.engine.opening import open_source
from explorer.engine.receptive import receptive_fields
for name in ("cifar10-course", "cifar10-resnet9"):
    net = open_source(Source(Path(f"checkpoints/{name}.safetensors"))).checkpoint.build()
    x = torch.zeros(1, 3, 32, 32)
    receptive_fields(net, x), Flow(net, x, 0)
    print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == 2 * ["False"]


def test_the_walk_sees_imports():
    assert {"model.nets.NETS", "torch", "model.files"} <= imported(ROOT / "model" / "checkpoint.py")


def at_import(parent):
    """The import statements that run when a module is imported: those in no function."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        yield from at_import(node)


def needs(path, modules):
    """The modules of ours that must be imported before this one; `import a.b` runs the package `a` too."""
    own = dotted(path)
    for node in at_import(tree(path)):
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{name}" for name in names)]
        for name in names:
            parts = name.split(".")
            wholes = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
            yield from (each for each in wholes & modules if each != own and not own.startswith(f"{each}."))
            yield from (name for name in {name} & modules if name != own)


def cycle(graph):
    """Modules that import one another in a ring; nothing where there is no ring."""
    done, path = set(), []

    def walk(name):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        path.append(name)
        ring = next((ring for after in sorted(graph[name]) if (ring := walk(after))), [])
        path.pop()
        done.add(name)
        return ring

    return next((ring for name in sorted(graph) if (ring := walk(name))), [])


def test_no_module_waits_for_one_that_waits_for_it():
    modules = {dotted(path) for path in SOURCES}
    graph = {dotted(path): set(needs(path, modules)) for path in SOURCES}
    assert cycle(graph) == []


def test_a_ring_is_found():
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_the_warm_up_imports_whatever_a_page_asks_for():
    """And captum and matplotlib, which functions import: two threads that do so at once, from two of their
    modules, fail, since each waits for the other.
    """
    late = {
        node.module
        for path in SOURCES if dotted(path).startswith("explorer")
        for function in ast.walk(tree(path)) if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(("captum", "matplotlib"))
    }  # fmt: skip
    assert {"captum.attr", "captum.attr._core.lrp", "matplotlib.figure"} <= late
    views = [path for path in SOURCES if dotted(path).startswith("explorer.views.")]
    wanted = sorted(late | {
        node.module if isinstance(node, ast.ImportFrom) else alias.name
        for path in views for node in at_import(tree(path)) for alias in node.names
    })  # fmt: skip
    script = (
        f"import sys; from explorer.server import warm; warm.load(); print(set({wanted}) - set(sys.modules))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.split("\n")[-2] == "set()"
