"""What is freed is kept: taken again, a large block costs no page faults."""

from pathlib import Path

import pytest

from tests import forks

ROOT = Path(__file__).parents[2]
FAULTS = """
import resource, sys, torch
from model.allocator import keep_freed_memory
if "keep" in sys.argv and not keep_freed_memory():
    print("not here")
    raise SystemExit
for _ in range(20):
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*words: str) -> str:
    ran = forks.run("-c", FAULTS, *words)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_freed_blocks_are_kept() -> None:
    kept = faults("keep")
    if kept == "not here":
        pytest.skip("only glibc can be told so")
    assert int(kept) * 20 < int(faults())
