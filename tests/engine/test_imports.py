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


@pytest.mark.parametrize("name", ["cifar10-course", "cifar10-resnet9"])
def test_no_shipped_network_has_torch_import_its_compiler(name: str) -> None:
    """It takes about a second, and two visits would do so at once."""
    script = f"""
import sys, torch
from pathlib import Path
from explorer.engine.flow import Flow
from explorer.engine.network_source import Source
from explorer.engine.opening import open_source
from explorer.engine.receptive import receptive_fields
checkpoint = open_source(Source(Path("checkpoints/{name}.safetensors"))).checkpoint
net, x = checkpoint.build(), torch.zeros(1, 3, 32, 32)
receptive_fields(net, x), Flow(net, x, 0)
print("torch._dynamo" in sys.modules)
"""
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
