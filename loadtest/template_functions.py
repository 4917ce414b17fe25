"""What call templates may call: ghz's three functions and the part of Sprig's and Go's that call data needs.

Each function is given the call's source of randomness and its arguments, in a pipeline the piped value last.
Numbers are whole, as Sprig's `add` and its kin have them.
"""

from __future__ import annotations

import base64
import hashlib
import random
import string
import uuid
from collections.abc import Callable
from typing import Any

from loadtest.errors import LoadTestError

Function = Callable[..., object]
_LETTERS = string.ascii_letters + string.digits
_SHORTEST, _LONGEST = 2, 16
LONGEST_TEXT = 1_000_000


def text_of(value: object) -> str:
    """A value as Go prints it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def new_uuid(source: random.Random) -> str:
    """A random UUID (version 4)."""
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


def _whole(value: object) -> int:
    try:
        return int(str(value))
    except ValueError as error:
        raise LoadTestError(f"template: {value!r} is not a whole number") from error


def _length(value: object) -> int:
    length = _whole(value)
    if length > LONGEST_TEXT:
        raise LoadTestError(f"template: {length:,} is more than {LONGEST_TEXT:,} letters")
    return length


def _random_string(source: random.Random, length: object) -> str:
    letters = _length(length)
    if letters <= 0:
        letters = source.randint(_SHORTEST, _LONGEST)
    return "".join(source.choices(_LETTERS, k=letters))


def _random_int(source: random.Random, low: object, high: object) -> int:
    # As ghz: an upper bound that is not above the lower one counts as 1 more than it.
    return source.randrange(_whole(low), max(_whole(high), _whole(low) + 1))


def _letters(alphabet: str) -> Function:
    return lambda source, length: "".join(source.choices(alphabet, k=max(0, _length(length))))


def _whole_numbers(function: Callable[..., int]) -> Function:
    return lambda source, *values: function(*(_whole(value) for value in values))


def _texts(function: Callable[..., str]) -> Function:
    return lambda source, *values: function(*(text_of(value) for value in values))


def _product(*values: int) -> int:
    product = 1
    for value in values:
        product *= value
    return product


def _quotient(dividend: int, divisor: int) -> int:
    """Towards zero, as Go divides."""
    if not divisor:
        raise LoadTestError("template: division by 0")
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def _remainder(dividend: int, divisor: int) -> int:
    return dividend - divisor * _quotient(dividend, divisor)


def _repeat(source: random.Random, count: object, text: object) -> str:
    _length(_whole(count) * len(text_of(text)))
    return text_of(text) * _whole(count)


def _printf(source: random.Random, form: object, *values: Any) -> str:
    """Go's verbs that Python's % has too, and %v."""
    try:
        return text_of(form).replace("%v", "%s") % tuple(
            text_of(value) if isinstance(value, bool) else value for value in values
        )
    except (TypeError, ValueError) as error:
        raise LoadTestError(f"template: printf {form!r} cannot print {list(values)}: {error}") from error


# Name → fewest arguments, most arguments, function.
FUNCTIONS: dict[str, tuple[int, int, Function]] = {
    "newUUID": (0, 0, new_uuid),
    "randomString": (1, 1, _random_string),
    "randomInt": (2, 2, _random_int),
    "uuidv4": (0, 0, new_uuid),
    "randInt": (2, 2, _random_int),
    "randAlpha": (1, 1, _letters(string.ascii_letters)),
    "randAlphaNum": (1, 1, _letters(_LETTERS)),
    "randNumeric": (1, 1, _letters(string.digits)),
    "add": (1, 99, _whole_numbers(lambda *values: sum(values))),
    "add1": (1, 1, _whole_numbers(lambda value: value + 1)),
    "sub": (2, 2, _whole_numbers(lambda one, other: one - other)),
    "mul": (1, 99, _whole_numbers(_product)),
    "div": (2, 2, _whole_numbers(_quotient)),
    "mod": (2, 2, _whole_numbers(_remainder)),
    "max": (1, 99, _whole_numbers(lambda *values: max(values))),
    "min": (1, 99, _whole_numbers(lambda *values: min(values))),
    "upper": (1, 1, _texts(str.upper)),
    "lower": (1, 1, _texts(str.lower)),
    "trim": (1, 1, _texts(str.strip)),
    "replace": (3, 3, _texts(lambda old, new, text: text.replace(old, new))),
    "repeat": (2, 2, _repeat),
    "b64enc": (1, 1, _texts(lambda text: base64.b64encode(text.encode()).decode())),
    "sha256sum": (1, 1, _texts(lambda text: hashlib.sha256(text.encode()).hexdigest())),
    "print": (0, 99, _texts(lambda *texts: "".join(texts))),
    "printf": (1, 99, _printf),
}
