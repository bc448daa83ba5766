"""Explains a network: the engine, the pages and the commands."""

import sys

if sys.argv[:1] == ["-m"]:  # a command; the server answers before torch is loaded
    import model  # noqa: F401  (what a command needs before all else that it imports)
