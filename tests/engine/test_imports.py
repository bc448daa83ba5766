import subprocess
import sys
from pathlib import Path

import pytest

import explorer.engine

MODULES = sorted(path.stem for path in Path(explorer.engine.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("module", ["tracing", "all"])
def test_the_engine_loads_no_page_and_no_plot(module: str) -> None:
    wanted = [name for name in MODULES if module in (name, "all")]
    script = f"""
import importlib, sys
for name in {wanted}:
    importlib.import_module("explorer.engine." + name)
print([name for name in ("streamlit", "matplotlib", "captum", "altair", "pandas") if name in sys.modules])
"""
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
