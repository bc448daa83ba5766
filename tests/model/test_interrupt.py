"""Ctrl-C while a command still imports."""

import ast
import importlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import model
from model import interrupt

ROOT = Path(model.__file__).parents[1]


@pytest.mark.parametrize(("argv", "ends"), [(["-m"], True), (["explorer/app.py"], False)])
def test_it_ends_a_command_only(monkeypatch: pytest.MonkeyPatch, argv: list[str], ends: bool) -> None:
    monkeypatch.setattr("sys.argv", argv)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        importlib.reload(interrupt)
        assert (signal.getsignal(signal.SIGINT) is not signal.default_int_handler) == ends
    finally:
        signal.signal(signal.SIGINT, before)


def test_it_is_imported_before_all_else() -> None:
    tree = ast.parse((ROOT / "model" / "__init__.py").read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imports[0].names[0].name == "interrupt"


@pytest.mark.parametrize(("argv", "loaded"), [(["-m"], True), (["explorer/app.py"], False)])
def test_the_explorer_imports_it_for_a_command_only(argv: list[str], loaded: bool) -> None:
    """The server answers before torch is loaded, which `model` does."""
    program = f"import sys; sys.argv = {argv!r}; import explorer; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{loaded}\n"
