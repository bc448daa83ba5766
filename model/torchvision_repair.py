"""Lets `import torchvision` work beside a torch that its compiled operators were not built for.

`pip install torch torchvision` easily pairs a CPU-only torch with torchvision's CUDA wheel. The wheel's
C++ library then cannot be loaded, its operators are never declared, and `import torchvision` dies with
“operator torchvision::nms does not exist” while it attaches shape rules to them. Nothing here uses these
operators (they serve object detection), so declaring their names is enough; calling one still fails.
"""

import importlib
import importlib.util
import sys
import types

import torch

# Every operator torchvision 0.28 attaches a rule to at import, also where its library did not load.
_OPERATORS = (
    "nms",
    "qnms",
    *("roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "deform_conv2d"),
    *("_roi_align_backward", "_roi_pool_backward", "_ps_roi_align_backward", "_ps_roi_pool_backward"),
    "_deform_conv2d_backward",
)
_DECLARATIONS: list[torch.library.Library] = []  # a Library's declarations live as long as it does


def repair() -> None:
    """Declare torchvision's operators if its library does not load; no effect where it does or is absent.

    Torchvision itself is not imported, which would cost every start a second.
    """
    if "torchvision" in sys.modules or _DECLARATIONS:
        return
    spec = importlib.util.find_spec("torchvision")
    if spec is not None and not _library_loads(list(spec.submodule_search_locations or ())):
        _declare()


def _library_loads(package_path: list[str]) -> bool:
    """Ask torchvision's own loader, under a stand-in for the package whose import would fail."""
    package = types.ModuleType("torchvision")
    package.__path__ = package_path
    sys.modules["torchvision"] = package
    try:
        return bool(importlib.import_module("torchvision.extension")._has_ops())
    except Exception:  # a torchvision of another make: left alone, whoever imports it sees its own error
        return True
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]


def _declare() -> None:
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    _DECLARATIONS.append(library)
    for name in _OPERATORS:
        library.define(f"{name}(Tensor input) -> Tensor")  # type: ignore[no-untyped-call]
