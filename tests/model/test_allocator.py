"""What is freed is kept: taken again, a large block costs no page faults."""

import subprocess
import sys
from pathlib import Path

import pytest

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
    ran = subprocess.run(
        [sys.executable, "-c", FAULTS, *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


def test_freed_blocks_are_kept() -> None:
    kept = faults("keep")
    if kept == "not here":
        pytest.skip("only glibc can be told so")
    assert int(kept) * 20 < int(faults())
