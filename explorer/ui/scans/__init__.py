"""Scans of a data set as pages use them: the result, and its images batch by batch."""
