"""The pieces of one step of a position's arithmetic, as HTML: its heading, formulas and result."""

from explorer.drawing.ranges import equals
from explorer.ui import markup
from explorer.views.maps.matrix import fixed


def step_html(title: str, *inner: str, cls: str = "") -> str:
    return markup.element("li", markup.text(title, tag="h4"), *inner, cls=cls)


def formula(text: str) -> str:
    return markup.text(text, "fx-formula")


def result(value: float, computed: float | None = None) -> str:
    """The result of a step, behind ≈ where the numbers shown before it give another one, `computed`."""
    sign = "=" if computed is None else equals(computed, fixed(value))
    return markup.text(f"{sign} {fixed(value)}", "fx-result")


def as_shown(value: float) -> float:
    """A number as `fixed` shows it."""
    return round(value, 4)


def signed_term(value: float) -> str:
    """A number that is added, with its sign."""
    return f"− {fixed(-value)}" if value < 0 else f"+ {fixed(value)}"
