"""What holds for all tests: one thread for each process they run in, and patience on a busy machine."""

import os

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch, imported later, reads it

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
