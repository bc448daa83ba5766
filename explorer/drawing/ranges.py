"""Choosing the range of values that a color scale covers, apart from drawing with it."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.words import tr

MINUS = "\N{MINUS SIGN}"
SMALL = 1e-4  # in a sentence: what is nearer to zero is said to be so
HUGE = 1e6
MOST_DIGITS = 5  # of a factor whose product is shown
FAINT = 1e-3  # of the larger end of some values: what is nearer to zero is about 0
LOST = 0.05  # of a change: what its digits may leave out to agree with the values beside it


@dataclass(frozen=True)
class Range:
    """The values at the two ends of a color scale; `signed` ranges are symmetric about zero.

    `low == high` is allowed and means that there is nothing to tell apart: an all-zero array.
    """

    low: float
    high: float
    signed: bool = False

    @property
    def constant(self) -> bool:
        """True where the two ends coincide."""
        return self.low == self.high


def symmetric(*values: ArrayLike) -> Range:
    """The smallest range about zero that holds every finite number of signed `values` of any shapes."""
    reach = max((float(np.abs(part).max()) for part in _finite(values)), default=0.0)
    return Range(-reach if reach else 0.0, reach, signed=True)


def positive(*values: ArrayLike) -> Range:
    """From zero to the largest finite number in `values`; what is negative lies below the range."""
    return Range(0.0, max((0.0, *(float(part.max()) for part in _finite(values)))))


def shared(*values: ArrayLike, signed: bool) -> Range:
    """One range for everything that stands side by side to be compared."""
    return _chooser(signed)(*values)


def per_channel(maps: ArrayLike, signed: bool) -> tuple[Range, ...]:
    """One range for each channel of `maps` (C,h,w)."""
    return tuple(_chooser(signed)(channel) for channel in np.asarray(maps))


def each_shared(*sides: ArrayLike, signed: bool) -> tuple[Range, ...]:
    """One range for each channel that any of the `sides` (C,h,w) has, the same for that channel on all."""
    maps = [np.asarray(side) for side in sides]
    count = max(len(side) for side in maps)
    choose = _chooser(signed)
    return tuple(choose(*(side[channel] for side in maps if channel < len(side))) for channel in range(count))


def number(value: float, digits: int = 3) -> str:
    """A number as it stands in a caption: about three significant digits, or more, and a true minus sign.

    >>> number(-1.8432), number(0), number(12345.6), number(0.00004), number(1.84321, 5), number(999.96)
    ('−1.84', '0', '12346', '4e−5', '1.8432', '1000')
    """
    if not np.isfinite(value):
        return str(value).replace("-", MINUS)
    whole = len(f"{abs(value):.0f}")
    plain = f"{value:.{max(0, digits - whole)}f}" if 999.5 <= abs(value) < 1e6 else f"{value:.{digits}g}"
    mantissa, _, exponent = plain.partition("e")
    short = f"{mantissa}e{int(exponent)}" if exponent else mantissa
    return "0" if float(plain) == 0 else short.replace("-", MINUS)


def equals(computed: float, shown: str) -> str:
    """The sign before a result as it is shown: = if what the numbers before it give is that in its digits,
    else ≈.

    >>> equals(0.023 * 0.0578, "0.00133"), equals(0.023 * 0.0578, "0.00134"), equals(-2e-5, "−2e−5")
    ('=', '≈', '=')
    """
    mantissa, _, exponent = shown.replace(MINUS, "-").partition("e")
    if not re.fullmatch(r"-?\d+(\.\d+)?", mantissa):
        return "="  # it says itself that it is only about so
    unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return "=" if abs(computed - _value(shown)) <= 0.5 * unit * (1 + 1e-9) else "≈"


def enough_digits(holds: Callable[[int], bool], most: int) -> int:
    """The least number of digits from 3 on for which numbers as they are shown hold, else the most."""
    return next((digits for digits in range(3, most) if holds(digits)), most)


def product(first: float, second: float, result: str) -> tuple[str, str, str]:
    """Two factors and their product, so many digits of the factors that they give the result as it is shown.

    >>> product(0.023449, 0.0578, "0.00136"), product(0.0234, 0.0578, "0.002")
    (('0.02345', '× 0.0578', '= 0.00136'), ('0.0234', '× 0.0578', '≈ 0.002'))
    """

    def factors(digits: int) -> list[str]:
        return [number(value, digits) for value in (first, second)]

    def sign(digits: int) -> str:
        one, other = map(_value, factors(digits))
        return equals(one * other, result)

    digits = enough_digits(lambda each: sign(each) == "=", MOST_DIGITS)
    digits = digits if sign(digits) == "=" else 3
    one, other = factors(digits)
    return one, f"× {other}", f"{sign(digits)} {result}"


def plainly(shown: str) -> str:
    """A number of a caption as a sentence says it: no power of ten in it.

    >>> plainly("6.77e−8"), plainly("−4e−5"), plainly("1.23e6"), plainly("0.12")
    ('less than 0.0001', 'between −0.0001 and 0', '1,230,000', '0.12')
    """
    if "e" not in shown:
        return shown
    value = _value(shown)
    if abs(value) >= HUGE:
        return f"{value:,.0f}".replace("-", MINUS)
    bound = in_full(SMALL)
    if value < 0:
        return tr("between {low} and 0", low=f"{MINUS}{bound}")
    return tr("less than {bound}", bound=bound)


def plain_number(value: float) -> str:
    """A number as it stands in a sentence: that of a caption, said plainly.

    >>> plain_number(-1.8432), plain_number(0), plain_number(6.77e-8)
    ('−1.84', '0', 'less than 0.0001')
    """
    return plainly(number(value))


def in_full(value: float) -> str:
    """A number with all its zeros, for a formula or a setting whose value matters.

    >>> in_full(1e-5), in_full(-0.0000000677), in_full(0.1)
    ('0.00001', '−0.0000000677', '0.1')
    """
    return with_zeros(number(value))


def with_zeros(shown: str) -> str:
    """A number as it is shown, with its zeros instead of a power of ten.

    >>> with_zeros("−1e−5"), with_zeros("0.12")
    ('−0.00001', '0.12')
    """
    return np.format_float_positional(_value(shown), trim="-").replace("-", MINUS) if "e" in shown else shown


def from_to(low: float, high: float) -> tuple[str, str]:
    """The ends of some values for a sentence, in the digits of a color bar; about 0 if lost beside the other.

    >>> from_to(-6.77e-8, 1.2), from_to(-0.842, 0.020914), from_to(0, 3e-8)
    (('about 0', '1.2'), ('−0.842', '0.0209'), ('0', '3e−8'))
    """
    most = max(abs(low), abs(high))
    return _end(low, most), _end(high, most)


def _end(value: float, most: float) -> str:
    return tr("about 0") if 0 < abs(value) < FAINT * most else number(value)


def decimals_of_sum(total: float, *terms: float) -> int:
    """How many decimals a sum and its terms need so that the numbers shown add up; at least those that give
    the largest two digits.

    >>> decimals_of_sum(0.000324, -0.00000118, 0.000325), decimals_of_sum(0.729, 0.925, -0.196)
    (5, 2)
    """
    values = [total, *terms]
    largest = max((abs(value) for value in values), default=0.0) or 1.0
    least = int(max(0, 1 - np.floor(np.log10(largest))))
    return next((each for each in range(least, least + 4) if _adds_up(values, each)), least)


def adding_up(total: float, *terms: float) -> tuple[str, ...]:
    """A sum and its terms with equally many decimals, so many that the terms shown add up to the sum shown.

    As a rule those that give the largest three digits; where no few decimals more do it, the last term is
    what is missing. A term too small for these decimals has its own.

    >>> adding_up(1.11, 2.31, -1.2), adding_up(1.1149, 2.3052, -1.1903), adding_up(12.304, 12.3, 0.004)
    (('1.11', '2.31', '−1.20'), ('1.115', '2.305', '−1.190'), ('12.304', '12.300', '0.004'))
    """
    values = [total, *terms]
    largest = max(abs(value) for value in values) or 1.0
    if not np.isfinite(values).all() or not 1e-3 <= largest < 1e6:
        return tuple(map(number, values))
    least = _decimals(values)
    decimals = next((each for each in range(least, least + 3) if _adds_up(values, each)), least)
    rounded = [round(float(value), decimals) for value in values]
    rounded[-1] = round(rounded[0] - sum(rounded[1:-1]), decimals)
    return tuple(
        _decimal(shown, decimals) if shown or not value else number(value)
        for shown, value in zip(rounded, values, strict=True)
    )


def column(values: Iterable[float]) -> list[str]:
    """Numbers that stand below or beside one another, with equally many decimals: those that give the largest
    three digits, or one more for a smaller one's two. One that these decimals lose is about 0; where
    few decimals show none, each is as anywhere.

    >>> column([0.492, 0.3, 0.0116]), column([-2.31, 2, 0]), column([0.0157, -3.2e-14]), column([1, 120])
    (['0.492', '0.300', '0.012'], ['−2.31', '2.00', '0'], ['0.0157', 'about 0'], ['1.0', '120.0'])
    """
    written = in_decimals(values := [float(value) for value in values])
    return [written(value) for value in values]


def in_decimals(values: Iterable[float]) -> Callable[[float], str]:
    """How `column` writes each of these numbers."""
    finite = np.abs([value for value in values if np.isfinite(value)])
    largest = float(finite.max(initial=0.0))
    if largest and not 1e-4 <= largest < 1e6:
        return number
    return partial(with_decimals, _decimals(finite[finite > 1e-3 * largest], more=1))


def with_decimals(decimals: int, value: float) -> str:
    """A number with so many decimals; about 0 where it is lost in them.

    >>> with_decimals(2, -1.5), with_decimals(2, 0.004), with_decimals(2, 0)
    ('−1.50', 'about 0', '0')
    """
    if not value or not np.isfinite(value):
        return number(value)
    return _decimal(round(value, decimals), decimals) if round(value, decimals) else tr("about 0")


def _decimals(values: ArrayLike, more: int = 2) -> int:
    """How many decimals give the largest of some numbers three digits; up to so many `more` for two digits of
    the smallest.
    """
    sizes = np.floor(np.log10([abs(value) for value in np.ravel(values) if value] or [1.0]))
    return int(max(0, 2 - sizes.max(), min(2 + more - sizes.max(), 1 - sizes.min())))


def before_and_after(before: float, after: float) -> tuple[str, str, str]:
    """A value before and after a change, and the change with its sign, which is their difference as shown.

    A change that is lost in the digits of the values is shown with its own.

    >>> before_and_after(2.3052, 1.1149), before_and_after(5.96565056, 5.96564531)
    (('2.305', '1.115', '−1.190'), ('5.97', '5.97', '−5.25e−6'))
    """
    true = float(after) - float(before)
    last, first, change = adding_up(after, before, true)
    if true and abs(_value(change) - true) > LOST * abs(true):
        first, last, change = number(before), number(after), number(true)
    return first, last, f"+{change}" if after > before else change


def _value(shown: str) -> float:
    return float(shown.replace(MINUS, "-"))


def _adds_up(values: Sequence[float], decimals: int) -> bool:
    total, *terms = (round(float(value), decimals) for value in values)
    return abs(total - sum(terms)) < 0.5 * 10.0**-decimals


def _decimal(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}".replace("-", MINUS) if value else "0"


def percent(value: float, decimals: int = 1) -> str:
    """A fraction from 0 to 1 as percent; 0 and 100 stand only for what is exactly that.

    >>> percent(0.8764), percent(1), percent(0.99996), percent(0.0003), percent(0.996, 0)
    ('87.6%', '100.0%', '> 99.9%', '< 0.1%', '> 99%')
    """
    least = 0.1**decimals
    rounded = f"{value:.{decimals}%}"
    if value < 1 and float(rounded[:-1]) >= 100:
        return f"> {100 - least:.{decimals}f}%"
    if value > 0 and float(rounded[:-1]) == 0:
        return f"< {least:.{decimals}f}%"
    return rounded


def probability(value: float, decimals: int = 1) -> str:
    """A softmax's value as percent: never 0 or 100, which only float32 makes of it.

    >>> probability(1), probability(0), probability(0.25, 0)
    ('> 99.9%', '< 0.1%', '25%')
    """
    return percent(inside(value), decimals)


def inside(value: float) -> float:
    """A value from 0 to 1, kept off both ends."""
    return min(max(float(value), 1e-9), 1 - 1e-9)


def signed(value: float, written: Callable[[float], str] = number) -> str:
    """A number with its sign, also if that is a plus.

    >>> signed(0.25), signed(-0.25), signed(0), signed(0.25, in_decimals([0.25, 0.267]))
    ('+0.25', '−0.25', '0', '+0.250')
    """
    shown = written(value)
    return f"+{shown}" if value > 0 and shown[0].isdigit() else shown


def texts(beside: Sequence[Range]) -> list[str]:
    """Ranges that stand beside one another, each as a caption states it, with equally many decimals.

    >>> texts([Range(0, 4.11), Range(0, 3.4)])
    ['0 … 4.11', '0 … 3.40']
    """
    written = in_decimals(end for range in beside for end in (range.low, range.high))
    return [text(range, written=written) for range in beside]


def text(range: Range, scale: str = "", written: Callable[[float], str] = number) -> str:
    """The range as a caption states it, with how far it is shared.

    >>> text(Range(-1.84, 1.84, signed=True), "shared")
    '−1.84 … 1.84, shared'
    """
    low, high = written(range.low), written(range.high)
    ends = tr("all {value}", value=low) if range.constant else f"{low} … {high}"
    return tr("{ends}, {scale}", ends=ends, scale=scale) if scale else ends


def _chooser(signed: bool) -> Callable[..., Range]:
    return symmetric if signed else positive


def _finite(values: tuple[ArrayLike, ...]) -> list[NDArray[np.float64]]:
    arrays = (np.asarray(part, dtype=np.float64) for part in values)
    finite = (array[np.isfinite(array)] for array in arrays)
    return [array for array in finite if array.size]
