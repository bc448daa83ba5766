"""The colors of charts, by what they stand for; legible on the light page, on the dark page and in print."""

from enum import StrEnum


class Color(StrEnum):
    """A color of charts: its name says what it is for, its value is the color as #rrggbb."""

    ACCENT = "#1f9089"
    HIGHLIGHT = "#d0601f"
    QUIET = "#8b877f"
    THIRD = "#7d77d8"
    FOURTH = "#a9852b"
    FIFTH = "#c25a86"


SERIES = (Color.ACCENT, Color.HIGHLIGHT, Color.THIRD, Color.FOURTH, Color.FIFTH, Color.QUIET)
"""The colors of lines that are compared, in this order."""

BAND = 0.13  # opacity of the running mean ± running σ
