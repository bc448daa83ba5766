import textwrap
from pathlib import Path

import pytest

from tests import forks

ROOT = Path(__file__).parents[2]


def run(script, *first_on_the_path):
    """What a process prints that looks in `first_on_the_path` first; nothing of the project is imported."""
    paths = [str(path) for path in first_on_the_path]
    code = f"import sys\nsys.path[:0] = {paths}\n" + textwrap.dedent(script)
    ran = forks.run("-c", code)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


SAYS_WHAT_IS_DECLARED = """
import model, torch
from model.torchvision_repair import _DECLARATIONS
print(hasattr(torch.ops.torchvision, "nms"), len(_DECLARATIONS), "torchvision" in sys.modules)
"""


@pytest.fixture
def stub(tmp_path):
    """A package in torchvision's place, whose loader says what the test wants."""

    def write(extension):
        (tmp_path / "torchvision").mkdir()
        (tmp_path / "torchvision" / "__init__.py").write_text("raise AssertionError('imported')")
        (tmp_path / "torchvision" / "extension.py").write_text(extension)
        return tmp_path

    return write


def test_torchvision_imports_and_works():
    script = """
    import model, torch
    from torchvision.datasets import CIFAR10
    from torchvision.transforms import v2
    print(v2.functional.horizontal_flip(torch.arange(3)[None]).tolist(), CIFAR10.__name__)
    """
    assert run(script) == "[[2, 1, 0]] CIFAR10"


def test_import_model_does_not_import_torchvision():
    assert run("import model\nprint('torchvision' in sys.modules)") == "False"


def test_where_the_library_loads_nothing_is_declared(stub):
    assert run(SAYS_WHAT_IS_DECLARED, stub("def _has_ops(): return True")) == "False 0 False"


def test_where_it_does_not_the_operators_are_declared(stub):
    assert run(SAYS_WHAT_IS_DECLARED, stub("def _has_ops(): return False")) == "True 1 False"


@pytest.mark.parametrize("extension", ["", "raise OSError('no library')"])
def test_a_torchvision_of_another_make_is_left_alone(stub, extension):
    assert run(SAYS_WHAT_IS_DECLARED, stub(extension)) == "False 0 False"


def test_without_torchvision_nothing_happens():
    script = "import importlib.util\nimportlib.util.find_spec = lambda name: None\n" + SAYS_WHAT_IS_DECLARED
    assert run(script) == "False 0 False"


def test_a_torchvision_imported_before_is_left_alone():
    script = """
    import types
    sys.modules["torchvision"] = stub = types.ModuleType("torchvision")
    import model
    print(sys.modules["torchvision"] is stub)
    """
    assert run(script) == "True"


def test_repairing_twice_changes_nothing(stub):
    script = "import model\nfrom model.torchvision_repair import repair, _DECLARATIONS\nrepair()\n"
    assert run(script + "print(len(_DECLARATIONS))", stub("def _has_ops(): return False")) == "1"
