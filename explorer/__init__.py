"""Explains a network: the engine, the pages and the commands."""

import model  # noqa: F401  (what a command needs before all else that it imports)
