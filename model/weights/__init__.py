"""Weights out of any file in which people keep them, as plain data: nothing in the file is executed."""
